/* SPDX-License-Identifier: MIT */
/*
 * Making a ticket.
 */
#include "core/ticket.h"

#include <stdio.h>

#include "base/json_out.h"
#include "base/secret.h"
#include "core/act.h"
#include "plat/digest.h"

#define TICKET_LIFE_S	60
#define TICKET_BYTES	32

/* The ticket itself is only here and in the answer. */
struct ticket {
	struct op	*op;
	char		 words[2 * TICKET_BYTES + 1];
};

static void
on_ticket(void *context, const struct db_answer *answer)
{
	struct ticket *ticket = context;
	struct op *op = ticket->op;
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
	json_text_of(&json, ticket->words);
	json_key(&json, "stream");
	json_text(&json, op->inputs[0]);
	json_key(&json, "expiresIn");
	json_int(&json, TICKET_LIFE_S);
	json_object_end(&json);
	op_reply(op, 201, op_keep(op, buf_text(&body)));
	buf_fini(&body);
}

void
operation_auth_ticket(struct op *op)
{
	struct ticket *ticket = arena_alloc(&op->arena, sizeof *ticket);
	unsigned char random[TICKET_BYTES];
	char hash[2 * DIGEST_SIZE + 1];
	struct call_context context;
	text inputs[2];

	act_wait(op);
	ticket->op = op;
	secret_fill(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(ticket->words + 2 * i, 3, "%02x", random[i]);
	digest_as_hex(text_of(ticket->words), hash, sizeof hash);
	inputs[0] = op->inputs[0];
	inputs[1] = text_of(hash);
	act_context(op, &context);
	service_ask(op->ground->service, FUNCTION_ticket_create, &context,
	    TEXT_NONE, inputs, 2, on_ticket, ticket);
}
