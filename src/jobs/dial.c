/* SPDX-License-Identifier: MIT */
/*
 * The life of a dial: opened, connected by a fetch, ended, told of it.
 */
#include "jobs/dial_inside.h"

#include <stdio.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/mem.h"
#include "jobs/fetch_inside.h"
#include "jobs/ground.h"
#include "plat/loop.h"

struct loop *
dial_loop(const struct dial *dial)
{
	return (fetcher_ground(dial->fetcher)->loop);
}

void
dial_state_set(struct dial *dial, enum dial_state state)
{
	static const unsigned from[] = {
		[DIAL_SHAKING] = 1 << DIAL_CONNECTING,
		[DIAL_ASKING] = 1 << DIAL_SHAKING,
		[DIAL_REFUSED] = 1 << DIAL_ASKING,
		[DIAL_OPEN] = 1 << DIAL_ASKING,
		[DIAL_ENDING] = (1 << DIAL_ENDING) - 1,
		[DIAL_GONE] = (1 << DIAL_GONE) - 1,
	};

	must(from[state] & 1U << dial->state);
	GAUGE_ADD(dials_open, (state == DIAL_OPEN) -
	    (dial->state == DIAL_OPEN));
	dial->state = state;
}

/* No door is open any more: nothing comes. */
static void
let_go(struct dial *dial)
{
	struct timers *timers = loop_timers(dial_loop(dial));

	fetch_cancel(&dial->fetch);
	loop_forget(&dial->watch);
	timer_stop(timers, &dial->limit);
	timer_stop(timers, &dial->soon);
	pipe_fini(&dial->pipe);
}

void
dial_hold(struct dial *dial)
{
	dial->holders++;
}

void
dial_give(struct dial *dial)
{
	if (--dial->holders > 0 || dial->state != DIAL_GONE)
		return;
	frame_reader_fini(&dial->reader);
	buf_fini(&dial->out);
	buf_fini(&dial->got);
	dial_target_fini(&dial->target);
	mem_free(dial->protocol);
	object_free(&dial);
}

static void
leave(struct dial *dial)
{
	if (dial->state == DIAL_GONE)
		return;
	dial_state_set(dial, DIAL_GONE);
	DL_DELETE(fetcher_dials(dial->fetcher)->all, dial);
	let_go(dial);
}

void
dial_end_as(struct dial *dial, enum fetch_why why, const char *words)
{
	if (dial->state >= DIAL_ENDING)
		return;
	/* Before, the fetch counts. */
	if (dial->state > DIAL_CONNECTING && why != FETCH_ANSWERED)
		COUNT(outgoing_failed);
	dial_state_set(dial, DIAL_ENDING);
	snprintf(dial->words, sizeof dial->words, "%s", words);
	dial->end.why = why;
	dial->end.status = dial->answer.status;
	dial->end.retry_after_s = dial->answer.retry_after_s;
	let_go(dial);
	timer_set(loop_timers(dial_loop(dial)), &dial->soon, 0);
}

static void
tell_end(struct dial *dial)
{
	dial->end.words = dial->words;
	if (dial->end.why == FETCH_ANSWERED && dial->end.code == 0)
		dial->end.code = FRAME_CODE_NONE;
	if (dial->answer.status != 101 && dial->got.len >
	    dial->answer.head_len)
		dial->end.body = text_from(dial->got.at +
		    dial->answer.head_len, dial->got.len -
		    dial->answer.head_len);
	dial->request.on_close(dial->request.me, &dial->end);
	leave(dial);
}

static void
on_soon(struct dial *dial)
{
	dial_hold(dial);
	if (dial->state == DIAL_ENDING)
		tell_end(dial);
	else
		dial_read_more(dial);
	dial_give(dial);
}

/* The connection. */

static SSL_CTX *
tls_of(struct dial *dial)
{
	struct dials *dials = fetcher_dials(dial->fetcher);

	if (dials->tls == NULL)
		dials->tls = pipe_tls_create(
		    fetcher_ground(dial->fetcher)->conf->outgoing_ca);
	return (dials->tls);
}

static void
on_connected(void *me, int fd)
{
	struct dial *dial = object_cast(struct dial, DIAL_MAGIC, me);

	dial->pipe.fd = fd;
}

