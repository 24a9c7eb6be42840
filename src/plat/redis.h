/* SPDX-License-Identifier: MIT */
/*
 * A connection to Redis on the loop, for publishing or for subscribing: one
 * that subscribes can do nothing else. It is made, and made again, for ever.
 *
 *	RESTING -> LOOKING_UP -> GREETING -> UP -> BROKEN
 *	   ^           |            |               |
 *	   '-----------'------------'---------------'
 *
 * Holds always:
 *  1. on_up is told after AUTH, SELECT and PING were answered well; on_down
 *     for each attempt that failed and when an UP one is lost, with why in
 *     words. Between on_down and the next on_up nothing else is told.
 *  2. What was published is answered in its order, by on_published. What was
 *     on its way when the connection was lost is never answered.
 *  3. A lost connection is made again soon, then with growing pauses up to
 *     REDIS_PAUSE_MOST_MS. Connecting and greeting have REDIS_WAIT_MS.
 *  4. Names are looked up in a thread; where there are several addresses,
 *     each attempt takes the next one.
 *  5. Nothing here waits, nor bounds what is on its way: who publishes does.
 *     No url and no password is in what is told.
 *
 *	redis = redis_create(&(struct redis_setup){ .loop = loop,
 *	    .url = conf->redis_url, .acts = &acts, .context = me });
 *	if (redis_is_up(redis))
 *		redis_publish(redis, channel, message);
 *	redis_destroy(&redis);
 */
#ifndef PLAT_REDIS_H
#define PLAT_REDIS_H

#include "base/text.h"
#include "plat/loop.h"

#define REDIS_WAIT_MS		3000
#define REDIS_PAUSE_FIRST_MS	50
#define REDIS_PAUSE_MOST_MS	5000

struct redis;

/* None may call redis_destroy; texts are valid until it returns. */
struct redis_acts {
	void	(*on_up)(void *context);
	void	(*on_down)(void *context, const char *why);
	/* NULL for a connection that does not publish. */
	void	(*on_published)(void *context);
	/* NULL for a connection that does not subscribe. */
	void	(*on_subscribed)(void *context, text channel);
	void	(*on_message)(void *context, text channel, text message);
};

struct redis_setup {
	struct loop		*loop;
	const char		*url;	/* one that redis_url_read takes */
	const struct redis_acts	*acts;
	void			*context;
};

struct redis	*redis_create(const struct redis_setup *setup);
/* Tells nothing any more. */
void		 redis_destroy(struct redis **redis);

bool	redis_is_up(const struct redis *redis);
/* Loses it, as if Redis had gone: on_down comes with the next turn. */
void	redis_break(struct redis *redis, const char *why);

/* While it is up. */
void	redis_publish(struct redis *redis, text channel, text message);
void	redis_subscribe(struct redis *redis, text channel);
void	redis_unsubscribe(struct redis *redis, text channel);

#endif
