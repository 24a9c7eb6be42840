/* SPDX-License-Identifier: MIT */
/*
 * Delivery: for each stream that somebody of this worker follows, a hub that
 * brings every subscriber every number once and in order, whatever is heard,
 * lost, repeated or late. The log is the truth; news only come early.
 *
 *	   ring, relay		  log		     log
 *	       │ hear	   page ↑  │ READ      state ↑ │ STATE
 *	       v		│  v		     │ v
 *	 ┌─ hub: epoch, num ──────────── top ─ hold ─────────┐
 *	 │   live	  all get num + 1, by reference	     │
 *	 │   replaying	  each its own page, until it is at  │
 *	 │		  num: live			     │
 *	 │   waiting	  the hub knows no number yet	     │
 *	 └───────────────────────────────────────────────────┘
 *
 * A hub:
 *	        JOIN                answer
 *	 none ────────> opening ─────────────> ready
 *	  ^    detach       │  <─────────────    │
 *	  └─────────────────┴──  no row, and     │ detach: the last one left,
 *	  ^		         others wait     │ or there is no row
 *	  └──────────────────────────────────────┘
 * A subscription:
 *	        hub_join            ADMIT: at num, or without cursor
 *	 out ────────────> waits ───────────────────────────────> live
 *	  ^                 │  ADMIT: else                         ^
 *	  │ hub_leave,      └────────────> replays ────────────────┘
 *	  │ ended                            at num; resync
 *
 * What a hub keeps: num, the highest number delivered or told; top, the
 * highest heard of; hold, events above num + 1 that came early; is_due, the
 * log is to be read for top; is_alien, something was heard that does not
 * fit, so the log is to be looked at; wants_state, somebody cannot be brought
 * on by pages; has_gap, and the hub itself cannot.
 *
 * The log is asked two things, each one snapshot:
 *	READ(from)	  no row, or epoch, lowest, head and rows from there
 *	STATE(epoch, top) no row, or epoch, head and what is true at exactly
 *			  that head. If the row has this epoch and a head
 *			  below top, it gets a new epoch first.
 *
 * The rules; each is a function of hub_rules.c:
 *  1. JOIN. The first one opens the hub. Opening: wait. Ready: ADMIT.
 *  2. ADMIT. No cursor: live at num. A pair of another epoch: replay, to be
 *     resynced. The hub's own number: live. Any other, below it or above:
 *     replay. `subscribed` is said at once to who is live; to others at the
 *     first answer, before any event.
 *  3. HEAR. Of another epoch, or while opening: remember it and look at the
 *     log. Not above num: drop. The next one: DELIVER. Else: top rises; it
 *     is held where there is room; the next one without its payload is due.
 *  4. DELIVER. num is now this number; every live one below it gets it.
 *  5. DRAIN. Deliver from hold what is next. top reached: nothing is due.
 *     Else the gap timer runs, unless the log is to be read anyway.
 *  6. TIMER. The gap was not filled: due.
 *  7. KICK, the end of every event and the only one who asks. Nothing while
 *     a query is on its way or a failure is fresh. By rank: open; STATE for
 *     a gap beyond gap_max; STATE where it is wanted; READ for the hub; READ
 *     for the replaying one that is farthest behind and has room.
 *  8. FAIL. Opening: refuse who waits. Else the wish stands, the log is to
 *     be looked at, but not before a sweep's answer or some time.
 *  9. NO ROW. Who joined before the query was sent is told `deleted`. Later
 *     ones wait for the hub to open anew.
 * 10. OPENED. The hub has its epoch and num; who waits is admitted.
 * 11. READ shows another epoch, or a head below what was heard when it was
 *     sent: nothing of it is delivered; STATE.
 * 12. READ. top is the head at least. Its rows are delivered where they are
 *     exactly next: to the hub, and to each replaying one that joined before
 *     it was sent. Who is above the head, or whose next number is no longer
 *     held: resync. Who has reached num: live. One page serves all.
 * 13. STATE of another epoch: the hub goes there, with everybody: resync.
 * 14. STATE of the same: who waited for it is resynced; where the hub has a
 *     gap it goes to the head, with all live ones below it.
 * 15. SWEEP. A head that is higher is news. One that is lower, another epoch
 *     or none make the hub look; they are never acted on themselves.
 * 16. DELETED is heard: look. LEAVE: the last one closes the hub, and what
 *     is answered to it later is dropped; the next hub of that name waits
 *     for that answer before it asks.
 * 17. TOLD. Before a row, a head or a state above num that came from the log
 *     is delivered or told, the caches are told (acts->told).
 *
 * Holds always:
 *  1. live: last ≥ num. num ≤ top. What is held is above num.
 *  2. At most one query of a hub is on its way.
 *  3. What is delivered to a subscription is last + 1, and committed; only
 *     resync moves last otherwise.
 *  4. At most hold_max events are held; an epoch has at most RING_EPOCH_MAX
 *     bytes, a name RING_STREAM_MAX.
 *  5. Inside a callback a subscription, this or any other, may join, leave
 *     or get room. News and answers are fed from outside of subscriptions'
 *     callbacks; a query may be answered inside the call that asks it.
 *  6. There is no socket, no SQL and no clock in here: whoever drives it
 *     does what hub_acts says, and feeds it what came.
 *
 *	subscription_init(&peer->sub, &peer_acts);
 *	hub_join(hubs, tenant, stream, &peer->sub, &cursor);
 *	...
 *	hub_leave(&peer->sub);
 */
