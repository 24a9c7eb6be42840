/* SPDX-License-Identifier: MIT */
/*
 * Making tickets and taking them.
 */
#include "core/ticket.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json_out.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/act.h"
#include "core/json.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/digest.h"

#define TICKET_LIFE_S	60
#define TICKET_BYTES	32

struct making {
	struct op	*op;
	text		 ticket;
};

struct using {
	struct op	*op;
	text		 ticket;
	void		(*go_on)(struct op *op);
};

static void
add_hex(struct buf *out, const void *at, size_t len)
{
	const unsigned char *bytes = at;

	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%02x", bytes[i]);
}

static text
make_ticket(struct op *op)
{
	const struct caller *caller = op->caller;
	unsigned char random[TICKET_BYTES];
	struct buf words;
	text ticket;

	buf_init(&words, BUF_NO_LIMIT);
	secret_fill(random, sizeof random);
	add_hex(&words, random, sizeof random);
	buf_printf(&words, ".%" PRId64 ".%" PRId64 ".", caller->timestamp_ms,
	    caller->exp);
	add_hex(&words, caller->jti.at, caller->jti.len);
	ticket = op_keep(op, buf_text(&words));
	buf_fini(&words);
	return (ticket);
}

static void
on_made(void *context, const struct db_answer *answer)
{
	struct making *making = context;
	struct op *op = making->op;
	struct json_out json;
	struct buf body;

	if (answer->result != DB_ROWS) {
		act_fail(op, answer);
		return;
	}
	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	json_object_begin(&json);
	json_key(&json, "ticket");
	json_text(&json, making->ticket);
	json_key(&json, "stream");
	json_text(&json, op->inputs[0]);
	json_key(&json, "expiresIn");
	json_int(&json, TICKET_LIFE_S);
	json_object_end(&json);
	op_reply(op, 201, op_keep(op, buf_text(&body)));
	buf_fini(&body);
}

static void
ask(struct op *op, enum function function, text stream, text ticket,
    void (*on_answer)(void *, const struct db_answer *), void *me)
{
	char hash[2 * DIGEST_SIZE + 1];
	struct call_context context;
	text inputs[2] = { stream };

	digest_as_hex(ticket, hash, sizeof hash);
	inputs[1] = text_of(hash);
	act_context(op, &context);
	service_ask(op->ground->service, function, &context, TEXT_NONE,
	    inputs, 2, on_answer, me);
}

void
operation_auth_ticket(struct op *op)
{
	struct making *making = arena_alloc(&op->arena, sizeof *making);

	act_wait(op);
	making->op = op;
	making->ticket = make_ticket(op);
	ask(op, FUNCTION_ticket_create, op->inputs[0], making->ticket,
	    on_made, making);
}

/* --- using one -------------------------------------------------------- */

static int
digit_value(char c)
{
	return (c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

static bool
read_hex(struct op *op, text hex, text *out)
{
	char *at = arena_alloc(&op->arena, hex.len / 2 + 1);

	for (size_t i = 0; i + 1 < hex.len; i += 2) {
		int high = digit_value(hex.at[i]);
		int low = digit_value(hex.at[i + 1]);

		if (high < 0 || low < 0)
			return (false);
		at[i / 2] = (char)(high << 4 | low);
	}
	*out = text_from(at, hex.len / 2);
	return (hex.len % 2 == 0);
}

/* What the ticket says of the token that it was made with. */
static bool
read_token(struct op *op, text ticket, struct caller *caller)
{
	text random, moment, exp, jti;

	return (text_cut(ticket, '.', &random, &moment) &&
	    text_cut(moment, '.', &moment, &exp) &&
	    text_cut(exp, '.', &exp, &jti) &&
	    text_to_int64(moment, 0, INT64_MAX, &caller->timestamp_ms) &&
	    text_to_int64(exp, 0, INT64_MAX, &caller->exp) &&
	    read_hex(op, jti, &caller->jti));
}

/* {"caller":"admin:Ann","role":"admin"} */
static bool
read_caller(struct op *op, text body, struct caller *caller)
{
	struct json_object *json = json_in_read(body);
	text id, kind, role;
	bool is_good = json != NULL && json_in_text(json, "caller", &id) &&
	    json_in_text(json, "role", &role);

	if (is_good) {
		caller->id = op_keep(op, id);
		caller->rank = rank_of(role);
		is_good = text_cut(caller->id, ':', &kind, &caller->name);
	}
	json_in_free(&json);
	return (is_good);
}

static void
on_used(void *context, const struct db_answer *answer)
{
	struct using *using = context;
	struct op *op = using->op;
	struct who_book *who = op->ground->service->who;
	struct caller *caller;
	struct call_row row;

	if (answer->result != DB_ROWS || !act_answer_row(answer, &row)) {
		act_fail(op, answer);
		return;
	}
	caller = arena_alloc(&op->arena, sizeof *caller);
	caller->tenant = op->tenant->id;
	if (!read_token(op, using->ticket, caller) ||
	    !read_caller(op, row.body, caller) ||
	    caller->exp <= stamp_now() / 1000 || who_is_revoked(who, caller)) {
		op_fail(op, ERR_invalid_token);
		return;
	}
	op->caller = caller;
	using->go_on(op);
}

void
ticket_use(struct op *op, text stream, text ticket,
    void (*go_on)(struct op *op))
{
	struct using *using = arena_alloc(&op->arena, sizeof *using);

	act_wait(op);
	using->op = op;
	using->ticket = op_keep(op, ticket);
	using->go_on = go_on;
	ask(op, FUNCTION_ticket_use, stream, using->ticket, on_used, using);
}
