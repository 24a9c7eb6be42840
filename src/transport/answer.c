/* SPDX-License-Identifier: MIT */
/*
 * Answers as h2o sends them. Most of what /livez costs beside h2o is here.
 */
#include "transport/answer.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "core/tenant.h"
#include "plat/deflate.h"
#include "plat/digest.h"

/*
 * What is in every answer stands behind one name, as h2o copies values as
 * they are: one copy instead of six.
 */
#define POLICY								\
	"nosniff\r\nReferrer-Policy: no-referrer\r\n"			\
	"X-Frame-Options: DENY\r\n"					\
	"Content-Security-Policy: default-src 'none'; "
#define SECURITY POLICY "frame-ancestors 'none'"
#define SHARED								\
	"\r\nAccess-Control-Allow-Origin: *\r\n"			\
	"Access-Control-Expose-Headers: *"
static h2o_iovec_t always_name = { (char *)(uintptr_t)
    "X-Content-Type-Options", sizeof "X-Content-Type-Options" - 1 };
/* Whose pages may read an answer. */
enum sharing { SHARED_WITH_NOBODY, SHARED_WITH_LISTED, SHARED_WITH_ALL };
static const text always[] = {
	[SHARED_WITH_NOBODY] = TEXT(SECURITY),
	[SHARED_WITH_LISTED] = TEXT(SECURITY),	/* and who is: add_sharing */
	[SHARED_WITH_ALL] = TEXT(SECURITY SHARED),
};

#define HEADERS_USUAL 16		/* of more h2o makes a copy */
#define RETRY_AFTER TEXT("2")

static void
add(struct peer *peer, const h2o_token_t *name, text value)
{
	h2o_add_header(&peer->req->pool, &peer->req->res.headers, name, NULL,
	    value.at, value.len);
}

static void
add_named(struct peer *peer, text name, text value)
{
	h2o_add_header_by_str(&peer->req->pool, &peer->req->res.headers,
	    name.at, name.len, 0, NULL, value.at, value.len);
}

static text
asked(const struct peer *peer, const h2o_token_t *name)
{
	const h2o_headers_t *headers = &peer->req->headers;
	ssize_t i = h2o_find_header(headers, name, -1);

	if (i < 0)
		return (TEXT_NONE);
	return (text_from(headers->entries[i].value.base,
	    headers->entries[i].value.len));
}

/* "0123…", with its quotes. */
static void
write_tag(text body, char out[TAG_SIZE])
{
	out[0] = '"';
	digest_as_hex(body, out + 1, TAG_SIZE - 2);
	out[TAG_SIZE - 2] = '"';
	out[TAG_SIZE - 1] = '\0';
}

static text
tag_of(struct op *op)
{
	struct constant *constant = op->answer.constant;
	char *tag;

	if (constant == NULL) {
		tag = arena_alloc(&op->arena, TAG_SIZE);
		write_tag(op->answer.body, tag);
		return (text_of(tag));
	}
	if (constant->tag[0] == '\0')
		write_tag(constant->body, constant->tag);
	return (text_from(constant->tag, TAG_SIZE - 1));
}

static text
tag_of_packed(struct op *op, text tag)
{
	char *own = arena_copy(&op->arena, tag.at, tag.len + 3);

	memcpy(own + tag.len - 1, "-gz\"", 4);
	return (text_from(own, tag.len + 3));
}

/* The weight that an item of Accept-Encoding gives, 0 or not. */
static bool
is_welcome(text parameters)
{
	text rest = parameters, one, name, value;

	while (rest.len > 0) {
		text_cut(rest, ';', &one, &rest);
		text_cut(one, '=', &name, &value);
		if (!text_is_like(text_trim(name), TEXT("q")))
			continue;
		value = text_trim(value);
		for (size_t i = 0; i < value.len; i++)
			if (value.at[i] >= '1' && value.at[i] <= '9')
				return (true);
		return (false);
	}
	return (true);
}

