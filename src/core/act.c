/* SPDX-License-Identifier: MIT */
/*
 * From an op to its row's function and back.
 */
#include "core/act.h"

#include <signal.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/batch.h"
#include "core/cache.h"
#include "core/event.h"
#include "core/input.h"
#include "core/query.h"
#include "core/tenant.h"
#include "core/users.h"
#include "core/who.h"
#include "plat/digest.h"
#include "plat/wake.h"

#define KEY_MAX 255

void
act_find_tenant(struct op *op)
{
	const struct service *service = op->ground->service;
	struct tenant *tenant;

	if (service == NULL || !service->is_ready)
		return;
	if (op->slug.at != NULL)
		tenant = tenant_by_slug(service->tenants, op->slug);
	else
		tenant = tenant_by_host(service->tenants, op->host);
	if (tenant != NULL)
		op->tenant = tenant_share(tenant);
}

bool
act_has_tenant(struct op *op)
{
	const struct service *service = op->ground->service;

	if (op->tenant == NULL)
		op_fail(op, service == NULL || !service->is_ready ?
		    ERR_database_away : ERR_not_found);
	return (op->tenant != NULL);
}

static bool
is_within_rate(struct op *op)
{
	enum err err = limit_request(op->tenant, clock_ms() / 1000,
	    &op->limit);

	if (err == ERR_none)
		return (true);
	op->answer.retry_after_s = op->limit.reset_s;
	op_fail(op, err);
	return (false);
}

bool
act_from_cache(struct op *op)
{
	if (op->tenant == NULL || !op->tenant->public_read ||
	    !cache_find(op->ground->service->cache, op))
		return (false);
	if (is_within_rate(op))
		cache_reply(op);
	return (true);
}

/* What the caller's rank has to be at least. */
static enum rank
rank_needed(const struct op *op)
{
	switch (op->row->who) {
	case WHO_ANYONE:
		return (RANK_NONE);
	case WHO_READER:
		return (op->tenant->public_read ? RANK_NONE : RANK_VIEWER);
	case WHO_MEMBER:
		return (RANK_VIEWER);
	case WHO_BOT:
		return (RANK_BOT);
	case WHO_ADMIN:
	case WHO_USER:
		break;
	}
	return (RANK_ADMIN);
}

static void
keep_caller(struct op *op, const struct caller *found)
{
	struct caller *caller = arena_alloc(&op->arena, sizeof *caller);

	*caller = *found;
	caller->name = op_keep(op, found->name);
	caller->id = op_keep(op, found->id);
	caller->jti = op_keep(op, found->jti);
	op->caller = caller;
}

/* A ticket for a row that takes them: who made it is asked later. */
static bool
brings_ticket(struct op *op)
{
	text ticket;

	for (const struct input_row *input = op->row->inputs;
	    input->name != NULL; input++)
		if (input->kind == INPUT_ticket)
			return (op->row->who == WHO_READER &&
			    query_find(&op->arena, op->query,
			    text_of(input->name), &ticket));
	return (false);
}

static bool
is_allowed(struct op *op)
{
	enum rank needed = rank_needed(op);
	const struct caller *caller;
	enum err err;

	if (needed == RANK_NONE || brings_ticket(op))
		return (true);
	if (op->row->who == WHO_USER && op->authorization.at == NULL) {
		err = users_find(op);
		if (err != ERR_none)
			op_fail(op, err);
		return (err == ERR_none);
	}
	err = who_find(op->ground->service->who, op->tenant->id,
	    op->authorization, stamp_now() / 1000, &caller);
	if (err == ERR_none && caller->rank < needed)
		err = ERR_not_allowed;
	if (err != ERR_none) {
		op_fail(op, err);
		return (false);
	}
	keep_caller(op, caller);
	return (true);
}

static bool
is_fit_key(text key)
{
	if (key.len == 0 || key.len > KEY_MAX)
		return (false);
	for (size_t i = 0; i < key.len; i++)
		if (key.at[i] < '!' || key.at[i] > '~')
			return (false);
	return (true);
}

bool
act_enter(struct op *op)
{
	return (act_has_tenant(op) && is_within_rate(op));
}

bool
act_admit(struct op *op)
{
	const struct operation_row *row = op->row;

	if (row->way == WAY_LOCAL && row->who == WHO_ANYONE &&
	    op->slug.at == NULL)
		return (true);
	if (!act_has_tenant(op) || !is_allowed(op) || !is_within_rate(op))
		return (false);
	if (row->method != METHOD_POST)
		op->idempotency_key = TEXT_NONE;
	if (op->idempotency_key.at != NULL &&
	    !is_fit_key(op->idempotency_key)) {
		op_fail(op, ERR_idempotency_key_invalid);
		return (false);
	}
	return (true);
}

/* What makes room, or only names things, needs no room itself. */
static int64_t
bytes_to_keep(const struct op *op)
{
	int64_t bytes = 0;

	for (unsigned i = 0; i < op->inputs_count; i++)
		if (input_is_kept(&op->row->inputs[i]))
			bytes += (int64_t)op->inputs[i].len;
	return (bytes);
}

