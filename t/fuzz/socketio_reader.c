/* SPDX-License-Identifier: MIT */
/*
 * Packets with attachments out of messages, which are what stands between
 * 0x1e; one that begins with b is binary. What is whole is written into a new
 * one behind an attachment of ours, and that is read again: no client could
 * take one attachment for another.
 */
#include <stdint.h>

#include "base/must.h"
#include "core/carried.h"
#include "transport/socketio_packet.h"

#define MOST 4

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same attachments where the same ones were meant. */
static void
compare(const struct socketio_packet *packet,
    const struct socketio_packet *again)
{
	text rest = again->rest, first;

	must(again->count <= packet->count + 1);
	must(carried_next(&rest, &first));
	must(text_is(first, TEXT("{\"_placeholder\":true,\"num\":0}")));
	for (unsigned i = 1; i < again->count; i++) {
		bool is_there = false;

		for (unsigned k = 0; k < packet->count; k++)
			is_there |= again->attachments[i]->len ==
			    packet->attachments[k]->len && memcmp(
			    again->attachments[i]->at,
			    packet->attachments[k]->at,
			    packet->attachments[k]->len) == 0;
		must(is_there);
	}
}

static void
hand_on(const struct socketio_packet *packet)
{
	struct bytes *bytes = bytes_create(0);
	struct socketio_reader reader = { NULL };
	struct socketio_packet again;
	struct socketio_writer writer;
	enum socketio_got got;

	socketio_write(&writer, packet->kind, packet->nsp);
	writer.id = packet->id;
	if (packet->kind == SOCKETIO_EVENT)
		socketio_write_carried(&writer, packet->name, NULL);
	socketio_write_binary(&writer, bytes);
	socketio_write_carried(&writer, packet->rest, packet);
	got = socketio_read(&reader, socketio_written(&writer), false,
	    MOST + 1, &again);
	if (!writer.has_failed) {
		for (unsigned i = 0; i < writer.count; i++) {
			must(got == SOCKETIO_MORE);
			got = socketio_read(&reader, text_from(
			    writer.attachments[i]->at,
			    writer.attachments[i]->len), true, MOST + 1,
			    &again);
		}
		must(got == SOCKETIO_PACKET);
		compare(packet, &again);
	} else
		must(packet->count == 0);
	socketio_write_end(&writer);
	socketio_reader_fini(&reader);
	bytes_give(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text rest = text_from((const char *)data, size), message;
	struct socketio_reader reader = { NULL };
	struct socketio_packet packet;
	enum socketio_got got = SOCKETIO_MORE;
	bool goes_on = size > 0, is_binary;

	while (goes_on && got != SOCKETIO_BROKEN) {
		goes_on = text_cut(rest, '\x1e', &message, &rest);
		is_binary = message.len > 0 && message.at[0] == 'b';
		if (is_binary)
			message = text_from(message.at + 1, message.len - 1);
		got = socketio_read(&reader, message, is_binary, MOST,
		    &packet);
		if (got == SOCKETIO_PACKET && (packet.kind ==
		    SOCKETIO_EVENT || packet.kind == SOCKETIO_ACK))
			hand_on(&packet);
	}
	socketio_reader_fini(&reader);
	return (0);
}
