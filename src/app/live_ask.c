/* SPDX-License-Identifier: MIT */
/*
 * Messages that are operations: what came of them is told to the client only
 * where it came to nothing, for all else is an event.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/live_inside.h"
#include "core/act.h"
#include "core/json.h"
#include "core/tenant.h"

/* One on its way. It outlives its client. */
struct live_ask {
	struct live_ask	*prev, *next;
	struct client	*client;	/* NULL: it has gone */
	int64_t		 session;
};

static void
complain(const struct live_ask *ask, const struct op *op)
{
	struct json_object *body = json_in_read(op->answer.body);
	text words = error_rows[op->answer.err].words;
	char line[512];

	if (body != NULL)
		json_in_text(body, "error", &words);
	snprintf(line, sizeof line, "%.*s", TEXT_ARGS(words));
	live_complain(ask->client, line, ask->session);
	json_in_free(&body);
}

static void
on_answer(struct op *op)
{
	struct live_ask *ask = op->transport;

	if (ask->client != NULL) {
		DL_DELETE(ask->client->asks, ask);
		if (op->answer.status >= 400)
			complain(ask, op);
	}
	mem_free(ask);
	op_destroy(&op);
}

void
live_ask(struct client *client, enum operation operation, int64_t session,
    struct json_object *message)
{
	struct op *op = op_create(ws_ground(client->ws));
	struct live_ask *ask = mem_alloc(sizeof *ask);
	char number[24];

	ask->client = client;
	ask->session = session;
	DL_APPEND(client->asks, ask);
	op->row = &operation_rows[operation];
	op->tenant = tenant_share(ws_tenant(client->ws));
	op->on_answer = on_answer;
	op->transport = ask;
	op_name(op, TEXT_NONE);
	op->json = json_in_share(message);
	snprintf(number, sizeof number, "%" PRId64, session);
	op->segments[op->segments_count++] = op_keep(op, text_of(number));
	act_as(op, client->caller);
}

void
live_ask_forget(struct client *client)
{
	while (client->asks != NULL) {
		struct live_ask *ask = client->asks;

		DL_DELETE(client->asks, ask);
		ask->client = NULL;
	}
}
