/* SPDX-License-Identifier: MIT */
/*
 * What goes over a dial's connection: TLS, the handshake, frames.
 */
#include "jobs/dial_inside.h"

#include <stdio.h>

#include "base/count.h"
#include "base/mem.h"
#include "base/secret.h"
#include "plat/loop.h"

#define READ_SIZE	16384
#define READS_A_TURN	16
#define REFUSAL_MAX	2048		/* kept of its body */

static char input[READ_SIZE];	/* of the dial that reads; this turn's */

static void flush(struct dial *dial);

/* Sending. */

static void
on_writable(struct dial *dial)
{
	dial_hold(dial);
	if (dial->state == DIAL_SHAKING)
		dial_on_readable(dial);
	else
		flush(dial);
	dial_give(dial);
}

static void
flush(struct dial *dial)
{
	enum pipe_result result = PIPE_DONE;
	size_t len;

	while (dial->state < DIAL_ENDING && dial->sent < dial->out.len) {
		result = pipe_write(&dial->pipe, dial->out.at + dial->sent,
		    dial->out.len - dial->sent, &len);
		if (result != PIPE_DONE)
			break;
		dial->sent += len;
	}
	if (dial->state >= DIAL_ENDING)
		return;
	if (dial->is_closing)
		return;		/* as much as went */
	if (result == PIPE_FAILED || result == PIPE_ENDED)
		dial_end_as(dial, FETCH_CUT, "the connection was cut");
	else if (result == PIPE_WANTS_WRITE)
		loop_once_writable(dial->watch, on_writable, dial);
	else if (dial->sent == dial->out.len) {
		buf_clear(&dial->out);
		dial->sent = 0;
	}
}

bool
dial_put(struct dial *dial, enum frame_kind kind, text payload)
{
	struct bytes *bytes;
	uint8_t mask[4];

	if (dial->out.len - dial->sent + payload.len + FRAME_HEAD_MAX >
	    DIAL_QUEUE_MAX)
		return (false);
	if (dial->sent > DIAL_QUEUE_MAX) {
		memmove(dial->out.at, dial->out.at + dial->sent,
		    dial->out.len - dial->sent + 1);
		dial->out.len -= dial->sent;
		dial->sent = 0;
	}
	secret_fill(mask, sizeof mask);
	bytes = frame_write_masked(kind, payload, mask);
	buf_add(&dial->out, text_from(bytes->at, bytes->len));
	bytes_give(&bytes);
	flush(dial);
	return (true);
}

void
dial_put_close(struct dial *dial, unsigned code)
{
	char payload[2] = { (char)(code >> 8), (char)code };

	dial->is_closing = true;
	dial_put(dial, FRAME_CLOSE, text_from(payload,
	    frame_code_may_travel(code) ? sizeof payload : 0));
}

/* Frames. */

static void
fail(struct dial *dial, unsigned code, const char *words)
{
	dial_put_close(dial, code);
	dial->end.code = code;
	dial_end_as(dial, FETCH_BAD_ANSWER, words);
}

static void
on_close_frame(struct dial *dial, const struct frame_event *event)
{
	dial_put_close(dial, event->code);
	dial->end.code = event->code;
	memcpy(dial->reason, event->payload.at, event->payload.len);
	dial->end.reason = text_from(dial->reason, event->payload.len);
	dial_end_as(dial, FETCH_ANSWERED, "");
}

static void
on_frame(struct dial *dial, const struct frame_event *event)
{
	char words[FETCH_WORDS_SIZE];

	switch (event->kind) {
	case FRAME_TEXT:
		dial->request.on_text(dial->request.me, event->payload);
		return;
	case FRAME_PING:
		if (!dial_put(dial, FRAME_PONG, event->payload))
			fail(dial, FRAME_CODE_PROTOCOL,
			    "it takes nothing and asks much");
		return;
	case FRAME_PONG:
		return;
	case FRAME_CLOSE:
		on_close_frame(dial, event);
		return;
	case FRAME_ERROR:
		snprintf(words, sizeof words, "it broke the protocol: %.*s",
		    TEXT_ARGS(event->payload));
		fail(dial, event->code, words);
		return;
	default:
		fail(dial, 1003, "it sends bytes where text belongs");
	}
}

static void
read_frames(struct dial *dial, char *at, size_t len)
{
	struct frame_input rest = { at, len };
	struct frame_event event;

	while (dial->state == DIAL_OPEN &&
	    frame_read(&dial->reader, &rest, &event))
		on_frame(dial, &event);
}

/* The handshake. */

static void
refuse(struct dial *dial)
{
	char words[FETCH_WORDS_SIZE];

	snprintf(words, sizeof words, "it answered %d and opened nothing",
	    dial->answer.status);
	dial_end_as(dial, FETCH_BAD_ANSWER, words);
}

/* What is kept of a refusal is its begin. */
static void
read_refusal(struct dial *dial)
{
	size_t len = dial->got.len - dial->answer.head_len;

	if (len < REFUSAL_MAX && (dial->answer.body_len < 0 ||
	    (int64_t)len < dial->answer.body_len))
		return;
	if (len > REFUSAL_MAX)
		dial->got.len = dial->answer.head_len + REFUSAL_MAX;
	refuse(dial);
}

