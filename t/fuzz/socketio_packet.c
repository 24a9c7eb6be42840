/* SPDX-License-Identifier: MIT */
/*
 * One packet of Socket.IO: whatever is read can be written again and then
 * reads the same, and its parts lie within it.
 */
#include <stdint.h>

#include "base/must.h"
#include "core/carried.h"
#include "core/json.h"
#include "transport/socketio_packet.h"

#define MOST 10

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_within(text whole, text part)
{
	must(part.len == 0 || (part.at >= whole.at &&
	    part.at + part.len <= whole.at + whole.len));
}

static void
check_arguments(const struct socketio_packet *packet)
{
	text rest = packet->rest, value;

	while (carried_next(&rest, &value)) {
		check_within(packet->payload, value);
		must(json_in_may_be_carried(value));
		must(text_trim(value).len == value.len);
	}
}

/* Without attachments there is nothing to number anew: the same bytes. */
static void
write_again(const struct socketio_packet *packet)
{
	struct socketio_writer writer;
	struct socketio_packet again;
	text written;

	socketio_write(&writer, packet->kind, packet->nsp);
	writer.id = packet->id;
	if (packet->kind == SOCKETIO_EVENT)
		socketio_write_carried(&writer, packet->name, NULL);
	if (writer.is_array)
		socketio_write_carried(&writer, packet->rest, packet);
	else if (packet->payload.len > 0)
		json_raw(&writer.json, packet->payload);
	written = socketio_written(&writer);
	must(!writer.has_failed);
	must(socketio_packet_read(written, MOST, &again));
	must(again.kind == packet->kind && again.id == packet->id);
	must(text_is(again.nsp, packet->nsp));
	must(text_is(again.rest, packet->rest));
	must(text_is(again.name, packet->name));
	socketio_write_end(&writer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text whole = text_from((const char *)data, size);
	struct socketio_packet packet;

	if (!socketio_packet_read(whole, MOST, &packet))
		return (0);
	must(packet.kind <= SOCKETIO_CONNECT_ERROR && packet.count <= MOST);
	must(packet.nsp.len > 0 && packet.nsp.at[0] == '/');
	check_within(whole, packet.payload);
	check_within(packet.payload, packet.name);
	check_within(packet.payload, packet.rest);
	check_arguments(&packet);
	if (packet.count == 0)
		write_again(&packet);
	return (0);
}
