/* SPDX-License-Identifier: MIT */
/*
 * The states of a monitor, and its way to the game service.
 */
#include "jobs/monitor_inside.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "core/json.h"
#include "jobs/dial.h"
#include "jobs/fetch.h"
#include "jobs/ground.h"
#include "plat/loop.h"

#define TRIES		3
#define CHECK_MS	10000
#define CONNECT_MS	5000
#define WELCOME_MS	10000
#define CHECK_MOST	65536
#define MESSAGE_MOST	(4 << 20)
#define SILENT_BEATS	3

static const struct fetch_header headers[] = {
	/* Who does not say what he is gets no answer there. */
	{ "User-Agent", { "partyline/" PACKAGE_VERSION,
	    sizeof "partyline/" PACKAGE_VERSION - 1 } },
};

static void	check(struct monitor *monitor);
static void	dial(struct monitor *monitor);

static struct monitor *
monitor_of(void *me)
{
	return (object_cast(struct monitor, MONITOR_MAGIC, me));
}

static struct timers *
timers_of(struct monitor *monitor)
{
	return (loop_timers(monitor->setup.ground->loop));
}

static const struct conf *
conf_of(const struct monitor *monitor)
{
	return (monitor->setup.ground->conf);
}

/* --- states ------------------------------------------------------------- */

static const char *const state_names[] = {
	[MONITOR_CHECKING] = "checking", [MONITOR_DIALING] = "dialing",
	[MONITOR_WATCHING] = "watching", [MONITOR_PAUSING] = "pausing",
	[MONITOR_ENDING] = "ending", [MONITOR_OVER] = "over",
};

#define TO(state) (1u << MONITOR_##state)
static const unsigned moves[] = {
	[MONITOR_CHECKING] = TO(DIALING) | TO(PAUSING) | TO(ENDING) |
	    TO(OVER),
	[MONITOR_DIALING] = TO(WATCHING) | TO(PAUSING) | TO(ENDING) |
	    TO(OVER),
	[MONITOR_WATCHING] = TO(CHECKING) | TO(ENDING) | TO(OVER),
	[MONITOR_PAUSING] = TO(CHECKING) | TO(ENDING) | TO(OVER),
	[MONITOR_ENDING] = TO(OVER),
	[MONITOR_OVER] = 0,
};

/* Whatever belonged to the state before is let go. */
void
monitor_state_set(struct monitor *monitor, enum monitor_state state)
{
	must((moves[monitor->state] & 1u << state) != 0);
	log_debug("a monitor goes on", F("room", monitor->code),
	    F("from", state_names[monitor->state]),
	    F("to", state_names[state]));
	timer_stop(timers_of(monitor), &monitor->next);
	timer_stop(timers_of(monitor), &monitor->beat);
	if (monitor->check != NULL)
		fetch_cancel(&monitor->check);
	if (monitor->probe != NULL)
		dial_drop(&monitor->probe);
	if (monitor->dial != NULL && state != MONITOR_WATCHING)
		dial_drop(&monitor->dial);
	GAUGE_ADD(monitors_watching, (state == MONITOR_WATCHING) -
	    (monitor->state == MONITOR_WATCHING));
	monitor->state = state;
}

static void
end(struct monitor *monitor, const char *reason)
{
	log_info("a room is watched no more",
	    F("tenant", monitor->key.tenant), F("session", monitor->session),
	    F("game", monitor->key.id), F("room", monitor->code),
	    F("reason", reason), F("players", monitor->room.player_count));
	monitor->reason = reason;
	monitor_state_set(monitor, MONITOR_ENDING);
	monitor_report(monitor);
}

