/* SPDX-License-Identifier: MIT */
/*
 * A turn at work: one request to the responder, and one call of SQL at a time
 * that tells what it said since the one before.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/json.h"
#include "jobs/responder_inside.h"
#include "plat/loop.h"

#define DIGITS		24
#define GATHERED_MOST	256		/* then it is told at once */
#define KEY_SIZE	64

static struct turn *
turn_of(void *me)
{
	return (object_cast(struct turn, TURN_MAGIC, me));
}

static void
plan(struct turn *turn, int64_t ms)
{
	timer_set(loop_timers(turn->responders->ground->loop),
	    &turn->next_call, ms);
}

/* --- telling ---------------------------------------------------------- */

/* What is there is told soon, or now. before: so much was there already. */
static void
tell(struct turn *turn, unsigned before)
{
	if (turn->is_calling)
		return;
	if (turn->outcome != NULL || turn->gathered.count >= GATHERED_MOST)
		plan(turn, 0);
	else if (before == 0 && turn->gathered.count > 0)
		plan(turn, RESPONDER_GATHER_MS);
}

/* The batch is told: what comes next? */
static void
on_told(struct turn *turn)
{
	if (FAULT(responder_dies_saying) && turn->sent.count > 0)
		raise(SIGKILL);
	turn->said += turn->sent.count;
	turn->has_said = turn->has_said || turn->sent.count > 0;
	item_batch_clear(&turn->sent);
	if (turn->is_last) {
		turn_destroy(turn);
		return;
	}
	if (turn->responders->is_stopped)
		turn_leave(turn);
	if (turn->is_calling)
		return;
	if (turn->outcome != NULL)
		plan(turn, 0);
	else
		plan(turn, turn->gathered.count > 0 ? RESPONDER_GATHER_MS :
		    RESPONDER_BEAT_MS);
}

static void
give_up(struct turn *turn)
{
	log_info("a turn is another host's, or nobody wants its answer",
	    F("tenant", turn->tenant), F("turn", turn->of.id));
	COUNT(responder_turns_lost);
	turn_destroy(turn);
}

/* false: it is not known what became of it, or nothing did. */
static bool
take_answer(struct turn *turn, const struct db_answer *answer,
    unsigned *status_out)
{
	struct ground_rows rows;
	struct call_row row;

	*status_out = 0;
	ground_read(turn->responders->ground, answer, &rows);
	rows.tenant = turn->tenant;
	while (ground_row(&rows, &row))
		*status_out = row.status;
	return (rows.is_whole && *status_out != 0);
}

static void
on_called(void *me, const struct db_answer *answer)
{
	struct turn *turn = turn_of(me);
	unsigned status;

	turn->is_calling = false;
	if (turn->responders->is_closed)
		return;
	if (!take_answer(turn, answer, &status))
		plan(turn, RESPONDER_RETRY_MS);
	else if (status == 409)
		give_up(turn);
	else
		on_told(turn);
}

static text
number_text(int64_t number, char digits[DIGITS])
{
	int len = snprintf(digits, DIGITS, "%" PRId64, number);

	return (text_from(digits, (size_t)len));
}

/* A batch whose call failed is sent again; else what was gathered since. */
static void
fill(struct turn *turn)
{
	struct item_batch empty = turn->sent;

	if (turn->sent.count > 0)
		return;
	if (turn->outcome != NULL) {
		item_take_end(&turn->gathered, &turn->of, turn->outcome,
		    turn->error.len > 0 ? buf_text(&turn->error) :
		    TEXT_NONE);
		turn->is_last = true;
	}
	item_batch_end(&turn->gathered);
	turn->sent = turn->gathered;
	turn->gathered = empty;
	item_batch_clear(&turn->gathered);
}

static void
call(struct turn *turn)
{
	struct ground *ground = turn->responders->ground;
	char digits[5][DIGITS];
	text inputs[8];

	fill(turn);
	if (turn->is_last && FAULT(responder_dies_ending))
		raise(SIGKILL);
	inputs[0] = number_text(turn->tenant, digits[0]);
	inputs[1] = number_text(turn->of.id, digits[1]);
	inputs[2] = number_text(turn->lease, digits[2]);
	inputs[3] = number_text(ground->conf->work_lease, digits[3]);
	inputs[4] = number_text(turn->said, digits[4]);
	inputs[5] = buf_text(&turn->sent.types);
	inputs[6] = buf_text(&turn->sent.datas);
	inputs[7] = turn->is_last ? TEXT("t") : TEXT("f");
	turn->is_calling = true;
	ground_ask(ground, FUNCTION_turn_say, inputs, 8, on_called, turn);
}

