/* SPDX-License-Identifier: MIT */
/*
 * What the files of the relay share: relay.c publishes and watches over both
 * connections, relay_hear.c subscribes and hears.
 *
 * Holds always:
 *  1. A bucket is FOLLOWED only after Redis acknowledged it on the connection
 *     that is up.
 *  2. is_good is said only by relay_judge.
 *
 *	relay_hear_start(relay);	its connection came up
 *	relay_hear_look(relay);		who wants what
 */
#ifndef CORE_RELAY_INSIDE_H
#define CORE_RELAY_INSIDE_H

#include "core/relay.h"

#include "base/buf.h"
#include "core/relay_flight.h"
#include "plat/bus.h"
#include "plat/loop.h"
#include "plat/redis.h"

#define COMPLAINTS 4

enum bucket_state { BUCKET_LEFT, BUCKET_ASKED, BUCKET_FOLLOWED };

struct bucket {
	#define COMPLAINTS 4

enum bucket_state state;
	int64_t		  wanted_ms;	/* when somebody last did */
};

struct relay {
	unsigned		 magic;
#define RELAY_MAGIC 0x72656c61
	struct loop		*loop;
	struct segment		*segment;
	unsigned		 slot;
	const char		*prefix;
	struct ring_writer	 ring;
	struct bus		*bus;
	struct redis		*publishing;
	struct redis		*subscribing;
	struct relay_flights	 flights;
	struct bucket		 buckets[BUCKETS];
	struct buf		 channel;
	struct buf		 message;
	struct timer		 tick;
	struct timer		 more;		/* rings were not read out */
	int64_t			 probed_ms;	/* the last was sent */
	int64_t			 heard_ms;	/* one came round; or both
						 * connections came up */
	bool			 is_listening;	/* for probes */
	bool			 has_heard;	/* one since both are up */
	bool			 is_good;
	bool			 has_connected;
	struct {
		unsigned	 count;		/* since it was last good */
		char		 said[COMPLAINTS][200];
	} complaints;
};

extern const struct redis_acts relay_hear_acts;

/* <prefix>:<bucket>, and that of our probes; until the next call. */
text	relay_channel(struct relay *relay, unsigned bucket);
text	relay_probe_channel(struct relay *relay);
/* Into our own ring, for the processes of this host. */
void	relay_put(struct relay *relay, struct ring_record *record);
/* A connection came up, or was lost, or a probe came round. */
void	relay_up(struct relay *relay);
void	relay_down(struct relay *relay, const char *why);
void	relay_judge(struct relay *relay);
/* Sends one round, if it can be heard. */
void	relay_probe(struct relay *relay);

void	relay_hear_look(struct relay *relay);

#endif
