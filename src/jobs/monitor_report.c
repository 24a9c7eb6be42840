/* SPDX-License-Identifier: MIT */
/*
 * What a monitor says to the database, one call at a time.
 */
#include "jobs/monitor_inside.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "jobs/ground.h"
#include "plat/loop.h"
#include "plat/versions.h"

#define AGAIN_MS	1000
#define DIGITS		24

struct call_words {
	char	 digits[3][DIGITS];
	text	 inputs[5];
};

static void
write_key(struct monitor *monitor, struct call_words *words)
{
	const int64_t numbers[3] = { monitor->key.tenant, monitor->key.id,
	    monitor->lease };

	for (unsigned i = 0; i < 3; i++) {
		snprintf(words->digits[i], DIGITS, "%" PRId64, numbers[i]);
		words->inputs[i] = text_of(words->digits[i]);
	}
	monitor->is_asking = true;
	monitor->asked_lease = monitor->lease;
}

/* Events are told; the answer's status, 0 where there is none. */
static unsigned
take(struct monitor *monitor, const struct db_answer *answer)
{
	struct ground *ground = monitor->setup.ground;
	struct ground_rows rows;
	struct call_row row;
	unsigned status = 0;

	ground_read(ground, answer, &rows);
	if (!rows.is_whole)
		return (0);
	if (FAULT(monitor_dies_before_telling))
		raise(SIGKILL);
	versions_bump(ground->segment, (int32_t)monitor->key.tenant);
	while (ground_row(&rows, &row))
		status = row.status;
	return (rows.is_whole ? status : 0);
}

/* false: it is another one's, or has ended, or is gone. */
static bool
is_ours_still(struct monitor *monitor, unsigned status)
{
	monitor->is_asking = false;
	if (monitor->is_dropped) {
		monitor_destroy(&monitor);
		return (false);
	}
	if (status == 409 && monitor->asked_lease == monitor->lease) {
		log_info("a room is not ours to watch any more",
		    F("tenant", monitor->key.tenant),
		    F("game", monitor->key.id), F("room", monitor->code));
		monitor_finish(monitor);
		return (false);
	}
	return (true);
}

static void
on_reported(void *me, const struct db_answer *answer)
{
	struct monitor *monitor = object_cast(struct monitor, MONITOR_MAGIC,
	    me);
	unsigned status = take(monitor, answer);

	if (!is_ours_still(monitor, status))
		return;
	if (status == 200 && monitor->says_end) {
		monitor_finish(monitor);
		return;
	}
	if (status != 200)
		monitor->has_news = true;
	if (status != 0)
		monitor_again(monitor);
	else
		timer_set(loop_timers(monitor->setup.ground->loop),
		    &monitor->again, AGAIN_MS);
}

static void
send_report(struct monitor *monitor)
{
	struct call_words words;
	struct buf seen;

	if (FAULT(monitor_dies_before_report))
		raise(SIGKILL);
	buf_init(&seen, BUF_NO_LIMIT);
	room_write(&monitor->room, &seen);
	write_key(monitor, &words);
	words.inputs[3] = buf_text(&seen);
	words.inputs[4] = monitor->state == MONITOR_ENDING ?
	    text_of(monitor->reason) : TEXT_NONE;
	monitor->says_end = monitor->state == MONITOR_ENDING;
	monitor->has_news = false;
	COUNT(monitor_reports);
	ground_ask(monitor->setup.ground, FUNCTION_monitor_report,
	    words.inputs, 5, on_reported, monitor);
	buf_fini(&seen);
}

/* One that failed is not said later: it would be of another moment. */
static void
on_status(void *me, const struct db_answer *answer)
{
	struct monitor *monitor = object_cast(struct monitor, MONITOR_MAGIC,
	    me);
	unsigned status = take(monitor, answer);

	if (is_ours_still(monitor, status))
		monitor_again(monitor);
}

static void
send_status(struct monitor *monitor)
{
	struct call_words words;

	monitor->wants_status = false;
	write_key(monitor, &words);
	ground_ask(monitor->setup.ground, FUNCTION_monitor_status,
	    words.inputs, 3, on_status, monitor);
}

void
monitor_again(struct monitor *monitor)
{
	if (monitor->is_asking || monitor->setup.ground->is_closing ||
	    timer_is_set(&monitor->again))
		return;
	if (monitor->has_news)
		send_report(monitor);
	else if (monitor->wants_status)
		send_status(monitor);
}

void
monitor_report(struct monitor *monitor)
{
	monitor->has_news = true;
	monitor_again(monitor);
}

void
monitor_status(struct monitor *monitor)
{
	monitor->wants_status = true;
	monitor_again(monitor);
}
