/* SPDX-License-Identifier: MIT */
/*
 * One batch for each operation and stream that is at work.
 */
#include "core/batch.h"

#include <uthash.h>
#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "core/act.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/loop.h"

struct batch {
	unsigned	 magic;
#define BATCH_MAGIC 0x62617463
	struct batches	*batches;
	UT_hash_handle	 hh;
	const struct operation_row *row;
	struct tenant	*tenant;
	char		*key;		/* the operation, tenant and stream */
	text		 stream;	/* as db_call knows it, in the key */
	struct op	*waiting, **last;
	unsigned	 waiting_count;
	struct op	*sent;		/* in the order of their places */
	unsigned	 sent_count;
	bool		 goes_singly;	/* a call was refused as a whole */
	unsigned	 singles;	/* elements still to go one by one */
	struct batch	*next;		/* to be sent at the turn's end */
	bool		 is_due;
};

struct batches {
	unsigned	 magic;
#define BATCHES_MAGIC 0x62746373
	struct service	*service;
	struct batch	*table;
	struct batch	*due;
};

static void send_batch(struct batch *batch);

static void
on_turns_end(struct batches *batches)
{
	while (batches->due != NULL) {
		struct batch *batch = batches->due;

		/* It may be answered, and that be written, at once. */
		loop_again(batches->service->loop);
		batches->due = batch->next;
		batch->is_due = false;
		send_batch(batch);
	}
}

struct batches *
batches_create(struct service *service)
{
	struct batches *batches = object_create(struct batches,
	    BATCHES_MAGIC);

	batches->service = service;
	loop_at_turns_end(service->loop, on_turns_end, batches);
	return (batches);
}

void
batches_close(struct batches *batches)
{
	object_check(batches, BATCHES_MAGIC);
	on_turns_end(batches);
	loop_leave_turns_end(batches->service->loop, batches);
}

void
batches_destroy(struct batches **given)
{
	struct batches *batches = *given;

	*given = NULL;
	if (batches == NULL)
		return;
	object_check(batches, BATCHES_MAGIC);
	must(batches->table == NULL);
	object_free(&batches);
}

static struct batch *
batch_for(struct batches *batches, struct op *op)
{
	text stream = act_stream(op);
	struct batch *batch;
	struct buf key;

	buf_init(&key, BUF_NO_LIMIT);
	buf_printf(&key, "%s ", op->row->name);
	buf_add(&key, stream);
	HASH_FIND(hh, batches->table, key.at, key.len, batch);
	if (batch == NULL) {
		size_t len = key.len;

		batch = object_create(struct batch, BATCH_MAGIC);
		batch->batches = batches;
		batch->row = op->row;
		batch->tenant = tenant_share(op->tenant);
		batch->last = &batch->waiting;
		batch->key = buf_take(&key);
		batch->stream = text_from(batch->key + len - stream.len,
		    stream.len);
		HASH_ADD_KEYPTR(hh, batches->table, batch->key, len, batch);
	}
	buf_fini(&key);
	return (batch);
}

static void
batch_free(struct batch *batch)
{
	must(batch->waiting == NULL && batch->sent == NULL);
	HASH_DEL(batch->batches->table, batch);
	tenant_give(&batch->tenant);
	mem_free(batch->key);
	object_free(&batch);
}

static void
make_due(struct batch *batch)
{
	struct batches *batches = batch->batches;

	if (batch->is_due || batch->sent != NULL)
		return;
	batch->is_due = true;
	LL_APPEND(batches->due, batch);
}

void
batch_add(struct batches *batches, struct op *op)
{
	struct batch *batch;

	object_check(batches, BATCHES_MAGIC);
	for (unsigned i = 0; i < op->inputs_count; i++)
		op->inputs[i] = op_keep(op, op->inputs[i]);
	op->client_address = op_keep(op, op->client_address);
	op->idempotency_key = op_keep(op, op->idempotency_key);
	batch = batch_for(batches, op);
	if (batch->waiting_count >=
	    (unsigned)batches->service->conf->db_queue) {
		act_give_storage(op);
		op_fail(op, ERR_database_busy);
		return;
	}
	op->next = NULL;
	*batch->last = op;
	batch->last = &op->next;
	batch->waiting_count++;
	make_due(batch);
}

static size_t
size_of(const struct op *op)
{
	size_t size = 0;

	for (unsigned i = 0; i < op->inputs_count; i++)
		size += op->inputs[i].len;
	return (size);
}

/* From the front of those that wait, as many as fit. */
static void
take_places(struct batch *batch)
{
	unsigned most = batch->goes_singly ? 1 : BATCH_MOST;
	size_t bytes = 0;
	struct op **last = &batch->sent;

	must(batch->sent == NULL);
	batch->sent_count = 0;
	while (batch->waiting != NULL && batch->sent_count < most) {
		struct op *op = batch->waiting;

		bytes += size_of(op);
		if (batch->sent_count > 0 && bytes > BATCH_BYTES)
			break;
		batch->waiting = op->next;
		op->next = NULL;
		*last = op;
		last = &op->next;
		batch->sent_count++;
		batch->waiting_count--;
	}
	if (batch->waiting == NULL)
		batch->last = &batch->waiting;
}

