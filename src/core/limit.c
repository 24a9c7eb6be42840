/* SPDX-License-Identifier: MIT */
/*
 * Limits of a tenant, and of who fails to log in.
 */
#include "core/limit.h"

#include "base/address.h"
#include "base/conf.h"
#include "base/log.h"
#include "core/tenant.h"
#include "plat/addresses.h"
#include "plat/share.h"
#include "plat/tenant_places.h"

#define BUSY_MS		50	/* until somebody's attempt may have ended */
#define BUSY_ASKS	100	/* then they will not end in time */
#define TENANT_TIMES	10	/* of login_failures, then all are slowed */
#define SLOWER_MS	10
#define SLOWEST_MS	2000

static void
state_set(struct limit_state *state, const char *policy, int64_t quota,
    int64_t window_s, int64_t remaining, int64_t reset_s)
{
	*state = (struct limit_state){ .applies = true, .policy = policy,
	    .quota = quota, .window_s = window_s, .remaining = remaining,
	    .reset_s = reset_s };
}

/* One line a minute, however many are refused. */
static void
warn_full(const struct tenant *tenant, int64_t now_s)
{
	static int64_t warned_s;

	if (warned_s != 0 && now_s - warned_s < WINDOW_S)
		return;
	warned_s = now_s;
	log_warn("no place is left to count a tenant's use, he is refused; "
	    "raise tenant_places and restart", F("tenant", tenant->slug));
}

/* now_s is 0 where the caller has none. */
static enum err
find_place(const struct tenant *tenant, int64_t now_s,
    struct tenant_place **out)
{
	*out = tenant_place(tenant->id);
	if (*out != NULL)
		return (ERR_none);
	warn_full(tenant, now_s);
	return (ERR_tenant_places_full);
}

static enum err
limit_rate(const struct tenant *tenant, enum tenant_rate rate, uint32_t n,
    int64_t most, int64_t now_s, struct limit_state *out)
{
	static const char *const policies[TENANT_RATES] = {
		[TENANT_REQUESTS] = "requests", [TENANT_EVENTS] = "events" };
	static const enum err refusals[TENANT_RATES] = {
		[TENANT_REQUESTS] = ERR_too_many_requests,
		[TENANT_EVENTS] = ERR_too_many_events };
	struct tenant_place *place;
	struct window_left left;
	bool is_within;
	enum err err;

	*out = (struct limit_state){ .applies = false };
	if (most == TENANT_NO_LIMIT)
		return (ERR_none);
	if ((err = find_place(tenant, now_s, &place)) != ERR_none)
		return (err);
	is_within = tenant_place_count(place, rate, n, most, now_s, &left);
	state_set(out, policies[rate], most, WINDOW_S, left.remaining,
	    left.reset_s);
	return (is_within ? ERR_none : refusals[rate]);
}

enum err
limit_request(const struct tenant *tenant, int64_t now_s,
    struct limit_state *out)
{
	return (limit_rate(tenant, TENANT_REQUESTS, 1, tenant->max_requests,
	    now_s, out));
}

enum err
limit_events(const struct tenant *tenant, unsigned n, int64_t now_s,
    struct limit_state *out)
{
	return (limit_rate(tenant, TENANT_EVENTS, n, tenant->max_events,
	    now_s, out));
}

enum err
limit_storage(const struct tenant *tenant, int64_t bytes, int64_t now_s,
    struct limit_state *out)
{
	struct tenant_place *place;
	bool is_within;
	int64_t left;
	enum err err;

	*out = (struct limit_state){ .applies = false };
	if (tenant->max_storage == TENANT_NO_LIMIT)
		return (ERR_none);
	if ((err = find_place(tenant, now_s, &place)) != ERR_none)
		return (err);
	is_within = tenant_place_write(place, bytes, tenant->max_storage);
	left = tenant->max_storage - tenant_place_bytes(place);
	state_set(out, "storage", tenant->max_storage, 0,
	    left > 0 ? left : 0, 0);
	return (is_within ? ERR_none : ERR_storage_full);
}

void
limit_storage_undo(const struct tenant *tenant, int64_t bytes)
{
	struct tenant_place *place;

	if (tenant->max_storage == TENANT_NO_LIMIT)
		return;
	place = tenant_place(tenant->id);
	if (place != NULL)
		tenant_place_unwrite(place, bytes);
}

enum err
limit_connection(const struct tenant *tenant, unsigned slot, int64_t now_s,
    struct tenant_place **held_out)
{
	struct tenant_place *place;
	int64_t most = tenant->max_connections;
	enum err err;

	*held_out = NULL;
	if (most == TENANT_NO_LIMIT)
		return (ERR_none);
	if ((err = find_place(tenant, now_s, &place)) != ERR_none)
		return (err);
	if (!tenant_place_take(place, slot,
	    most < SHARES_MAX ? most : SHARES_MAX))
		return (ERR_too_many_tenant_connections);
	*held_out = place;
	return (ERR_none);
}

void
limit_connection_end(struct tenant_place **held, unsigned slot)
{
	if (*held != NULL)
		tenant_place_give(*held, slot);
	*held = NULL;
}

/* Logins. */

/* Who has no IP address comes over a Unix socket: all of them are one. */
static uint64_t
who_is(text address)
{
	struct address peer;

	return (address_read_peer(address, &peer) ? addresses_who(&peer) : 0);
}

static int64_t
slowed_ms(unsigned failed, int64_t most)
{
	int64_t over = failed - TENANT_TIMES * most;

	if (over <= 0)
		return (0);
	return (over * SLOWER_MS < SLOWEST_MS ? over * SLOWER_MS :
	    SLOWEST_MS);
}

enum err
limit_login(const struct tenant *tenant, text address,
    const struct conf *conf, int64_t now_s, struct limit_login *login)
{
	int64_t most = conf->login_failures;
	enum failures_begun begun;

	login->whom = failures_who(0, tenant->id);
	login->has_to_ask_again = false;
	begun = failures_begin(failures_who(who_is(address), tenant->id),
	    (unsigned)most, now_s, &login->failures);
	state_set(&login->state, "logins", most, WINDOW_S,
	    most - login->failures.failed, login->failures.reset_s);
	if (begun == FAILURES_BUSY && login->asked++ < BUSY_ASKS) {
		login->wait_ms = BUSY_MS;
		login->has_to_ask_again = true;
		return (ERR_none);
	}
	if (begun != FAILURES_BEGUN)
		return (ERR_too_many_logins);
	login->wait_ms = slowed_ms(failures_on(login->whom, now_s), most);
	return (ERR_none);
}

void
limit_login_end(struct limit_login *login, bool was_right, int64_t now_s)
{
	failures_end(&login->failures, !was_right, now_s);
	if (!was_right)
		failures_add_on(login->whom, now_s);
}
