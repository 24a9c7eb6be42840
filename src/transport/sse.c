/* SPDX-License-Identifier: MIT */
/*
 * What a subscription is told, as blocks of an event stream.
 */
#include "transport/sse.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/secret.h"
#include "core/follow.h"
#include "core/lag.h"
#include "plat/loop.h"

/* Between these, at random: who was cut off with others comes alone. */
#define RETRY_LEAST_MS	1000
#define RETRY_SPREAD_MS	1000
#define ID_SIZE		(RING_EPOCH_MAX + sizeof(":18446744073709551615"))

struct sse {
	unsigned	 magic;
#define SSE_MAGIC 0x73736562
	struct follow	 follow;
	bool		 is_begun;
	int64_t		 sent_ms;	/* something, at last */
};

static struct sse *
sse_of(struct subscription *sub)
{
	return (object_cast(struct sse, SSE_MAGIC, follow_of(sub)->owner));
}

/* --- blocks ----------------------------------------------------------- */

static void
add_line(struct buf *out, const char *field, text value)
{
	buf_add_string(out, field);
	buf_add(out, value);
	buf_add_char(out, '\n');
}

/* What a client wrote may have breaks between its members. */
static void
add_data(struct buf *out, text data)
{
	size_t from = 0;

	for (size_t i = 0; i < data.len; i++) {
		if (data.at[i] != '\n' && data.at[i] != '\r')
			continue;
		if (i > from)
			add_line(out, "data: ", text_from(data.at + from,
			    i - from));
		from = i + 1;
	}
	if (from < data.len)
		add_line(out, "data: ", text_from(data.at + from,
		    data.len - from));
}

static struct bytes *
take_bytes(struct buf *buf)
{
	struct bytes *bytes = bytes_create(buf->len);

	memcpy(bytes->at, buf->at, buf->len);
	buf_fini(buf);
	return (bytes);
}

struct bytes *
sse_block(text name, text id, text data)
{
	struct buf block;

	buf_init(&block, BUF_NO_LIMIT);
	if (name.at != NULL)
		add_line(&block, "event: ", name);
	if (id.at != NULL)
		add_line(&block, "id: ", id);
	add_data(&block, data);
	buf_add_char(&block, '\n');
	return (take_bytes(&block));
}

static text
write_id(text epoch, uint64_t seq, char out[ID_SIZE])
{
	int len = snprintf(out, ID_SIZE, "%.*s:%" PRIu64, TEXT_ARGS(epoch),
	    seq);

	return (text_from(out, (size_t)len));
}

/* --- sending ---------------------------------------------------------- */

static void
send_shared(struct sse *sse, struct bytes *bytes, enum op_piece piece)
{
	struct op *op = sse->follow.op;

	sse->sent_ms = loop_arrival_us(op->ground->service->loop) / 1000;
	op_stream_send(op, bytes, piece);
}

static void
send_own(struct sse *sse, struct bytes *bytes)
{
	send_shared(sse, bytes, OP_HAS_TO_ARRIVE);
	bytes_give(&bytes);
}

static void
begin_stream(struct sse *sse)
{
	struct op *op = sse->follow.op;

	op_add_headers(op, TEXT("{\"X-Accel-Buffering\":\"no\"}"));
	op_stream_begin(op, 200, TEXT("text/event-stream"));
	sse->is_begun = true;
	GAUGE_ADD(sse_clients, 1);
}

/*
 * The pause, and where the client stands before anything happens; but where
 * he only stands once he has the state, its block says so.
 */
static void
send_place(struct sse *sse, text epoch, bool has_state)
{
	char id[ID_SIZE];
	uint16_t random;
	struct buf block;

	secret_fill(&random, sizeof random);
	buf_init(&block, BUF_NO_LIMIT);
	buf_printf(&block, "retry: %d\n", RETRY_LEAST_MS +
	    random % RETRY_SPREAD_MS);
	if (has_state)
		add_line(&block, "id: ", write_id(epoch,
		    sse->follow.sub.last, id));
	buf_add_char(&block, '\n');
	send_own(sse, take_bytes(&block));
}

static void
send_resync(struct sse *sse, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	struct bytes **form = &resync->forms[EVENT_SSE];
	char id[ID_SIZE];

	if (*form == NULL)
		*form = sse_block(TEXT("resync"), write_id(epoch, head, id),
		    resync->body);
	send_shared(sse, *form, OP_HAS_TO_ARRIVE);
}

/* --- its end ---------------------------------------------------------- */

static void
destroy(struct sse *sse)
{
	if (sse->is_begun)
		GAUGE_ADD(sse_clients, -1);
	object_free(&sse);
}

static struct op *
let_go(struct sse *sse)
{
	struct op *op = sse->follow.op;

	follow_close(&sse->follow);
	destroy(sse);
	return (op);
}

