/* SPDX-License-Identifier: MIT */
/*
 * transport/socketio: coming and going, applications as tables, answers.
 */
#include "socketio_world.h"

static void
coming_and_going(void)
{
	struct client ann;
	unsigned closed = seen.closed;
	char wanted[80];

	test("who is let in is told his sid");
	come(&ann, 0);
	say(&ann, "0/den");
	snprintf(wanted, sizeof wanted, "0/den,{\"sid\":\"%.*s\"} ",
	    SOCKETIO_SID_LEN, socketio_sid(seen.last).at);
	hears(&ann, wanted);
	is_text(socketio_address(seen.last), "::1");
	is(workers[0].wanted, 1);
	test("who is refused is told why, and leaves the connection");
	say(&ann, "0");
	forget(&ann);
	say(&ann, "1/den,");
	is(seen.why, SOCKETIO_CLIENT_LEFT);
	is_text(socketio_end_name(seen.why), "client namespace disconnect");
	say(&ann, "0/den,{\"no\":1}");
	hears(&ann, "4/den,{\"message\":\"no\",\"data\":[1]} ");
	ok(!ann.engine.is_closed);
	is(seen.closed, closed + 2);
	test("who waits hears nothing, and may say nothing");
	say(&ann, "0/den,{\"later\":1}");
	hears(&ann, "");
	ok(!socketio_is_joined(seen.last));
	say(&ann, "2/den,[\"twice\"]");
	ok(ann.engine.is_closed);
	is(ann.engine.why, ENGINEIO_PARSE_ERROR);
	go(&ann);
	is(seen.closed, closed + 3);
	is(workers[0].wanted, 0);
	loop_turn(loop, 0);
	test("an event's own function may end everything");
	enter(&ann, 0);
	say(&ann, "2/den,[\"leave\",null]");
	hears(&ann, "1/den, ");
	is(seen.why, SOCKETIO_SERVER_LEFT);
	ok(!ann.engine.is_closed);
	say(&ann, "0/den");
	say(&ann, "0");
	forget(&ann);
	say(&ann, "2/den,[\"leave\",true]");
	hears(&ann, "1/den, 1 ");
	ok(ann.engine.is_closed);
	is(ann.engine.why, ENGINEIO_FORCED_CLOSE);
	go(&ann);
	loop_turn(loop, 0);
}

static void
shapes(void)
{
	struct client ann;

	enter(&ann, 0);
	test("arguments by their shape");
	say(&ann, "2/den,[\"shape\",\"a\",1.5,true, {\"x\":1} ,[]]");
	is_text(buf_text(&seen.arguments), "\"a\" 1.5 true {\"x\":1} [] none ");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{},null,null]");
	is_text(buf_text(&seen.arguments), "\"a\" 1 true {} null none ");
	say(&ann, "2/den,[\"any\",\"a\",1,2]");
	is_text(buf_text(&seen.arguments), "\"a\" ");
	is(seen.misfits, 0);
	test("what is not of the shape is the application's");
	say(&ann, "2/den,[\"shape\",1,1,true,{},null]");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{}]");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{},null,1]");
	say(&ann, "2/den,[\"shape\",\"a\",1,true,{},1,\"t\",1]");
	say(&ann, "2/den,[\"twice\",1]");
	say(&ann, "2/den,[\"binary\",{\"_placeholder\":true,\"num\":0}]");
	is(seen.misfits, 6);
	say(&ann, "2/den,[\"what\"]");
	is(seen.unknown, 1);
	test("an attachment");
	say(&ann, "51-/den,[\"binary\",{\"num\":0,\"_placeholder\":true}]");
	socketio_acts.on_message(ann.engine.application, TEXT("bytes"), true);
	is_text(buf_text(&seen.arguments), "bytes");
	say(&ann, "51-/den,[\"binary\",[{\"num\":0,\"_placeholder\":true}]]");
	socketio_acts.on_message(ann.engine.application, TEXT("bytes"), true);
	is(seen.misfits, 7);
	ok(!ann.engine.is_closed);
	go(&ann);
	loop_turn(loop, 0);
}