static text
column(const struct op *op, unsigned which)
{
	struct call_context context;

	if (which >= BATCH_INPUTS)
		return (op->inputs[which - BATCH_INPUTS]);
	act_context(op, &context);
	switch (which) {
	case 0:
		return (context.caller);
	case 1:
		return (context.request_id);
	case 2:
		return (context.idempotency_key);
	default:
		return (context.request_hash);
	}
}

static void
write_column(const struct batch *batch, unsigned which, struct buf *out)
{
	const struct op *op;

	LL_FOREACH(batch->sent, op)
		call_array_add(out, column(op, which));
	call_array_end(out);
}

static void
fail_all(struct op *ops, const struct db_answer *answer)
{
	struct op *op, *next;

	for (op = ops; op != NULL; op = next) {
		next = op->next;
		if (answer->result != DB_UNKNOWN)
			act_give_storage(op);
		act_fail(op, answer);
	}
}

/* In the order of their places; each row of an answer names its place. */
static void
reply_all(struct op *ops, unsigned count, const struct db_answer *answer)
{
	struct call_row *rows, row;
	struct arena arena;
	struct op *next;

	arena_init(&arena);
	rows = arena_alloc(&arena, count * sizeof *rows);
	memset(rows, 0, count * sizeof *rows);
	for (unsigned i = 0; i < db_rows(answer); i++)
		if (call_row_read(answer, i, &row) && !row.is_event &&
		    row.element < count)
			rows[row.element] = row;
	for (unsigned i = 0; i < count; i++, ops = next) {
		next = ops->next;
		if (rows[i].status >= 400 || rows[i].status == 0)
			act_give_storage(ops);
		if (rows[i].status == 0)
			act_fail(ops, answer);
		else
			act_reply(ops, &rows[i]);
	}
	arena_fini(&arena);
}

/* Back to the front, to go one by one. */
static void
put_back(struct batch *batch)
{
	struct op *last = batch->sent;

	while (last->next != NULL)
		last = last->next;
	if (batch->waiting == NULL)
		batch->last = &last->next;
	last->next = batch->waiting;
	batch->waiting = batch->sent;
	batch->waiting_count += batch->sent_count;
	batch->singles = batch->sent_count;
	batch->goes_singly = true;
	batch->sent = NULL;
}

/* Whether an element may be to blame, so that the others are to be tried. */
static bool
is_elements_fault(const struct db_answer *answer)
{
	if (answer->result != DB_REFUSED)
		return (false);
	switch (call_refusal(answer)) {
	case CALL_RULE:
	case CALL_CONSTRAINT:
	case CALL_INPUT:
	case CALL_BROKEN:
		return (true);
	case CALL_CONFLICT:
	case CALL_TIMEOUT:
	case CALL_EXHAUSTED:
		break;
	}
	return (false);
}

static void
on_batch(void *context, const struct db_answer *answer)
{
	struct batch *batch = object_cast(struct batch, BATCH_MAGIC,
	    context);
	struct op *sent = batch->sent;
	unsigned count = batch->sent_count;

	if (count > 1 && is_elements_fault(answer)) {
		put_back(batch);
		send_batch(batch);
		return;
	}
	if (batch->singles > 0 && --batch->singles == 0)
		batch->goes_singly = false;
	batch->sent = NULL;
	/* The next call is on its way while these are answered. */
	act_tell(batch->batches->service, batch->tenant->id, answer);
	if (batch->waiting != NULL)
		send_batch(batch);
	else
		batch_free(batch);
	if (answer->result == DB_ROWS)
		reply_all(sent, count, answer);
	else
		fail_all(sent, answer);
}

static void
send_batch(struct batch *batch)
{
	struct service *service = batch->batches->service;
	struct db_call call = { .kind = DB_WRITE, .stream = batch->stream,
	    .statement = service->of_operation[batch->row - operation_rows],
	    .on_answer = on_batch, .context = batch };
	int64_t timeout_ms = service->conf->db_timeout;
	struct call_context context = { .tenant = batch->tenant->id };
	struct call_parameters parameters;
	text columns[CALL_INPUTS_MAX];
	struct buf bufs[CALL_INPUTS_MAX];
	unsigned count;

	take_places(batch);
	/* Who waited for another call has waited here already. */
	call.deadline_ms = batch->sent->arrival_us / 1000 + timeout_ms;
	context.request_id = batch->sent->request_id;
	context.address = batch->sent->client_address;
	count = BATCH_INPUTS + batch->sent->inputs_count;
	for (unsigned i = 0; i < count; i++) {
		buf_init(&bufs[i], BUF_NO_LIMIT);
		write_column(batch, i, &bufs[i]);
		columns[i] = buf_text(&bufs[i]);
	}
	COUNT(batches);
	call_parameters(&context, columns, count, &parameters);
	call.parameters = parameters.at;
	call.parameters_count = parameters.count;
	db_call(service->pool, &call);
	for (unsigned i = 0; i < count; i++)
		buf_fini(&bufs[i]);
}
