/* SPDX-License-Identifier: MIT */
/*
 * Reading: the text of a packet from its front, and the messages it
 * announces.
 */
#include "transport/socketio_packet.h"

#include "core/carried.h"
#include "transport/socketio_placeholder.h"

/* A packet that waits for its attachments, or was told last. */
struct socketio_kept {
	unsigned	 wanted;
	unsigned	 count;
	struct socketio_packet packet;	/* its texts are of text */
	struct bytes	*text;
	struct bytes	*attachments[];
};

bool
socketio_is_reserved(text written)
{
	static const char *const names[] = { "connect", "connect_error",
	    "disconnect", "disconnecting", "newListener", "removeListener" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (carried_is(written, text_of(names[i])))
			return (true);
	return (false);
}

static text
behind(text t, size_t len)
{
	return (text_from(t.at + len, t.len - len));
}

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

static text
take_digits(text *rest)
{
	size_t len = 0;
	text digits;

	while (len < rest->len && is_digit(rest->at[len]))
		len++;
	digits = text_from(rest->at, len);
	*rest = behind(*rest, len);
	return (digits);
}

static bool
take_kind(text *rest, struct socketio_packet *packet)
{
	if (rest->len == 0 || rest->at[0] < '0' || rest->at[0] > '6')
		return (false);
	packet->kind = (enum socketio_kind)(rest->at[0] - '0');
	*rest = behind(*rest, 1);
	packet->is_binary = packet->kind >= SOCKETIO_BINARY_EVENT;
	if (packet->is_binary)
		packet->kind = packet->kind == SOCKETIO_BINARY_EVENT ?
		    SOCKETIO_EVENT : SOCKETIO_ACK;
	return (true);
}

static bool
take_count(text *rest, unsigned most, struct socketio_packet *packet)
{
	int64_t count;

	if (!packet->is_binary)
		return (true);
	if (!text_to_int64(take_digits(rest), 0, most, &count) ||
	    rest->len == 0 || rest->at[0] != '-')
		return (false);
	*rest = behind(*rest, 1);
	packet->count = (unsigned)count;
	return (true);
}

static void
take_nsp(text *rest, struct socketio_packet *packet)
{
	text tail;

	packet->nsp = TEXT("/");
	if (rest->len == 0 || rest->at[0] != '/')
		return;
	*rest = text_cut(*rest, ',', &packet->nsp, &tail) ? tail :
	    behind(*rest, rest->len);
}

/* Only what is answered, and answers, have one. */
static bool
take_id(text *rest, struct socketio_packet *packet)
{
	text digits = take_digits(rest);
	int64_t id;

	packet->id = SOCKETIO_NO_ID;
	if (digits.len == 0)
		return (packet->kind != SOCKETIO_ACK);
	if ((packet->kind != SOCKETIO_EVENT && packet->kind !=
	    SOCKETIO_ACK) || !text_to_int64(digits, 0, SOCKETIO_ID_MAX, &id))
		return (false);
	packet->id = (uint64_t)id;
	return (true);
}

static bool
take_name(struct socketio_packet *packet)
{
	enum carried_kind kind;

	if (!carried_begin(packet->payload, &packet->rest) ||
	    !carried_next(&packet->rest, &packet->name))
		return (false);
	kind = carried_kind(packet->name);
	return (kind == CARRIED_NUMBER || (kind == CARRIED_TEXT &&
	    !socketio_is_reserved(packet->name)));
}

static bool
is_payload_right(struct socketio_packet *packet)
{
	text payload = packet->payload;

	if (payload.len == 0)
		return (packet->kind == SOCKETIO_CONNECT ||
		    packet->kind == SOCKETIO_DISCONNECT);
	if (packet->kind == SOCKETIO_DISCONNECT ||
	    !json_in_may_be_carried(payload))
		return (false);
	switch (packet->kind) {
	case SOCKETIO_CONNECT:
		return (payload.at[0] == '{');
	case SOCKETIO_EVENT:
		return (take_name(packet));
	case SOCKETIO_ACK:
		return (carried_begin(payload, &packet->rest));
	default:
		return (payload.at[0] == '{' || payload.at[0] == '"');
	}
}

/* Each stands for one that is announced. */
static bool
are_placeholders_right(const struct socketio_packet *packet)
{
	struct placeholders found;
	enum placeholder got;

	if (!packet->is_binary)
		return (true);
	placeholders_begin(&found, packet->payload);
	while ((got = placeholders_next(&found)) == PLACEHOLDER_FOUND)
		if (found.num >= packet->count)
			return (false);
	return (got == PLACEHOLDER_NONE);
}

bool
socketio_packet_read(text given, unsigned most,
    struct socketio_packet *packet)
{
	text rest = given;

	*packet = (struct socketio_packet){ .id = SOCKETIO_NO_ID };
	if (!take_kind(&rest, packet) || !take_count(&rest, most, packet))
		return (false);
	take_nsp(&rest, packet);
	if (!take_id(&rest, packet))
		return (false);
	packet->payload = text_trim(rest);
	return ((rest.len == 0 || packet->payload.len > 0) &&
	    is_payload_right(packet) && are_placeholders_right(packet));
}

/* Copies what was read, to stay until the attachments are here. */
static void
keep(struct socketio_reader *reader, text given, unsigned most,
    const struct socketio_packet *packet)
{
	struct socketio_kept *kept = mem_alloc(sizeof *kept +
	    packet->count * sizeof kept->attachments[0]);

	kept->text = bytes_create(given.len);
	memcpy(kept->text->at, given.at, given.len);
	/* Its texts are to be of the copy; reading once more is the way. */
	must(socketio_packet_read(text_from(kept->text->at, given.len), most,
	    &kept->packet));
	kept->wanted = packet->count;
	reader->kept = kept;
}

static enum socketio_got
read_text(struct socketio_reader *reader, text message, unsigned most,
    struct socketio_packet *packet)
{
	if (reader->kept != NULL ||
	    !socketio_packet_read(message, most, packet))
		return (SOCKETIO_BROKEN);
	if (packet->count == 0)
		return (SOCKETIO_PACKET);
	keep(reader, message, most, packet);
	return (SOCKETIO_MORE);
}

static enum socketio_got
read_attachment(struct socketio_reader *reader, text message,
    struct socketio_packet *packet)
{
	struct socketio_kept *kept = reader->kept;
	struct bytes *bytes;

	if (kept == NULL)
		return (SOCKETIO_BROKEN);
	bytes = bytes_create(message.len);
	if (message.len > 0)
		memcpy(bytes->at, message.at, message.len);
	kept->attachments[kept->count++] = bytes;
	if (kept->count < kept->wanted)
		return (SOCKETIO_MORE);
	kept->packet.attachments = kept->attachments;
	*packet = kept->packet;
	return (SOCKETIO_PACKET);
}

enum socketio_got
socketio_read(struct socketio_reader *reader, text message, bool is_binary,
    unsigned most, struct socketio_packet *packet)
{
	must(most <= SOCKETIO_ATTACHMENTS_MOST);
	/* What was told the last time is not wanted any more. */
	if (reader->kept != NULL &&
	    reader->kept->count == reader->kept->wanted)
		socketio_reader_fini(reader);
	return (is_binary ? read_attachment(reader, message, packet) :
	    read_text(reader, message, most, packet));
}

void
socketio_reader_fini(struct socketio_reader *reader)
{
	struct socketio_kept *kept = reader->kept;

	reader->kept = NULL;
	if (kept == NULL)
		return;
	for (unsigned i = 0; i < kept->count; i++)
		bytes_give(&kept->attachments[i]);
	bytes_give(&kept->text);
	mem_free(kept);
}
