/* SPDX-License-Identifier: MIT */
/*
 * Random schedules of a hub: what can happen, happens in any order, and each
 * client checks what it is told. At the end of each, failures stop, and
 * sweeps alone have to bring everybody to the head.
 *
 *	first = first_seed();
 *	wrong = run_schedule(first + i);	NULL, or what was violated
 */
#ifndef UNIT_HUB_SCHEDULE_H
#define UNIT_HUB_SCHEDULE_H

#include "hub_driver.h"

#include "base/secret.h"

#define STEPS		90
#define RENEWALS	4	/* of each kind, in a schedule */

enum deed {
	DO_COMMIT, DO_COMMIT_BARE, DO_HEAR, DO_HEAR_LATE, DO_JOIN, DO_LEAVE,
	DO_SEE, DO_ANSWER, DO_FAIL, DO_GAP, DO_BACKOFF, DO_SWEEP,
	DO_SWEEP_SEE, DO_SWEEP_END, DO_SWEEP_FAIL, DO_TRIM, DO_RESTORE,
	DO_RESTORE_COLD, DO_RENEW, DO_DELETE, DO_IMPORT, DO_HEAR_DELETED,
	DO_ROOM, DO_LIVE, DEEDS
};

static const struct {
	const char	*name;
	unsigned	 weight;
} deeds[DEEDS] = {
	[DO_COMMIT] = { "commit", 16 },
	[DO_COMMIT_BARE] = { "commit without payload", 2 },
	[DO_HEAR] = { "hear", 18 },
	[DO_HEAR_LATE] = { "hear late", 4 },
	[DO_JOIN] = { "join", 8 },
	[DO_LEAVE] = { "leave", 3 },
	[DO_SEE] = { "the log is seen", 10 },
	[DO_ANSWER] = { "answer", 14 },
	[DO_FAIL] = { "fail", 2 },
	[DO_GAP] = { "the gap timer rings", 8 },
	[DO_BACKOFF] = { "the back-off ends", 3 },
	[DO_SWEEP] = { "sweep", 4 },
	[DO_SWEEP_SEE] = { "the sweep sees", 3 },
	[DO_SWEEP_END] = { "the sweep ends", 4 },
	[DO_SWEEP_FAIL] = { "the sweep fails", 1 },
	[DO_TRIM] = { "retention", 2 },
	[DO_RESTORE] = { "restore", 1 },
	[DO_RESTORE_COLD] = { "restore behind our back", 1 },
	[DO_RENEW] = { "renewal by another", 1 },
	[DO_DELETE] = { "delete", 1 },
	[DO_IMPORT] = { "import", 4 },
	[DO_HEAR_DELETED] = { "hear deleted", 2 },
	[DO_ROOM] = { "room", 5 },
	[DO_LIVE] = { "a LIVE event", 1 },
};

static uint64_t seed;		/* of the schedule at hand, as it began */
static uint64_t state;
static bool is_shown;

/* splitmix64: the same numbers from the same seed, everywhere. */
static uint64_t
next_random(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31);
}

static unsigned
below(unsigned n)
{
	return ((unsigned)(next_random() % n));
}

static bool
one_in(unsigned n)
{
	return (below(n) == 0);
}

static void
show(const char *words)
{
	const struct hub *hub = the_hub();

	if (!is_shown)
		return;
	fprintf(stderr, "# %3u %-24s log %s e%u %u..%u", world.step, words,
	    world.exists ? "has" : "had", world.epoch,
	    (unsigned)world.lowest, (unsigned)world.head);
	if (hub != NULL)
		fprintf(stderr, "; hub %u e%.*s %u/%u held %u %s%s%s%s",
		    hub->phase, TEXT_ARGS(hub_epoch_text(&hub->epoch)),
		    (unsigned)hub->num, (unsigned)hub->top,
		    hub->hold_count, hub->is_due ? "due " : "",
		    hub->is_alien ? "alien " : "",
		    hub->wants_state ? "state " : "",
		    hub->has_gap ? "gap " : "");
	if (world.asked.len > 0)
		fprintf(stderr, "; %.*s", TEXT_ARGS(buf_text(&world.asked)));
	buf_clear(&world.asked);
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (world.stories[i].len > 0)
			fprintf(stderr, "; %u: %.*s", i,
			    TEXT_ARGS(buf_text(&world.stories[i])));
		buf_clear(&world.stories[i]);
	}
	fprintf(stderr, "\n");
}

static void
join_somehow(unsigned which)
{
	struct cursor cursor = { .kind = CURSOR_NONE };

	if (world.clients[which] != NULL)
		return;
	switch (below(4)) {
	case 0:
		break;
	case 1:
		cursor.kind = CURSOR_NUMBER;
		cursor.seq = below((unsigned)world.head + 3);
		break;
	default:
		cursor.kind = CURSOR_PAIR;
		cursor.epoch = epoch_text(one_in(3) ?
		    1 + below(world.epochs + 1) : world.epoch);
		cursor.seq = below((unsigned)world.head + 2);
	}
	join(which, cursor);
}

