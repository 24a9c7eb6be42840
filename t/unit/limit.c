/* SPDX-License-Identifier: MIT */
/*
 * core/limit: who is refused with what, what the headers are told, and how
 * logins are slowed without locking anybody out.
 */
#include "core/limit.h"

#include "base/conf.h"
#include "core/tenant.h"
#include "plat/addresses.h"
#include "plat/tenant_places.h"
#include "tap.h"

static struct conf *conf;

/* Without any limit. */
static struct tenant
tenant_of(int32_t id)
{
	return ((struct tenant){ .magic = TENANT_MAGIC, .id = id,
	    .slug = TEXT("some"), .max_connections = TENANT_NO_LIMIT,
	    .max_requests = TENANT_NO_LIMIT, .max_events = TENANT_NO_LIMIT,
	    .max_storage = TENANT_NO_LIMIT,
	    .retention_days = TENANT_NO_LIMIT });
}

static void
test_rates(void)
{
	struct tenant one = tenant_of(1), other = tenant_of(2);
	struct limit_state state;

	test("requests of a tenant in a minute");
	one.max_requests = 2;
	is(limit_request(&one, 100, &state), ERR_none);
	ok(state.applies);
	is_text(state.policy, "requests");
	is(state.quota, 2);
	is(state.window_s, 60);
	is(state.remaining, 1);
	is(state.reset_s, 60);
	is(limit_request(&one, 110, &state), ERR_none);
	is(state.remaining, 0);
	is(limit_request(&one, 120, &state), ERR_too_many_requests);
	ok(state.applies);
	is(state.remaining, 0);
	is(state.reset_s, 40);
	is(error_rows[ERR_too_many_requests].status, 429);
	is(limit_request(&one, 160, &state), ERR_none);

	test("where there is no limit nothing applies");
	is(limit_request(&other, 100, &state), ERR_none);
	ok(!state.applies);
	is(limit_events(&one, 1000, 100, &state), ERR_none);
	ok(!state.applies);

	test("events: all of them or none");
	other.max_events = 10;
	is(limit_events(&other, 4, 100, &state), ERR_none);
	is(limit_events(&other, 7, 100, &state), ERR_too_many_events);
	is_text(state.policy, "events");
	is(state.remaining, 6);
	is(limit_events(&other, 6, 100, &state), ERR_none);
	is(limit_events(&other, 1, 159, &state), ERR_too_many_events);
	is(state.reset_s, 1);
	is(limit_request(&other, 159, &state), ERR_none);

	test("a limit of nothing refuses everything");
	one.max_requests = 0;
	is(limit_request(&one, 500, &state), ERR_too_many_requests);
	is(state.quota, 0);
	is(state.remaining, 0);
}

static void
test_storage(void)
{
	struct tenant one = tenant_of(3), other = tenant_of(4);
	struct limit_state state;

	test("bytes up to the bound, and given back");
	one.max_storage = 1000;
	is(limit_storage(&one, 600, 100, &state), ERR_none);
	is(state.remaining, 400);
	is(state.window_s, 0);
	is(limit_storage(&one, 401, 100, &state), ERR_storage_full);
	is_text(state.policy, "storage");
	is(state.quota, 1000);
	is(state.remaining, 400);
	is(error_rows[ERR_storage_full].status, 507);
	limit_storage_undo(&one, 600);
	is(limit_storage(&one, 1000, 100, &state), ERR_none);
	is(state.remaining, 0);
	one.max_storage = 10;
	is(limit_storage(&one, 1, 100, &state), ERR_storage_full);
	is(state.remaining, 0);
	is(limit_storage(&other, INT64_MAX, 100, &state), ERR_none);
	ok(!state.applies);
	limit_storage_undo(&other, INT64_MAX);
}

static void
test_connections(void)
{
	struct tenant one = tenant_of(5);
	struct tenant_place *held[4];

	test("connections: only what was counted is given back");
	is(limit_connection(&one, 0, 100, &held[0]), ERR_none);
	ok(held[0] == NULL);
	one.max_connections = 2;
	is(limit_connection(&one, 0, 100, &held[1]), ERR_none);
	is(limit_connection(&one, 1, 100, &held[2]), ERR_none);
	is(limit_connection(&one, 1, 100, &held[3]),
	    ERR_too_many_tenant_connections);
	ok(held[3] == NULL);
	limit_connection_end(&held[0], 0);
	limit_connection_end(&held[3], 1);
	is(limit_connection(&one, 1, 100, &held[3]),
	    ERR_too_many_tenant_connections);
	/* The limit is gone when they end. */
	one.max_connections = TENANT_NO_LIMIT;
	limit_connection_end(&held[1], 0);
	ok(held[1] == NULL);
	one.max_connections = INT32_MAX;
	is(limit_connection(&one, 1, 100, &held[3]), ERR_none);
	is(tenant_place_held(held[3]), 2);
	limit_connection_end(&held[2], 1);
	is(tenant_place_held(held[3]), 1);
	limit_connection_end(&held[3], 1);
}