/* --- giving back ------------------------------------------------------ */

static void
on_left(void *me, const struct db_answer *answer)
{
	struct turn *turn = turn_of(me);

	turn->is_calling = false;
	if (turn->responders->is_closed)
		return;
	if (answer->result != DB_ROWS)
		log_info("a turn was not given back, its lease has to run "
		    "out", F("tenant", turn->tenant), F("turn", turn->of.id));
	turn_destroy(turn);
}

void
turn_leave(struct turn *turn)
{
	struct ground *ground = turn->responders->ground;
	char digits[3][DIGITS];
	text inputs[3];

	if (turn->is_calling || turn->has_said || turn->outcome != NULL ||
	    turn->gathered.count > 0 || turn->sent.count > 0)
		return;
	timer_stop(loop_timers(ground->loop), &turn->next_call);
	fetch_cancel(&turn->fetch);
	inputs[0] = number_text(turn->tenant, digits[0]);
	inputs[1] = number_text(turn->of.id, digits[1]);
	inputs[2] = number_text(turn->lease, digits[2]);
	turn->is_calling = true;
	ground_ask(ground, FUNCTION_turn_leave, inputs, 3, on_left, turn);
}

/* --- asking ----------------------------------------------------------- */

/* It ends: with the answer, or with words for its client. */
static void
finish(struct turn *turn, const char *outcome, text error)
{
	if (turn->outcome != NULL)
		return;
	turn->outcome = outcome;
	buf_add(&turn->error, error);
	fetch_cancel(&turn->fetch);
	tell(turn, 0);
}

static void
fail(struct turn *turn, const char *why, int status, text error)
{
	if (turn->outcome != NULL)
		return;
	log_warn("a responder failed", F("tenant", turn->tenant),
	    F("turn", turn->of.id), F("why", why), F("status", status));
	COUNT(responder_failures);
	finish(turn, "failed", error);
}

static void
fail_badly(struct turn *turn, const char *why, int status)
{
	fail(turn, why, status, TEXT("The responder failed"));
}

static void
on_item(void *me, text object)
{
	struct turn *turn = turn_of(me);
	struct buf error;

	if (turn->outcome != NULL)
		return;
	if (!turn->has_said && turn->gathered.count == 0)
		HISTOGRAM_ADD(responder, (clock_ms() - turn->asked_ms) *
		    1000);
	buf_init(&error, BUF_NO_LIMIT);
	if (item_take(&turn->gathered, &turn->of, object, &error) ==
	    ITEM_IS_ERROR)
		fail(turn, "it says so", 200, error.len > 0 ?
		    buf_text(&error) : TEXT("The responder failed"));
	buf_fini(&error);
}

static void
on_head(void *me, int status, text content_type)
{
	struct turn *turn = turn_of(me);
	enum reply_form form = reply_form_of(content_type);

	if (status < 200 || status > 299)
		fail_badly(turn, "it refused", status);
	else if (form == REPLY_UNKNOWN)
		fail_badly(turn, "its Content-Type is not one of an answer",
		    status);
	else {
		reply_init(&turn->reply, form, (size_t)turn->responders->
		    ground->conf->responder_answer, on_item, turn);
		turn->has_reply = true;
	}
}

static void
on_body(void *me, text piece)
{
	struct turn *turn = turn_of(me);
	unsigned before = turn->gathered.count;

	if (!turn->has_reply || turn->outcome != NULL)
		return;
	if (!reply_read(&turn->reply, piece))
		fail_badly(turn, turn->reply.problem, 200);
	else
		tell(turn, before);
}

static void
on_end(void *me, const struct fetch_end *end)
{
	struct turn *turn = turn_of(me);

	turn->fetch = NULL;
	if (end->why == FETCH_ANSWERED && turn->has_reply) {
		if (reply_end(&turn->reply))
			finish(turn, "done", TEXT_NONE);
		else
			fail_badly(turn, turn->reply.problem, end->status);
	} else if (end->why == FETCH_TIMED_OUT)
		fail(turn, end->words, end->status,
		    TEXT("The responder took too long"));
	else if (end->status == 0)
		fail(turn, end->words, 0,
		    TEXT("The responder cannot be reached"));
	else
		fail_badly(turn, end->words, end->status);
}

