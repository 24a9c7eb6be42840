/* SPDX-License-Identifier: MIT */
/*
 * core/hub: what clients do inside its callbacks, and each trace that broke
 * an earlier wording of the rules.
 */
#include "hub_trace.h"

/* Who does what in a callback. */
static struct {
	unsigned	 who;
	unsigned	 leaves;
	unsigned	 joins;
	struct cursor	 cursor;
} plan;

static void
on_plan(struct client *client)
{
	if (client->which != plan.who)
		return;
	world.on_moment = NULL;
	if (plan.leaves < CLIENTS)
		leave(plan.leaves);
	if (plan.joins < CLIENTS)
		join(plan.joins, plan.cursor);
}

static void
plan_for(unsigned who, unsigned leaves, unsigned joins, struct cursor cursor)
{
	plan.who = who;
	plan.leaves = leaves;
	plan.joins = joins;
	plan.cursor = cursor;
	world.on_moment = on_plan;
}

static void
test_callbacks(void)
{
	begin_live("one leaves while it is delivered to", 0);
	join(BOB, none);
	join(CAT, none);
	buf_clear(&world.stories[CAT]);
	commits(2);
	plan_for(ANN, ANN, CLIENTS, none);
	hear(1);
	hear(2);
	heard(ANN, "1");
	heard(CAT, "1, 2");
	end();

	begin_live("one takes the next one along, and brings another", 0);
	join(BOB, none);
	join(CAT, none);
	buf_clear(&world.stories[BOB]);
	buf_clear(&world.stories[CAT]);
	commits(2);
	plan_for(ANN, BOB, DAN, none);
	hear(1);
	hear(2);
	heard(ANN, "1, 2");
	heard(BOB, "");
	heard(CAT, "1, 2");
	heard(DAN, "at e1:1, 2");
	end();

	begin_live("the last one leaves while it is delivered to", 0);
	commits(1);
	plan_for(ANN, ANN, CLIENTS, none);
	hear(1);
	ok(the_hub() == NULL);
	end();

	begin_live("the last one leaves, and comes again at once", 0);
	commits(1);
	plan_for(ANN, ANN, ANN, pair(1, 1));
	hear(1);
	ok(the_hub() != NULL);
	heard(ANN, "1, again e1:1");
	end();

	begin_live("one leaves in the middle of a page, before subscribed", 4);
	join(BOB, since(0));
	plan_for(BOB, BOB, CAT, since(0));
	answer();
	heard(BOB, "again e1:4");
	answer();
	heard(CAT, "again e1:4, 1, 2, 3, 4");
	end();

	begin_live("one leaves when it is resynced", 2);
	join(BOB, none);
	renew(1);
	sweep();
	answer();
	plan_for(ANN, BOB, CAT, since(1));
	answer();
	heard(ANN, "resync e2:1");
	heard(CAT, "again e2:1");
	heard(BOB, "at e1:2");
	end();
}

/*
 * By the numbers that they were found under; those behind 12 are about the
 * caches of the ring's writers, not about the hub.
 */
static void
test_violations(void)
{
	begin("1: retention under a reader");
	commits(2);
	join(ANN, since(0));
	answer();
	world.lowest = 2;
	buf_clear(&world.asked);
	answer();
	heard(ANN, "");
	asked("STATE e1:2");
	answer();
	heard(ANN, "anew e1:2");
	end();

	begin_live("1: retention under a gap fetch", 0);
	commits(3);
	hear(3);
	ring(HUB_TIMER_GAP);
	world.lowest = 3;
	answer();
	asked("READ 1, told, STATE e1:3");
	answer();
	heard(ANN, "resync e1:3");
	end();

	begin("2: a page of another epoch");
	commits(1);
	join(ANN, since(0));
	answer();
	renew(0);
	commits(1);
	answer();
	heard(ANN, "");
	answer();
	heard(ANN, "anew e2:1");
	end();

	begin_live("3: nobody brings the hub to a number but the log", 2);
	commits(1);
	join(BOB, since(3));
	answer();
	heard(BOB, "again e1:3");
	is(the_hub()->num, 2);
	heard(ANN, "");
	ring(HUB_TIMER_GAP);
	answer();
	heard(ANN, "3");
	heard(BOB, "");
	commits(1);
	hear(4);
	heard(ANN, "4");
	heard(BOB, "4");
	end();

	begin_live("4: a cursor above the head", 2);
	join(BOB, since(3));
	answer();
	answer();
	heard(BOB, "anew e1:2");
	commits(1);
	hear(3);
	heard(BOB, "3");
	heard(ANN, "3");
	end();

	begin_live("5: a fetch that failed is tried again", 0);
	commits(1);
	sweep();
	ring(HUB_TIMER_GAP);
	fail();
	sweep();
	answer();
	heard(ANN, "1");
	end();

	begin_live("6: a gap in the log is passed once", 2);
	commits(2);
	hear(4);
	world.lowest = 4;
	ring(HUB_TIMER_GAP);
	answer();
	answer();
	heard(ANN, "resync e1:4");
	sweep();
	is(world.query, HUB_ASKS_NOTHING);
	commits(1);
	hear(5);
	heard(ANN, "5");
	end();

	begin("7: heard, not delivered, then the head is lower");
	join(ANN, none);
	see();
	commits(1);
	hear(1);
	answer();
	world.head = 0;
	world.is_cold = true;
	ring(HUB_TIMER_GAP);
	answer();
	buf_clear(&world.asked);
	answer();
	asked("told");
	heard(ANN, "at e1:0, resync e2:0");
	is(world.query, HUB_ASKS_NOTHING);
	ok(!world.timers[HUB_TIMER_GAP]);
	end();

	begin("8: a restore whose epoch was renewed before anybody looked");
	commits(1);
	renew(0);
	commits(1);
	join(ANN, pair(1, 1));
	answer();
	answer();
	heard(ANN, "anew e2:1");
	end();

	begin_live("9: deleted is heard after an import of that name", 1);
	delete();
	world.step++;
	import(1);
	join(BOB, none);
	hub_hear_deleted(the_hub());
	answer();
	answer();
	heard(ANN, "resync e2:1");
	heard(BOB, "at e1:1, resync e2:1");
	end();

	begin_live("10: an old answer, a new subscription", 1);
	hub_hear_deleted(the_hub());
	delete();
	see();
	world.step++;
	import(5);
	join(BOB, pair(2, 5));
	answer();
	heard(ANN, "deleted");
	answer();
	heard(BOB, "again e2:5");
	end();

	begin_live("10: a cursor beyond an older answer's head", 1);
	join(CAT, since(0));
	see();
	commits(1);
	join(BOB, since(2));
	answer();
	answer();
	heard(BOB, "again e1:2");
	end();

	begin_live("11: what is held is bounded", 0);
	commits(6);
	for (unsigned i = 2; i <= 5; i++)
		hear(i);
	is(the_hub()->hold_count, 2);
	is(the_hub()->top, 5);
	hear(1);
	heard(ANN, "1, 2, 3");
	ring(HUB_TIMER_GAP);
	answer();
	heard(ANN, "4, 5, 6");
	end();

	begin("12: the caches know before a head is told");
	commits(1);
	join(ANN, none);
	asked("READ 0");
	is(world.told, 0);
	answer();
	asked("told");
	is(world.told, 1);
	/* What is not above num was told before. */
	join(BOB, since(0));
	answer();
	asked("READ 1");
	end();
}

int
main(void)
{
	test_callbacks();
	test_violations();
	return (done());
}
