/* SPDX-License-Identifier: MIT */
/*
 * Writing: the payload first, because the number of attachments stands in
 * front of it, where room is left.
 */
#include "core/carried.h"
#include "transport/socketio_packet.h"
#include "transport/socketio_placeholder.h"

#define FRONT_MOST 32		/* beside the namespace: kind, count, id */
#define PAYLOAD_USUAL 192

void
socketio_write(struct socketio_writer *writer, enum socketio_kind kind,
    text nsp)
{
	must(kind <= SOCKETIO_CONNECT_ERROR);
	*writer = (struct socketio_writer){ .kind = kind, .nsp = nsp,
	    .id = SOCKETIO_NO_ID, .is_array = kind == SOCKETIO_EVENT ||
	    kind == SOCKETIO_ACK };
	buf_init(&writer->payload, BUF_NO_LIMIT);
	buf_reserve(&writer->payload, FRONT_MOST + nsp.len + PAYLOAD_USUAL);
	buf_add_space(&writer->payload, FRONT_MOST + nsp.len);
	json_out_init(&writer->json, &writer->payload);
	if (writer->is_array)
		json_array_begin(&writer->json);
}

void
socketio_write_text(struct socketio_writer *writer, text t)
{
	json_text(&writer->json, t);
}

/* Its place among the attachments; false: there is none left. */
static bool
add_attachment(struct socketio_writer *writer, struct bytes *bytes,
    unsigned *place_out)
{
	for (unsigned i = 0; i < writer->count; i++)
		if (writer->attachments[i] == bytes) {
			*place_out = i;
			return (true);
		}
	if (writer->count == SOCKETIO_ATTACHMENTS_MOST) {
		writer->has_failed = true;
		return (false);
	}
	*place_out = writer->count;
	writer->attachments[writer->count++] = bytes_share(bytes);
	return (true);
}

void
socketio_write_binary(struct socketio_writer *writer, struct bytes *bytes)
{
	unsigned place;

	must(writer->is_array);
	if (!add_attachment(writer, bytes, &place))
		return;
	json_object_begin(&writer->json);
	json_key(&writer->json, "_placeholder");
	json_bool(&writer->json, true);
	json_key(&writer->json, "num");
	json_int(&writer->json, place);
	json_object_end(&writer->json);
}

/* As placeholders' own, with the places that their attachments have here. */
static void
write_renumbered(struct socketio_writer *writer, text values,
    const struct socketio_packet *from)
{
	struct placeholders found;
	const char *done = values.at;
	enum placeholder got;
	unsigned place;

	json_raw(&writer->json, TEXT(""));	/* a comma, if it takes one */
	placeholders_begin(&found, values);
	while ((got = placeholders_next(&found)) == PLACEHOLDER_FOUND) {
		must(found.num < from->count);
		if (!add_attachment(writer, from->attachments[found.num],
		    &place))
			return;
		buf_add(&writer->payload, text_from(done,
		    (size_t)(found.at.at - done)));
		buf_add_int(&writer->payload, place);
		done = found.at.at + found.at.len;
	}
	must(got == PLACEHOLDER_NONE);
	buf_add(&writer->payload, text_from(done,
	    (size_t)(values.at + values.len - done)));
}

/* Whether a client would take something in there for an attachment. */
static bool
has_placeholder(text values)
{
	struct placeholders found;

	if (memchr(values.at, '\\', values.len) == NULL &&
	    memmem(values.at, values.len, "_placeholder",
	    sizeof "_placeholder" - 1) == NULL)
		return (false);
	placeholders_begin(&found, values);
	return (placeholders_next(&found) != PLACEHOLDER_NONE);
}

void
socketio_write_carried(struct socketio_writer *writer, text values,
    const struct socketio_packet *from)
{
	if (values.len == 0)
		return;
	if (from != NULL && from->count > 0) {
		write_renumbered(writer, values, from);
		return;
	}
	if (has_placeholder(values))
		writer->has_foreign = true;
	json_raw(&writer->json, values);
}

static char *
write_before(char *end, text t)
{
	return (memcpy(end - t.len, t.at, t.len));
}

static char *
write_number_before(char *end, uint64_t number)
{
	do
		*--end = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	return (end);
}

/* Backwards from where the payload begins; where all begins. */
static char *
write_front(struct socketio_writer *writer)
{
	char *at = writer->payload.at + FRONT_MOST + writer->nsp.len;
	enum socketio_kind kind = writer->kind;

	if (writer->id != SOCKETIO_NO_ID)
		at = write_number_before(at, writer->id);
	if (!text_is(writer->nsp, TEXT("/"))) {
		at = write_before(at, TEXT(","));
		at = write_before(at, writer->nsp);
	}
	if (writer->count > 0) {
		kind = kind == SOCKETIO_EVENT ? SOCKETIO_BINARY_EVENT :
		    SOCKETIO_BINARY_ACK;
		at = write_before(at, TEXT("-"));
		at = write_number_before(at, writer->count);
	}
	*--at = (char)('0' + kind);
	return (at);
}

text
socketio_written(struct socketio_writer *writer)
{
	const char *begin;

	if (writer->is_array)
		json_array_end(&writer->json);
	begin = write_front(writer);
	if (writer->has_foreign && writer->count > 0)
		writer->has_failed = true;
	writer->has_failed |= writer->payload.has_failed;
	return (text_from(begin, (size_t)(writer->payload.at +
	    writer->payload.len - begin)));
}

void
socketio_write_end(struct socketio_writer *writer)
{
	for (unsigned i = 0; i < writer->count; i++)
		bytes_give(&writer->attachments[i]);
	writer->count = 0;
	buf_fini(&writer->payload);
}
