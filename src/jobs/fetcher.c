/* SPDX-License-Identifier: MIT */
/*
 * All requests: whose turn it is, and libcurl's multi handle on the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "jobs/fetch_inside.h"
#include "jobs/ground.h"
#include "plat/loop.h"

#define EVENTS_A_TURN 64

struct fetcher {
	unsigned	 magic;
#define FETCHER_MAGIC 0x66747272
	struct ground	*ground;
	CURLM		*multi;
	int		 set;		/* epoll's; of libcurl's sockets */
	struct loop_watch *watch;
	struct timer	 curl_timer;
	struct timer	 soon;		/* what must not be done at once */
	struct origin	*origins;	/* by key: those with any fetch */
	struct origin	*in_turn;	/* that wait, below their bound */
	struct fetch	*doomed;
	struct fetch	*at_work;
	unsigned	 at_work_count;
	struct dials	 dials;
	bool		 is_inside;	/* of a call of libcurl */
	bool		 has_cancelled;	/* some, meanwhile */
	bool		 is_stopped;
};

struct timers *
fetch_timers(const struct fetch *fetch)
{
	return (loop_timers(fetch->fetcher->ground->loop));
}

struct dials *
fetcher_dials(struct fetcher *fetcher)
{
	object_check(fetcher, FETCHER_MAGIC);
	return (&fetcher->dials);
}

struct ground *
fetcher_ground(const struct fetcher *fetcher)
{
	return (fetcher->ground);
}

static void
plan(struct fetcher *fetcher)
{
	if (!timer_is_set(&fetcher->soon))
		timer_set(loop_timers(fetcher->ground->loop), &fetcher->soon,
		    0);
}

/* Origins. */

static struct origin *
origin_find(struct fetcher *fetcher, const char *key)
{
	struct origin *origin;
	size_t len = strlen(key);

	HASH_FIND(hh, fetcher->origins, key, len, origin);
	if (origin != NULL)
		return (origin);
	origin = mem_alloc(sizeof *origin + len + 1);
	memcpy(origin->key, key, len + 1);
	HASH_ADD_KEYPTR(hh, fetcher->origins, origin->key, len, origin);
	return (origin);
}

/* After any change of what it has: into the turn or out of it, or gone. */
static void
origin_settle(struct fetcher *fetcher, struct origin *origin)
{
	bool belongs = origin->waiting != NULL && origin->at_work <
	    fetcher->ground->conf->outgoing_per_origin;

	if (belongs && !origin->is_in_turn)
		DL_APPEND(fetcher->in_turn, origin);
	else if (!belongs && origin->is_in_turn)
		DL_DELETE(fetcher->in_turn, origin);
	origin->is_in_turn = belongs;
	if (origin->waiting != NULL || origin->at_work > 0)
		return;
	HASH_DEL(fetcher->origins, origin);
	mem_free(origin);
}

static void
unlink_fetch(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;

	switch (fetch->state) {
	case FETCH_WAITING:
		DL_DELETE(fetch->origin->waiting, fetch);
		GAUGE_ADD(outgoing_waiting, -1);
		origin_settle(fetcher, fetch->origin);
		break;
	case FETCH_DOOMED:
		DL_DELETE(fetcher->doomed, fetch);
		break;
	case FETCH_AT_WORK:
		must(!fetcher->is_inside);
		curl_multi_remove_handle(fetcher->multi, fetch->easy);
		DL_DELETE(fetcher->at_work, fetch);
		fetcher->at_work_count--;
		GAUGE_SET(outgoing_at_work, fetcher->at_work_count);
		fetch->origin->at_work--;
		origin_settle(fetcher, fetch->origin);
		if (fetcher->in_turn != NULL)
			plan(fetcher);
		break;
	case FETCH_TELLING:
		must_never("who is told is in no list");
	}
	fetch->state = FETCH_TELLING;
}

static void
count_end(const struct fetch_end *end)
{
	if (end->why == FETCH_ANSWERED)
		return;
	COUNT(outgoing_failed);
	if (end->why == FETCH_NOT_ALLOWED)
		COUNT(outgoing_not_allowed);
}

static void
hand_over(struct fetch *fetch)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	int copy = -1;

	curl_easy_getinfo(fetch->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd != CURL_SOCKET_BAD)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		fetch_doom(fetch, FETCH_FAILED, "no descriptor is left");
	else
		fetch->request.on_connected(fetch->request.me, copy);
}

