/* SPDX-License-Identifier: MIT */
/*
 * How a request ended, in a cause and in words for people.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/stamp.h"
#include "jobs/fetch_inside.h"

struct ending {
	CURLcode	 code;
	enum fetch_why	 why;
	const char	*words;		/* NULL: libcurl's own */
};

static const struct ending endings[] = {
	{ CURLE_URL_MALFORMAT, FETCH_BAD_URL, "the URL cannot be read" },
	{ CURLE_LOGIN_DENIED, FETCH_BAD_URL,
	    "the URL has a user or a password in it" },
	{ CURLE_COULDNT_RESOLVE_HOST, FETCH_NO_NAME,
	    "its name was not found" },
	{ CURLE_COULDNT_CONNECT, FETCH_UNREACHABLE, NULL },
	{ CURLE_SSL_CONNECT_ERROR, FETCH_TLS, NULL },
	{ CURLE_PEER_FAILED_VERIFICATION, FETCH_TLS, NULL },
	{ CURLE_SSL_CERTPROBLEM, FETCH_TLS, NULL },
	{ CURLE_SSL_CIPHER, FETCH_TLS, NULL },
	{ CURLE_SSL_CACERT_BADFILE, FETCH_TLS, NULL },
	{ CURLE_SSL_ISSUER_ERROR, FETCH_TLS, NULL },
	{ CURLE_SEND_ERROR, FETCH_CUT,
	    "the connection ended before the answer" },
	{ CURLE_RECV_ERROR, FETCH_CUT, "the connection was cut" },
	{ CURLE_GOT_NOTHING, FETCH_CUT,
	    "the connection ended before the answer" },
	{ CURLE_PARTIAL_FILE, FETCH_CUT,
	    "the connection ended in the middle of the answer" },
	{ CURLE_UNSUPPORTED_PROTOCOL, FETCH_BAD_ANSWER,
	    "what answers there does not speak HTTP" },
	{ CURLE_WEIRD_SERVER_REPLY, FETCH_BAD_ANSWER,
	    "what answers there does not speak HTTP" },
	{ CURLE_HTTP2, FETCH_BAD_ANSWER,
	    "what answers there does not speak HTTP" },
	{ CURLE_BAD_CONTENT_ENCODING, FETCH_BAD_ANSWER,
	    "its answer cannot be read" },
};

const char *
fetch_why_name(enum fetch_why why)
{
	static const char *const names[] = {
		[FETCH_ANSWERED] = "answered", [FETCH_BAD_URL] = "bad_url",
		[FETCH_NOT_ALLOWED] = "not_allowed",
		[FETCH_NO_NAME] = "no_name", [FETCH_REFUSED] = "refused",
		[FETCH_UNREACHABLE] = "unreachable", [FETCH_TLS] = "tls",
		[FETCH_TIMED_OUT] = "timed_out", [FETCH_CUT] = "cut",
		[FETCH_BAD_ANSWER] = "bad_answer",
		[FETCH_TOO_LARGE] = "too_large",
		[FETCH_STOPPED] = "stopped", [FETCH_FAILED] = "failed",
	};

	return (names[why]);
}

void
fetch_doom(struct fetch *fetch, enum fetch_why why, const char *format, ...)
{
	va_list args;

	if (fetch->why != FETCH_ANSWERED)
		return;
	fetch->why = why;
	va_start(args, format);
	vsnprintf(fetch->words, sizeof fetch->words, format, args);
	va_end(args);
}

/* Foreign signs stay out of logs: a certificate's names are in there. */
static void
doom_as_curl_says(struct fetch *fetch, enum fetch_why why, CURLcode code)
{
	fetch_doom(fetch, why, "%s", fetch->error[0] != '\0' ?
	    fetch->error : curl_easy_strerror(code));
	for (char *at = fetch->words; *at != '\0'; at++)
		if (*at < ' ' || *at == 0x7f)
			*at = '?';
}

static void
doom_unconnected(struct fetch *fetch)
{
	long number = 0;

	if (fetch->refusal[0] != '\0' && !fetch->was_opened) {
		fetch_doom(fetch, FETCH_NOT_ALLOWED, "%s", fetch->refusal);
		return;
	}
	curl_easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &number);
	if (number == ECONNREFUSED)
		fetch_doom(fetch, FETCH_REFUSED, "connection refused");
	else
		fetch_doom(fetch, FETCH_UNREACHABLE, "no connection: %s",
		    number != 0 ? strerror((int)number) : "unreachable");
}

static void
doom_timed_out(struct fetch *fetch)
{
	double s = (double)(clock_us() - fetch->began_us) / 1000000;
	curl_off_t connected = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_PRETRANSFER_TIME_T,
	    &connected);
	fetch_doom(fetch, FETCH_TIMED_OUT, "timed out after %.3g s, %s",
	    s, fetch->has_head ? "in the middle of the answer" :
	    connected > 0 ? "before the answer" : "before a connection");
}

static void
doom_by_code(struct fetch *fetch, CURLcode code)
{
	const struct ending *ending = endings;
	const struct ending *behind = endings +
	    sizeof endings / sizeof endings[0];

	if (code == CURLE_COULDNT_CONNECT) {
		doom_unconnected(fetch);
		return;
	}
	if (code == CURLE_OPERATION_TIMEDOUT) {
		doom_timed_out(fetch);
		return;
	}
	while (ending < behind && ending->code != code)
		ending++;
	if (ending == behind)
		doom_as_curl_says(fetch, FETCH_FAILED, code);
	else if (ending->words == NULL)
		doom_as_curl_says(fetch, ending->why, code);
	else
		fetch_doom(fetch, ending->why, "%s", ending->words);
}

/* NULL: it was not sent. */
static const char *
find_header(CURL *easy, const char *name)
{
	struct curl_header *header;

	return (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) ==
	    CURLHE_OK ? header->value : NULL);
}

/* A date is taken by the clock that wrote it, which need not be ours. */
static int64_t
read_retry_after(CURL *easy)
{
	const char *value = find_header(easy, "Retry-After"), *date;
	time_t until, now = -1;
	int64_t s;

	if (value == NULL)
		return (0);
	if (text_to_int64(text_of(value), 0, INT64_MAX, &s))
		return (s);
	until = curl_getdate(value, NULL);
	date = find_header(easy, "Date");
	if (date != NULL)
		now = curl_getdate(date, NULL);
	if (now == -1)
		now = (time_t)(stamp_now() / 1000);
	return (until > now ? until - now : 0);
}

void
fetch_read_end(struct fetch *fetch, CURLcode code, struct fetch_end *out)
{
	int64_t retry_after_s = 0;
	long status = 0;

	if (fetch->easy != NULL) {
		if (code != CURLE_OK && !fetch->has_enough)
			doom_by_code(fetch, code);
		curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE,
		    &status);
		retry_after_s = read_retry_after(fetch->easy);
	}
	*out = (struct fetch_end){ .why = fetch->why, .words = fetch->words,
	    .status = fetch->has_head ? (int)status : 0,
	    .body = buf_text(&fetch->kept),
	    .is_cut = fetch->body_len > fetch->kept.len &&
	    !fetch->request.is_stream,
	    .retry_after_s = retry_after_s,
	    .us = fetch->easy != NULL ? clock_us() - fetch->began_us : 0 };
}