/* Inside a client's callback. */
static void
on_random_moment(struct client *client)
{
	unsigned which = below(CLIENTS);

	if (!one_in(24))
		return;
	switch (below(4)) {
	case 0:
		leave(client->which);
		break;
	case 1:
		if (world.clients[which] != NULL)
			leave(which);
		break;
	case 2:
		join_somehow(which);
		break;
	default:
		client->is_full = true;
	}
}

/* One that was told of a deletion. */
static void
on_random_end(unsigned which)
{
	if (one_in(4))
		join_somehow(which);
}

static void
hear_one(bool is_late)
{
	unsigned most = world.news_count;
	const struct record *record;

	if (most == 0)
		return;
	if (!is_late && most > 4)
		record = &world.news[most - 1 - below(4)];
	else
		record = &world.news[below(most)];
	hear_record(record, record->has_payload);
}

static void
do_client(enum deed deed)
{
	unsigned which = below(CLIENTS);
	struct client *client = world.clients[which];

	if (deed == DO_JOIN)
		join_somehow(which);
	else if (client == NULL)
		return;
	else if (deed == DO_LEAVE)
		leave(which);
	else if (client->is_full) {
		client->is_full = false;
		hub_room(&client->sub);
	} else
		client->is_full = true;
}

static void
do_query(enum deed deed)
{
	if (world.query == HUB_ASKS_NOTHING)
		return;
	if (deed == DO_FAIL)
		fail();
	else if (deed == DO_ANSWER)
		answer();
	else if (!world.has_seen)
		see();
}

static void
do_sweep(enum deed deed)
{
	if (deed == DO_SWEEP)
		hubs_sweep(world.hubs);
	else if (!world.is_sweeping)
		return;
	else if (deed == DO_SWEEP_SEE)
		sweep_see();
	else
		sweep_end(deed == DO_SWEEP_FAIL);
}

static void
do_log(enum deed deed)
{
	bool may_renew = world.epochs < RENEWALS;

	if (!world.exists) {
		if (deed == DO_IMPORT)
			import(below(4));
		return;
	}
	if (deed == DO_TRIM && world.lowest <= world.head)
		world.lowest += 1 + below((unsigned)(world.head + 1 -
		    world.lowest));
	else if (deed == DO_DELETE && world.deletions < 2)
		delete();
	else if (!may_renew)
		return;
	else if (deed == DO_RESTORE)
		renew(world.head > 0 ? below((unsigned)world.head) : 0);
	else if (deed == DO_RENEW)
		renew(world.head);
	/* It can only be noticed by who was there before and is still. */
	else if (deed == DO_RESTORE_COLD && the_hub() != NULL &&
	    the_hub()->phase == HUB_READY && world.head > 0) {
		world.head = below((unsigned)world.head);
		if (world.lowest > world.head + 1)
			world.lowest = world.head + 1;
		world.is_cold = true;
	}
}

static void
do_other(enum deed deed)
{
	struct event *event;

	switch (deed) {
	case DO_COMMIT:
	case DO_COMMIT_BARE:
		if (world.exists && !world.is_cold &&
		    world.head < NUMBERS && world.news_count < NEWS)
			commit(deed == DO_COMMIT);
		break;
	case DO_HEAR:
	case DO_HEAR_LATE:
		hear_one(deed == DO_HEAR_LATE);
		break;
	case DO_GAP:
	case DO_BACKOFF:
		if (world.timers[deed - DO_GAP])
			ring(deed - DO_GAP);
		break;
	case DO_HEAR_DELETED:
		if (world.deletions > 0 && the_hub() != NULL)
			hub_hear_deleted(the_hub());
		break;
	default:
		if (the_hub() == NULL)
			break;
		event = event_create(TEXT("e1"), 0, TEXT("{}"));
		hub_live(the_hub(), event);
		event_give(&event);
	}
}

static void
do_deed(enum deed deed)
{
	switch (deed) {
	case DO_JOIN:
	case DO_LEAVE:
	case DO_ROOM:
		do_client(deed);
		break;
	case DO_SEE:
	case DO_ANSWER:
	case DO_FAIL:
		do_query(deed);
		break;
	case DO_SWEEP:
	case DO_SWEEP_SEE:
	case DO_SWEEP_END:
	case DO_SWEEP_FAIL:
		do_sweep(deed);
		break;
	case DO_TRIM:
	case DO_RESTORE:
	case DO_RESTORE_COLD:
	case DO_RENEW:
	case DO_DELETE:
	case DO_IMPORT:
		do_log(deed);
		break;
	default:
		do_other(deed);
	}
}

static unsigned
clients_in(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CLIENTS; i++)
		count += world.clients[i] != NULL;
	return (count);
}

/* In an epoch it only rises. */
static void
check_number(const struct hub *hub)
{
	static struct hub_epoch epoch;
	static uint64_t generation, num;

	if (hub == NULL || hub->phase != HUB_READY) {
		epoch.len = 0;
		return;
	}
	if (hub->generation == generation &&
	    hub_epoch_is(hub_epoch_text(&hub->epoch), &epoch))
		wrong_unless(hub->num >= num, "the hub goes back");
	epoch = hub->epoch;
	generation = hub->generation;
	num = hub->num;
}