static void
finish(struct fetch *fetch, CURLcode code)
{
	struct fetch_end end;

	if (fetch->easy != NULL && fetch->request.is_connection &&
	    fetch->why == FETCH_ANSWERED && code == CURLE_OK) {
		fetch->fetcher->is_inside = true;	/* he may cancel */
		hand_over(fetch);
		fetch->fetcher->is_inside = false;
	}
	if (fetch->is_cancelled) {
		unlink_fetch(fetch);
		fetch_free(fetch);
		return;
	}
	fetch_read_end(fetch, code, &end);
	unlink_fetch(fetch);
	count_end(&end);
	fetch->request.on_end(fetch->request.me, &end);
	fetch_free(fetch);
}

void
fetch_break(struct fetch *fetch)
{
	finish(fetch, CURLE_ABORTED_BY_CALLBACK);
}

/* Whose turn it is. */

static void
begin(struct fetcher *fetcher, struct fetch *fetch)
{
	struct origin *origin = fetch->origin;

	DL_DELETE(origin->waiting, fetch);
	GAUGE_ADD(outgoing_waiting, -1);
	fetch->easy = fetch_prepare(fetch, fetcher->ground->conf->outgoing_ca);
	if (fetch->easy == NULL) {
		fetch->state = FETCH_DOOMED;
		fetch->origin = NULL;
		DL_APPEND(fetcher->doomed, fetch);
		origin_settle(fetcher, origin);
		return;
	}
	fetch->state = FETCH_AT_WORK;
	DL_APPEND(fetcher->at_work, fetch);
	fetcher->at_work_count++;
	GAUGE_SET(outgoing_at_work, fetcher->at_work_count);
	COUNT(outgoing_requests);
	origin->at_work++;
	/* To the end of the turn. */
	DL_DELETE(fetcher->in_turn, origin);
	origin->is_in_turn = false;
	origin_settle(fetcher, origin);
	fetch->began_us = clock_us();
	fetch_begin_silence(fetch);
	if (curl_multi_add_handle(fetcher->multi, fetch->easy) != CURLM_OK)
		must_never("a new handle fits into libcurl's own");
}

static void
on_soon(struct fetcher *fetcher)
{
	struct fetch *fetch;
	int count;

	while (fetcher->at_work_count <
	    fetcher->ground->conf->outgoing_at_once &&
	    fetcher->in_turn != NULL)
		begin(fetcher, fetcher->in_turn->waiting);
	/* Those of now: what is started meanwhile has its own turn. */
	DL_COUNT(fetcher->doomed, fetch, count);
	while (count-- > 0 && fetcher->doomed != NULL)
		finish(fetcher->doomed, CURLE_OK);
}

/* Libcurl. */

static void
remove_cancelled(struct fetcher *fetcher)
{
	struct fetch *fetch, *next;

	if (!fetcher->has_cancelled)
		return;
	fetcher->has_cancelled = false;
	DL_FOREACH_SAFE(fetcher->at_work, fetch, next)
		if (fetch->is_cancelled) {
			unlink_fetch(fetch);
			fetch_free(fetch);
		}
}

static void
act(struct fetcher *fetcher, curl_socket_t fd, int events)
{
	CURLMsg *message;
	int count;

	fetcher->is_inside = true;
	curl_multi_socket_action(fetcher->multi, fd, events, &count);
	fetcher->is_inside = false;
	remove_cancelled(fetcher);
	while ((message = curl_multi_info_read(fetcher->multi,
	    &count)) != NULL) {
		CURLcode code = message->data.result;
		void *fetch;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
		    &fetch);
		finish(object_cast(struct fetch, FETCH_MAGIC, fetch), code);
	}
}

