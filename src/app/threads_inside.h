/* SPDX-License-Identifier: MIT */
/*
 * What the files of app/threads share.
 *
 *	threads.c	  sockets, their events, and the sweep
 *	threads_seat.c	  a socket in a thread's stream
 *	threads_told.c	  up to where threads were told, and its report
 *	threads_record.c  what there is to know of a socket, as JSON
 *	threads_others.c  asking all processes for their sockets
 *	threads_debug.c	  /debug/ and debug_status
 */
#ifndef APP_THREADS_INSIDE_H
#define APP_THREADS_INSIDE_H

#include <uthash.h>

#include "app/threads.h"
#include "base/stamp.h"
#include "core/hub.h"
#include "plat/timer.h"

#define THREADS_NAME_MAX	200	/* characters, as in the table */
#define THREADS_INFO_MAX	1024	/* bytes of client_info that are kept */
#define THREADS_AGAIN_MS	500	/* where a report failed */

struct threads_asking;
struct threads_session;

enum threads_purpose {
	THREADS_REGISTER,	/* session_registered */
	THREADS_FORCE,		/* room_joined */
	THREADS_MISSED,		/* what waits alone, and no more */
	THREADS_AGAIN		/* its stream was made anew: nothing is said */
};

/* A thread of which this worker has something to report. */
struct threads_thread {
	unsigned	 magic;
#define THREADS_THREAD_MAGIC 0x74687264
	struct threads	*threads;
	int32_t		 tenant;
	unsigned	 seats;
	uint8_t		 epoch_len;
	char		 epoch[RING_EPOCH_MAX];
	uint64_t	 told;
	bool		 has_to_report;
	bool		 is_reporting;
	struct timer	 again;
	UT_hash_handle	 hh;
	size_t		 key_len;
	size_t		 stream_at;	/* in the key */
	char		 key[];		/* "1 thread:17" */
};

/* A socket in a stream. */
struct threads_seat {
	unsigned	 magic;
#define THREADS_SEAT_MAGIC 0x74736561
	struct threads	*threads;
	struct threads_session *session;	/* NULL: it does not want it */
	struct threads_thread *thread;		/* NULL: it is asked for */
	enum threads_purpose purpose;
	int32_t		 tenant;
	unsigned	 tries;		/* to enter */
	int64_t		 waiting;	/* as it was said */
	int64_t		 left;		/* to be told: its claim */
	uint64_t	 handed;	/* all to this number has left */
	uint64_t	 held;		/* to here is queued; 0: nothing is */
	struct timer	 later;		/* looks whether that has left */
	char		 sid[SOCKETIO_SID_LEN];
	struct subscription sub;
	size_t		 name_len;
	char		 name[];
};

/* A socket. Moments are of the wall clock; 0: never. */
struct threads_session {
	unsigned	 magic;
#define THREADS_SESSION_MAGIC 0x74736573
	struct threads	*threads;
	struct threads_session *prev, *next;
	struct socketio_socket *socket;
	struct threads_seat *seat;	/* of its thread; or NULL */
	struct threads_seat *visit;	/* what waited elsewhere */
	bool		 has_record;	/* false: it was dropped */
	bool		 is_ready;	/* it has registered */
	bool		 has_pending;	/* a turn of its thread is at work */
	char		*thread;	/* NULL: none */
	char		*user;
	char		*info;		/* JSON */
	int64_t		 active_ms;	/* monotonic */
	int64_t		 connected_at, active_at, ping_at;
	int64_t		 server_ping_at, pong_at;	/* system_ping */
	int64_t		 request_at, yield_at;
};

struct threads {
	unsigned	 magic;
#define THREADS_MAGIC 0x74687273
	struct service	*service;
	struct threads_session *sessions;
	struct threads_thread *by_key;
	struct threads_asking *askings;
	struct timer	 sweep;
	unsigned	 calls;		/* of SQL, on their way */
	bool		 is_closing;
	struct socketio_app apps[THREADS_APPS];
};

/* threads.c */
void	threads_log(const struct threads_session *session, const char *what,
	    text more);
void	threads_touch(struct threads_session *session);
/* Its connection; clients come back. */
void	threads_break_off(struct threads_session *session);

/* threads_seat.c */
/* In that place of the session, instead of who is there. */
void	threads_seat_open(struct threads_seat **place,
	    struct threads_session *session, enum threads_purpose purpose,
	    text name);
void	threads_seat_close(struct threads_seat **seat);
/* What is queued for it counts as told: it is on its way. */
void	threads_seat_note(struct threads_seat *seat);
/* Something that was queued for it may have left. */
void	threads_seat_look(struct threads_seat *seat);
/* That it is registered, or joined. */
void	threads_seat_say(const struct threads_seat *seat);

static inline text
threads_seat_name(const struct threads_seat *seat)
{
	return (text_from(seat->name, seat->name_len));
}

/* threads_told.c */
struct threads_thread *threads_thread_get(struct threads *threads,
	    int32_t tenant, text stream, text epoch);
void	threads_thread_give(struct threads_thread *thread);
/* Of the epoch that it has, or of a new one. */
void	threads_thread_told(struct threads_thread *thread, text epoch,
	    uint64_t seq, bool has_to_report);
/* What any worker of this host told, reported or not; 0: it is not known. */
uint64_t threads_told_here(const struct threads *threads, int32_t tenant,
	    text stream, text epoch);
void	threads_call_told(struct threads *threads, int32_t tenant,
	    text stream, text epoch, uint64_t seq, text sid,
	    void (*on_answer)(void *, const struct db_answer *), void *me);
/* The claim of that socket is not needed any more. */
void	threads_release(struct threads *threads, int32_t tenant,
	    text stream, text epoch, uint64_t seq, text sid);

static inline text
threads_stream(const struct threads_thread *thread)
{
	return (text_from(thread->key + thread->stream_at,
	    thread->key_len - thread->stream_at));
}

/* threads_record.c */
void	threads_write_record(const struct threads_session *session,
	    struct json_out *json);
void	threads_write_now(struct json_out *json, const char *key);
/* Of its socket and of its thread, if it has one. */
void	threads_write_names(const struct threads_session *session,
	    struct json_out *json);

/* threads_others.c */
struct threads_answer {
	int64_t		 count;
	text		 records;	/* an array's elements */
};
/* thread at NULL: all of the tenant's. on_answer is called later, once. */
void	threads_ask(struct threads *threads, int32_t tenant, text thread,
	    void (*on_answer)(void *me, const struct threads_answer *answer),
	    void *me);
void	threads_hear(void *threads, int32_t tenant, text payload);
/* All are answered with what there is. */
void	threads_end_askings(struct threads *threads);

/* threads_debug.c */
void	threads_tell_status(struct threads_session *session);

#endif
