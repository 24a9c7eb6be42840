/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the hub share.
 *
 *	hub.c		the book, the sets, hold, the frame around each event
 *	hub_rules.c	rules 2 to 7 and 17: news, and asking the log
 *	hub_answers.c	rules 8 to 14: what the log answers
 *	hub_sweep.c	rule 15
 *
 * Every call from outside is an event of a hub:
 *
 *	hub_begin(hub);
 *	... a rule ...
 *	hub_end(hub);		KICK, until nothing is left; may free the hub
 *
 * Holds always:
 *  1. hub_set_state is the only one who moves a subscription.
 *  2. Where somebody may leave, a walk holds the set (hub_walk), and looks at
 *     its place again before it touches a subscription a second time.
 */
#ifndef CORE_HUB_INSIDE_H
#define CORE_HUB_INSIDE_H

#include "core/hub.h"

struct hubs {
	unsigned	 magic;
#define HUBS_MAGIC 0x68756273
	struct hubs_setup setup;
	struct hub	*table;
	bool		 is_sweeping;
	uint64_t	 wants_sweep;	/* of these buckets, a bit each */
	uint64_t	 swept_buckets;	/* of the sweep at work */
	struct hub	*sweep_at;	/* the first of the next batch */
	unsigned	 swept_count;
	struct hub	*swept[HUB_SWEEP_MOST + 1];
};

/*
 * Rules that a test takes away, to see that it finds out. In the program
 * they hold, and cost nothing.
 */
enum hub_rule {
	HUB_RULE_NONE,
	HUB_RULE_EXACT,		/* 12: only what is exactly next */
	HUB_RULE_EPOCH,		/* 11: nothing of another epoch's page */
	HUB_RULE_STAY,		/* 12: replaying ones do not move the hub */
	HUB_RULE_HEAD,		/* 12: the page's head is the judge */
	HUB_RULE_WISH,		/* 8: a failure leaves the wish standing */
	HUB_RULE_MOVE,		/* 14: a gap's state moves the hub */
	HUB_RULE_HIGHEST,	/* 11: heard counts, not only delivered */
	HUB_RULE_LOOK,		/* 16: deleted is looked up */
	HUB_RULE_ASKED,		/* an answer speaks for who was there */
	HUB_RULE_HOLD,		/* 3: hold is bounded */
	HUB_RULE_TOLD,		/* 17 */
	HUB_RULE_GENERATION,	/* 16: late answers are dropped */
	HUB_RULE_SWEEP,		/* 15: a sweep is only news */
	HUB_RULE_ALIEN,		/* 3: news of another epoch move nothing */
	HUB_RULE_DROP,		/* 3: not what was delivered */
	HUB_RULE_OWN,		/* 4: not what it had before */
	HUB_RULE_TIMER,		/* 5: a gap is looked at in time */
	HUB_RULE_BACKOFF,	/* 8: not at once again */
	HUB_RULES
};
#ifdef HUB_SWITCH
extern enum hub_rule hub_rule_off;
#define HOLDS(rule) (hub_rule_off != HUB_RULE_##rule)
#else
#define HOLDS(rule) true
#endif

static inline text
hub_epoch_text(const struct hub_epoch *epoch)
{
	return (text_from(epoch->at, epoch->len));
}

static inline bool
hub_epoch_is(text epoch, const struct hub_epoch *other)
{
	return (text_is(epoch, hub_epoch_text(other)));
}

void	hub_epoch_set(struct hub_epoch *epoch, text t);

void	hub_begin(struct hub *hub);
void	hub_end(struct hub *hub);

/* Rules that others make use of. */
void	hub_admit(struct hub *hub, struct subscription *sub);
void	hub_deliver(struct hub *hub, struct event *event);
void	hub_drain(struct hub *hub);
void	hub_kick(struct hub *hub);
void	hub_no_stream(struct hub *hub);
void	hub_told(struct hub *hub);
/* Once. The owner may do as he likes in it. */
void	hub_say_subscribed(struct hub *hub, struct subscription *sub,
	    uint64_t head, bool has_recovered, struct hub_resync *resync);

/* Whether the answer at hand speaks for it. */
static inline bool
hub_is_asked(const struct hub *hub, const struct subscription *sub)
{
	return (sub->number <= hub->sent_joins || !HOLDS(ASKED));
}

/* A timer is switched only where that changes something. */
void	hub_run(struct hub *hub, enum hub_timer timer, bool is_on);

/* Nobody is left, or nobody may stay. */
void	hub_detach(struct hub *hub);
/* Back to opening, or to none: whatever was known of the stream is gone. */
void	hub_forget(struct hub *hub);

void	hub_set_state(struct hub *hub, struct subscription *sub,
	    enum subscription_state state);
/* Out of the hub, told why. */
void	hub_end_one(struct hub *hub, struct subscription *sub,
	    enum hub_end why);
/* For the next time that it is admitted. */
void	hub_keep_cursor(struct subscription *sub, text epoch);

/* How many there are to be walked over; who joins meanwhile is behind. */
static inline unsigned
hub_walk(struct hub *hub, const struct hub_set *set)
{
	hub->walks++;
	return (set->count);
}

static inline void
hub_walked(struct hub *hub)
{
	hub->walks--;
}

/* Events that came early. */
void	hub_hold_put(struct hub *hub, struct event *event);
/* The next one, with its reference, or NULL; below it all are forgotten. */
struct event *hub_hold_take(struct hub *hub);
void	hub_hold_empty(struct hub *hub);

#endif
