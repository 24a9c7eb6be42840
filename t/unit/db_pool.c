/* SPDX-License-Identifier: MIT */
/*
 * Who goes next and where to, with links that only note what they are given:
 * the functions of db_link.c and db_flight.c are defined here.
 */
#include "store/db_inside.h"

#include <utlist.h>

#include "base/mem.h"
#include "base/stamp.h"
#include "tap.h"

static struct loop *loop;
static struct db_pool *pool;
static const struct db_statement statements[] = {
	{ .name = "x", .sql = "SELECT 1" },
	{ .name = "y", .sql = "SELECT 2",
	    .lanes = 1u << DB_READ | 1u << DB_FLEET },
};
static struct db_answer last;
static unsigned answers;
static bool has_fleet;

void
link_init(struct db_link *link, struct db_pool *of, enum db_kind kind)
{
	*link = (struct db_link){ .magic = DB_LINK_MAGIC, .pool = of,
	    .lane = &of->lanes[kind], .kind = kind, .state = LINK_READY };
}

void
link_hasten(struct db_link *link)
{
	(void)link;
}

bool
flight_send(struct db_link *link, struct db_query *query)
{
	query_bind(query, link);
	query->place = IN_FLIGHT;
	DL_APPEND(link->flight, query);
	link->flight_count++;
	return (true);
}

static struct db_query *
land(struct db_link *link)
{
	struct db_query *query = link->flight;

	DL_DELETE(link->flight, query);
	link->flight_count--;
	query_unbind(query);
	query->place = NOWHERE;
	return (query);
}

/* The oldest of the link is answered, and the next go. */
static void
finish(struct db_link *link)
{
	struct db_answer answer = { .result = DB_ROWS };

	query_answer(land(link), &answer);
	lane_pump(link->lane);
}

void
flight_lost(struct db_link *link)
{
	struct db_query *query;

	while (link->flight != NULL)
		query_unknown(land(link));
	while ((query = link->waiting) != NULL) {
		DL_DELETE(link->waiting, query);
		query_unbind(query);
		query->place = IN_LANE;
		query_insert(&link->lane->waiting, query);
	}
}

void
link_fini(struct db_link *link)
{
	link->state = LINK_PAUSING;
	flight_lost(link);
}

static void
on_answer(void *context, const struct db_answer *answer)
{
	(void)context;
	last = *answer;
	answers++;
}

static void
open_pool(unsigned links, unsigned depth, unsigned queue)
{
	struct db_setup setup = { .loop = loop, .statements = statements,
	    .statements_count = 2,
	    .connections = { links, 1, 1, has_fleet ? 1 : 0 },
	    .depth = depth, .queue = queue, .timeout_ms = 60000,
	    .slow_timeout_ms = 60000 };

	pool = db_pool_create(&setup);
	answers = 0;
}

static struct db_query *
write_to(const char *stream)
{
	struct db_call call = { .kind = DB_WRITE, .stream = text_of(stream),
	    .on_answer = on_answer };

	return (db_call(pool, &call));
}

static unsigned
load(unsigned link)
{
	return (pool->lanes[DB_WRITE].links[link].flight_count);
}

static struct db_link *
link_at(unsigned link)
{
	return (&pool->lanes[DB_WRITE].links[link]);
}

