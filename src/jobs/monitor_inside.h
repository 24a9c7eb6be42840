/* SPDX-License-Identifier: MIT */
/*
 * What the files of a monitor share: monitor.c has the states and the
 * network, monitor_report.c the database.
 */
#ifndef JOBS_MONITOR_INSIDE_H
#define JOBS_MONITOR_INSIDE_H

#include "jobs/monitor.h"

#include "base/mem.h"
#include "jobs/room.h"
#include "plat/timer.h"

struct dial;
struct fetch;

enum monitor_state {
	MONITOR_CHECKING,	/* REST is asked whether there is a room */
	MONITOR_DIALING,	/* until it says welcome */
	MONITOR_WATCHING,
	MONITOR_PAUSING,
	MONITOR_ENDING,		/* the last report is to be made */
	MONITOR_OVER
};

struct monitor {
	unsigned	 magic;
#define MONITOR_MAGIC 0x6d6f6e69
	struct monitor_setup setup;
	struct monitor_key key;
	int64_t		 session;
	int64_t		 lease;
	char		 code[8];
	char		 host[ROOM_HOST_MAX + 1];
	struct room	 room;
	enum monitor_state state;
	unsigned	 tries;		/* in a row that came to nothing */
	bool		 is_steady;	/* it was watched for a beat */
	bool		 is_hasty;	/* it was lost before that */
	const char	*reason;	/* of the end */
	struct fetch	*check;
	struct dial	*dial;
	struct dial	*probe;
	int64_t		 said;		/* requests of this connection */
	struct timer	 next;		/* of the state at hand */
	struct timer	 beat;

	/* monitor_report.c */
	bool		 is_asking;
	bool		 is_dropped;	/* gone when the answer came */
	bool		 has_news;	/* not reported yet */
	bool		 wants_status;
	bool		 says_end;	/* the report at hand does */
	int64_t		 asked_lease;
	struct timer	 again;
};

void	monitor_state_set(struct monitor *monitor, enum monitor_state state);
/* A report of what is known now, as soon as nothing is asked. */
void	monitor_report(struct monitor *monitor);
void	monitor_status(struct monitor *monitor);
void	monitor_again(struct monitor *monitor);
/* It is over: on_over, and gone. */
void	monitor_finish(struct monitor *monitor);
void	monitor_destroy(struct monitor **monitor);

#endif