static void
check_step(void)
{
	const struct hub *hub = the_hub();

	wrong_unless((hub != NULL) == (clients_in() > 0),
	    "a hub without clients, or the other way round");
	wrong_unless(world.has_interest == (hub != NULL),
	    "interest is not what is followed");
	if (!world.exists)
		world.missing = world.step;
	check_number(hub);
	if (hub == NULL)
		return;
	wrong_unless(hub->hold_count <= world.hold_max,
	    "more is held than may be");
	if (hub->hold_count > world.tally.held)
		world.tally.held = hub->hold_count;
}

/* No more news and failures; room for all. */
static void
work_off(unsigned most)
{
	while (world.wrong == NULL && (world.query != HUB_ASKS_NOTHING ||
	    world.timers[HUB_TIMER_GAP])) {
		world.step++;
		if (world.query != HUB_ASKS_NOTHING)
			answer();
		else
			ring(HUB_TIMER_GAP);
		check_step();
		show("the end: answer");
		wrong_unless(world.queries <= most, "asking without end");
	}
}

static void
check_end(void)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *client = world.clients[i];

		if (client == NULL)
			continue;
		wrong_unless(world.exists, "nobody told it of the deletion");
		wrong_unless(client->is_told, "it still waits");
		wrong_unless(client->sub.state == SUBSCRIPTION_LIVE,
		    "it is not live");
		wrong_unless(client->epoch == world.epoch,
		    "it is in another epoch");
		wrong_unless(client->last == world.head,
		    "it is not at the head");
	}
}

static void
come_to_rest(void)
{
	unsigned most = world.queries + 10 + clients_in() *
	    (NUMBERS / world.page + 3);

	world.on_moment = NULL;
	world.on_gone = NULL;
	world.fails_at_once = false;
	for (unsigned i = 0; i < CLIENTS; i++)
		if (world.clients[i] != NULL) {
			world.clients[i]->is_full = false;
			hub_room(&world.clients[i]->sub);
		}
	work_off(most);
	for (unsigned i = 0; i < 3 && world.wrong == NULL; i++) {
		world.step++;
		hubs_sweep(world.hubs);
		while (world.is_sweeping)
			sweep_end(false);
		show("the end: sweep");
		work_off(most);
	}
	check_end();
}

static struct {
	uint64_t	schedules, steps;
	uint64_t	delivered, replayed, resyncs, states, failures;
	uint64_t	deleted, live, most_held;
} sum;

static void
add_up(void)
{
	sum.schedules++;
	sum.steps += world.step;
	sum.delivered += world.tally.delivered;
	sum.replayed += world.tally.replayed;
	sum.resyncs += world.tally.resyncs;
	sum.states += world.tally.states;
	sum.failures += world.tally.failures;
	sum.deleted += world.tally.deleted;
	sum.live += world.tally.live;
	if (world.tally.held > sum.most_held)
		sum.most_held = world.tally.held;
}

/* NULL, or what was violated. */
static const char *
run_schedule(uint64_t from)
{
	unsigned total = 0, weights[DEEDS];

	seed = state = from;
	begin_world(2 + below(2), one_in(4) ? 8 : 3, 2 + below(2));
	check_number(NULL);
	world.on_moment = on_random_moment;
	world.on_gone = on_random_end;
	world.keeps_story = is_shown;
	world.has_two_snapshots = hub_rule_off == HUB_RULES;
	/* Each has deeds that it likes, and few that harm the log. */
	for (unsigned i = 0; i < DEEDS; i++) {
		weights[i] = deeds[i].weight * below(4);
		if (i >= DO_TRIM && i <= DO_DELETE && !one_in(3))
			weights[i] = 0;
		total += weights[i];
	}
	while (world.step < STEPS && world.wrong == NULL && total > 0) {
		unsigned at = below(total), deed = 0;

		while (at >= weights[deed])
			at -= weights[deed++];
		world.step++;
		world.fails_at_once = one_in(64);
		do_deed(deed);
		check_step();
		show(deeds[deed].name);
	}
	come_to_rest();
	add_up();
	end_world();
	return (world.wrong);
}

static uint64_t
number_of(const char *name, uint64_t standard)
{
	const char *given = getenv(name);
	int64_t number;

	if (given == NULL || !text_to_int64(text_of(given), 0, INT64_MAX,
	    &number))
		return (standard);
	return ((uint64_t)number);
}

static void
on_abort(int ignored)
{
	fprintf(stderr, "# in the schedule of SEED=%llu\n",
	    (unsigned long long)seed);
}

/* SEED, or a random one; printed. */
static uint64_t
first_seed(void)
{
	uint64_t first;

	secret_fill(&first, sizeof first);
	first = number_of("SEED", first >> 8);
	is_shown = number_of("STORY", 0) > 0;
	fprintf(stderr, "# SEED=%llu\n", (unsigned long long)first);
	signal(SIGABRT, on_abort);
	return (first);
}

#endif
