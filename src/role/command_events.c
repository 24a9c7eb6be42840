/* SPDX-License-Identifier: MIT */
/*
 * `partyline events tail`: a stream as it is written, read from the log
 * itself, so it needs no server and no worker's leave. What cannot be told
 * event by event is told as the state, as clients are told `resync`.
 *
 *	subscribe ──> read behind `last` ──> print ──> wait TAIL_MS ──┐
 *		       ^  └── not whole: state ──> print ──┐	      │
 *		       └──────────────────────────────────┴───────────┘
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "base/json_out.h"
#include "core/cursor.h"
#include "core/json.h"
#include "role/command.h"
#include "role/command_people.h"

#define TAIL_MS 200
#define TAIL_PAGE "256"
#define TAIL_PAGE_ROWS 256

struct tail {
	struct people	*work;
	char		 stream[32];
	struct buf	 epoch;		/* of `last`; empty: not known yet */
	uint64_t	 last;		/* number that was printed, or passed */
	int64_t		 left;		/* events to print; -1: any number */
	bool		 is_placed;	/* last is set */
};

/* --- what it was told -------------------------------------------------- */

static bool
read_number(struct people *work, const char *flag, const char *value,
    int64_t most, int64_t *number)
{
	return (value == NULL ||
	    text_to_int64(text_of(value), 1, most, number) ||
	    people_complain(work, EX_DATAERR,
	    "%s: a whole number from 1 is wanted", flag));
}

static bool
read_since(struct tail *tail)
{
	struct cursor cursor = { .kind = CURSOR_NONE };
	const char *since = tail->work->command->since;

	if (since == NULL)
		return (true);
	if (!cursor_read(text_of(since), &cursor))
		return (people_complain(tail->work, EX_DATAERR,
		    "--since: a number, or an epoch, a colon and a number"));
	tail->last = cursor.seq;
	tail->is_placed = true;
	if (cursor.kind == CURSOR_PAIR)
		buf_add(&tail->epoch, cursor.epoch);
	return (true);
}

static bool
read_flags(struct tail *tail)
{
	const struct command *command = tail->work->command;
	int64_t session = 0;

	if (!read_number(tail->work, "--session", command->session,
	    INT64_MAX, &session) ||
	    !read_number(tail->work, "--count", command->count, INT32_MAX,
	    &tail->left) || !read_since(tail))
		return (false);
	if (session == 0)
		snprintf(tail->stream, sizeof tail->stream, "lobby");
	else
		snprintf(tail->stream, sizeof tail->stream,
		    "session:%" PRId64, session);
	return (true);
}

/* --- printing ---------------------------------------------------------- */

/* On standard error, so that it does not mix with events. */
static void
say_place(const struct tail *tail, const char *words)
{
	fprintf(stderr, "partyline: %s of tenant %s %s %.*s:%" PRIu64 "\n",
	    tail->stream, tail->work->slug, words,
	    TEXT_ARGS(buf_text(&tail->epoch)), tail->last);
}

static bool
print_line(struct tail *tail, struct buf *line)
{
	bool is_written = fwrite(line->at, 1, line->len, stdout) ==
	    line->len && fflush(stdout) == 0;

	buf_fini(line);
	return (is_written || people_complain(tail->work, EX_IOERR,
	    "the events cannot be written: %s", strerror(errno)));
}

static bool
print_event(struct tail *tail, const struct call_row *row)
{
	struct json_object *json;
	text type = TEXT_NONE, moment = TEXT_NONE, data = TEXT_NONE;
	struct buf line;

	buf_init(&line, BUF_NO_LIMIT);
	if (tail->work->command->wants_json)
		buf_add(&line, row->body);
	else {
		json = json_in_read(row->body);
		json_in_text(json, "type", &type);
		json_in_text(json, "timestamp", &moment);
		json_in_raw(row->body, TEXT("data"), &data);
		buf_printf(&line, "%" PRIu64 "  %.*s  %.*s  ", row->seq,
		    TEXT_ARGS(moment), TEXT_ARGS(type));
		people_add_foreign(&line, data);
		json_in_free(&json);
	}
	buf_add_char(&line, '\n');
	return (print_line(tail, &line));
}

static bool
print_resync(struct tail *tail, text state)
{
	struct json_out json;
	struct buf line;

	buf_init(&line, BUF_NO_LIMIT);
	if (tail->work->command->wants_json) {
		json_out_init(&json, &line);
		json_object_begin(&json);
		json_key(&json, "type");
		json_text_of(&json, "resync");
		json_key(&json, "stream");
		json_text_of(&json, tail->stream);
		json_key(&json, "epoch");
		json_text(&json, buf_text(&tail->epoch));
		json_key(&json, "seq");
		json_int(&json, (int64_t)tail->last);
		/* {"from":…,"state":…}, whose members are ours. */
		buf_add_char(&line, ',');
		buf_add(&line, text_from(state.at + 1, state.len - 1));
	} else {
		buf_printf(&line, "%" PRIu64 "  resync  epoch %.*s  ",
		    tail->last, TEXT_ARGS(buf_text(&tail->epoch)));
		people_add_foreign(&line, state);
	}
	buf_add_char(&line, '\n');
	return (print_line(tail, &line));
}