bool
answer_takes_gzip(text accept_encoding)
{
	text rest = accept_encoding, item, name, parameters;
	bool takes_any = false;

	while (rest.len > 0) {
		text_cut(rest, ',', &item, &rest);
		text_cut(item, ';', &name, &parameters);
		name = text_trim(name);
		if (text_is_like(name, TEXT("gzip")) ||
		    text_is_like(name, TEXT("x-gzip")))
			return (is_welcome(parameters));
		if (text_is(name, TEXT("*")))
			takes_any = is_welcome(parameters);
	}
	return (takes_any);
}

bool
answer_has_tag(text if_none_match, text tag)
{
	text rest = if_none_match, one;

	while (rest.len > 0) {
		text_cut(rest, ',', &one, &rest);
		one = text_trim(one);
		if (text_begins(one, TEXT("W/")))
			one = text_from(one.at + 2, one.len - 2);
		if (text_is(one, tag) || text_is(one, TEXT("*")))
			return (true);
	}
	return (false);
}

static bool
is_document(const struct answer *answer)
{
	return (answer->constant != NULL && answer->constant->is_document);
}

/* It may be compressed. */
static bool
has_representations(const struct answer *answer)
{
	return (answer->media_type.at == op_json_type.at ||
	    is_document(answer));
}

/* What has no end yet has no tag, and neither have the operators' pages. */
static bool
is_whole(const struct peer *peer)
{
	const struct answer *answer = &peer->op->answer;

	return (has_representations(answer) || (peer->door == DOOR_FRONT &&
	    !peer->op->is_stream && !answer->is_momentary &&
	    answer->media_type.at != NULL));
}

/* A document once for all who ask. */
static void
pack(struct op *op)
{
	struct constant *constant = op->answer.constant;

	if (is_document(&op->answer)) {
		if (constant->packed == NULL)
			constant->packed = deflate_to_gzip(constant->body);
		op->held = bytes_share(constant->packed);
	} else
		op->held = deflate_to_gzip(op->answer.body);
	op->answer.body = text_from(op->held->at, op->held->len);
}

static enum sharing
sharing_of(const struct peer *peer, const struct tenant *tenant)
{
	if (peer->door == DOOR_ADMIN)
		return (SHARED_WITH_NOBODY);
	return (tenant == NULL || tenant->allows_any_origin ?
	    SHARED_WITH_ALL : SHARED_WITH_LISTED);
}

static bool
may_be_read(const struct op *op, enum sharing sharing)
{
	return (sharing == SHARED_WITH_ALL ||
	    (sharing == SHARED_WITH_LISTED && op->origin.at != NULL &&
	    tenant_origin_allows(op->tenant, op->origin)));
}

/* The one page that asks, where the tenant lists it. */
static void
add_sharing(struct peer *peer)
{
	struct op *op = peer->op;

	if (!may_be_read(op, SHARED_WITH_LISTED))
		return;
	add_named(peer, TEXT("access-control-allow-origin"), op->origin);
	add_named(peer, TEXT("access-control-expose-headers"), TEXT("*"));
}

static bool
may_be_packed(const struct op *op)
{
	return (has_representations(&op->answer) &&
	    (int64_t)op->answer.body.len >= op->ground->conf->compress_min);
}

/* By which headers of the request the answer differs, in one line. */
static void
add_vary(struct peer *peer, enum sharing sharing)
{
	bool is_by_origin = sharing == SHARED_WITH_LISTED;

	if (may_be_packed(peer->op))
		add(peer, H2O_TOKEN_VARY, is_by_origin ?
		    TEXT("Accept-Encoding, Origin") :
		    TEXT("Accept-Encoding"));
	else if (is_by_origin)
		add(peer, H2O_TOKEN_VARY, TEXT("Origin"));
}

/* Tag, 304 and compression. false: the client has it already. */
static bool
settle_representation(struct peer *peer)
{
	struct op *op = peer->op;
	struct answer *answer = &op->answer;
	bool is_get = text_is(op->method, TEXT("GET")) ||
	    text_is(op->method, TEXT("HEAD"));
	bool has_tag = is_get && answer->status == 200;
	bool is_packed = may_be_packed(op) &&
	    answer_takes_gzip(asked(peer, H2O_TOKEN_ACCEPT_ENCODING));
	text tag = TEXT_NONE;

	if (has_tag) {
		tag = tag_of(op);
		if (is_packed)
			tag = tag_of_packed(op, tag);
		add(peer, H2O_TOKEN_ETAG, tag);
		if (answer_has_tag(asked(peer, H2O_TOKEN_IF_NONE_MATCH), tag))
			return (false);
	}
	if (is_packed) {
		pack(op);
		add(peer, H2O_TOKEN_CONTENT_ENCODING, TEXT("gzip"));
	}
	return (true);
}

