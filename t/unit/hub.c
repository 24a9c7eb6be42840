/* SPDX-License-Identifier: MIT */
/*
 * core/hub: each rule of its machine.
 */
#include "hub_trace.h"

static void
test_joining(void)
{
	begin("JOIN: the first opens the hub, and all wait for its number");
	commits(2);
	join(ANN, none);
	ok(world.has_interest);
	join(BOB, since(2));
	join(CAT, since(1));
	asked("READ 0");
	heard(ANN, "");
	answer();
	heard(ANN, "at e1:2");
	heard(BOB, "again e1:2");
	heard(CAT, "");
	asked("told, READ 2");
	answer();
	heard(CAT, "again e1:2, 2");
	hear(2);
	commits(1);
	hear(3);
	heard(ANN, "3");
	heard(BOB, "3");
	heard(CAT, "3");
	asked("");
	end();

	begin_live("ADMIT: without cursor, or with the hub's number", 2);
	join(BOB, none);
	heard(BOB, "at e1:2");
	join(CAT, pair(1, 2));
	heard(CAT, "again e1:2");
	asked("");
	join(DAN, pair(9, 2));
	heard(DAN, "");
	asked("STATE e1:2");
	answer();
	heard(DAN, "anew e1:2");
	heard(ANN, "");
	end();

	begin("a missing stream");
	delete();
	join(ANN, none);
	answer();
	heard(ANN, "missing");
	ok(!world.has_interest);
	ok(the_hub() == NULL);
	end();

	begin("FAIL while opening: who waits is refused");
	join(ANN, none);
	join(BOB, since(7));
	fail();
	heard(ANN, "refused");
	heard(BOB, "refused");
	ok(!world.has_interest);
	end();
}

static void
test_news(void)
{
	begin_live("HEAR: the next one is delivered, a lower one dropped", 1);
	commits(2);
	hear(2);
	hear(2);
	hear(1);
	heard(ANN, "2");
	hear(3);
	heard(ANN, "3");
	asked("");
	end();

	begin_live("HEAR and DRAIN: what comes early is held", 0);
	commits(3);
	hear(3);
	hear(2);
	ok(world.timers[HUB_TIMER_GAP]);
	heard(ANN, "");
	hear(1);
	heard(ANN, "1, 2, 3");
	ok(!world.timers[HUB_TIMER_GAP]);
	asked("");
	end();

	begin_live("TIMER: a gap that nobody fills is read", 0);
	commits(3);
	hear(3);
	ring(HUB_TIMER_GAP);
	asked("READ 1");
	hear(3);
	answer();
	asked("told");
	heard(ANN, "1, 2, 3");
	end();

	begin_live("HEAR without payload: read at once", 0);
	commit(false);
	hear_bare(1);
	asked("READ 1");
	ok(!world.timers[HUB_TIMER_GAP]);
	answer();
	heard(ANN, "1");
	end();

	begin_live("a long way behind: page by page, with one query each", 0);
	commits(10);
	hear(4);
	ring(HUB_TIMER_GAP);
	asked("READ 1");
	hear(10);
	answer();
	heard(ANN, "1, 2, 3, 4");
	asked("told, STATE e1:10");
	answer();
	heard(ANN, "resync e1:10");
	end();

	begin("HEAR while opening: it counts once the epoch is known");
	join(ANN, none);
	see();
	commits(2);
	hear(2);
	answer();
	heard(ANN, "at e1:0");
	ok(world.timers[HUB_TIMER_GAP]);
	ring(HUB_TIMER_GAP);
	answer();
	heard(ANN, "1, 2");
	end();

	begin("HEAR while opening, of an epoch that it is not: look once");
	join(ANN, none);
	commits(1);
	renew(0);
	hear(1);
	answer();
	asked("READ 0, told, READ 1");
	answer();
	asked("");
	heard(ANN, "at e2:0");
	end();

	begin_live("a LIVE event is for those who are live, and has no number",
	    1);
	join(BOB, since(0));
	{
		struct event *event = event_create(TEXT("e1"), 0, TEXT("{}"));

		hub_live(the_hub(), event);
		event_give(&event);
	}
	heard(ANN, "live");
	heard(BOB, "");
	end();
}