static void
on_answer(void *me, const struct socketio_packet *packet)
{
	struct client *client = me;

	(void)client;
	seen.answers++;
	snprintf(seen.answer, sizeof seen.answer, "%.*s", packet != NULL ?
	    (int)packet->rest.len : 4, packet != NULL ? packet->rest.at :
	    "none");
}

static void
ask(struct client *client, int64_t ms)
{
	struct socketio_writer writer;

	socketio_event(client->socket, TEXT("why"), &writer);
	socketio_ask(client->socket, &writer, ms, on_answer, client);
}

static void
answers(void)
{
	struct socketio_writer writer;
	struct client ann;

	enter(&ann, 0);
	test("an answer is given once, where it is wanted");
	say(&ann, "2/den,7[\"twice\"]");
	hears(&ann, "3/den,7[\"once\"] ");
	say(&ann, "2/den,[\"twice\"]");
	hears(&ann, "");
	test("an answer that is given later");
	say(&ann, "2/den,8[\"later\"]");
	ok(socketio_debt_is_wanted(seen.debt));
	socketio_debt_answer(seen.debt, &writer);
	json_int(&writer.json, 1);
	socketio_debt_pay(&seen.debt, &writer);
	hears(&ann, "3/den,8[1] ");
	test("what we ask is answered once");
	ask(&ann, 10000);
	ask(&ann, 10000);
	hears(&ann, "2/den,0[\"why\"] 2/den,1[\"why\"] ");
	say(&ann, "3/den,1[\"b\"]");
	is_text(text_of(seen.answer), "\"b\"");
	say(&ann, "3/den,1[\"c\"]");
	say(&ann, "3/den,9[\"c\"]");
	is(seen.answers, 1);
	say(&ann, "3/den,0[\"a\",2]");
	is_text(text_of(seen.answer), "\"a\",2");
	test("what nobody answers in time");
	ask(&ann, 1);
	while (seen.answers == 2)
		loop_turn(loop, 100);
	is_text(text_of(seen.answer), "none");
	test("who goes owes nothing, and is owed nothing");
	ask(&ann, 10000);
	say(&ann, "2/den,9[\"later\"]");
	go(&ann);
	is(seen.answers, 4);
	ok(!socketio_debt_is_wanted(seen.debt));
	socketio_debt_pay(&seen.debt, NULL);
	loop_turn(loop, 0);
}

static bool
may_come(const char *origin, const char *listed)
{
	const text list[] = { text_of(listed) };
	struct tenant den = { .magic = TENANT_MAGIC, .id = TENANT,
	    .origins = list, .origins_count = listed != NULL,
	    .allows_any_origin = listed == NULL };
	struct op op = { .tenant = &den, .origin = text_of(origin),
	    .host = TEXT("den.example:8080") };
	struct engineio_facts facts = { .op = &op };
	text message;

	return (socketio_acts.may_come(workers[0].socketio, &facts,
	    &message));
}

static void
origins(void)
{
	test("a cookie is believed from pages of one's own");
	ok(may_come(NULL, NULL));
	ok(may_come("https://den.example:8080", NULL));
	ok(may_come("http://DEN.example:8080", "https://a.example"));
	ok(may_come("https://a.example", "https://a.example"));
	test("not from those of others");
	ok(!may_come("https://a.example", NULL));
	ok(!may_come("https://den.example", NULL));
	ok(!may_come("https://b.example", "https://a.example"));
	ok(!may_come("null", NULL));
	ok(!may_come("", "https://a.example"));
	ok(!may_come("x:den.example:8080", NULL));
}

int
main(void)
{
	world_begin();
	coming_and_going();
	shapes();
	answers();
	origins();
	world_end();
	return (done());
}
