/* SPDX-License-Identifier: MIT */
/*
 * Messages and their forms.
 */
#include "transport/engineio_message.h"

#include "base/base64.h"
#include "base/count.h"
#include "plat/frame.h"

struct engineio_message {
	unsigned	 magic;
#define ENGINEIO_MESSAGE_MAGIC 0x65696d73
	unsigned	 holders;
	bool		 is_binary;
	struct bytes	*plain;		/* a text's with its type before it */
	struct bytes	*coded;
	struct bytes	*frame;
	struct bytes	*deflated;
	struct bytes	*open;		/* plain, without its last sign */
	struct engineio_message *shared; /* NULL: plain is all of it */
	struct bytes	*head;		/* of a frame with a tail */
};

static struct engineio_message *
create(size_t len, bool is_binary)
{
	struct engineio_message *message = object_create(
	    struct engineio_message, ENGINEIO_MESSAGE_MAGIC);

	message->holders = 1;
	message->is_binary = is_binary;
	message->plain = bytes_create(len);
	return (message);
}

struct engineio_message *
engineio_packet_create(enum engineio_type type, text data)
{
	struct engineio_message *message = create(1 + data.len, false);

	message->plain->at[0] = (char)type;
	if (data.len > 0)
		memcpy(message->plain->at + 1, data.at, data.len);
	return (message);
}

struct engineio_message *
engineio_message_create(const text *pieces, unsigned count, bool is_binary)
{
	struct engineio_message *message;
	size_t len = is_binary ? 0 : 1;
	char *to;

	for (unsigned i = 0; i < count; i++)
		len += pieces[i].len;
	message = create(len, is_binary);
	to = message->plain->at;
	if (!is_binary)
		*to++ = ENGINEIO_MESSAGE;
	for (unsigned i = 0; i < count; to += pieces[i++].len)
		if (pieces[i].len > 0)
			memcpy(to, pieces[i].at, pieces[i].len);
	return (message);
}

/* What it shares is kept by it; plain is the tail. */
struct engineio_message *
engineio_message_tail(struct engineio_message *body, text tail)
{
	struct engineio_message *message = create(tail.len, false);

	must(!body->is_binary && body->shared == NULL && tail.len > 0);
	memcpy(message->plain->at, tail.at, tail.len);
	if (body->open == NULL) {
		body->open = bytes_create(body->plain->len - 1);
		memcpy(body->open->at, body->plain->at, body->open->len);
	}
	message->shared = engineio_message_share(body);
	return (message);
}

struct engineio_message *
engineio_message_share(struct engineio_message *message)
{
	object_check(message, ENGINEIO_MESSAGE_MAGIC);
	message->holders++;
	return (message);
}

void
engineio_message_give(struct engineio_message **given)
{
	struct engineio_message *message = *given;

	*given = NULL;
	if (message == NULL)
		return;
	object_check(message, ENGINEIO_MESSAGE_MAGIC);
	if (--message->holders > 0)
		return;
	bytes_give(&message->plain);
	bytes_give(&message->coded);
	bytes_give(&message->frame);
	bytes_give(&message->deflated);
	bytes_give(&message->open);
	bytes_give(&message->head);
	engineio_message_give(&message->shared);
	object_free(&message);
}

static text
plain_of(const struct engineio_message *message)
{
	return (text_from(message->plain->at, message->plain->len));
}

text
engineio_message_text(const struct engineio_message *message)
{
	text plain = plain_of(message);

	return (message->is_binary ? plain :
	    text_from(plain.at + 1, plain.len - 1));
}

size_t
engineio_message_weight(const struct engineio_message *message)
{
	return (message->plain->len + (message->shared != NULL ?
	    message->shared->open->len : 0));
}

struct bytes *
engineio_message_packet(struct engineio_message *message)
{
	text plain = plain_of(message);

	must(message->shared == NULL);
	if (!message->is_binary)
		return (message->plain);
	if (message->coded == NULL) {
		message->coded = bytes_create(1 + base64_size(plain.len));
		message->coded->at[0] = 'b';
		base64_write(plain, message->coded->at + 1);
	}
	return (message->coded);
}

void
engineio_message_add(struct engineio_message *message, struct buf *out)
{
	const struct bytes *first = message->shared != NULL ?
	    message->shared->open : engineio_message_packet(message);

	buf_add(out, text_from(first->at, first->len));
	if (message->shared != NULL)
		buf_add(out, plain_of(message));
}

unsigned
engineio_message_parts(struct engineio_message *message,
    struct bytes *parts[ENGINEIO_TAILED_PARTS])
{
	char head[FRAME_HEAD_MAX];
	size_t size;

	if (message->shared == NULL)
		return (0);
	if (message->head == NULL) {
		size = frame_write_head(head, FRAME_TEXT, false,
		    engineio_message_weight(message), NULL);
		message->head = bytes_create(size);
		memcpy(message->head->at, head, size);
	}
	parts[0] = message->head;
	parts[1] = message->shared->open;
	parts[2] = message->plain;
	return (ENGINEIO_TAILED_PARTS);
}

struct bytes *
engineio_message_frame(struct engineio_message *message, bool deflates,
    size_t least)
{
	enum frame_kind kind = message->is_binary ? FRAME_BINARY :
	    FRAME_TEXT;

	must(message->shared == NULL);
	if (message->frame == NULL)
		message->frame = frame_write(kind, plain_of(message));
	if (!deflates)
		return (message->frame);
	if (message->deflated == NULL) {
		message->deflated = frame_write_deflated(kind,
		    plain_of(message), least);
		if (message->deflated != NULL)
			COUNT(events_deflated);
		else
			message->deflated = bytes_share(message->frame);
	}
	return (message->deflated);
}