/* why: in words, for whoever reads the log. */
static void
lose(struct monitor *monitor, const char *why)
{
	int64_t wait_ms = conf_of(monitor)->monitor_retry << monitor->tries;

	log_info("a room could not be watched",
	    F("tenant", monitor->key.tenant), F("session", monitor->session),
	    F("game", monitor->key.id), F("room", monitor->code),
	    F("why", why), F("tries_left", TRIES - (int)monitor->tries));
	COUNT(monitor_losses);
	if (monitor->tries == TRIES) {
		end(monitor, "connection_failed");
		return;
	}
	monitor->tries++;
	monitor_state_set(monitor, MONITOR_PAUSING);
	timer_set(timers_of(monitor), &monitor->next, wait_ms);
}

/* A connection that stood for a beat may be made again at once. */
static void
recheck(struct monitor *monitor)
{
	monitor->is_hasty = !monitor->is_steady;
	monitor->is_steady = false;
	monitor_state_set(monitor, MONITOR_CHECKING);
	check(monitor);
}

/* --- is there a room ---------------------------------------------------- */

static void
on_checked(void *me, const struct fetch_end *end_of)
{
	struct monitor *monitor = monitor_of(me);
	char words[64];

	monitor->check = NULL;
	if (end_of->why != FETCH_ANSWERED) {
		lose(monitor, end_of->words);
		return;
	}
	if (end_of->status == 404) {
		end(monitor, monitor->room.is_connected ? "room_closed" :
		    "room_not_found");
		return;
	}
	if (end_of->status != 200) {
		snprintf(words, sizeof words, "the service answered %d",
		    end_of->status);
		lose(monitor, words);
	} else if (!room_read_check(&monitor->room, end_of->body,
	    monitor->host))
		lose(monitor, "the service does not say where the room is");
	else if (monitor->is_hasty) {
		monitor->is_hasty = false;
		lose(monitor, "the connection ended as soon as it stood");
	} else
		dial(monitor);
}

static void
check(struct monitor *monitor)
{
	struct fetch_request request = { .method = "GET",
	    .headers = headers, .header_count = 1, .timeout_ms = CHECK_MS,
	    .connect_timeout_ms = CONNECT_MS, .max_answer = CHECK_MOST,
	    .guard = monitor->setup.guard, .on_end = on_checked,
	    .me = monitor };
	struct buf url;

	must(monitor->state == MONITOR_CHECKING && monitor->check == NULL);
	buf_init(&url, BUF_NO_LIMIT);
	room_check_url(&url, text_of(conf_of(monitor)->monitor_url),
	    text_of(monitor->code));
	request.url = url.at;
	monitor->check = fetch_start(monitor->setup.fetcher, &request);
	buf_fini(&url);
}

/* --- the connection ----------------------------------------------------- */

static struct dial *
open_dial(struct monitor *monitor, const struct room *shard,
    int64_t silence_ms, void (*on_text)(void *, text),
    void (*on_close)(void *, const struct dial_end *))
{
	struct dial_request request = { .protocol = "ecast-v0",
	    .headers = headers, .header_count = 1,
	    .open_timeout_ms = CHECK_MS, .silence_ms = silence_ms,
	    .message_max = MESSAGE_MOST, .guard = monitor->setup.guard,
	    .on_text = on_text, .on_close = on_close, .me = monitor };
	struct dial *opened;
	struct buf url;

	buf_init(&url, BUF_NO_LIMIT);
	room_play_url(&url, text_of(conf_of(monitor)->monitor_url),
	    monitor->host, text_of(monitor->code), monitor->session, shard);
	request.url = url.at;
	opened = dial_open(monitor->setup.fetcher, &request);
	buf_fini(&url);
	return (opened);
}

/* It may be that only our former place is refused: try with a new one. */
static void
reject(struct monitor *monitor)
{
	if (monitor->room.shard_id == 0) {
		end(monitor, "role_rejected");
		return;
	}
	room_forget_shard(&monitor->room);
	lose(monitor, "our place in the room was refused");
}