static void
ask(struct turn *turn, text url, text question, text request_id)
{
	const struct conf *conf = turn->responders->ground->conf;
	char key[KEY_SIZE];
	struct fetch_header headers[] = {
		{ "Accept", TEXT("text/event-stream, application/x-ndjson, "
		    "application/json") },
		{ "Content-Type", TEXT("application/json") },
		{ "Idempotency-Key", TEXT_NONE },
		{ "X-Request-Id", request_id },
	};
	struct fetch_request request = { .method = "POST",
	    .headers = headers,
	    .header_count = sizeof headers / sizeof headers[0],
	    .body = question, .timeout_ms = conf->responder_timeout,
	    .connect_timeout_ms = RESPONDER_CONNECT_MS,
	    .max_answer = (size_t)conf->responder_answer, .is_stream = true,
	    .guard = turn->responders->guard, .on_head = on_head,
	    .on_body = on_body, .on_end = on_end, .me = turn };
	struct buf address;

	/* The same for each attempt, and for no other turn. */
	snprintf(key, sizeof key, "turn-%d-%" PRId64, (int)turn->tenant,
	    turn->of.id);
	headers[2].value = text_of(key);
	buf_init(&address, BUF_NO_LIMIT);
	buf_add(&address, url);
	buf_add_char(&address, '\0');
	request.url = address.at;
	turn->asked_ms = clock_ms();
	turn->fetch = fetch_start(turn->responders->fetcher, &request);
	buf_fini(&address);
}

/* --- from the beginning to the end ------------------------------------ */

static void
on_next_call(struct turn *turn)
{
	call(turn);
}

bool
turn_begin(struct responders *responders, int32_t tenant,
    struct json_object *claimed)
{
	text url, question, request_id, kind;
	bool is_for_sockets;
	struct turn *turn;
	int64_t id, lease, said;

	if (!json_in_int(claimed, "turn", &id) ||
	    !json_in_int(claimed, "lease", &lease) ||
	    !json_in_int(claimed, "said", &said) ||
	    !json_in_text(claimed, "kind", &kind) ||
	    !json_in_text(claimed, "request", &request_id) ||
	    !json_in_text(claimed, "question", &question) ||
	    !json_in_bool(claimed, "use_websocket", &is_for_sockets))
		return (false);
	if (FAULT(responder_dies_asking))
		raise(SIGKILL);
	turn = object_create(struct turn, TURN_MAGIC);
	turn->responders = responders;
	turn->tenant = tenant;
	turn->of = (struct item_turn){ .id = id,
	    .is_lesson = text_is(kind, TEXT("learning")),
	    .is_for_sockets = is_for_sockets };
	turn->lease = lease;
	turn->said = said;
	buf_init(&turn->error, BUF_NO_LIMIT);
	item_batch_init(&turn->gathered);
	item_batch_init(&turn->sent);
	timer_init(&turn->next_call, on_next_call, turn);
	DL_APPEND(responders->turns, turn);
	responders->count++;
	GAUGE_ADD(responders_at_work, 1);
	COUNT(responder_turns);
	plan(turn, RESPONDER_BEAT_MS);
	if (json_in_text(claimed, "url", &url))
		ask(turn, url, question, request_id);
	else
		fail(turn, "the tenant has none any more", 0,
		    TEXT("No responder is configured for this tenant"));
	return (true);
}

void
turn_close(struct turn *turn)
{
	timer_stop(loop_timers(turn->responders->ground->loop),
	    &turn->next_call);
	fetch_cancel(&turn->fetch);
}

void
turn_destroy(struct turn *turn)
{
	struct responders *responders = turn->responders;

	object_check(turn, TURN_MAGIC);
	must(!turn->is_calling);
	if (!responders->is_closed)
		turn_close(turn);
	if (turn->has_reply)
		reply_fini(&turn->reply);
	buf_fini(&turn->error);
	item_batch_fini(&turn->gathered);
	item_batch_fini(&turn->sent);
	DL_DELETE(responders->turns, turn);
	responders->count--;
	GAUGE_ADD(responders_at_work, -1);
	object_free(&turn);
}