static void
test_answers(void)
{
	begin_live("READ: one page serves all whose next number is in it", 4);
	join(BOB, since(1));
	asked("READ 2");
	answer();
	join(CAT, since(1));
	join(DAN, since(0));
	world.clients[DAN]->is_full = true;
	buf_clear(&world.asked);
	answer();
	heard(CAT, "again e1:4, 2, 3, 4");
	heard(DAN, "");
	asked("");
	world.clients[DAN]->is_full = false;
	hub_room(&world.clients[DAN]->sub);
	asked("READ 1");
	answer();
	heard(DAN, "again e1:4, 1, 2, 3, 4");
	end();

	begin_live("who replays ignores the hub, and goes live at its number",
	    6);
	join(BOB, since(0));
	commits(2);
	hear(7);
	heard(ANN, "7");
	answer();
	heard(BOB, "again e1:8, 1, 2, 3, 4");
	answer();
	heard(BOB, "5, 6, 7, 8");
	/* The page brought all of them on. */
	heard(ANN, "8");
	hear(8);
	heard(ANN, "");
	heard(BOB, "");
	end();

	begin_live("its number may be above the hub's: nothing comes twice", 1);
	join(BOB, since(0));
	see();
	answer();
	commits(2);
	join(CAT, since(2));
	answer();
	heard(CAT, "again e1:3, 3");
	heard(ANN, "");
	hear(2);
	hear(3);
	heard(ANN, "2, 3");
	heard(CAT, "");
	end();

	begin_live("room that ends in the middle of a page", 4);
	join(BOB, since(0));
	world.clients[BOB]->is_full = true;
	answer();
	heard(BOB, "again e1:4");
	asked("READ 1");
	world.clients[BOB]->is_full = false;
	hub_room(&world.clients[BOB]->sub);
	answer();
	heard(BOB, "1, 2, 3, 4");
	end();

	begin_live("FAIL: the wish stands, but not before a sweep or the timer",
	    0);
	commits(2);
	hear(2);
	ring(HUB_TIMER_GAP);
	fail();
	ok(world.timers[HUB_TIMER_BACKOFF]);
	asked("READ 1");
	sweep();
	ok(!world.timers[HUB_TIMER_BACKOFF]);
	asked("READ 1");
	fail();
	ring(HUB_TIMER_BACKOFF);
	asked("READ 1");
	answer();
	heard(ANN, "1, 2");
	end();

	begin_live("FAIL of STATE: it is wanted again", 1);
	join(BOB, pair(9, 0));
	fail();
	ring(HUB_TIMER_BACKOFF);
	asked("STATE e1:1, STATE e1:1");
	answer();
	heard(BOB, "anew e1:1");
	end();

	begin_live("a query that fails inside the call that asks it", 0);
	commits(2);
	hear(2);
	world.fails_at_once = true;
	ring(HUB_TIMER_GAP);
	ok(world.timers[HUB_TIMER_BACKOFF]);
	ring(HUB_TIMER_BACKOFF);
	answer();
	heard(ANN, "1, 2");
	end();

	begin_live("NO ROW: deleted for who was there, others wait", 1);
	commits(1);
	hear_bare(2);
	delete();
	see();
	world.step++;
	import(3);
	join(BOB, none);
	heard(BOB, "at e1:1");
	answer();
	heard(ANN, "deleted");
	heard(BOB, "");
	answer();
	answer();
	heard(BOB, "resync e2:3");
	end();

	begin_live("STATE of another epoch: everybody goes there", 3);
	join(BOB, since(1));
	renew(2);
	answer();
	asked("READ 2, STATE e1:3");
	answer();
	heard(ANN, "resync e2:2");
	heard(BOB, "anew e2:2");
	commits(1);
	hear(4);
	heard(ANN, "3");
	heard(BOB, "3");
	end();

	begin_live("STATE: news of the new epoch that came before it count", 2);
	renew(2);
	commits(2);
	hear(4);
	asked("READ 3");
	world.told = 0;
	answer();
	asked("STATE e1:2");
	see();
	commits(1);
	hear(5);
	answer();
	heard(ANN, "resync e2:4");
	ok(world.timers[HUB_TIMER_GAP]);
	ring(HUB_TIMER_GAP);
	answer();
	heard(ANN, "5");
	end();
}

static void
test_sweeps(void)
{
	begin_live("SWEEP: a higher head is news", 1);
	commits(2);
	sweep();
	ok(world.timers[HUB_TIMER_GAP]);
	asked("");
	ring(HUB_TIMER_GAP);
	answer();
	heard(ANN, "2, 3");
	end();

	begin_live("SWEEP: no row, a lower head, another epoch: it looks", 2);
	hubs_sweep(world.hubs);
	delete();
	sweep_see();
	world.step++;
	import(0);
	sweep_end(false);
	asked("READ 3");
	answer();
	asked("STATE e1:2");
	answer();
	heard(ANN, "resync e2:0");
	end();

	begin_live("one sweep at a time, and one more after it", 1);
	hubs_sweep(world.hubs);
	sweep_see();
	commits(1);
	hubs_sweep(world.hubs);
	hubs_sweep(world.hubs);
	sweep_end(false);
	ok(world.is_sweeping);
	ok(!world.timers[HUB_TIMER_GAP]);
	sweep_end(false);
	ok(!world.is_sweeping);
	ok(world.timers[HUB_TIMER_GAP]);
	end();

	begin_live("a hub that left while a sweep was on its way", 1);
	hubs_sweep(world.hubs);
	leave(ANN);
	ok(the_hub() == NULL);
	join(ANN, none);
	answer();
	sweep_end(false);
	heard(ANN, "at e1:1");
	asked("READ 0, told");
	end();

	begin("a sweep of nothing");
	hubs_sweep(world.hubs);
	ok(!world.is_sweeping);
	end();
}

static void
test_leaving(void)
{
	begin_live("LEAVE: what the old hub asked is not for the new", 3);
	commits(2);
	hear_bare(4);
	asked("READ 4");
	see();
	leave(ANN);
	ok(!world.has_interest);
	join(BOB, since(0));
	ok(world.has_interest);
	asked("");
	answer();
	heard(BOB, "");
	asked("READ 0");
	answer();
	answer();
	heard(BOB, "again e1:5, 1, 2, 3, 4");
	end();

	begin_live("DELETED is heard: look", 1);
	hub_hear_deleted(the_hub());
	asked("READ 2");
	answer();
	heard(ANN, "");
	delete();
	hub_hear_deleted(the_hub());
	answer();
	heard(ANN, "deleted");
	ok(the_hub() == NULL);
	end();
}

int
main(void)
{
	test_joining();
	test_news();
	test_answers();
	test_sweeps();
	test_leaving();
	return (done());
}