#ifndef CORE_HUB_H
#define CORE_HUB_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "core/cursor.h"
#include "core/hub_event.h"
#include "plat/ring.h"
#include "plat/timer.h"

#define HUB_SWEEP_MOST 1000

struct hub;
struct hubs;
struct subscription;

/* Subscriptions. */

/* The state instead of the events that led to it. */
struct hub_resync {
	text		 body;		/* {"from":…,"state":…}, of SQL */
	struct bytes	*forms[EVENT_FORMS];	/* as those of an event */
};

enum hub_end {
	HUB_MISSING,	/* there is no such stream; nothing was said yet */
	HUB_DELETED,	/* there was */
	HUB_REFUSED	/* the log could not be asked; nothing is known */
};

struct subscription_acts {
	/* The next number; or a LIVE event, whose seq is 0. */
	void (*deliver)(struct subscription *sub, struct event *event);
	/*
	 * Once, before all else. recovered: what follows the cursor will be
	 * delivered. resync: NULL, or the state at head, from which it goes
	 * on. Neither: there was no cursor; it goes on from head.
	 */
	void (*subscribed)(struct subscription *sub, text epoch,
	    uint64_t head, bool recovered, struct hub_resync *resync);
	/* Later: go on from head of epoch, whatever was there before. */
	void (*resync)(struct subscription *sub, text epoch, uint64_t head,
	    struct hub_resync *resync);
	/* It is out of the hub; it may join again, but not at HUB_REFUSED. */
	void (*ended)(struct subscription *sub, enum hub_end why);
	/* Whether a replayed event can be taken. */
	bool (*has_room)(struct subscription *sub);
};

enum subscription_state {
	SUBSCRIPTION_OUT, SUBSCRIPTION_WAITS, SUBSCRIPTION_REPLAYS,
	SUBSCRIPTION_LIVE
};

/* Inside its owner, beside what deliver needs of him: a line of memory. */
struct subscription {
	const struct subscription_acts *acts;
	uint64_t	 last;		/* delivered, told, or of the cursor */
	struct hub	*hub;		/* NULL: out */
	uint32_t	 place;		/* in the hub's set */
	uint8_t		 state;
	bool		 has_cursor;
	bool		 is_told;	/* `subscribed` was said */
	bool		 needs_resync;
	uint64_t	 number;	/* the hub's so many-eth to join */
	struct bytes	*epoch;		/* of last; NULL: the hub's */
};

/* Zeroed memory is as good, with acts set. */
void	subscription_init(struct subscription *sub,
	    const struct subscription_acts *acts);
/* Its callbacks may come before this returns. */
void	hub_join(struct hubs *hubs, int32_t tenant, text stream,
	    struct subscription *sub, const struct cursor *cursor);
/* One that is out stays so. No callback comes after this. */
void	hub_leave(struct subscription *sub);
/* has_room says yes again. */
void	hub_room(struct subscription *sub);
/* What this one was told: false as long as it was told nothing. */
bool	hub_head(const struct subscription *sub, text *epoch_out,
	    uint64_t *seq_out);

/* Hubs. */

enum hub_phase { HUB_NONE, HUB_OPENING, HUB_READY };
enum hub_query { HUB_ASKS_NOTHING, HUB_READS, HUB_ASKS_STATE };
enum hub_timer { HUB_TIMER_GAP, HUB_TIMER_BACKOFF, HUB_TIMERS };

struct hub_epoch {
	uint8_t		 len;		/* 0: none */
	char		 at[RING_EPOCH_MAX];
};

struct hub_held {
	uint64_t	 seq;
	struct event	*event;
};

