/* SPDX-License-Identifier: MIT */
/*
 * transport/socketio: asking all who are meant, on all workers and hosts, and
 * what becomes of their answers.
 */
#include "socketio_world.h"

#include "core/carried.h"
#include "transport/socketio_inside.h"

#define CLIENTS 4

static struct client c[CLIENTS];	/* 0 and 1 on worker 0, 2 on 1, … */
static struct {
	unsigned	 answers, ends, meant, answered;
	int64_t		 sum;		/* of the numbers they answer */
	char		 bytes[32];	/* the last attachment */
} got;

static void
on_answer_of_one(void *me, const struct socketio_packet *packet)
{
	text rest = packet->rest, value;
	int64_t number;

	ok(me == &got && got.ends == 0);
	got.answers++;
	if (carried_next(&rest, &value) &&
	    text_to_int64(value, 0, 1000, &number))
		got.sum += number;
	if (packet->count > 0)
		snprintf(got.bytes, sizeof got.bytes, "%.*s",
		    (int)packet->attachments[0]->len,
		    packet->attachments[0]->at);
}

static void
on_end(void *me, unsigned meant, unsigned answered)
{
	ok(me == &got);
	got.ends++;
	got.meant = meant;
	got.answered = answered;
}

static void
ask(unsigned worker, const char *room, int64_t ms)
{
	const struct socketio_asker asker = { on_answer_of_one, on_end,
	    &got };
	text name = text_of(room);
	struct socketio_target target = { .tenant = TENANT,
	    .nsp = TEXT("/den"), .rooms = &name,
	    .rooms_count = room != NULL };
	struct socketio_writer writer;

	memset(&got, 0, sizeof got);
	socketio_write(&writer, SOCKETIO_EVENT, TEXT("/den"));
	socketio_write_text(&writer, TEXT("why"));
	socketio_ask_all(workers[worker].socketio, &target, &writer, ms,
	    &asker);
}

/* What the last one was asked by; it says so once. */
static void
answer(struct client *client, const char *values)
{
	text heard = buf_text(&client->engine.heard);
	char words[100];
	int64_t id;
	text digits, rest;

	ok(text_begins(heard, TEXT("2/den,")));
	rest = text_from(heard.at + 6, heard.len - 6);
	ok(text_cut(rest, '[', &digits, &rest));
	ok(text_to_int64(digits, 1, (int64_t)SOCKETIO_ID_MAX, &id));
	ok(text_is(rest, TEXT("\"why\"] ")));
	snprintf(words, sizeof words, "3/den,%lld[%s]", (long long)id, values);
	say(client, words);
	say(client, words);
}

static void
forget_all(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		forget(&c[i]);
}

static void
everybody(void)
{
	test("all are asked the same, and their answers are gathered");
	ask(0, NULL, 10000);
	is_text(buf_text(&c[0].engine.heard), buf_text(&c[3].engine.heard).at);
	for (unsigned i = 0; i < CLIENTS; i++) {
		is(got.ends, 0);
		answer(&c[i], i == 2 ? "300" : "1");
		is(got.answers, i + 1);
	}
	is(got.ends, 1);
	is(got.meant, 4);
	is(got.answered, 4);
	is(got.sum, 303);
	forget_all();
	test("a room; who asks need not be in it");
	ask(2, "a", 10000);
	hears(&c[0], "");
	answer(&c[1], "1");
	answer(&c[2], "2");
	is(got.ends, 1);
	is(got.meant, 2);
	is(got.sum, 3);
	forget_all();
	test("nobody");
	ask(1, "nobody", 10000);
	is(got.ends, 1);
	is(got.meant, 0);
}

static void
some(void)
{
	test("who is late is not among them");
	ask(0, NULL, 50);
	answer(&c[0], "1");
	answer(&c[3], "1");
	while (got.ends == 0)
		loop_turn(loop, 100);
	is(got.meant, 4);
	is(got.answered, 2);
	answer(&c[1], "1");
	is(got.answers, 2);
	forget_all();
	test("nor who goes, for whom nobody waits");
	ask(0, NULL, 10000);
	for (unsigned i = 0; i < 3; i++)
		answer(&c[i], "1");
	is(got.ends, 0);
	go(&c[3]);
	is(got.ends, 1);
	is(got.meant, 4);
	is(got.answered, 3);
	enter(&c[3], 2);
	forget_all();
	test("a worker that dies before it says anything: the time ends it");
	said = 0;
	lost_after = 2;
	ask(0, NULL, 50);
	for (unsigned i = 0; i < CLIENTS; i++)
		answer(&c[i], "1");
	is(got.ends, 0);
	while (got.ends == 0)
		loop_turn(loop, 100);
	lost_after = 0;
	forget_all();
}

/* What a worker of another host says to what was asked last. */
static void
others_say(enum socketio_what what, int64_t number, text argument,
    text attachment)
{
	struct socketio_news news = { .what = what, .nsp = TEXT("/den"),
	    .argument = argument, .number = number, .workers = 1 };
	struct socketio_piece piece = { .origin = 7, .pieces = 1 };
	text heard = buf_text(&c[0].engine.heard), digits, rest;
	struct buf message, bytes;

	text_cut(text_from(heard.at + 6, heard.len - 6), '[', &digits, &rest);
	text_to_int64(digits, 1, INT64_MAX, &news.ask);
	news.asker = (int64_t)workers[0].socketio->origin;
	news.attachments = attachment.at != NULL;
	news.texts[0] = attachment;
	buf_init(&message, BUF_NO_LIMIT);
	buf_init(&bytes, BUF_NO_LIMIT);
	socketio_news_write(&news, &message);
	piece.bytes = buf_text(&message);
	socketio_piece_write(&piece, &bytes);
	workers[0].listener.hear(workers[0].listener.context, TENANT,
	    buf_text(&bytes));
	buf_fini(&message);
	buf_fini(&bytes);
}

static void
other_hosts(void)
{
	others = 1;
	test("another host: what it says");
	ask(0, "b", 10000);
	answer(&c[0], "1");
	is(got.ends, 0);
	others_say(SOCKETIO_MEANT, 1, TEXT("another"), TEXT_NONE);
	is(got.ends, 0);
	others_say(SOCKETIO_ANSWER, 0, TEXT("{\"_placeholder\":true,"
	    "\"num\":0}"), TEXT("bytes"));
	is(got.ends, 1);
	is(got.meant, 2);
	is(got.answered, 2);
	is_text(text_of(got.bytes), "bytes");
	others_say(SOCKETIO_ANSWER, 0, TEXT("1"), TEXT_NONE);
	is(got.answers, 2);
	forget_all();
	test("another host that says nothing has none");
	ask(0, "b", 10000);
	answer(&c[0], "1");
	while (got.ends == 0)
		loop_turn(loop, 100);
	is(got.meant, 1);
	is(got.answered, 1);
	forget_all();
	others = 0;
}

int
main(void)
{
	world_begin();
	for (unsigned i = 0; i < CLIENTS; i++)
		enter(&c[i], i < 2 ? 0 : i - 1);
	socketio_join(c[1].socket, TEXT("a"));
	socketio_join(c[2].socket, TEXT("a"));
	socketio_join(c[0].socket, TEXT("b"));
	everybody();
	some();
	other_hosts();
	test("what is still asked at the end ends then");
	ask(0, NULL, 10000);
	for (unsigned i = 0; i < CLIENTS; i++)
		go(&c[i]);
	loop_turn(loop, 0);
	is(got.ends, 1);
	world_end();
	return (done());
}