/* In the arena, for a header. */
static text
number_text(struct op *op, int64_t number)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRId64, number);

	return (op_keep(op, text_from(digits, (size_t)len)));
}

static void
add_limit(struct peer *peer)
{
	struct op *op = peer->op;
	const struct limit_state *limit = &op->limit;
	struct buf line;

	buf_init(&line, BUF_NO_LIMIT);
	buf_printf(&line, "\"%s\";q=%" PRId64, limit->policy, limit->quota);
	if (limit->window_s > 0)
		buf_printf(&line, ";w=%" PRId64, limit->window_s);
	add_named(peer, TEXT("ratelimit-policy"),
	    op_keep(op, buf_text(&line)));
	buf_clear(&line);
	buf_printf(&line, "\"%s\";r=%" PRId64, limit->policy,
	    limit->remaining);
	if (limit->window_s > 0)
		buf_printf(&line, ";t=%" PRId64, limit->reset_s);
	add_named(peer, TEXT("ratelimit"), op_keep(op, buf_text(&line)));
	buf_fini(&line);
}

static void
add_rare(struct peer *peer, enum sharing sharing)
{
	struct op *op = peer->op;
	const struct answer *answer = &op->answer;

	if (answer->allow.at != NULL)
		add(peer, H2O_TOKEN_ALLOW, answer->allow);
	if (answer->status == 401)
		add(peer, H2O_TOKEN_WWW_AUTHENTICATE, TEXT("Bearer"));
	if (answer->err == ERR_upgrade_required) {
		add_named(peer, TEXT("upgrade"), TEXT("websocket"));
		add_named(peer, TEXT("sec-websocket-version"), TEXT("13"));
	}
	if (answer->retry_after_s > 0)
		add(peer, H2O_TOKEN_RETRY_AFTER,
		    number_text(op, answer->retry_after_s));
	else if (answer->err != ERR_none &&
	    (answer->status == 503 || answer->status == 429 ||
	    answer->err == ERR_idempotency_in_progress))
		add(peer, H2O_TOKEN_RETRY_AFTER, RETRY_AFTER);
	if (answer->status == 204 && answer->allow.at != NULL &&
	    may_be_read(op, sharing)) {
		add_named(peer, TEXT("access-control-allow-methods"),
		    answer->allow);
		add_named(peer, TEXT("access-control-allow-headers"),
		    TEXT("*, Authorization"));
		add_named(peer, TEXT("access-control-max-age"), TEXT("600"));
	}
}

/*
 * Reads may be kept by who asks again with their tag; what is for one caller
 * only by himself.
 */
static text
may_keep(const struct op *op)
{
	bool is_read = op->cached != NULL || (op->row != NULL &&
	    (op->row->way == WAY_READ || op->row->way == WAY_SLOW)) ||
	    is_document(&op->answer);

	if (!is_read || op->answer.status != 200)
		return (TEXT("no-store"));
	return (op->caller == NULL ? TEXT("no-cache") :
	    TEXT("private, no-cache"));
}

static void
count(const struct op *op)
{
	COUNT(requests);
	if (op->answer.status < 400)
		COUNT(requests_2xx);
	else if (op->answer.status < 500)
		COUNT(requests_4xx);
	else
		COUNT(requests_5xx);
	/* How long somebody wanted to wait says nothing about us. */
	if (!op->was_held)
		HISTOGRAM_ADD(request, op->answer_us - op->arrival_us);
}