/* In any order; a hole is left where somebody leaves during a walk. */
struct hub_set {
	struct subscription **at;
	unsigned	 count;
	unsigned	 size;
	unsigned	 holes;
};

/* To be read; only this module writes, but for the timers. */
struct hub {
	unsigned	 magic;
#define HUB_MAGIC 0x68756268
	enum hub_phase	 phase;
	struct hubs	*hubs;
	struct hub_set	 live;
	uint64_t	 num;
	uint64_t	 top;
	struct hub_epoch epoch;
	enum hub_query	 asks;
	unsigned	 depth;		/* calls that are at work here */
	unsigned	 walks;		/* of them over a set */
	bool		 is_unsettled;	/* KICK has not seen it all */
	bool		 is_due;
	bool		 is_alien;
	bool		 wants_state;
	bool		 has_gap;
	bool		 runs[HUB_TIMERS];
	struct hub_set	 others;	/* those that wait or replay */
	struct hub_held	*hold;		/* by number; NULL: none */
	unsigned	 hold_count;
	struct hub_epoch alien_epoch;	/* the last one heard */
	uint64_t	 alien_top;
	uint64_t	 generation;	/* rises when it is detached */
	uint64_t	 joins;
	uint64_t	 sent_generation; /* of the query that is on its way */
	uint64_t	 sent_joins;
	uint64_t	 sent_top;
	unsigned	 sweep_place;	/* in the sweep, from 1; 0: not in it */
	uint64_t	 swept_num;
	int32_t		 tenant;
	text		 stream;
	struct timer	 timers[HUB_TIMERS];	/* the driver's own */
	UT_hash_handle	 hh;
	char		 key[];
};

struct hub_acts {
	/* READ from a number, `page` rows at most; from 0, none at all. */
	void (*read)(void *context, struct hub *hub, uint64_t from);
	/* STATE with hub->epoch and hub->top. */
	void (*state)(void *context, struct hub *hub);
	/* SWEEP: the heads of hubs_swept(0), (1)… up to the first NULL. */
	void (*sweep)(void *context, struct hubs *hubs);
	void (*interest)(void *context, struct hub *hub, bool is_wanted);
	/* Strictly in turns; one that rang is off. */
	void (*timer)(void *context, struct hub *hub, enum hub_timer timer,
	    bool is_on);
	/* Bump the cache's version of hub->tenant. */
	void (*told)(void *context, struct hub *hub);
};

struct hubs_setup {
	const struct hub_acts *acts;
	void		*context;
	uint64_t	 gap_max;
	unsigned	 hold_max;
};

struct hubs	*hubs_create(const struct hubs_setup *setup);
/* After everybody left and every query ended. */
void		 hubs_destroy(struct hubs **hubs);
unsigned	 hubs_count(const struct hubs *hubs);

/*
 * Compares the heads of all hubs with the log: regularly, when asked for,
 * and when a ring was lapped. One goes at a time; one more follows where it
 * was asked for meanwhile.
 */
void		 hubs_sweep(struct hubs *hubs);
/* Of these tenants alone (plat/segment's bucket_of). */
void		 hubs_sweep_bucket(struct hubs *hubs, unsigned bucket);
struct hub	*hubs_swept(const struct hubs *hubs, unsigned place);
/* A row that the sweep found; none for a place: there is no such stream. */
void		 hubs_sweep_row(struct hubs *hubs, unsigned place,
		    text epoch, uint64_t head);
/* All rows are in, or it failed. */
void		 hubs_sweep_end(struct hubs *hubs, bool has_failed);

/* NULL: nobody here follows it. */
struct hub	*hub_find(struct hubs *hubs, int32_t tenant, text stream);

/* News. event at NULL: it came without its payload. */
void	hub_hear(struct hub *hub, text epoch, uint64_t seq,
	    struct event *event);
/* An event without a number, for those who are live. */
void	hub_live(struct hub *hub, struct event *event);
/* `<noun>.deleted` of this stream was heard. */
void	hub_hear_deleted(struct hub *hub);
/* The timer rang. */
void	hub_ring(struct hub *hub, enum hub_timer timer);

/* Answers: each query ends by one of these. */
struct hub_page {
	text		 epoch;
	uint64_t	 lowest;
	uint64_t	 head;
	struct event	**rows;		/* by number */
	unsigned	 count;
};

void	hub_read_answer(struct hub *hub, const struct hub_page *page);
void	hub_state_answer(struct hub *hub, text epoch, uint64_t head,
	    text body);
void	hub_no_row(struct hub *hub);
void	hub_query_failed(struct hub *hub);

#endif