static void
on_fetch_end(void *me, const struct fetch_end *end)
{
	struct dial *dial = object_cast(struct dial, DIAL_MAGIC, me);
	int fd = dial->pipe.fd;
	SSL_CTX *tls = NULL;

	dial_hold(dial);
	dial->fetch = NULL;
	if (end->why != FETCH_ANSWERED)
		dial_end_as(dial, end->why, end->words);
	else if (dial->target.is_tls && (tls = tls_of(dial)) == NULL)
		dial_end_as(dial, FETCH_TLS, "outgoing_ca cannot be read");
	else {
		pipe_init(&dial->pipe, fd, tls, dial->target.host.at,
		    dial->target.is_ip);
		dial->watch = loop_watch_readable(dial_loop(dial), fd,
		    dial_on_readable, dial);
		if (dial->watch == NULL)
			dial_end_as(dial, FETCH_FAILED,
			    "no descriptor is left");
		else {
			dial_state_set(dial, DIAL_SHAKING);
			timer_set(loop_timers(dial_loop(dial)), &dial->limit,
			    dial->request.open_timeout_ms);
			dial_shake(dial);
		}
	}
	dial_give(dial);
}

static void
connect_it(struct dial *dial)
{
	struct fetch_request request = { .url = dial->target.connect.at,
	    .timeout_ms = dial->request.open_timeout_ms,
	    .connect_timeout_ms = dial->request.open_timeout_ms,
	    .is_connection = true, .guard = dial->request.guard,
	    .on_connected = on_connected, .on_end = on_fetch_end,
	    .me = dial };

	dial->fetch = fetch_start(dial->fetcher, &request);
}

struct dial *
dial_open(struct fetcher *fetcher, const struct dial_request *request)
{
	struct dial *dial = object_create(struct dial, DIAL_MAGIC);
	const char *why;

	must(request->on_text != NULL && request->on_close != NULL &&
	    request->open_timeout_ms > 0);
	dial->fetcher = fetcher;
	dial->request = *request;
	dial->pipe.fd = -1;
	if (request->protocol != NULL)
		dial->protocol = mem_copy_string(request->protocol);
	dial->rules = (struct frame_rules){ .message_max =
	    request->message_max, .is_client = true };
	frame_reader_init(&dial->reader, &dial->rules, false);
	buf_init(&dial->out, BUF_NO_LIMIT);
	buf_init(&dial->got, BUF_NO_LIMIT);
	timer_init(&dial->limit, dial_on_limit, dial);
	timer_init(&dial->soon, on_soon, dial);
	handshake_make_key(dial->key);
	DL_APPEND(fetcher_dials(fetcher)->all, dial);
	if (dial_target_read(request->url, &dial->target, &why)) {
		handshake_write(&dial->target, dial->key, request,
		    &dial->out);
		connect_it(dial);
	} else
		dial_end_as(dial, FETCH_BAD_URL, why);
	return (dial);
}

bool
dial_say(struct dial *dial, text message)
{
	object_check(dial, DIAL_MAGIC);
	return (dial->state == DIAL_OPEN &&
	    dial_put(dial, FRAME_TEXT, message));
}

void
dial_close(struct dial **given)
{
	struct dial *dial = *given;

	*given = NULL;
	if (dial == NULL)
		return;
	object_check(dial, DIAL_MAGIC);
	dial_hold(dial);
	if (dial->state == DIAL_OPEN)
		dial_put_close(dial, FRAME_CODE_NORMAL);
	leave(dial);
	dial_give(dial);
}

void
dial_drop(struct dial **given)
{
	struct dial *dial = *given;

	*given = NULL;
	if (dial == NULL)
		return;
	object_check(dial, DIAL_MAGIC);
	dial_hold(dial);
	leave(dial);
	dial_give(dial);
}

void
dials_end(struct dials *dials)
{
	while (dials->all != NULL) {
		struct dial *dial = dials->all;

		dial_hold(dial);
		dial_end_as(dial, FETCH_STOPPED, "the server is ending");
		tell_end(dial);
		dial_give(dial);
	}
	SSL_CTX_free(dials->tls);
	dials->tls = NULL;
}