bool
act_is_within_limits(struct op *op)
{
	struct limit_state state = { .applies = false };
	int64_t now_s = clock_ms() / 1000, bytes = bytes_to_keep(op);
	enum err err = ERR_none;

	if (op->row->limit == OP_LIMIT_EVENT)
		err = limit_events(op->tenant, 1, now_s, &state);
	if (err == ERR_none && bytes > 0)
		err = limit_storage(op->tenant, bytes, now_s, &state);
	if (err == ERR_none) {
		op->storage_taken = bytes;
		return (true);
	}
	op->limit = state;
	op->answer.retry_after_s = state.reset_s;
	op_fail(op, err);
	return (false);
}

void
act_give_storage(struct op *op)
{
	if (op->storage_taken > 0)
		limit_storage_undo(op->tenant, op->storage_taken);
	op->storage_taken = 0;
}

void
act_wait(struct op *op)
{
	op->request_id = op_keep(op, op->request_id);
}

void
act_context(const struct op *op, struct call_context *out)
{
	*out = (struct call_context){ .tenant = op->tenant->id,
	    .request_id = op->request_id, .address = op->client_address };
	if (op->caller == NULL)
		return;
	out->caller = op->caller->id;
	out->role = text_of(rank_name(op->caller->rank));
	out->idempotency_key = op->idempotency_key;
	if (op->idempotency_key.at == NULL)
		return;
	out->request_hash = op->body_hash;
}

text
act_stream(struct op *op)
{
	const char *stream = op->row->stream;
	text pattern = text_of(stream), before, after, out;
	struct buf name;

	if (pattern.len == 0)
		return (TEXT_NONE);
	buf_init(&name, BUF_NO_LIMIT);
	buf_printf(&name, "%d ", (int)op->tenant->id);
	if (text_cut(pattern, '{', &before, &after)) {
		/* Its id is always the row's first input. */
		buf_add(&name, before);
		buf_add(&name, op->inputs[0]);
	} else
		buf_add(&name, pattern);
	out = op_keep(op, buf_text(&name));
	buf_fini(&name);
	return (out);
}

void
act_tell(struct service *service, int32_t tenant,
    const struct db_answer *answer)
{
	struct call_row row;

	if (answer->result == DB_FAILED)
		return;
	if (FAULT(writer_dies_before_bump))
		raise(SIGKILL);
	event_changed(service, tenant);
	if (FAULT(writer_dies_before_ring))
		raise(SIGKILL);
	if (answer->result == DB_UNKNOWN)
		event_sweep(service);
	for (unsigned i = 0; i < db_rows(answer); i++)
		if (call_row_read(answer, i, &row) && row.is_event)
			event_tell(service, tenant, &row);
	if (FAULT(writer_dies_before_reply))
		raise(SIGKILL);
}

bool
act_answer_row(const struct db_answer *answer, struct call_row *row)
{
	for (unsigned i = 0; i < db_rows(answer); i++)
		if (call_row_read(answer, i, row) && !row->is_event)
			return (true);
	return (false);
}

void
act_reply(struct op *op, const struct call_row *row)
{
	if (row->refusal.at != NULL) {
		enum err err = error_named(row->refusal);

		op_fail_saying(op, err != ERR_none ? err : ERR_internal,
		    TEXT_NONE, row->body);
		return;
	}
	if (row->body.at == NULL) {
		op_reply_as(op, row->status, TEXT_NONE, TEXT_NONE);
		return;
	}
	op_add_headers(op, op_keep(op, row->headers));
	op_reply(op, row->status, op_keep(op, row->body));
}

/* A foreign key to the tenant: he was removed since he was found. */
static bool
is_tenant_gone(text constraint)
{
	text end = TEXT("_tenant_id_fkey");

	return (constraint.len > end.len && text_is(text_from(constraint.at +
	    constraint.len - end.len, end.len), end));
}

static enum err
refusal_of(const struct db_answer *answer)
{
	enum err err = ERR_none;

	switch (call_refusal(answer)) {
	case CALL_RULE:
		err = error_named(answer->message);
		break;
	case CALL_CONSTRAINT:
		err = is_tenant_gone(answer->constraint) ? ERR_not_found :
		    error_named(answer->constraint);
		break;
	case CALL_CONFLICT:
		return (ERR_database_busy);
	case CALL_TIMEOUT:
		return (ERR_database_timeout);
	case CALL_EXHAUSTED:
		return (ERR_database_full);
	case CALL_INPUT:
	case CALL_BROKEN:
		break;
	}
	return (err != ERR_none ? err : ERR_internal);
}

enum err
act_error(const struct db_answer *answer)
{
	switch (answer->result) {
	case DB_REFUSED:
		return (refusal_of(answer));
	case DB_UNKNOWN:
		return (ERR_outcome_unknown);
	case DB_ROWS:
		return (ERR_internal);	/* rows that nobody understands */
	case DB_FAILED:
		break;
	}
	return (answer->why == DB_WHY_FULL || answer->why == DB_WHY_LATE ?
	    ERR_database_busy : ERR_database_away);
}