static void
test_full(void)
{
	struct limit_state state;
	struct tenant_place *held;
	struct tenant last;

	test("without a place, a tenant with a limit is refused");
	for (int32_t id = 100; id < 200; id++)
		tenant_place(id);
	last = tenant_of(300);
	is(limit_request(&last, 1, &state), ERR_none);
	last.max_requests = last.max_events = last.max_storage =
	    last.max_connections = 1000;
	is(limit_request(&last, 1, &state), ERR_tenant_places_full);
	ok(!state.applies);
	is(limit_events(&last, 1, 1, &state), ERR_tenant_places_full);
	is(limit_storage(&last, 1, 1, &state), ERR_tenant_places_full);
	is(limit_connection(&last, 0, 1, &held), ERR_tenant_places_full);
	ok(held == NULL);
	limit_storage_undo(&last, 1);
	is(error_rows[ERR_tenant_places_full].status, 503);
}

/* One attempt, with a wrong key: how long it had to wait, or -1: refused. */
static int64_t
attempt(const struct tenant *tenant, const char *address, int64_t now_s,
    bool is_right)
{
	struct limit_login login = { .asked = 0 };

	if (limit_login(tenant, text_of(address), conf, now_s, &login) !=
	    ERR_none)
		return (-1);
	ok(!login.has_to_ask_again);
	limit_login_end(&login, is_right, now_s);
	return (login.wait_ms);
}

static void
test_logins(void)
{
	struct tenant one = tenant_of(1), other = tenant_of(2);
	struct limit_login login, more[10];

	test("an address that failed ten times is refused for the minute");
	for (unsigned i = 0; i < 10; i++)
		is(attempt(&one, "10.0.0.1", 100 + i, false), 0);
	login = (struct limit_login){ .asked = 0 };
	is(limit_login(&one, TEXT("10.0.0.1"), conf, 130, &login),
	    ERR_too_many_logins);
	is_text(login.state.policy, "logins");
	is(login.state.quota, 10);
	is(login.state.remaining, 0);
	is(login.state.reset_s, 30);
	is(error_rows[ERR_too_many_logins].status, 429);
	is(attempt(&one, "10.0.0.1", 130, true), -1);
	is(attempt(&one, "10.0.0.1", 160, true), 0);

	test("others are not: by address, by tenant");
	is(attempt(&one, "10.0.0.2", 130, false), 0);
	is(attempt(&other, "10.0.0.1", 130, false), 0);
	is(attempt(&one, "", 130, false), 0);

	test("IPv6 counts by /64, Unix sockets as one");
	for (unsigned i = 0; i < 10; i++) {
		attempt(&one, "2001:db8::1", 200, false);
		attempt(&one, "unix:", 200, false);
	}
	is(attempt(&one, "2001:db8::2:3", 200, false), -1);
	is(attempt(&one, "2001:db8:0:1::1", 200, false), 0);
	is(attempt(&one, "", 200, false), -1);

	test("logins that were right count nothing");
	for (unsigned i = 0; i < 100; i++)
		is(attempt(&one, "10.0.0.3", 300, true), 0);
	is(attempt(&one, "10.0.0.3", 300, false), 0);

	test("with too many at work one asks again, and not for ever");
	for (unsigned i = 0; i < 10; i++) {
		more[i] = (struct limit_login){ .asked = 0 };
		is(limit_login(&one, TEXT("10.0.0.4"), conf, 400, &more[i]),
		    ERR_none);
		ok(!more[i].has_to_ask_again);
	}
	login = (struct limit_login){ .asked = 0 };
	is(limit_login(&one, TEXT("10.0.0.4"), conf, 400, &login), ERR_none);
	ok(login.has_to_ask_again);
	ok(login.wait_ms > 0);
	limit_login_end(&more[0], true, 400);
	is(limit_login(&one, TEXT("10.0.0.4"), conf, 400, &login), ERR_none);
	ok(!login.has_to_ask_again);
	more[0] = (struct limit_login){ .asked = 0 };
	for (unsigned i = 0; limit_login(&one, TEXT("10.0.0.4"), conf, 401,
	    &more[0]) == ERR_none; i++)
		if (!ok(i < 1000 && more[0].has_to_ask_again))
			break;
	limit_login_end(&login, true, 401);
	for (unsigned i = 1; i < 10; i++)
		limit_login_end(&more[i], false, 401);
	is(attempt(&one, "10.0.0.4", 402, false), 0);
	is(attempt(&one, "10.0.0.4", 402, false), -1);
}

static void
test_slowed(void)
{
	struct tenant one = tenant_of(11), other = tenant_of(12);
	int64_t waited = 0, last = 0;
	char address[32];

	test("an attack from many addresses slows the tenant, more and more");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(address, sizeof address, "10.1.%u.%u", i / 250,
		    i % 250);
		waited = attempt(&one, address, 1000, false);
		ok(i <= 100 ? waited == 0 : waited > 0);
		ok(waited >= last && waited <= 2000);
		last = waited;
	}
	is(waited, 2000);

	test("but refuses nobody, and no other tenant");
	is(attempt(&one, "10.9.9.9", 1001, true), 2000);
	is(attempt(&one, "10.9.9.9", 1001, true), 2000);
	is(attempt(&other, "10.9.9.9", 1001, true), 0);
	is(attempt(&one, "10.9.9.9", 1060, true), 0);
}

int
main(void)
{
	conf = conf_create();
	must(conf->login_failures == 10);
	must(addresses_open(2, 1000) && failures_open() &&
	    tenant_places_open(2, 64));
	test_rates();
	test_storage();
	test_connections();
	test_logins();
	test_slowed();
	test_full();
	tenant_places_close();
	failures_close();
	addresses_close();
	conf_destroy(&conf);
	return (done());
}
