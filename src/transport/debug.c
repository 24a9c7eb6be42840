/* SPDX-License-Identifier: MIT */
/*
 * Who may look.
 */
#include "transport/debug.h"

#include "base/conf.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/act.h"
#include "core/tenant.h"
#include "core/who.h"

static bool
has_key(const struct op *op)
{
	text key = op_input(op, "api_key");

	return (key.len > 0 &&
	    secret_is(key, text_of(op->ground->conf->debug_key)));
}

static bool
is_admin(const struct op *op)
{
	const struct caller *caller;

	return (op->authorization.at != NULL &&
	    who_find(op->ground->service->who, op->tenant->id,
	    op->authorization, stamp_now() / 1000, &caller) == ERR_none &&
	    caller->rank == RANK_ADMIN);
}

/* false: it was failed. */
static bool
may_look(struct op *op, enum debug_what what)
{
	const struct conf *conf = op->ground->conf;
	bool has_a_key = conf->debug_key[0] != '\0';

	if (conf->debug_open && op->tenant->is_default &&
	    what != DEBUG_WEBSOCKET_SESSIONS)
		return (true);
	if (has_a_key && (has_key(op) || is_admin(op)))
		return (true);
	op_fail(op, has_a_key ? ERR_debug_key_required : ERR_not_found);
	return (false);
}

static void
look(struct op *op, enum debug_what what, text thread)
{
	const struct debug_door *door = op->ground->debug;

	act_wait(op);
	door->acts->answer(door->context, op, what,
	    thread.at == NULL ? thread : op_keep(op, thread));
}

static void
look_if_may(struct op *op, enum debug_what what)
{
	const struct debug_door *door = op->ground->debug;

	if (!may_look(op, what))
		return;
	if (door == NULL || door->acts == NULL)
		op_fail(op, ERR_not_found);
	else
		look(op, what, TEXT_NONE);
}

void
operation_debug_all_sessions(struct op *op)
{
	look_if_may(op, DEBUG_ALL_SESSIONS);
}

void
operation_debug_websocket_sessions(struct op *op)
{
	look_if_may(op, DEBUG_WEBSOCKET_SESSIONS);
}

void
operation_debug_thread_sessions(struct op *op)
{
	const struct debug_door *door = op->ground->debug;
	text thread = op_input(op, "thread_id");

	if (!may_look(op, DEBUG_THREAD_SESSIONS))
		return;
	if (door == NULL || door->acts == NULL)
		op_fail(op, ERR_not_found);
	else if (thread.len == 0)
		op_fail(op, ERR_thread_id_required);
	else
		look(op, DEBUG_THREAD_SESSIONS, thread);
}

bool
debug_is_at(text path)
{
	return (text_begins(path, TEXT("/debug/")));
}
