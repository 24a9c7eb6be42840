/* SPDX-License-Identifier: MIT */
/*
 * What a request says beside what it asks, and how it is answered.
 */
#include <h2o.h>

#include "base/json_out.h"
#include "core/tenant.h"
#include "transport/engineio_inside.h"

static const text code_words[ANSWER_CODES] = {
	[ANSWER_UNKNOWN_TRANSPORT] = TEXT("Transport unknown"),
	[ANSWER_UNKNOWN_SID] = TEXT("Session ID unknown"),
	[ANSWER_BAD_METHOD] = TEXT("Bad handshake method"),
	[ANSWER_BAD_REQUEST] = TEXT("Bad request"),
	[ANSWER_FORBIDDEN] = TEXT("Forbidden"),
	[ANSWER_BAD_VERSION] = TEXT("Unsupported protocol version"),
};

const text engineio_words_type = TEXT("text/html");
const text engineio_packets_type = TEXT("text/plain; charset=UTF-8");
/* Not op_json_type, which is compressed and has a tag. */
static const text code_type = TEXT("application/json");

/* --- facts ------------------------------------------------------------- */

static text
text_of_iovec(h2o_iovec_t from)
{
	return (text_from(from.base, from.len));
}

text
engineio_header(const struct engineio_facts *facts, text name)
{
	const h2o_req_t *req = facts->request;
	text value = TEXT_NONE;

	for (size_t i = 0; i < req->headers.size; i++)
		if (text_is(text_of_iovec(*req->headers.entries[i].name),
		    name))
			value = text_trim(text_of_iovec(
			    req->headers.entries[i].value));
	return (value);
}

text
engineio_cookie(const struct engineio_facts *facts, text name)
{
	const h2o_req_t *req = facts->request;
	text found = TEXT_NONE;

	for (size_t i = 0; i < req->headers.size; i++) {
		text rest = text_of_iovec(req->headers.entries[i].value), one;
		text key, value;

		if (!text_is(text_of_iovec(*req->headers.entries[i].name),
		    TEXT("cookie")))
			continue;
		while (rest.len > 0) {
			text_cut(rest, ';', &one, &rest);
			if (text_cut(text_trim(one), '=', &key, &value) &&
			    text_is(key, name))
				found = value;
		}
	}
	return (found);
}

/* --- answers ----------------------------------------------------------- */

void
engineio_add_header(struct op *op, text name, text value)
{
	struct answer *answer = &op->answer;

	must(answer->headers_count < ANSWER_HEADERS_MAX);
	answer->headers[answer->headers_count++] = (struct answer_header){
	    name, value };
}

/* A listed origin is let in by name, so its cookies may come with it. */
static void
add_credentials(struct op *op)
{
	if (op->tenant != NULL && !op->tenant->allows_any_origin &&
	    op->origin.at != NULL &&
	    tenant_origin_allows(op->tenant, op->origin))
		engineio_add_header(op,
		    TEXT("access-control-allow-credentials"), TEXT("true"));
}

void
engineio_reply(struct op *op, unsigned status, text type, text body)
{
	struct loop *loop = op->ground->service->loop;

	op->answer.is_momentary = true;
	add_credentials(op);
	if (body.len > 0) {
		op->held = bytes_create(body.len);
		memcpy(op->held->at, body.at, body.len);
		body = text_from(op->held->at, body.len);
	}
	/* What is written at a turn's end h2o looks at in the next. */
	if (loop_is_ending(loop))
		loop_again(loop);
	op_reply_as(op, status, type, body);
}

void
engineio_refuse_code(struct op *op, enum engineio_answer code, text words)
{
	struct json_out json;
	struct buf body;

	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	json_object_begin(&json);
	json_key(&json, "code");
	json_int(&json, code);
	json_key(&json, "message");
	json_text(&json, words.at != NULL ? words : code_words[code]);
	json_object_end(&json);
	engineio_reply(op, code == ANSWER_FORBIDDEN ? 403 : 400, code_type,
	    buf_text(&body));
	buf_fini(&body);
}

void
engineio_answer(struct op *op, enum engineio_answer answer, text body)
{
	switch (answer) {
	case ANSWER_PACKETS:
		engineio_reply(op, 200, engineio_packets_type, body);
		break;
	case ANSWER_OK:
		engineio_reply(op, 200, engineio_words_type, TEXT("ok"));
		break;
	case ANSWER_TOO_LARGE:
		engineio_reply(op, 413, engineio_words_type, TEXT_NONE);
		break;
	default:
		engineio_refuse_code(op, answer, TEXT_NONE);
	}
}

void
engineio_refuse(struct op *op, unsigned status)
{
	op->answer.is_momentary = true;
	op_reply_as(op, status, engineio_words_type, TEXT_NONE);
}

/* Upgrades are refused in words, and their connection is closed. */
void
engineio_refuse_upgrade(struct op *op, enum engineio_answer code, text words)
{
	op->answer.has_to_close = true;
	engineio_reply(op, code == ANSWER_FORBIDDEN ? 403 : 400,
	    engineio_words_type, words.at != NULL ? words : code_words[code]);
}
