/* SPDX-License-Identifier: MIT */
/*
 * One request: its handle of libcurl, and what libcurl calls meanwhile.
 */
#include "jobs/fetch_inside.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/count.h"
#include "base/mem.h"

/* Which of libcurl's options is refused is a matter of its build alone. */
#define SET(easy, option, value)					\
	must(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

static struct fetch *
fetch_of(void *me)
{
	return (object_cast(struct fetch, FETCH_MAGIC, me));
}

static void
on_silence(struct fetch *fetch)
{
	fetch_doom(fetch, FETCH_TIMED_OUT, "timed out: nothing came for %g s",
	    (double)fetch->request.silence_ms / 1000);
	fetch_break(fetch);
}

void
fetch_begin_silence(struct fetch *fetch)
{
	if (fetch->request.silence_ms > 0)
		timer_set(fetch_timers(fetch), &fetch->silence,
		    fetch->request.silence_ms);
}

static curl_socket_t
on_open_socket(void *me, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct fetch *fetch = fetch_of(me);
	const struct guard *guard = fetch->request.guard;
	char why[GUARD_WHY_SIZE];

	(void)purpose;
	if (guard != NULL && !guard_allows(guard, &to->addr, to->addrlen,
	    why)) {
		memcpy(fetch->refusal, why, sizeof why);
		return (CURL_SOCKET_BAD);
	}
	fetch->was_opened = true;
	return (socket(to->family, to->socktype | SOCK_CLOEXEC,
	    to->protocol));
}

/* Of a connection that stands, whoever opened it. */
static int
on_connection(void *me, char *theirs, char *ours, int their_port,
    int our_port)
{
	struct fetch *fetch = fetch_of(me);
	const struct guard *guard = fetch->request.guard;
	char why[GUARD_WHY_SIZE];

	(void)ours;
	(void)our_port;
	if (fetch->is_cancelled)
		return (CURL_PREREQFUNC_ABORT);
	if (guard == NULL || guard_allows_end(guard, theirs, their_port, why))
		return (CURL_PREREQFUNC_OK);
	fetch_doom(fetch, FETCH_NOT_ALLOWED, "%s", why);
	return (CURL_PREREQFUNC_ABORT);
}

static void
tell_head(struct fetch *fetch)
{
	char *type = NULL;
	long status = 0;

	if (fetch->has_head)
		return;		/* this ends the trailers */
	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return;
	curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
	fetch->has_head = true;
	if (fetch->request.on_head != NULL)
		fetch->request.on_head(fetch->request.me, (int)status,
		    text_of(type));
}

static size_t
on_header(char *at, size_t size, size_t count, void *me)
{
	struct fetch *fetch = fetch_of(me);
	size_t len = size * count;

	if (fetch->is_cancelled)
		return (CURL_WRITEFUNC_ERROR);
	fetch_begin_silence(fetch);
	fetch->head_len += len;
	if (fetch->head_len > FETCH_HEAD_MAX) {
		fetch_doom(fetch, FETCH_TOO_LARGE,
		    "its headers are larger than %d KiB",
		    FETCH_HEAD_MAX / 1024);
		return (CURL_WRITEFUNC_ERROR);
	}
	if (len <= 2 && (at[0] == '\r' || at[0] == '\n'))
		tell_head(fetch);
	return (fetch->is_cancelled ? CURL_WRITEFUNC_ERROR : len);
}

static bool
take_piece(struct fetch *fetch, text piece)
{
	size_t most = fetch->request.max_answer;
	size_t room = most - fetch->kept.len;

	fetch->body_len += piece.len;
	if (fetch->request.is_stream) {
		if (fetch->body_len > most) {
			fetch_doom(fetch, FETCH_TOO_LARGE,
			    "its answer is larger than %zu bytes", most);
			return (false);
		}
		if (fetch->request.on_body != NULL)
			fetch->request.on_body(fetch->request.me, piece);
		return (!fetch->is_cancelled);
	}
	if (room > 0)
		buf_add(&fetch->kept, text_from(piece.at,
		    piece.len < room ? piece.len : room));
	fetch->has_enough = fetch->body_len > most &&
	    fetch->body_len - most > FETCH_OVERREAD;
	return (!fetch->has_enough);
}

static size_t
on_body(char *at, size_t size, size_t count, void *me)
{
	struct fetch *fetch = fetch_of(me);
	size_t len = size * count;

	if (fetch->is_cancelled)
		return (CURL_WRITEFUNC_ERROR);
	fetch_begin_silence(fetch);
	return (take_piece(fetch, text_from(at, len)) ? len :
	    CURL_WRITEFUNC_ERROR);
}

static void
set_request(struct fetch *fetch, CURL *easy)
{
	const char *method = fetch->method;

	if (fetch->request.is_connection) {
		SET(easy, CURLOPT_CONNECT_ONLY, 1L);
		return;
	}
	SET(easy, CURLOPT_HTTPHEADER, fetch->headers);
	if (strcmp(method, "HEAD") == 0)
		SET(easy, CURLOPT_NOBODY, 1L);
	else if (fetch->request.body.len > 0 || strcmp(method, "POST") == 0) {
		SET(easy, CURLOPT_POST, 1L);
		SET(easy, CURLOPT_POSTFIELDS, fetch->sent);
		SET(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)fetch->request.body.len);
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		SET(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void
set_rules(struct fetch *fetch, CURL *easy, const char *ca_file)
{
	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(easy, CURLOPT_PROXY, "");
	SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(easy, CURLOPT_USERAGENT, "Partyline");
	SET(easy, CURLOPT_NOSIGNAL, 1L);
	/* Else a look-up that hangs would hold the loop when it is ended. */
	SET(easy, CURLOPT_QUICK_EXIT, 1L);
	SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* Libcurl keeps a file's certificates read, but not a folder's. */
	SET(easy, CURLOPT_CAPATH, NULL);
	if (ca_file[0] != '\0')
		SET(easy, CURLOPT_CAINFO, ca_file);
	SET(easy, CURLOPT_TIMEOUT_MS, (long)fetch->request.timeout_ms);
	if (fetch->request.connect_timeout_ms > 0)
		SET(easy, CURLOPT_CONNECTTIMEOUT_MS,
		    (long)fetch->request.connect_timeout_ms);
}

static void
set_calls(struct fetch *fetch, CURL *easy)
{
	SET(easy, CURLOPT_PRIVATE, fetch);
	SET(easy, CURLOPT_ERRORBUFFER, fetch->error);
	SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(easy, CURLOPT_OPENSOCKETDATA, fetch);
	SET(easy, CURLOPT_PREREQFUNCTION, on_connection);
	SET(easy, CURLOPT_PREREQDATA, fetch);
	SET(easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(easy, CURLOPT_HEADERDATA, fetch);
	SET(easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(easy, CURLOPT_WRITEDATA, fetch);
}

CURL *
fetch_prepare(struct fetch *fetch, const char *ca_file)
{
	CURL *easy = curl_easy_init();

	must(easy != NULL);
	if (curl_easy_setopt(easy, CURLOPT_URL, fetch->url) != CURLE_OK) {
		fetch_doom(fetch, FETCH_BAD_URL, "the URL cannot be read");
		curl_easy_cleanup(easy);
		return (NULL);
	}
	set_request(fetch, easy);
	set_rules(fetch, easy, ca_file);
	set_calls(fetch, easy);
	timer_init(&fetch->silence, on_silence, fetch);
	return (easy);
}

void
fetch_free(struct fetch *fetch)
{
	timer_stop(fetch_timers(fetch), &fetch->silence);
	if (fetch->easy != NULL)
		curl_easy_cleanup(fetch->easy);
	curl_slist_free_all(fetch->headers);
	buf_fini(&fetch->kept);
	mem_free(fetch->method);
	mem_free(fetch->url);
	mem_free(fetch->sent);
	object_free(&fetch);
}
