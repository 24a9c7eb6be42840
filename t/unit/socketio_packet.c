/* SPDX-License-Identifier: MIT */
/*
 * transport/socketio_packet: what is a packet and what is not, attachments,
 * and what is written of what came.
 */
#include "transport/socketio_packet.h"

#include "core/carried.h"
#include "tap.h"

#define MOST 10

static struct socketio_packet packet;

static bool
is_right(const char *given)
{
	return (socketio_packet_read(text_of(given), MOST, &packet));
}

static void
read_each_kind(void)
{
	test("a bare CONNECT is of the namespace /");
	ok(is_right("0"));
	is(packet.kind, SOCKETIO_CONNECT);
	is_text(packet.nsp, "/");
	is(packet.payload.len, 0);
	test("CONNECT with what it wants to be let in with");
	ok(is_right("0/den,{\"token\":\"a,b\"}"));
	is_text(packet.nsp, "/den");
	is_text(packet.payload, "{\"token\":\"a,b\"}");
	test("a namespace may end with the packet");
	ok(is_right("0/den"));
	is_text(packet.nsp, "/den");
	ok(is_right("1/den,"));
	is(packet.kind, SOCKETIO_DISCONNECT);
	test("an event with id and arguments, as they were written");
	ok(is_right("212[ \"a\" , 1.50,{\"b\" :2} ]"));
	is(packet.kind, SOCKETIO_EVENT);
	is(packet.id, 12);
	is_text(packet.name, "\"a\"");
	is_text(packet.rest, "1.50,{\"b\" :2}");
	test("a number is a name");
	ok(is_right("2[7]"));
	is(packet.id, SOCKETIO_NO_ID);
	is_text(packet.name, "7");
	is(packet.rest.len, 0);
	test("an answer of nothing");
	ok(is_right("3/den,9007199254740991[]"));
	is(packet.kind, SOCKETIO_ACK);
	is(packet.id, SOCKETIO_ID_MAX);
	is(packet.rest.len, 0);
	test("binary ones are told as what they are of");
	ok(is_right("52-/den,3[\"a\",{\"num\":1,\"_placeholder\":true}]"));
	is(packet.kind, SOCKETIO_EVENT);
	ok(packet.is_binary);
	is(packet.count, 2);
	ok(is_right("60-1[]"));
	is(packet.kind, SOCKETIO_ACK);
	test("what nobody here has to understand is carried");
	ok(is_right("2[\"a\",\"\\ud800\",\"\\u0000\",1e999,"
	    "123456789012345678901234567890]"));
}

static void
read_what_is_none(void)
{
	static const char *const bad[] = { "", "7", "abc", "x", "2", "3", "31",
	    "2{}", "2[]", "2[{}]", "2[null]", "2[\"a\"", "2[\"a\"]x",
	    "2[\"a\"],", "2 [", "2[\"a\",]", "2abc[\"a\"]", "3[]", "31{}",
	    "0[]", "0\"a\"", "0null", "0{", "01{}", "1[]", "1\"a\"", "15",
	    "4", "4[]", "5[\"a\"]", "5-[\"a\"]", "51[\"a\"]", "5-1-[\"a\"]",
	    "511-[\"a\"]", "5 1-[\"a\"]", "51.0-[\"a\"]", "6-1[]", "61-",
	    "2\"a\"", "2/den,", "2/den", "29007199254740992[\"a\"]", "0 ",
	    "2[\"connect\"]", "2[\"connect_error\"]", "2[\"disconnect\"]",
	    "2[\"disconnecting\"]", "2[\"newListener\"]",
	    "2[\"removeListener\"]", "2[\"\\u0063onnect\"]",
	    "2[\"a\xff\"]", "2[\"a\",01]", "2[true]",
	    "51-[\"a\",{\"_placeholder\":true,\"num\":1}]",
	    "51-[\"a\",{\"_placeholder\":true,\"num\":-1}]",
	    "51-[\"a\",{\"_placeholder\":true,\"num\":0.0}]",
	    "51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]",
	    "51-[\"a\",{\"_placeholder\":true}]",
	    "51-[\"a\",{\"_placeholder\":true,\"num\":0,\"a\":1}]",
	    "51-[\"a\",[{\"b\":{\"_place\\u0068older\":true,\"num\":3}}]]",
	    "50-[\"a\",{\"_placeholder\":true,\"num\":0}]" };

	test("what is no packet is told so");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (!ok(!is_right(bad[i])))
			printf("#   %s\n", bad[i]);
	test("what only looks like it is one");
	ok(is_right("0{\"a\":[]}"));
	ok(is_right("2[\"connected\"]"));
	ok(is_right("2[\"a\",{\"_placeholder\":true,\"num\":9}]"));
	ok(is_right("51-[\"a\",{\"_placeholder\":false,\"num\":9}]"));
	ok(is_right("51-[\"a\",{\"x\":\"_placeholder\",\"y\":true}]"));
	ok(is_right("51-[\"a\",{\"_placeholder\":\"true\",\"num\":9}]"));
}

static enum socketio_got
say(struct socketio_reader *reader, const char *message, bool is_binary)
{
	return (socketio_read(reader, text_of(message), is_binary, MOST,
	    &packet));
}