static void
on_curl_timer(struct fetcher *fetcher)
{
	act(fetcher, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_wish_for_time(CURLM *multi, long ms, void *me)
{
	struct fetcher *fetcher = object_cast(struct fetcher, FETCHER_MAGIC,
	    me);
	struct timers *timers = loop_timers(fetcher->ground->loop);

	(void)multi;
	if (ms < 0)
		timer_stop(timers, &fetcher->curl_timer);
	else
		timer_set(timers, &fetcher->curl_timer, ms);
	return (0);
}

static int
on_wish_for_socket(CURL *easy, curl_socket_t fd, int what, void *me,
    void *is_known)
{
	struct fetcher *fetcher = object_cast(struct fetcher, FETCHER_MAGIC,
	    me);
	struct epoll_event event = { .data.fd = fd, .events =
	    (what & CURL_POLL_IN ? EPOLLIN : 0U) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0U) };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(fetcher->set, EPOLL_CTL_DEL, fd, &event);
		return (0);
	}
	if (is_known == NULL)
		curl_multi_assign(fetcher->multi, fd, fetcher);
	/* Where a number was used again, either may be what it needs. */
	if (epoll_ctl(fetcher->set, is_known == NULL ? EPOLL_CTL_ADD :
	    EPOLL_CTL_MOD, fd, &event) != 0 &&
	    epoll_ctl(fetcher->set, is_known == NULL ? EPOLL_CTL_MOD :
	    EPOLL_CTL_ADD, fd, &event) != 0)
		return (-1);
	return (0);
}

static void
on_readable(struct fetcher *fetcher)
{
	struct epoll_event events[EVENTS_A_TURN];
	int count = epoll_wait(fetcher->set, events, EVENTS_A_TURN, 0);

	for (int i = 0; i < count; i++)
		act(fetcher, events[i].data.fd,
		    (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		    (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		    (events[i].events & (EPOLLERR | EPOLLHUP) ?
		    CURL_CSELECT_ERR : 0));
}

struct fetcher *
fetcher_create(struct ground *ground)
{
	struct fetcher *fetcher = object_create(struct fetcher,
	    FETCHER_MAGIC);

	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	fetcher->ground = ground;
	fetcher->multi = curl_multi_init();
	fetcher->set = epoll_create1(EPOLL_CLOEXEC);
	must(fetcher->multi != NULL && fetcher->set >= 0);
	fetcher->watch = loop_watch_readable(ground->loop, fetcher->set,
	    on_readable, fetcher);
	must(fetcher->watch != NULL);
	timer_init(&fetcher->curl_timer, on_curl_timer, fetcher);
	timer_init(&fetcher->soon, on_soon, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION,
	    on_wish_for_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION,
	    on_wish_for_time);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_PIPELINING,
	    (long)CURLPIPE_NOTHING);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS,
	    (long)ground->conf->outgoing_at_once);
	return (fetcher);
}

static void
doom_all_waiting(struct fetcher *fetcher)
{
	struct origin *origin, *after;

	HASH_ITER(hh, fetcher->origins, origin, after) {
		unsigned at_work = origin->at_work++;	/* it stays */

		while (origin->waiting != NULL) {
			struct fetch *fetch = origin->waiting;

			unlink_fetch(fetch);
			fetch->origin = NULL;
			fetch->state = FETCH_DOOMED;
			fetch_doom(fetch, FETCH_STOPPED,
			    "the server is ending");
			DL_APPEND(fetcher->doomed, fetch);
		}
		origin->at_work = at_work;
		origin_settle(fetcher, origin);
	}
}

void
fetcher_stop(struct fetcher *fetcher)
{
	object_check(fetcher, FETCHER_MAGIC);
	fetcher->is_stopped = true;
	doom_all_waiting(fetcher);
	plan(fetcher);
}

bool
fetcher_is_idle(const struct fetcher *fetcher)
{
	return (fetcher->at_work == NULL && fetcher->doomed == NULL);
}

void
fetcher_destroy(struct fetcher **given)
{
	struct fetcher *fetcher = *given;
	struct timers *timers;

	*given = NULL;
	if (fetcher == NULL)
		return;
	object_check(fetcher, FETCHER_MAGIC);
	timers = loop_timers(fetcher->ground->loop);
	fetcher_stop(fetcher);
	while (fetcher->at_work != NULL) {
		fetch_doom(fetcher->at_work, FETCH_STOPPED,
		    "the server is ending");
		fetch_break(fetcher->at_work);
	}
	while (fetcher->doomed != NULL)
		finish(fetcher->doomed, CURLE_OK);
	must(fetcher->origins == NULL);
	dials_end(&fetcher->dials);
	curl_multi_cleanup(fetcher->multi);
	timer_stop(timers, &fetcher->curl_timer);
	timer_stop(timers, &fetcher->soon);
	loop_forget(&fetcher->watch);
	close(fetcher->set);
	curl_global_cleanup();
	object_free(&fetcher);
}

/* One of them. */