void
act_fail(struct op *op, const struct db_answer *answer)
{
	enum err err = act_error(answer);
	text more = TEXT_NONE;

	if (answer->result == DB_REFUSED && (err == ERR_internal ||
	    err == ERR_database_full))
		log_error("PostgreSQL refused a call",
		    F("operation", op->row->name),
		    F("sqlstate", (const char *)answer->sqlstate),
		    F("message", answer->message),
		    F("detail", answer->detail),
		    F("requestId", op->request_id));
	if (answer->result == DB_REFUSED && err != ERR_internal &&
	    text_begins(answer->detail, TEXT("{")))
		more = answer->detail;
	op_fail_saying(op, err, TEXT_NONE, more);
}

static void
settle(struct op *op, const struct db_answer *answer,
    const struct call_row *row)
{
	if (op->cached != NULL)
		cache_reply(op);
	else if (row != NULL)
		act_reply(op, row);
	else
		act_fail(op, answer);
}

static void
on_read(void *context, const struct db_answer *given)
{
	static const struct db_answer lost = { .result = DB_FAILED,
	    .why = DB_WHY_LOST };
	/* What only looks has no outcome that could be unknown. */
	const struct db_answer *answer = given->result == DB_UNKNOWN ? &lost :
	    given;
	struct op *op = context, *others, *next;
	struct call_row row;
	const struct call_row *found = answer->result == DB_ROWS &&
	    act_answer_row(answer, &row) ? &row : NULL;
	bool is_kept = found != NULL && row.status == 200;

	others = cache_end(op->ground->service->cache, op,
	    is_kept ? row.body : TEXT_NONE,
	    is_kept ? row.headers : TEXT_NONE);
	settle(op, answer, found);
	for (; others != NULL; others = next) {
		next = others->next;
		settle(others, answer, found);
	}
}

/* What they queue is no event, so nothing else tells who sends it. */
static bool
is_for_jobs(const struct op *op)
{
	switch (op->row - operation_rows) {
	case OPERATION_webhook_redeliver:
	case OPERATION_webhook_replay:
	case OPERATION_webhook_test:
	case OPERATION_webhook_update:
		return (true);
	default:
		return (false);
	}
}

static void
on_write(void *context, const struct db_answer *answer)
{
	struct op *op = context;
	struct call_row row;
	bool has_row = answer->result == DB_ROWS &&
	    act_answer_row(answer, &row);

	/* What may be there is counted until it is measured. */
	if (!has_row && answer->result != DB_UNKNOWN)
		act_give_storage(op);
	act_tell(op->ground->service, op->tenant->id, answer);
	if (is_for_jobs(op))
		wake_role(op->ground->service->segment, ROLE_JOBS);
	settle(op, answer, has_row ? &row : NULL);
}

static void
hash_body(struct op *op)
{
	char *hash;

	if (op->idempotency_key.at == NULL)
		return;
	hash = arena_alloc(&op->arena, 2 * DIGEST_SIZE + 1);
	digest_as_hex(op->body, hash, 2 * DIGEST_SIZE + 1);
	op->body_hash = text_of(hash);
}

void
act(struct op *op)
{
	struct service *service = op->ground->service;
	enum way way = op->row->way;
	struct db_call call = {
		.statement = service->of_operation[op->row -
		    operation_rows], .context = op };
	struct call_context context;
	struct call_parameters parameters;

	if ((way == WAY_WRITE || way == WAY_BATCH) &&
	    !act_is_within_limits(op))
		return;
	hash_body(op);
	act_wait(op);
	if (way == WAY_BATCH) {
		batch_add(service->batches, op);
		return;
	}
	/* A body is no part of what an answer is kept by. */
	if (op->row->who == WHO_READER && way == WAY_READ &&
	    op->row->method == METHOD_GET &&
	    (cache_find(service->cache, op) ||
	    cache_join(service->cache, op))) {
		if (op->cached != NULL)
			cache_reply(op);
		return;
	}
	act_context(op, &context);
	call_parameters(&context, op->inputs, op->inputs_count, &parameters);
	call.parameters = parameters.at;
	call.parameters_count = parameters.count;
	call.kind = way == WAY_WRITE ? DB_WRITE :
	    way == WAY_SLOW ? DB_SLOW : DB_READ;
	call.on_answer = way == WAY_WRITE ? on_write : on_read;
	if (way == WAY_WRITE)
		call.stream = act_stream(op);
	db_call(service->pool, &call);
}

void
act_as(struct op *op, const struct caller *caller)
{
	must(op->tenant != NULL);
	if (caller->rank < rank_needed(op)) {
		op_fail(op, ERR_not_allowed);
		return;
	}
	keep_caller(op, caller);
	if (is_within_rate(op) && input_read(op))
		act(op);
}
