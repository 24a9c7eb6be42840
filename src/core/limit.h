/* SPDX-License-Identifier: MIT */
/*
 * What an operation asks before it works: whether its tenant may still do
 * it, and whether this caller may try another key.
 *
 * Holds always:
 *  1. Limits are exact over all workers of the host (plat/tenant_places). A
 *     tenant without a limit is not counted; where the memory has no place
 *     for one more tenant that has one, he is refused, and the log says
 *     which option to raise.
 *  2. A refusal counts nothing. 429 carries Retry-After: state.reset_s.
 *  3. applies is false where no limit does: then no header says anything.
 *
 *	RateLimit-Policy: "requests";q=600;w=60
 *	RateLimit: "requests";r=599;t=60
 *
 *	err = limit_request(op->tenant, now_s, &op->limit);
 *	if (err == ERR_none) err = limit_events(op->tenant, n, now_s, &state);
 *	if (err == ERR_none) err = limit_storage(op->tenant, bytes, now_s,
 *	    &state);
 *	... and where the work came to nothing: limit_storage_undo(...)
 *
 * Logins. Each attempt is counted for its address in its tenant before its
 * key is looked at, and ends as a failure or is forgotten:
 *
 *	failures of this address in a minute	then
 *	less than login_failures		go
 *	the same with those at work		ask again in a moment
 *	login_failures				429 until the minute is over
 *
 * Who has many addresses is slowed by what he attacks: from ten times
 * login_failures on, a tenant's further attempts wait 10 ms longer with each
 * failure, up to 2 s. They are never refused for it: nobody locks an admin
 * out by failing in his place. What waits is decided before the key is looked
 * at, so that it tells nothing about the key. Counts are by tenant and
 * address together: what happens in one tenant shows in no other.
 *
 *	struct limit_login login = { .asked = 0 };
 *	err = limit_login(tenant, address, conf, now_s, &login);
 *	if (err != ERR_none) ... op_fail(op, err), Retry-After
 *	if (login.wait_ms > 0) ... a timer
 *	if (login.has_to_ask_again) ... from the beginning, when it rings
 *	... is the key right? ...
 *	limit_login_end(&login, was_right, now_s);
 */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "plat/failures.h"

struct conf;
struct tenant;
struct tenant_place;

/* For the headers RateLimit-Policy, RateLimit and Retry-After. */
struct limit_state {
	bool		 applies;
	const char	*policy;	/* requests, events, storage, logins */
	int64_t		 quota;
	int64_t		 window_s;	/* 0: of no window (storage) */
	int64_t		 remaining;
	int64_t		 reset_s;
};

/* now_s: clock_ms() / 1000. */
enum err limit_request(const struct tenant *tenant, int64_t now_s,
	    struct limit_state *out);
/* All n or none: ERR_too_many_events. */
enum err limit_events(const struct tenant *tenant, unsigned n, int64_t now_s,
	    struct limit_state *out);
/* Before they are written: ERR_storage_full. */
enum err limit_storage(const struct tenant *tenant, int64_t bytes,
	    int64_t now_s, struct limit_state *out);
void	limit_storage_undo(const struct tenant *tenant, int64_t bytes);

/* A connection that lasts. *held_out: to be given back; NULL: not counted. */
enum err limit_connection(const struct tenant *tenant, unsigned slot,
	    int64_t now_s, struct tenant_place **held_out);
void	limit_connection_end(struct tenant_place **held, unsigned slot);

struct limit_login {
	int64_t			wait_ms;
	bool			has_to_ask_again;
	struct limit_state	state;
	unsigned		asked;		/* these: limit.c's own */
	uint64_t		whom;
	struct failures		failures;
};

/*
 * ERR_too_many_logins, or go, perhaps after waiting. login is all zero when
 * it is asked first. address: as op->client_address; IPv6 counts by /64.
 */
enum err limit_login(const struct tenant *tenant, text address,
	    const struct conf *conf, int64_t now_s,
	    struct limit_login *login);
/*
 * Once for each that may go. was_right is true as well where no key was
 * looked at, because the client went away: nothing was tried.
 */
void	limit_login_end(struct limit_login *login, bool was_right,
	    int64_t now_s);

#endif
