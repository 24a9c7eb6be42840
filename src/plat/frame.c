/* SPDX-License-Identifier: MIT */
/*
 * The reader. A head is gathered byte by byte and judged as far as it is
 * there; then its payload passes, in place or into what is kept:
 *
 *	 kept
 *	| fragments so far, unmasked | a control frame, incomplete |
 *	 <------ message_len ------>
 *	 <----------------------- kept_len ----------------------->
 */
#include "plat/frame.h"

#include "plat/deflate_message.h"

#define FIRST_KEPT 256

enum stage { HEAD, PAYLOAD, OVER };

#define FIN_BIT 0x80
#define DEFLATED_BIT 0x40
#define RESERVED_BITS 0x30
#define MASK_BIT 0x80
#define CONTROL_BIT 0x08

void
frame_reader_init(struct frame_reader *reader, const struct frame_rules *rules,
    bool may_deflate)
{
	must(rules->message_max <= UINT32_MAX / 4);
	*reader = (struct frame_reader){ .rules = rules, .stage = HEAD,
	    .head_size = 2, .may_deflate = may_deflate };
}

static void
forget(struct frame_reader *reader)
{
	mem_free(reader->kept);
	reader->kept = NULL;
	reader->kept_len = reader->kept_size = reader->message_len = 0;
}

void
frame_reader_fini(struct frame_reader *reader)
{
	forget(reader);
	reader->stage = OVER;
}

size_t
frame_reader_keeps(const struct frame_reader *reader)
{
	return (reader->kept_size);
}

static bool
fail(struct frame_reader *reader, struct frame_event *event, unsigned code,
    const char *why)
{
	reader->stage = OVER;
	*event = (struct frame_event){ FRAME_ERROR, code, text_of(why) };
	return (true);
}

static bool
is_control(const struct frame_reader *reader)
{
	return ((reader->head[0] & CONTROL_BIT) != 0);
}

static bool
is_last(const struct frame_reader *reader)
{
	return ((reader->head[0] & FIN_BIT) != 0);
}

/* Each check of a head says what is wrong, or NULL. */

static const char *
check_opcode(const struct frame_reader *reader, unsigned opcode)
{
	switch (opcode) {
	case FRAME_CONTINUATION:
		return (reader->message == 0 ?
		    "a continuation of no message" : NULL);
	case FRAME_TEXT:
	case FRAME_BINARY:
		return (reader->message != 0 ?
		    "a message within another" : NULL);
	case FRAME_CLOSE:
	case FRAME_PING:
	case FRAME_PONG:
		return (is_last(reader) ? NULL : "a control frame in parts");
	default:
		return ("an unknown opcode");
	}
}

static const char *
check_first(const struct frame_reader *reader)
{
	unsigned first = reader->head[0], opcode = first & 0x0f;

	if ((first & RESERVED_BITS) != 0)
		return ("a reserved bit is set");
	if ((first & DEFLATED_BIT) != 0 && (!reader->may_deflate ||
	    (opcode != FRAME_TEXT && opcode != FRAME_BINARY)))
		return ("a reserved bit is set");
	return (check_opcode(reader, opcode));
}

static const char *
check_second(const struct frame_reader *reader)
{
	bool is_masked = (reader->head[1] & MASK_BIT) != 0;

	if (is_masked == reader->rules->is_client)
		return (is_masked ? "a masked frame of a server" :
		    "an unmasked frame of a client");
	if (is_control(reader) && (reader->head[1] & 0x7f) > FRAME_CONTROL_MAX)
		return ("a control frame longer than 125 bytes");
	return (NULL);
}

static unsigned
size_of_length(const struct frame_reader *reader)
{
	unsigned length = reader->head[1] & 0x7f;

	return (length == 127 ? 8 : length == 126 ? 2 : 0);
}

static const char *
read_length(struct frame_reader *reader)
{
	unsigned size = size_of_length(reader);
	uint64_t length = 0;

	for (unsigned i = 0; i < size; i++)
		length = length << 8 | reader->head[2 + i];
	if (length >> 63 != 0)
		return ("a length over 63 bits");
	if ((size == 2 && length < 126) || (size == 8 && length <= 0xffff))
		return ("a length longer than it need be");
	reader->left = size == 0 ? reader->head[1] & 0x7f : length;
	return (NULL);
}