static void
copy_headers(struct fetch *fetch, const struct fetch_request *request)
{
	struct buf line;

	buf_init(&line, BUF_NO_LIMIT);
	for (unsigned i = 0; i < request->header_count; i++) {
		const struct fetch_header *header = &request->headers[i];

		must(!text_has(header->value, '\r') &&
		    !text_has(header->value, '\n') &&
		    !text_has(header->value, '\0'));
		buf_clear(&line);
		buf_add_string(&line, header->name);
		/* How libcurl wants one that is empty. */
		buf_add_string(&line, header->value.len > 0 ? ": " : ";");
		buf_add(&line, header->value);
		fetch->headers = curl_slist_append(fetch->headers, line.at);
	}
	buf_fini(&line);
	/* Nobody is asked whether he wants the body: that costs a second. */
	fetch->headers = curl_slist_append(fetch->headers, "Expect:");
}

static struct fetch *
copy(struct fetcher *fetcher, const struct fetch_request *request)
{
	struct fetch *fetch = object_create(struct fetch, FETCH_MAGIC);

	fetch->fetcher = fetcher;
	fetch->request = *request;
	fetch->method = mem_copy_string(request->method != NULL ?
	    request->method : "GET");
	fetch->url = mem_copy_string(request->url);
	fetch->sent = mem_copy_text(request->body);
	copy_headers(fetch, request);
	buf_init(&fetch->kept, request->max_answer + 1);
	return (fetch);
}

/* false: there is none. What curl reads, not what was written. */
static bool
write_origin(const char *url, struct buf *out)
{
	static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST,
	    CURLUPART_PORT };
	CURLU *read = curl_url();
	bool is_read;

	must(read != NULL);
	is_read = curl_url_set(read, CURLUPART_URL, url, 0) == CURLUE_OK;
	for (unsigned i = 0; is_read && i < 3; i++) {
		char *part;

		is_read = curl_url_get(read, parts[i], &part,
		    CURLU_DEFAULT_PORT) == CURLUE_OK;
		if (is_read) {
			buf_add_string(out, part);
			buf_add_char(out, ' ');
			curl_free(part);
		}
	}
	curl_url_cleanup(read);
	return (is_read);
}

static void
judge(struct fetch *fetch)
{
	const struct guard *guard = fetch->request.guard;
	char why[GUARD_WHY_SIZE];

	if (fetch->fetcher->is_stopped)
		fetch_doom(fetch, FETCH_STOPPED, "the server is ending");
	else if (guard != NULL && !guard_takes(guard, fetch->url, why))
		fetch_doom(fetch, strncmp(why, "address", 7) == 0 ?
		    FETCH_NOT_ALLOWED : FETCH_BAD_URL, "%s", why);
}

struct fetch *
fetch_start(struct fetcher *fetcher, const struct fetch_request *request)
{
	struct fetch *fetch;
	struct buf key;

	object_check(fetcher, FETCHER_MAGIC);
	must(request->on_end != NULL && (!request->is_connection ||
	    request->on_connected != NULL));
	fetch = copy(fetcher, request);
	judge(fetch);
	buf_init(&key, BUF_NO_LIMIT);
	if (fetch->why == FETCH_ANSWERED && !write_origin(fetch->url, &key))
		fetch_doom(fetch, FETCH_BAD_URL, "the URL cannot be read");
	if (fetch->why != FETCH_ANSWERED) {
		fetch->state = FETCH_DOOMED;
		DL_APPEND(fetcher->doomed, fetch);
	} else {
		fetch->state = FETCH_WAITING;
		fetch->origin = origin_find(fetcher, key.at);
		DL_APPEND(fetch->origin->waiting, fetch);
		GAUGE_ADD(outgoing_waiting, 1);
		origin_settle(fetcher, fetch->origin);
	}
	buf_fini(&key);
	plan(fetcher);
	return (fetch);
}

void
fetch_cancel(struct fetch **given)
{
	struct fetch *fetch = *given;

	*given = NULL;
	if (fetch == NULL)
		return;
	object_check(fetch, FETCH_MAGIC);
	if (fetch->state == FETCH_TELLING)
		return;
	if (fetch->state == FETCH_AT_WORK && fetch->fetcher->is_inside) {
		fetch->is_cancelled = true;
		fetch->fetcher->has_cancelled = true;
		return;
	}
	unlink_fetch(fetch);
	fetch_free(fetch);
}
