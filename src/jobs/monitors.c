/* SPDX-License-Identifier: MIT */
/*
 * Looking for rooms to watch, and letting go of them.
 */
#include "jobs/monitors.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <uthash.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "core/json.h"
#include "jobs/monitor.h"
#include "plat/loop.h"

#define CLAIM_MOST	50	/* in a look; the others in the next */

struct entry {
	struct monitor_key key;
	struct monitor	*monitor;
	UT_hash_handle	 hh;
};

struct monitors {
	unsigned	 magic;
#define MONITORS_MAGIC 0x6d6f6e73
	struct ground	*ground;
	struct monitor_setup setup;
	char		 holder[96];
	struct timer	 look;
	struct entry	*all;
	int64_t		 claimed;	/* in the look at hand */
	bool		 is_stopped;
	bool		 is_afresh;	/* the next look claims all anew */
	bool		 is_failing;
};

static void
plan(struct monitors *monitors, int64_t ms)
{
	if (!monitors->is_stopped)
		timer_set(loop_timers(monitors->ground->loop),
		    &monitors->look, ms);
}

static struct entry *
find(struct monitors *monitors, const struct monitor_key *key)
{
	struct entry *entry;

	HASH_FIND(hh, monitors->all, key, sizeof *key, entry);
	return (entry);
}

static void
forget(struct monitors *monitors, struct entry *entry)
{
	HASH_DEL(monitors->all, entry);
	mem_free(entry);
}

static void
on_over(void *me, struct monitor *monitor)
{
	struct monitors *monitors = object_cast(struct monitors,
	    MONITORS_MAGIC, me);
	struct entry *entry = find(monitors, monitor_key(monitor));

	must(entry != NULL && entry->monitor == monitor);
	forget(monitors, entry);
}

static void
drop(struct monitors *monitors, struct entry *entry)
{
	struct monitor *monitor = entry->monitor;

	forget(monitors, entry);
	monitor_drop(&monitor);
}

/* One that we have, whose lease is the next, is the same as before. */
static void
take_claim(struct monitors *monitors, const struct call_row *row)
{
	int32_t tenant = (int32_t)row->element;
	struct monitor_key key = { 0 };
	struct monitor *monitor;
	struct entry *entry;
	int64_t lease;

	if (!monitor_read(tenant, row->body, &key, &lease))
		return;
	entry = find(monitors, &key);
	if (entry != NULL && monitor_lease(entry->monitor) + 1 == lease) {
		monitor_renew(entry->monitor, lease);
		return;
	}
	if (entry != NULL)
		drop(monitors, entry);
	if (FAULT(monitor_dies_claimed))
		raise(SIGKILL);
	monitor = monitor_create(&monitors->setup, tenant, row->body);
	if (monitor == NULL)
		return;
	entry = mem_alloc(sizeof *entry);
	*entry = (struct entry){ .key = key, .monitor = monitor };
	HASH_ADD(hh, monitors->all, key, sizeof entry->key, entry);
}

static void
take_stop(struct monitors *monitors, const struct call_row *row)
{
	struct monitor_key key = { 0 };
	struct entry *entry;
	int64_t lease;

	if (!monitor_read((int32_t)row->element, row->body, &key, &lease))
		return;
	entry = find(monitors, &key);
	if (entry == NULL || monitor_lease(entry->monitor) != lease)
		return;
	log_info("a room is watched no more", F("tenant", key.tenant),
	    F("game", key.id), F("reason", "manually_stopped"));
	drop(monitors, entry);
}

static bool
take(struct monitors *monitors, const struct db_answer *answer)
{
	bool has_end = false;
	struct call_row row;

	if (answer->result != DB_ROWS)
		return (false);
	for (unsigned i = 0; i < db_rows(answer); i++) {
		if (!call_row_read(answer, i, &row))
			return (false);
		if (row.status == 201) {
			monitors->claimed++;
			take_claim(monitors, &row);
		} else if (row.status == 410)
			take_stop(monitors, &row);
		else
			has_end = true;
	}
	return (has_end);
}