/* Compressed, what cannot be made shorter is a little longer. */
static size_t
most_on_the_way(const struct frame_reader *reader)
{
	size_t most = reader->rules->message_max;

	return (reader->is_deflated ? most + most / 128 + 64 : most);
}

static bool
is_too_large(const struct frame_reader *reader)
{
	size_t most = most_on_the_way(reader);

	return (!is_control(reader) && (reader->message_len > most ||
	    reader->left > most - reader->message_len));
}

static void
begin_message(struct frame_reader *reader)
{
	unsigned opcode = reader->head[0] & 0x0f;

	if (opcode != FRAME_TEXT && opcode != FRAME_BINARY)
		return;
	reader->message = (uint8_t)opcode;
	reader->is_deflated = (reader->head[0] & DEFLATED_BIT) != 0;
}

/* After one more byte of the head; true: it failed. */
static bool
judge_head(struct frame_reader *reader, struct frame_event *event)
{
	const char *wrong = NULL;

	if (reader->head_len == 1) {
		wrong = check_first(reader);
		if (wrong == NULL)
			begin_message(reader);
	} else if (reader->head_len == 2) {
		wrong = check_second(reader);
		reader->head_size = (uint8_t)(2 + size_of_length(reader) +
		    (reader->rules->is_client ? 0 : 4));
	}
	if (wrong == NULL && reader->head_len >= 2 &&
	    reader->head_len == 2 + size_of_length(reader)) {
		wrong = read_length(reader);
		if (wrong == NULL && is_too_large(reader))
			return (fail(reader, event, FRAME_CODE_TOO_LARGE,
			    "a message over the limit"));
	}
	if (wrong != NULL)
		return (fail(reader, event, FRAME_CODE_PROTOCOL, wrong));
	if (reader->head_len == reader->head_size) {
		reader->stage = PAYLOAD;
		reader->mask_at = 0;
	}
	return (false);
}

/* True: it failed. */
static bool
read_head(struct frame_reader *reader, struct frame_input *input,
    struct frame_event *event)
{
	while (reader->stage == HEAD && input->len > 0) {
		reader->head[reader->head_len++] = (uint8_t)*input->at++;
		input->len--;
		if (judge_head(reader, event))
			return (true);
	}
	return (false);
}

static void
keep_room(struct frame_reader *reader, size_t more)
{
	size_t need = reader->kept_len + more, size = reader->kept_size;

	if (need <= size)
		return;
	size = size * 2 > FIRST_KEPT ? size * 2 : FIRST_KEPT;
	if (size < need)
		size = need;
	reader->kept = mem_resize(reader->kept, size);
	reader->kept_size = (uint32_t)size;
}

static void
unmask(struct frame_reader *reader, char *to, const char *from, size_t len)
{
	if (!reader->rules->is_client)
		frame_mask(to, from, len, &reader->head[reader->head_size - 4],
		    reader->mask_at);
	else if (to != from && len > 0)
		memcpy(to, from, len);
	reader->mask_at = (uint8_t)((reader->mask_at + len) & 3);
}

static bool
is_checked_text(const struct frame_reader *reader)
{
	return (reader->message == FRAME_TEXT && !reader->is_deflated &&
	    !is_control(reader));
}

/*
 * A piece of payload, unmasked in the input if it is a whole message or
 * control frame and otherwise in what is kept; false: it is no text.
 */
static bool
take_payload(struct frame_reader *reader, struct frame_input *input,
    text *whole_out)
{
	size_t len = reader->left < input->len ? (size_t)reader->left :
	    input->len;
	bool begins = is_control(reader) ?
	    reader->kept_len == reader->message_len :
	    reader->kept_len == 0 && is_last(reader);
	char *to = input->at;

	*whole_out = TEXT_NONE;
	if (begins && len == reader->left) {
		*whole_out = text_from(to, len);
	} else if (len > 0) {
		keep_room(reader, len);
		to = reader->kept + reader->kept_len;
		reader->kept_len += (uint32_t)len;
	}
	unmask(reader, to, input->at, len);
	input->at += len;
	input->len -= len;
	reader->left -= len;
	return (!is_checked_text(reader) || utf8_add(&reader->utf8, to, len));
}

bool
frame_code_may_travel(unsigned code)
{
	return ((code >= 1000 && code <= 1003) ||
	    (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999));
}

static bool
tell_close(struct frame_reader *reader, text payload,
    struct frame_event *event)
{
	const unsigned char *at = (const unsigned char *)payload.at;
	unsigned code;

