/* SPDX-License-Identifier: MIT */
/*
 * Writing: the payload first, because the number of attachments stands in
 * front of it.
 */
#include <inttypes.h>

#include "core/carried.h"
#include "transport/socketio_packet.h"
#include "transport/socketio_placeholder.h"

void
socketio_write(struct socketio_writer *writer, enum socketio_kind kind,
    text nsp)
{
	must(kind <= SOCKETIO_CONNECT_ERROR);
	*writer = (struct socketio_writer){ .kind = kind, .nsp = nsp,
	    .id = SOCKETIO_NO_ID, .is_array = kind == SOCKETIO_EVENT ||
	    kind == SOCKETIO_ACK };
	buf_init(&writer->payload, BUF_NO_LIMIT);
	buf_init(&writer->whole, BUF_NO_LIMIT);
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

static void
write_front(struct socketio_writer *writer)
{
	enum socketio_kind kind = writer->kind;

	if (writer->count > 0)
		kind = kind == SOCKETIO_EVENT ? SOCKETIO_BINARY_EVENT :
		    SOCKETIO_BINARY_ACK;
	buf_add_int(&writer->whole, kind);
	if (writer->count > 0)
		buf_printf(&writer->whole, "%u-", writer->count);
	if (!text_is(writer->nsp, TEXT("/"))) {
		buf_add(&writer->whole, writer->nsp);
		buf_add_char(&writer->whole, ',');
	}
	if (writer->id != SOCKETIO_NO_ID)
		buf_printf(&writer->whole, "%" PRIu64, writer->id);
}

text
socketio_written(struct socketio_writer *writer)
{
	if (writer->is_array)
		json_array_end(&writer->json);
	write_front(writer);
	buf_add(&writer->whole, buf_text(&writer->payload));
	if (writer->has_foreign && writer->count > 0)
		writer->has_failed = true;
	writer->has_failed |= writer->payload.has_failed ||
	    writer->whole.has_failed;
	return (buf_text(&writer->whole));
}

void
socketio_write_end(struct socketio_writer *writer)
{
	for (unsigned i = 0; i < writer->count; i++)
		bytes_give(&writer->attachments[i]);
	writer->count = 0;
	buf_fini(&writer->payload);
	buf_fini(&writer->whole);
}