/* --- reading ----------------------------------------------------------- */

static void
stand_at(struct tail *tail, text epoch, uint64_t last)
{
	buf_clear(&tail->epoch);
	buf_add(&tail->epoch, epoch);
	tail->last = last;
	tail->is_placed = true;
}

/* The stream is no more: what that means depends on when. */
static bool
end_of_stream(struct tail *tail, bool was_there)
{
	if (was_there)
		fprintf(stderr, "partyline: %s was deleted\n", tail->stream);
	else
		people_complain(tail->work, EX_DATAERR,
		    "there is no %s in tenant %s", tail->stream,
		    tail->work->slug);
	return (false);
}

static bool
read_page(struct tail *tail, struct command_db_answer *answer)
{
	char from[24];
	text inputs[3] = { text_of(tail->stream), TEXT_NONE,
	    tail->is_placed ? TEXT(TAIL_PAGE) : TEXT("0") };

	snprintf(from, sizeof from, "%" PRIu64, tail->last + 1);
	inputs[1] = text_of(from);
	return (people_call(tail->work, "stream_read", inputs, 3, answer));
}

/* Nothing is known of what it had: no epoch is renewed for it. */
static bool
resync(struct tail *tail)
{
	const text inputs[3] = { text_of(tail->stream), TEXT(""), TEXT("0") };
	struct call_context context = command_db_context(tail->work->db,
	    tail->work->tenant);
	struct command_db_answer answer;

	if (!command_db_call_server(tail->work->db, "stream_state", &context,
	    inputs, 3, &answer))
		return (false);
	if (answer.count == 0)
		return (end_of_stream(tail, true));
	stand_at(tail, answer.rows[0].epoch, answer.rows[0].seq);
	return (print_resync(tail, answer.body));
}

static bool
print_rows(struct tail *tail, const struct command_db_answer *answer)
{
	for (unsigned i = 1; i < answer->count && tail->left != 0; i++) {
		if (!print_event(tail, &answer->rows[i]))
			return (false);
		tail->last = answer->rows[i].seq;
		if (tail->left > 0)
			tail->left--;
	}
	return (true);
}

/* All that is new; false: it is over. */
static bool
go_on(struct tail *tail, bool is_first)
{
	struct command_db_answer answer;
	const struct call_row *head;
	int64_t lowest = 1;

	do {
		command_db_forget(tail->work->db);
		if (!read_page(tail, &answer))
			return (false);
		if (answer.count == 0)
			return (end_of_stream(tail, !is_first));
		head = &answer.rows[0];
		if (!tail->is_placed)
			stand_at(tail, head->epoch, head->seq);
		if (tail->epoch.len == 0)
			buf_add(&tail->epoch, head->epoch);
		if (is_first)
			say_place(tail, "is told from");
		is_first = false;
		text_to_int64(head->body, 1, INT64_MAX, &lowest);
		if (!text_is(head->epoch, buf_text(&tail->epoch)) ||
		    head->seq < tail->last ||
		    tail->last + 1 < (uint64_t)lowest)
			return (resync(tail));
		if (!print_rows(tail, &answer))
			return (false);
	} while (tail->left != 0 && answer.count == TAIL_PAGE_ROWS + 1);
	return (tail->left != 0);
}

/* false: somebody wants it to end. */
static bool
wait_a_little(const sigset_t *ends)
{
	const struct timespec span = { .tv_nsec = TAIL_MS * 1000000L };

	return (sigtimedwait(ends, NULL, &span) < 0);
}

static void
events_tail(struct people *work)
{
	struct tail tail = { .work = work, .left = -1 };
	bool is_first = true;
	sigset_t ends;

	/* They are looked for only between two pages, which are short. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	buf_init(&tail.epoch, BUF_NO_LIMIT);
	if (read_flags(&tail) && people_find_tenant(work)) {
		while (go_on(&tail, is_first) && wait_a_little(&ends))
			is_first = false;
		if (tail.is_placed && tail.epoch.len > 0)
			say_place(&tail, "was told to");
	}
	buf_fini(&tail.epoch);
}

int
command_events(struct command *command)
{
	static const struct people_verb verbs[] = {
		{ "tail", events_tail, 1, 1, "no more words", TAKES_TENANT,
		    0 },
	};

	return (people_run(command, verbs, sizeof verbs / sizeof verbs[0]));
}