	*event = (struct frame_event){ FRAME_CLOSE, FRAME_CODE_NONE,
	    TEXT_NONE };
	reader->stage = OVER;
	if (payload.len == 0)
		return (true);
	if (payload.len == 1)
		return (fail(reader, event, FRAME_CODE_PROTOCOL,
		    "a close code of one byte"));
	code = (unsigned)at[0] << 8 | at[1];
	if (!frame_code_may_travel(code))
		return (fail(reader, event, FRAME_CODE_PROTOCOL,
		    "a close code that must not be sent"));
	event->code = code;
	event->payload = text_from(payload.at + 2, payload.len - 2);
	if (!text_is_utf8(event->payload))
		return (fail(reader, event, FRAME_CODE_BAD_DATA,
		    "a close reason that is not UTF-8"));
	return (true);
}

static bool
tell_control(struct frame_reader *reader, text payload,
    struct frame_event *event)
{
	enum frame_kind kind = reader->head[0] & 0x0f;

	if (kind == FRAME_CLOSE)
		return (tell_close(reader, payload, event));
	*event = (struct frame_event){ kind, 0, payload };
	return (true);
}

static bool
tell_deflated(struct frame_reader *reader, struct frame_event *event)
{
	switch (deflate_message_unpack(event->payload,
	    reader->rules->message_max, &event->payload)) {
	case UNPACK_TOO_LARGE:
		return (fail(reader, event, FRAME_CODE_TOO_LARGE,
		    "a message over the limit"));
	case UNPACK_BROKEN:
		return (fail(reader, event, FRAME_CODE_BAD_DATA,
		    "a message that does not decompress"));
	case UNPACKED:
		break;
	}
	if (event->kind == FRAME_TEXT && !text_is_utf8(event->payload))
		return (fail(reader, event, FRAME_CODE_BAD_DATA,
		    "text that is not UTF-8"));
	return (true);
}

static bool
tell_message(struct frame_reader *reader, text payload,
    struct frame_event *event)
{
	bool is_cut = is_checked_text(reader) && !utf8_is_whole(&reader->utf8);

	*event = (struct frame_event){ reader->message, 0, payload };
	reader->message = 0;
	reader->message_len = 0;
	if (is_cut)
		return (fail(reader, event, FRAME_CODE_BAD_DATA,
		    "text that is not UTF-8"));
	return (reader->is_deflated ? tell_deflated(reader, event) : true);
}

/* The frame is whole; true: there is something to tell. */
static bool
end_frame(struct frame_reader *reader, text whole, struct frame_event *event)
{
	reader->stage = HEAD;
	reader->head_len = 0;
	reader->head_size = 2;
	if (is_control(reader)) {
		if (whole.at == NULL)
			whole = text_from(reader->kept + reader->message_len,
			    reader->kept_len - reader->message_len);
		/* It stays where it is until more is kept. */
		reader->kept_len = reader->message_len;
		return (tell_control(reader, whole, event));
	}
	if (!is_last(reader)) {
		reader->message_len = reader->kept_len;
		return (false);
	}
	if (whole.at == NULL)
		whole = text_from(reader->kept, reader->kept_len);
	return (tell_message(reader, whole, event));
}

static bool
read_payload(struct frame_reader *reader, struct frame_input *input,
    struct frame_event *event)
{
	text whole;

	if (!take_payload(reader, input, &whole))
		return (fail(reader, event, FRAME_CODE_BAD_DATA,
		    "text that is not UTF-8"));
	return (reader->left == 0 && end_frame(reader, whole, event));
}

/* Its head was the last of the input, and yet it is whole. */
static bool
has_empty_payload(const struct frame_reader *reader)
{
	return (reader->stage == PAYLOAD && reader->left == 0);
}

bool
frame_read(struct frame_reader *reader, struct frame_input *input,
    struct frame_event *event)
{
	/* What was told is done with; a message under way stays. */
	if (reader->is_told && (reader->message == 0 || reader->stage == OVER))
		forget(reader);
	reader->is_told = false;
	if (reader->stage == OVER) {
		input->at += input->len;
		input->len = 0;
	}
	while (input->len > 0 || has_empty_payload(reader)) {
		reader->is_told = reader->stage == HEAD ?
		    read_head(reader, input, event) :
		    read_payload(reader, input, event);
		if (reader->is_told)
			return (true);
	}
	return (false);
}