static void
on_welcome(struct monitor *monitor)
{
	log_info("a room is watched", F("tenant", monitor->key.tenant),
	    F("session", monitor->session), F("game", monitor->key.id),
	    F("room", monitor->code),
	    F("players", monitor->room.player_count));
	monitor_state_set(monitor, MONITOR_WATCHING);
	timer_set(timers_of(monitor), &monitor->beat,
	    conf_of(monitor)->monitor_beat);
}

/* false: the state is another one. */
static bool
take_refusal(struct monitor *monitor, unsigned heard)
{
	char words[64];

	if (monitor->state == MONITOR_WATCHING) {
		if ((heard & (ROOM_EXIT | ROOM_MISSING)) == 0)
			return (true);
		recheck(monitor);
		return (false);
	}
	if ((heard & ROOM_REJECTED) != 0)
		reject(monitor);
	else if ((heard & (ROOM_EXIT | ROOM_MISSING | ROOM_ERROR)) != 0) {
		snprintf(words, sizeof words, "the room answered %" PRId64,
		    monitor->room.error);
		lose(monitor, words);
	} else
		return (true);
	return (false);
}

static void
on_text(void *me, text message)
{
	struct monitor *monitor = monitor_of(me);
	unsigned heard = room_hear(&monitor->room, message);

	COUNT(monitor_messages);
	if (!take_refusal(monitor, heard))
		return;
	if ((heard & ROOM_WELCOME) != 0 && monitor->state ==
	    MONITOR_DIALING)
		on_welcome(monitor);
	if (monitor->room.is_finished && monitor->state == MONITOR_WATCHING)
		end(monitor, "room_closed");
	else if ((heard & ROOM_CHANGED) != 0)
		monitor_report(monitor);
}

static void
on_close(void *me, const struct dial_end *end_of)
{
	struct monitor *monitor = monitor_of(me);

	monitor->dial = NULL;
	if (monitor->state == MONITOR_WATCHING) {
		log_info("the connection to a room ended",
		    F("room", monitor->code), F("why", end_of->words));
		recheck(monitor);
	} else if (end_of->status == 401 || end_of->status == 403)
		reject(monitor);
	else
		lose(monitor, end_of->words[0] != '\0' ? end_of->words :
		    "the room ended the connection");
}

static void
dial(struct monitor *monitor)
{
	monitor_state_set(monitor, MONITOR_DIALING);
	monitor->said = 0;
	monitor->dial = open_dial(monitor, &monitor->room,
	    SILENT_BEATS * conf_of(monitor)->monitor_beat, on_text, on_close);
	timer_set(timers_of(monitor), &monitor->next, CHECK_MS + WELCOME_MS);
}

static void
on_next(struct monitor *monitor)
{
	if (monitor->state == MONITOR_DIALING) {
		lose(monitor, "the room does not say welcome");
		return;
	}
	monitor_state_set(monitor, MONITOR_CHECKING);
	check(monitor);
}

/* --- the beat ----------------------------------------------------------- */

static void
on_probe_text(void *me, text message)
{
	struct monitor *monitor = monitor_of(me);
	unsigned heard = room_hear_probe(&monitor->room, message);

	if ((heard & ROOM_WELCOME) != 0)
		dial_drop(&monitor->probe);
	if (monitor->room.is_finished && monitor->state == MONITOR_WATCHING)
		end(monitor, "room_closed");
	else if ((heard & ROOM_CHANGED) != 0)
		monitor_report(monitor);
}

static void
on_probe_close(void *me, const struct dial_end *end_of)
{
	(void)end_of;
	monitor_of(me)->probe = NULL;
}

/* Not all games tell who joins; who comes anew is told who is there. */
static void
probe(struct monitor *monitor)
{
	const struct room *room = &monitor->room;

	if (monitor->probe != NULL || (room->max_players >= 0 &&
	    room->player_count >= room->max_players))
		return;
	COUNT(monitor_probes);
	monitor->probe = open_dial(monitor, NULL, WELCOME_MS, on_probe_text,
	    on_probe_close);
}