/* What every answer says, with a page's own policy where it has one. */
static h2o_iovec_t
security_of(struct op *op, enum sharing sharing)
{
	text said = always[sharing];
	struct buf line;

	if (op->answer.policy.at != NULL) {
		buf_init(&line, BUF_NO_LIMIT);
		buf_add(&line, TEXT(POLICY));
		buf_add(&line, op->answer.policy);
		buf_add(&line, text_from(said.at + sizeof POLICY - 1,
		    said.len - (sizeof POLICY - 1)));
		said = op_keep(op, buf_text(&line));
		buf_fini(&line);
	}
	return (h2o_iovec_init(said.at, said.len));
}

void
answer_prepare(struct peer *peer)
{
	h2o_req_t *req = peer->req;
	struct op *op = peer->op;
	struct answer *answer = &op->answer;
	enum sharing sharing = sharing_of(peer, op->tenant);
	h2o_header_t *first;

	must(op->is_answered);
	req->res.headers = (h2o_headers_t){ .entries = NULL };
	h2o_vector_reserve(&req->pool, &req->res.headers, HEADERS_USUAL);
	first = &req->res.headers.entries[req->res.headers.size++];
	*first = (h2o_header_t){ .name = &always_name, .value =
	    security_of(op, sharing) };
	if (sharing == SHARED_WITH_LISTED)
		add_sharing(peer);
	add_named(peer, TEXT("x-request-id"), op->request_id);
	add(peer, H2O_TOKEN_CACHE_CONTROL, may_keep(op));
	for (unsigned i = 0; i < answer->headers_count; i++)
		add_named(peer, answer->headers[i].name,
		    answer->headers[i].value);
	if (op->limit.applies)
		add_limit(peer);
	if (answer->status != 200)
		add_rare(peer, sharing);
	add_vary(peer, sharing);
	if (is_whole(peer) && !settle_representation(peer)) {
		answer->status = 304;
		answer->media_type = TEXT_NONE;
		answer->body = TEXT_NONE;
	}
	if (answer->media_type.at != NULL)
		add(peer, H2O_TOKEN_CONTENT_TYPE, answer->media_type);
	req->res.status = (int)answer->status;
	req->res.reason = status_reason(answer->status);
	/* 204 and 304 have no length, because they have no body. */
	req->res.content_length = answer->status == 204 ||
	    answer->status == 304 || op->is_stream ? SIZE_MAX :
	    answer->body.len;
	if (answer->has_to_close)
		req->http1_is_persistent = 0;
	count(op);
}

void
answer_send(struct peer *peer)
{
	static h2o_generator_t complete = { NULL, NULL };
	struct op *op = peer->op;
	h2o_iovec_t body;
	bool has_body;

	answer_prepare(peer);
	body = h2o_iovec_init(op->answer.body.at, op->answer.body.len);
	has_body = body.len > 0 && !text_is(op->method, TEXT("HEAD"));
	h2o_start_response(peer->req, &complete);
	h2o_send(peer->req, &body, has_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}

void
answer_write_refusal(const struct peer *peer, enum err err, struct buf *out)
{
	unsigned status = error_rows[err].status;
	char id[OP_ID_MADE + 1];
	struct arena arena;
	text body;

	arena_init(&arena);
	op_make_id(id);
	body = op_error_body(&arena, err, TEXT_NONE, TEXT_NONE,
	    text_from(id, OP_ID_MADE));
	buf_printf(out, "HTTP/1.1 %u %s\r\nConnection: close\r\n"
	    "Content-Length: %zu\r\nContent-Type: application/json\r\n"
	    "X-Request-Id: %s\r\nCache-Control: no-store\r\n", status,
	    status_reason(status), body.len, id);
	if (status == 503 || status == 429)
		buf_printf(out, "Retry-After: %s\r\n", RETRY_AFTER.at);
	buf_printf(out, "%s: %s\r\n\r\n", always_name.base,
	    always[sharing_of(peer, NULL)].at);
	buf_add(out, body);
	arena_fini(&arena);
	COUNT(requests);
	if (status < 500)
		COUNT(requests_4xx);
	else
		COUNT(requests_5xx);
	if (peer->peers->ground->conf->access_log)
		log_info("request refused while it arrived",
		    F("code", error_rows[err].code), F("status", status),
		    F("address", (const char *)peer->address_text),
		    F("requestId", (const char *)id),
		    F("door", door_name(peer->door)));
}
