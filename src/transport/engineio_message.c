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
	uint8_t		 head_size;	/* 0: whole is a tail */
	struct bytes	*whole;		/* the frame: its head, then plain */
	struct bytes	*coded;
	struct bytes	*deflated;
	struct bytes	*open;		/* plain, without its last sign */
	struct engineio_message *shared; /* NULL: plain is all of it */
	struct bytes	*head;		/* of a frame with a tail */
};

static struct engineio_message *
create_bare(size_t size)
{
	struct engineio_message *message = object_create(
	    struct engineio_message, ENGINEIO_MESSAGE_MAGIC);

	message->holders = 1;
	message->whole = bytes_create(size);
	return (message);
}

/* With the head of its frame; *plain_out: so many bytes, to be written. */
static struct engineio_message *
create(size_t len, bool is_binary, char **plain_out)
{
	char head[FRAME_HEAD_MAX];
	size_t size = frame_write_head(head, is_binary ? FRAME_BINARY :
	    FRAME_TEXT, false, len, NULL);
	struct engineio_message *message = create_bare(size + len);

	message->is_binary = is_binary;
	message->head_size = (uint8_t)size;
	memcpy(message->whole->at, head, size);
	*plain_out = message->whole->at + size;
	return (message);
}

/* A text's with its type before it. */
static text
plain_of(const struct engineio_message *message)
{
	const struct bytes *whole = message->whole;

	return (text_from(whole->at + message->head_size,
	    whole->len - message->head_size));
}

struct engineio_message *
engineio_packet_create(enum engineio_type type, text data)
{
	struct engineio_message *message;
	char *to;

	message = create(1 + data.len, false, &to);
	to[0] = (char)type;
	if (data.len > 0)
		memcpy(to + 1, data.at, data.len);
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
	message = create(len, is_binary, &to);
	if (!is_binary)
		*to++ = ENGINEIO_MESSAGE;
	for (unsigned i = 0; i < count; to += pieces[i++].len)
		if (pieces[i].len > 0)
			memcpy(to, pieces[i].at, pieces[i].len);
	return (message);
}

/* What it shares is kept by it. */
struct engineio_message *
engineio_message_tail(struct engineio_message *body, text tail)
{
	struct engineio_message *message = create_bare(tail.len);
	text plain = plain_of(body);

	must(!body->is_binary && body->shared == NULL && tail.len > 0);
	memcpy(message->whole->at, tail.at, tail.len);
	if (body->open == NULL) {
		body->open = bytes_create(plain.len - 1);
		memcpy(body->open->at, plain.at, plain.len - 1);
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
	bytes_give(&message->whole);
	bytes_give(&message->coded);
	bytes_give(&message->deflated);
	bytes_give(&message->open);
	bytes_give(&message->head);
	engineio_message_give(&message->shared);
	object_free(&message);
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
	return (plain_of(message).len + (message->shared != NULL ?
	    message->shared->open->len : 0));
}

text
engineio_message_packet(struct engineio_message *message)
{
	text plain = plain_of(message);

	must(message->shared == NULL);
	if (!message->is_binary)
		return (plain);
	if (message->coded == NULL) {
		message->coded = bytes_create(1 + base64_size(plain.len));
		message->coded->at[0] = 'b';
		base64_write(plain, message->coded->at + 1);
	}
	return (text_from(message->coded->at, message->coded->len));
}

void
engineio_message_add(struct engineio_message *message, struct buf *out)
{
	if (message->shared == NULL) {
		buf_add(out, engineio_message_packet(message));
		return;
	}
	buf_add(out, text_from(message->shared->open->at,
	    message->shared->open->len));
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
	parts[2] = message->whole;
	return (ENGINEIO_TAILED_PARTS);
}

struct bytes *
engineio_message_frame(struct engineio_message *message, bool deflates,
    size_t least)
{
	must(message->shared == NULL);
	if (!deflates)
		return (message->whole);
	if (message->deflated == NULL) {
		message->deflated = frame_write_deflated(message->is_binary ?
		    FRAME_BINARY : FRAME_TEXT, plain_of(message), least);
		if (message->deflated != NULL)
			COUNT(events_deflated);
		else
			message->deflated = bytes_share(message->whole);
	}
	return (message->deflated);
}