static void
begin_open(struct dial *dial)
{
	struct timers *timers = loop_timers(dial_loop(dial));

	dial_state_set(dial, DIAL_OPEN);
	COUNT(dials);
	timer_stop(timers, &dial->limit);
	dial->heard_ms = loop_now_ms(dial_loop(dial));
	if (dial->request.silence_ms > 0)
		timer_set(timers, &dial->limit, dial->request.silence_ms / 2);
	if (dial->request.on_open != NULL)
		dial->request.on_open(dial->request.me);
	read_frames(dial, dial->got.at + dial->answer.head_len,
	    dial->got.len - dial->answer.head_len);
	if (dial->state == DIAL_OPEN)
		buf_clear(&dial->got);
}

static void
read_answer(struct dial *dial)
{
	switch (handshake_read(buf_text(&dial->got), dial->key,
	    dial->protocol, &dial->answer)) {
	case HANDSHAKE_NEEDS_MORE:
		return;
	case HANDSHAKE_UPGRADED:
		begin_open(dial);
		return;
	case HANDSHAKE_REFUSED:
		dial_state_set(dial, DIAL_REFUSED);
		read_refusal(dial);
		return;
	case HANDSHAKE_BROKEN:
		dial_end_as(dial, FETCH_BAD_ANSWER, dial->answer.words);
		return;
	}
}

static void
take(struct dial *dial, char *at, size_t len)
{
	dial->heard_ms = loop_now_ms(dial_loop(dial));
	dial->has_asked = false;
	if (dial->state == DIAL_OPEN) {
		read_frames(dial, at, len);
		return;
	}
	buf_add(&dial->got, text_from(at, len));
	if (dial->state == DIAL_ASKING)
		read_answer(dial);
	else if (dial->state == DIAL_REFUSED)
		read_refusal(dial);
}

void
dial_shake(struct dial *dial)
{
	char words[FETCH_WORDS_SIZE];

	switch (pipe_shake(&dial->pipe)) {
	case PIPE_DONE:
		dial_state_set(dial, DIAL_ASKING);
		flush(dial);
		return;
	case PIPE_WANTS_READ:
		return;
	case PIPE_WANTS_WRITE:
		loop_once_writable(dial->watch, on_writable, dial);
		return;
	case PIPE_ENDED:
		dial_end_as(dial, FETCH_CUT,
		    "the connection ended before the answer");
		return;
	case PIPE_FAILED:
		snprintf(words, sizeof words, "TLS failed: %s",
		    dial->pipe.words);
		dial_end_as(dial, FETCH_TLS, words);
		return;
	}
}

static void
on_ended(struct dial *dial)
{
	if (dial->state == DIAL_REFUSED)
		refuse(dial);
	else
		dial_end_as(dial, FETCH_CUT, dial->state == DIAL_OPEN ?
		    "the connection was cut" :
		    "the connection ended before the answer");
}

void
dial_read_more(struct dial *dial)
{
	for (unsigned i = 0; i < READS_A_TURN; i++) {
		enum pipe_result result;
		size_t len;

		if (dial->state < DIAL_ASKING || dial->state >= DIAL_ENDING)
			return;
		result = pipe_read(&dial->pipe, input, sizeof input, &len);
		if (result == PIPE_DONE)
			take(dial, input, len);
		else {
			if (result == PIPE_ENDED || result == PIPE_FAILED)
				on_ended(dial);
			return;
		}
	}
	/* What TLS holds already makes no descriptor readable. */
	if (dial->state < DIAL_ENDING)
		timer_set(loop_timers(dial_loop(dial)), &dial->soon, 0);
}

void
dial_on_readable(struct dial *dial)
{
	dial_hold(dial);
	if (dial->state == DIAL_SHAKING)
		dial_shake(dial);
	dial_read_more(dial);
	dial_give(dial);
}

void
dial_on_limit(struct dial *dial)
{
	int64_t silence = dial->request.silence_ms;
	int64_t quiet = loop_now_ms(dial_loop(dial)) - dial->heard_ms;
	char words[FETCH_WORDS_SIZE];

	dial_hold(dial);
	if (dial->state == DIAL_REFUSED)
		refuse(dial);
	else if (dial->state != DIAL_OPEN) {
		snprintf(words, sizeof words, "timed out after %g s, %s",
		    (double)dial->request.open_timeout_ms / 1000,
		    dial->state == DIAL_SHAKING ? "in TLS" :
		    "before the answer");
		dial_end_as(dial, FETCH_TIMED_OUT, words);
	} else if (quiet >= silence) {
		snprintf(words, sizeof words,
		    "timed out: nothing came for %g s",
		    (double)silence / 1000);
		dial_end_as(dial, FETCH_TIMED_OUT, words);
	} else {
		if (quiet >= silence / 2 && !dial->has_asked) {
			dial->has_asked = true;
			dial_put(dial, FRAME_PING, TEXT_NONE);
		}
		if (dial->state == DIAL_OPEN)
			timer_set(loop_timers(dial_loop(dial)), &dial->limit,
			    (quiet >= silence / 2 ? silence : silence / 2) -
			    quiet + 1);
	}
	dial_give(dial);
}