static void
close_with(struct sse *sse, const char *code, const char *again)
{
	char data[128];

	snprintf(data, sizeof data, "{\"code\":\"%s\",\"again\":\"%s\"}",
	    code, again);
	send_own(sse, sse_block(TEXT("closing"), TEXT_NONE, text_of(data)));
	op_stream_end(let_go(sse));
}

static void
on_end(struct follow *follow, enum follow_end why)
{
	static const struct {
		const char	*code;	/* as live connections are told */
		const char	*again;
		enum err	 err;
	} ends[] = {
		[FOLLOW_DRAINS] = { "draining", "now", ERR_none },
		[FOLLOW_EXPIRED] = { "token_expired", "sign_in",
		    ERR_invalid_token },
		[FOLLOW_REVOKED] = { "revoked", "sign_in",
		    ERR_invalid_token },
		[FOLLOW_NOT_PUBLIC] = { "token_required", "sign_in",
		    ERR_token_required },
	};
	struct sse *sse = object_cast(struct sse, SSE_MAGIC, follow->owner);

	if (sse->is_begun)
		close_with(sse, ends[why].code, ends[why].again);
	else if (ends[why].err != ERR_none)
		op_fail(let_go(sse), ends[why].err);
	/* Else it begins in a moment, and ends then. */
}

static void
on_gone(struct follow *follow)
{
	destroy(object_cast(struct sse, SSE_MAGIC, follow->owner));
}

static void
on_look(struct follow *follow, int64_t now_ms)
{
	static struct bytes *sign_of_life;
	struct sse *sse = object_cast(struct sse, SSE_MAGIC, follow->owner);
	const struct conf *conf = follow->op->ground->conf;

	if (!sse->is_begun || now_ms - sse->sent_ms < conf->live_ping)
		return;
	if (sign_of_life == NULL) {
		sign_of_life = bytes_create(3);
		memcpy(sign_of_life->at, ":\n\n", 3);
	}
	/* Who has something waiting for him has signs enough. */
	send_shared(sse, sign_of_life, OP_MAY_BE_LEFT_OUT);
}

/* --- what the subscription is told ------------------------------------ */

static void
on_subscribed(struct subscription *sub, text epoch, uint64_t head,
    bool recovered, struct hub_resync *resync)
{
	struct sse *sse = sse_of(sub);

	(void)recovered;
	if (!sse->is_begun)
		begin_stream(sse);
	send_place(sse, epoch, resync == NULL);
	if (resync != NULL)
		send_resync(sse, epoch, head, resync);
}

static void
on_resync(struct subscription *sub, text epoch, uint64_t head,
    struct hub_resync *resync)
{
	send_resync(sse_of(sub), epoch, head, resync);
}

static void
on_deliver(struct subscription *sub, struct event *event)
{
	struct bytes **form = &event->forms[EVENT_SSE];
	char id[ID_SIZE];

	if (*form == NULL) {
		*form = sse_block(TEXT_NONE, event->seq == 0 ? TEXT_NONE :
		    write_id(event->epoch, event->seq, id), event->envelope);
		lag_note(follow_of(sub)->op->ground->service->lag, event);
	}
	send_shared(sse_of(sub), *form, event->seq == 0 ?
	    OP_MAY_BE_LEFT_OUT : OP_HAS_TO_ARRIVE);
}

static void
on_ended(struct subscription *sub, enum hub_end why)
{
	struct sse *sse = sse_of(sub);
	text stream = follow_stream(sse->follow.op);
	char data[RING_STREAM_MAX + 32];

	if (!sse->is_begun)
		op_fail(let_go(sse), why == HUB_REFUSED ? ERR_database_away :
		    text_begins(stream, TEXT("session:")) ?
		    ERR_session_not_found : ERR_not_found);
	else if (why == HUB_REFUSED)
		close_with(sse, "unavailable", "later");
	else {
		snprintf(data, sizeof data, "{\"stream\":\"%.*s\"}",
		    TEXT_ARGS(stream));
		send_own(sse, sse_block(TEXT("deleted"), TEXT_NONE,
		    text_of(data)));
		op_stream_end(let_go(sse));
	}
}

static bool
on_has_room(struct subscription *sub)
{
	struct sse *sse = sse_of(sub);

	return (!sse->is_begun || op_stream_has_room(sse->follow.op));
}

/* --- its beginning ---------------------------------------------------- */

static void
begin(struct op *op)
{
	static const struct follow_acts acts = {
	    .sub = { on_deliver, on_subscribed, on_resync, on_ended,
	    on_has_room }, .is_lasting = true, .end = on_end,
	    .gone = on_gone, .look = on_look };
	struct sse *sse = object_create(struct sse, SSE_MAGIC);

	if (follow_begin(&sse->follow, op, &acts, sse))
		follow_join(&sse->follow);
	else
		object_free(&sse);
}

void
operation_lobby_stream(struct op *op)
{
	follow_admit(op, begin);
}

void
operation_session_stream(struct op *op)
{
	follow_admit(op, begin);
}