static text
bytes_text(const struct bytes *bytes)
{
	return (text_from(bytes->at, bytes->len));
}

static void
put_together(void)
{
	static const char two[] = "52-[\"a\",{\"_placeholder\":true,\"num\":1},"
	    "{\"_placeholder\":true,\"num\":0}]";
	struct socketio_reader reader = { NULL };

	test("an event is told when its last attachment is here");
	is(say(&reader, two, false), SOCKETIO_MORE);
	is(say(&reader, "one", true), SOCKETIO_MORE);
	is(say(&reader, "", true), SOCKETIO_PACKET);
	is(packet.count, 2);
	is_text(bytes_text(packet.attachments[0]), "one");
	is(packet.attachments[1]->len, 0);
	is_text(packet.name, "\"a\"");
	test("what follows is a packet of its own");
	is(say(&reader, "2[\"b\"]", false), SOCKETIO_PACKET);
	is_text(packet.name, "\"b\"");
	ok(reader.kept == NULL);
	test("text where an attachment is due");
	is(say(&reader, two, false), SOCKETIO_MORE);
	is(say(&reader, "2[\"b\"]", false), SOCKETIO_BROKEN);
	socketio_reader_fini(&reader);
	test("an attachment that was not announced");
	is(say(&reader, "one", true), SOCKETIO_BROKEN);
	is(say(&reader, two, false), SOCKETIO_MORE);
	is(say(&reader, "one", true), SOCKETIO_MORE);
	is(say(&reader, "two", true), SOCKETIO_PACKET);
	is(say(&reader, "three", true), SOCKETIO_BROKEN);
	socketio_reader_fini(&reader);
}

static void
write_plain(void)
{
	struct socketio_writer writer;

	test("what is made here");
	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/den"));
	writer.id = 3;
	socketio_write_text(&writer, TEXT("say \"it\""));
	json_int(&writer.json, 7);
	is_text(socketio_written(&writer), "2/den,3[\"say \\\"it\\\"\",7]");
	ok(!writer.has_failed);
	socketio_write_end(&writer);
	socketio_write(&writer, SOCKETIO_CONNECT, TEXT("/"));
	json_object_begin(&writer.json);
	json_object_end(&writer.json);
	is_text(socketio_written(&writer), "0{}");
	socketio_write_end(&writer);
	socketio_write(&writer, SOCKETIO_DISCONNECT, TEXT("/den"));
	is_text(socketio_written(&writer), "1/den,");
	socketio_write_end(&writer);
	test("what came is handed on as it came");
	ok(is_right("2[\"a\", 1.50 ,\"\\u0041\"]"));
	socketio_write(&writer, SOCKETIO_ACK, TEXT("/"));
	writer.id = 0;
	socketio_write_carried(&writer, packet.rest, &packet);
	is_text(socketio_written(&writer), "30[1.50 ,\"\\u0041\"]");
	socketio_write_end(&writer);
}

static void
write_attachments(void)
{
	struct bytes *bytes = bytes_create(1);
	struct socketio_reader reader = { NULL };
	struct socketio_writer writer;
	text rest, value;

	test("attachments get the places that they have in what is written");
	bytes->at[0] = 'x';
	say(&reader, "52-[\"a\",{ \"num\" : 1, \"_placeholder\":true},"
	    "[{\"_placeholder\":true,\"num\":0}]]", false);
	say(&reader, "zero", true);
	say(&reader, "one", true);
	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/"));
	socketio_write_text(&writer, TEXT("b"));
	socketio_write_binary(&writer, bytes);
	rest = packet.rest;
	carried_next(&rest, &value);
	carried_next(&rest, &value);
	socketio_write_carried(&writer, value, &packet);
	socketio_write_carried(&writer, packet.rest, &packet);
	is_text(socketio_written(&writer), "53-[\"b\","
	    "{\"_placeholder\":true,\"num\":0},"
	    "[{\"_placeholder\":true,\"num\":1}],"
	    "{ \"num\" : 2, \"_placeholder\":true},"
	    "[{\"_placeholder\":true,\"num\":1}]]");
	ok(!writer.has_failed);
	is_text(bytes_text(writer.attachments[0]), "x");
	is_text(bytes_text(writer.attachments[1]), "zero");
	is_text(bytes_text(writer.attachments[2]), "one");
	socketio_write_end(&writer);
	socketio_reader_fini(&reader);
	test("what would come to stand for another's attachment");
	ok(is_right("2[\"a\",{\"_placeholder\":true,\"num\":9}]"));
	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/"));
	socketio_write_carried(&writer, packet.rest, &packet);
	socketio_written(&writer);
	ok(!writer.has_failed);
	socketio_write_end(&writer);
	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/"));
	socketio_write_carried(&writer, packet.rest, &packet);
	socketio_write_binary(&writer, bytes);
	socketio_written(&writer);
	ok(writer.has_failed);
	socketio_write_end(&writer);
	is(bytes->holders, 1);
	bytes_give(&bytes);
}

int
main(void)
{
	read_each_kind();
	read_what_is_none();
	put_together();
	write_plain();
	write_attachments();
	return (done());
}