int
main(void)
{
	struct db_query *a, *b, *c;
	struct db_link *home;
	text zero = TEXT("a\0b");
	struct db_call call;

	loop = loop_create();

	test("without a stream the least loaded is chosen");
	open_pool(3, 4, 9);
	for (unsigned i = 0; i < 6; i++)
		write_to("");
	is(load(0), 2);
	is(load(1), 2);
	is(load(2), 2);
	db_pool_destroy(&pool);
	is(answers, 6);
	is(last.result, DB_UNKNOWN);

	test("a stream stays where it is at work, and has a home");
	open_pool(3, 4, 9);
	home = write_to("lobby")->link;
	for (unsigned i = 0; i < 3; i++)
		ok(write_to("lobby")->link == home);
	is(home->flight_count, 4);
	for (unsigned i = 0; i < 4; i++)
		finish(home);
	ok(pool->streams == NULL);
	ok(write_to("lobby")->link == home);
	db_pool_destroy(&pool);

	test("what is beyond the depth waits for its link, in order");
	open_pool(2, 2, 9);
	home = write_to("lobby")->link;
	write_to("lobby");
	a = write_to("lobby");
	b = write_to("other");
	c = write_to("lobby");
	is(a->place, AT_LINK);
	is(b->place, IN_FLIGHT);
	ok(b->link != home);
	is(c->place, AT_LINK);
	finish(home);
	is(a->place, IN_FLIGHT);
	is(c->place, AT_LINK);
	finish(home);
	is(c->place, IN_FLIGHT);
	db_pool_destroy(&pool);

	test("who called first goes first, whichever list he waits in");
	open_pool(1, 1, 9);
	write_to("p");
	a = write_to("q");
	b = write_to("p");
	c = write_to("q");
	finish(link_at(0));
	is(a->place, IN_FLIGHT);
	is(b->place, IN_LANE);
	finish(link_at(0));
	is(b->place, IN_FLIGHT);
	finish(link_at(0));
	is(c->place, IN_FLIGHT);
	db_pool_destroy(&pool);

	test("a stream that nothing is in flight of may move");
	open_pool(2, 2, 9);
	home = write_to("lobby")->link;
	finish(home);
	home->state = LINK_PAUSING;
	a = write_to("lobby");
	is(a->place, IN_FLIGHT);
	ok(a->link != home);
	home->state = LINK_READY;
	ok(write_to("lobby")->link == a->link);
	db_pool_destroy(&pool);

	test("a lost link's waiting calls go on elsewhere, in order");
	open_pool(2, 1, 9);
	home = write_to("lobby")->link;
	a = write_to("lobby");
	b = write_to("lobby");
	is(a->place, AT_LINK);
	home->state = LINK_PAUSING;
	flight_lost(home);
	is(answers, 1);
	is(last.result, DB_UNKNOWN);
	lane_pump(home->lane);
	is(a->place, IN_FLIGHT);
	is(b->place, AT_LINK);
	ok(a->link != home && b->link == a->link);
	db_pool_destroy(&pool);

	test("one more than may wait is refused, and a deadline ends waiting");
	open_pool(1, 1, 1);
	write_to("");
	call = (struct db_call){ .on_answer = on_answer,
	    .deadline_ms = clock_ms() - 1 };
	ok(db_call(pool, &call) != NULL);
	ok(write_to("") == NULL);
	is(answers, 1);
	is(last.result, DB_FAILED);
	is(last.why, DB_WHY_FULL);
	timers_run(loop_timers(loop));
	is(answers, 2);
	is(last.why, DB_WHY_LATE);
	is(pool->lanes[DB_WRITE].waiting_count, 0);
	db_pool_destroy(&pool);

	test("lanes do not mix");
	has_fleet = true;
	open_pool(1, 1, 1);
	for (enum db_kind kind = 0; kind < DB_KINDS; kind++) {
		call = (struct db_call){ .kind = kind,
		    .on_answer = on_answer };
		ok(db_call(pool, &call)->link == pool->lanes[kind].links);
	}
	db_pool_destroy(&pool);

	test("a statement is of all lanes, or of those it names");
	ok(statement_is_of(&statements[0], DB_WRITE));
	ok(!statement_is_of(&statements[1], DB_WRITE));
	ok(statement_is_of(&statements[1], DB_READ));
	ok(statement_is_of(&statements[1], DB_FLEET));

	test("a lane without connections keeps nobody from being up");
	has_fleet = false;
	open_pool(1, 1, 1);
	pool_link_changed(link_at(0));
	is(db_pool_state(pool), DB_UP);
	db_pool_destroy(&pool);
	has_fleet = true;
	open_pool(1, 1, 1);
	pool->lanes[DB_FLEET].links[0].state = LINK_PAUSING;
	pool_link_changed(link_at(0));
	is(db_pool_state(pool), DB_STARTING);
	db_pool_destroy(&pool);
	has_fleet = false;

	test("the abandoned are not answered");
	open_pool(1, 1, 9);
	a = write_to("x");
	b = write_to("x");
	c = write_to("x");
	db_abandon(&b);
	ok(b == NULL);
	db_abandon(&a);
	is(load(0), 1);
	finish(link_at(0));
	is(answers, 0);
	is(c->place, IN_FLIGHT);
	finish(link_at(0));
	is(answers, 1);
	ok(db_pool_is_idle(pool));
	db_pool_destroy(&pool);

	test("a zero byte is refused, away is told at once");
	open_pool(1, 1, 9);
	call = (struct db_call){ .on_answer = on_answer,
	    .parameters = &zero, .parameters_count = 1 };
	ok(db_call(pool, &call) == NULL);
	is_text(last.sqlstate, "22021");
	a = write_to("");
	b = write_to("");
	link_at(0)->state = LINK_PAUSING;
	link_at(0)->failures = 1;
	buf_init(&link_at(0)->why, BUF_NO_LIMIT);
	pool_link_changed(link_at(0));
	is(db_pool_state(pool), DB_DOWN);
	is(last.why, DB_WHY_AWAY);
	ok(write_to("") == NULL);
	buf_fini(&link_at(0)->why);
	db_pool_destroy(&pool);

	loop_destroy(&loop);
	return (done());
}