static void
leave(struct monitors *monitors)
{
	struct entry *entry, *next;

	HASH_ITER(hh, monitors->all, entry, next)
		drop(monitors, entry);
}

static void	on_left(void *me, const struct db_answer *answer);

static void
on_looked(void *me, const struct db_answer *answer)
{
	struct monitors *monitors = object_cast(struct monitors,
	    MONITORS_MAGIC, me);
	text holder = text_of(monitors->holder);
	bool is_fine;

	monitors->claimed = 0;
	if (monitors->is_stopped) {
		/* It may have claimed some. */
		if (!monitors->ground->is_closing)
			ground_ask(monitors->ground, FUNCTION_monitor_leave,
			    &holder, 1, on_left, monitors);
		return;
	}
	is_fine = take(monitors, answer);
	monitors->is_afresh = !is_fine;
	ground_say(&monitors->is_failing, !is_fine);
	plan(monitors, monitors->claimed == CLAIM_MOST ? 0 :
	    MONITORS_LOOK_MS);
}

static void
on_look(struct monitors *monitors)
{
	const struct conf *conf = monitors->ground->conf;
	int64_t room = conf->monitors - HASH_COUNT(monitors->all);
	char lease_ms[24], most[24];
	text inputs[4] = { text_of(monitors->holder), TEXT_NONE, TEXT_NONE,
	    monitors->is_afresh ? TEXT("true") : TEXT("false") };

	if (monitors->is_afresh)
		room = conf->monitors;
	else if (room > CLAIM_MOST)
		room = CLAIM_MOST;
	snprintf(lease_ms, sizeof lease_ms, "%" PRId64, conf->work_lease);
	snprintf(most, sizeof most, "%" PRId64, room > 0 ? room : 0);
	inputs[1] = text_of(lease_ms);
	inputs[2] = text_of(most);
	ground_ask(monitors->ground, FUNCTION_monitor_look, inputs, 4,
	    on_looked, monitors);
}

struct monitors *
monitors_create(struct ground *ground, struct fetcher *fetcher,
    const struct guard *guard, const char *host)
{
	struct monitors *monitors = object_create(struct monitors,
	    MONITORS_MAGIC);

	monitors->ground = ground;
	monitors->setup = (struct monitor_setup){ .ground = ground,
	    .fetcher = fetcher, .guard = guard, .on_over = on_over,
	    .me = monitors };
	snprintf(monitors->holder, sizeof monitors->holder, "%s/%d", host,
	    (int)getpid());
	monitors->is_afresh = true;
	timer_init(&monitors->look, on_look, monitors);
	if (ground->conf->monitor_url[0] != '\0')
		plan(monitors, 0);
	else
		monitors->is_stopped = true;
	return (monitors);
}

static void
on_left(void *me, const struct db_answer *answer)
{
	(void)me;
	if (answer->result != DB_ROWS)
		log_info("rooms were not given back, they have to wait");
}

void
monitors_stop(struct monitors *monitors)
{
	text holder = text_of(monitors->holder);
	bool was_stopped = monitors->is_stopped;

	object_check(monitors, MONITORS_MAGIC);
	monitors->is_stopped = true;
	leave(monitors);
	ground_say(&monitors->is_failing, false);
	if (was_stopped || !timer_is_set(&monitors->look))
		return;	/* else a look is at hand, and its answer leaves */
	timer_stop(loop_timers(monitors->ground->loop), &monitors->look);
	ground_ask(monitors->ground, FUNCTION_monitor_leave, &holder, 1,
	    on_left, monitors);
}

void
monitors_destroy(struct monitors **given)
{
	struct monitors *monitors = *given;

	*given = NULL;
	if (monitors == NULL)
		return;
	object_check(monitors, MONITORS_MAGIC);
	must(monitors->is_stopped && monitors->all == NULL);
	object_free(&monitors);
}
