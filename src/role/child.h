/* SPDX-License-Identifier: MIT */
/*
 * What every child has: its loop, its slot, its heartbeat and the line to
 * the master. A role adds a table of what it does when.
 *
 * Holds always:
 *  1. A child holds of its master's descriptors only what it needs: the
 *     log, the line, its slot's eventfd, the private servers' folder.
 *  2. It says READY once, beats every second, and leaves by itself when it
 *     is told to or when the master is gone. READY comes at the latest
 *     READY_MOST_MS after it began: without PostgreSQL, too, there are
 *     answers to give.
 *  3. It has given up root before it reads the first byte from outside.
 */
#ifndef ROLE_CHILD_H
#define ROLE_CHILD_H

#include "plat/channel.h"
#include "plat/loop.h"
#include "plat/segment.h"

struct admins;
struct conf;
struct child_self;

#define READY_MOST_MS 2000

struct role_acts {
	/* Makes what the role needs; false: said why, the child leaves. */
	bool	(*begin)(struct child_self *self);
	/* Whether it can do its work by now; NULL: from its begin on. */
	bool	(*is_ready)(struct child_self *self);
	/* ACCEPT and RELEASE; fd is the role's. */
	void	(*accept)(struct child_self *self,
		    const struct channel_message *message, int fd);
	/*
	 * Other processes wrote to their rings, or told this role; NULL:
	 * nobody here listens.
	 */
	void	(*news)(struct child_self *self);
	bool	is_told_only;	/* of rings it hears nothing */
	/* Start to finish; then whether all is finished. */
	void	(*drain)(struct child_self *self);
	bool	(*has_finished)(struct child_self *self);
	void	(*end)(struct child_self *self);
};

struct child_self {
	unsigned		 magic;
#define CHILD_SELF_MAGIC 0x63687366
	enum role		 role;
	unsigned		 ordinal;
	unsigned		 slot;
	const struct conf	*conf;
	const struct admins	*admins;	/* of the configuration */
	struct segment		*segment;
	struct loop		*loop;
	int			 channel;
	struct loop_watch	*channel_watch;
	struct loop_watch	*wake_watch;
	struct timer		 beat;
	bool			 has_said_ready;
	int64_t			 ready_by_ms;
	bool			 is_draining;
	int64_t			 leave_by_ms;
	const struct role_acts	*acts;
	void			*of_role;	/* struct worker, … */
};

extern const struct role_acts worker_acts, relay_acts, jobs_acts;

/* To the master: READY, FULL. */
void	child_say(struct child_self *self, enum channel_word word,
	    uint32_t number);

#endif