/* What was missed is asked for. */
static void
ask_room(struct monitor *monitor)
{
	char line[128];
	int len = snprintf(line, sizeof line, "{\"seq\":%" PRId64
	    ",\"opcode\":\"object/get\",\"params\":{\"key\":\"%s\"}}",
	    ++monitor->said, monitor->room.has_bc_room ? "bc:room" : "room");

	dial_say(monitor->dial, text_from(line, (size_t)len));
}

static void
on_beat(struct monitor *monitor)
{
	monitor->tries = 0;
	monitor->is_steady = true;
	timer_set(timers_of(monitor), &monitor->beat,
	    conf_of(monitor)->monitor_beat);
	monitor_status(monitor);
	ask_room(monitor);
	probe(monitor);
}

/* --- begin and end ------------------------------------------------------ */

bool
monitor_read(int32_t tenant, text row, struct monitor_key *key,
    int64_t *lease)
{
	struct json_object *json = json_in_read(row);
	bool is_fine = json_in_int(json, "id", &key->id) &&
	    json_in_int(json, "lease", lease);

	key->tenant = tenant;
	json_in_free(&json);
	return (is_fine);
}

static bool
read_row(struct monitor *monitor, text row)
{
	struct json_object *json = json_in_read(row);
	text code;
	bool is_fine = json_in_int(json, "session_id", &monitor->session) &&
	    json_in_text(json, "room_code", &code) &&
	    code.len < sizeof monitor->code;

	if (is_fine)
		memcpy(monitor->code, code.at, code.len);
	json_in_free(&json);
	return (is_fine && room_read(&monitor->room, row));
}

struct monitor *
monitor_create(const struct monitor_setup *setup, int32_t tenant, text row)
{
	struct monitor *monitor = object_create(struct monitor,
	    MONITOR_MAGIC);

	monitor->setup = *setup;
	room_init(&monitor->room);
	timer_init(&monitor->next, on_next, monitor);
	timer_init(&monitor->beat, on_beat, monitor);
	timer_init(&monitor->again, monitor_again, monitor);
	GAUGE_ADD(monitors, 1);
	if (!monitor_read(tenant, row, &monitor->key, &monitor->lease) ||
	    !read_row(monitor, row)) {
		monitor_destroy(&monitor);
		return (NULL);
	}
	check(monitor);
	return (monitor);
}

void
monitor_destroy(struct monitor **given)
{
	struct monitor *monitor = *given;

	*given = NULL;
	if (monitor->state != MONITOR_OVER)
		monitor_state_set(monitor, MONITOR_OVER);
	timer_stop(timers_of(monitor), &monitor->again);
	room_fini(&monitor->room);
	GAUGE_ADD(monitors, -1);
	object_free(&monitor);
}

void
monitor_drop(struct monitor **given)
{
	struct monitor *monitor = *given;

	*given = NULL;
	if (monitor == NULL)
		return;
	object_check(monitor, MONITOR_MAGIC);
	if (monitor->state != MONITOR_OVER)
		monitor_state_set(monitor, MONITOR_OVER);
	timer_stop(timers_of(monitor), &monitor->again);
	if (monitor->is_asking)
		monitor->is_dropped = true;
	else
		monitor_destroy(&monitor);
}

void
monitor_finish(struct monitor *monitor)
{
	must(!monitor->is_asking);
	monitor_state_set(monitor, MONITOR_OVER);
	monitor->setup.on_over(monitor->setup.me, monitor);
	monitor_destroy(&monitor);
}

const struct monitor_key *
monitor_key(const struct monitor *monitor)
{
	return (&monitor->key);
}

int64_t
monitor_lease(const struct monitor *monitor)
{
	return (monitor->lease);
}

void
monitor_renew(struct monitor *monitor, int64_t lease)
{
	monitor->lease = lease;
}
