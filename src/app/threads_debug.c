/* SPDX-License-Identifier: MIT */
/*
 * What is told of sockets to those who look for a fault.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "app/threads_inside.h"
#include "base/buf.h"
#include "base/json_out.h"
#include "core/act.h"
#include "core/json.h"
#include "core/tenant.h"

#define WAITING_MOST "1000"		/* threads that are named */

struct look {
	unsigned	 magic;
#define LOOK_MAGIC 0x74646267
	struct threads	*threads;
	struct op	*op;
	enum debug_what	 what;
	text		 thread;
	struct buf	 sockets;	/* {"total":…,"active_threads":[…]} */
};

static void
reply(struct look *look, struct buf *body)
{
	op_reply(look->op, 200, op_keep(look->op, buf_text(body)));
	buf_fini(body);
	buf_fini(&look->sockets);
	object_free(&look);
}

/* --- all-sessions ------------------------------------------------------ */

static int
compare(const void *a, const void *b)
{
	const text *one = a, *two = b;
	size_t len = one->len < two->len ? one->len : two->len;
	int order = memcmp(one->at, two->at, len);

	return (order != 0 ? order : (one->len > two->len) -
	    (one->len < two->len));
}

/* Each once, by name. */
static void
write_names(text *names, size_t count, struct json_out *json)
{
	qsort(names, count, sizeof *names, compare);
	json_array_begin(json);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || !text_is(names[i], names[i - 1]))
			json_text(json, names[i]);
	json_array_end(json);
}

static void
write_threads(const struct threads_answer *answer, struct json_out *json)
{
	struct buf whole;
	struct json_object *array;
	text *names = mem_alloc(((size_t)answer->count + 1) * sizeof *names);
	size_t count = 0, records = 0;

	buf_init(&whole, BUF_NO_LIMIT);
	buf_add_char(&whole, '[');
	buf_add(&whole, answer->records);
	buf_add_char(&whole, ']');
	array = json_in_read(buf_text(&whole));
	json_in_as_array(array, &records);
	for (size_t i = 0; i < records && i < (size_t)answer->count; i++)
		count += json_in_text(json_in_element(array, i), "thread_id",
		    &names[count]);
	write_names(names, count, json);
	json_in_free(&array);
	buf_fini(&whole);
	mem_free(names);
}

static void
add_name(void *me, text name, struct json_object *value)
{
	(void)value;
	json_text(me, name);
}

static void
count_name(void *me, text name, struct json_object *value)
{
	size_t *count = me;

	(void)name;
	(void)value;
	(*count)++;
}

static void
write_all(const struct look *look, text counts, struct json_out *json)
{
	struct json_object *waiting = json_in_read(counts);
	size_t total = 0;

	json_in_each(waiting, count_name, &total);
	json_object_begin(json);
	json_key(json, "socketio_sessions");
	json_raw(json, buf_text(&look->sockets));
	json_key(json, "undelivered_messages");
	json_object_begin(json);
	json_key(json, "total_threads");
	json_int(json, (int64_t)total);
	json_key(json, "threads");
	json_array_begin(json);
	json_in_each(waiting, add_name, json);
	json_array_end(json);
	json_key(json, "counts");
	json_raw(json, counts);
	json_object_end(json);
	json_object_end(json);
	json_in_free(&waiting);
}

static void
on_waiting(void *me, const struct db_answer *answer)
{
	struct look *look = object_cast(struct look, LOOK_MAGIC, me);
	struct json_out json;
	struct call_row row;
	struct buf body;

	look->threads->calls--;
	if (answer->result != DB_ROWS || !act_answer_row(answer, &row)) {
		act_fail(look->op, answer);
		buf_fini(&look->sockets);
		object_free(&look);
		return;
	}
	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	write_all(look, row.body, &json);
	reply(look, &body);
}

static void
look_for_waiting(struct look *look, const struct threads_answer *answer)
{
	struct call_context context;
	text most = TEXT(WAITING_MOST);
	struct json_out json;

	json_out_init(&json, &look->sockets);
	json_object_begin(&json);
	json_key(&json, "total");
	json_int(&json, answer->count);
	json_key(&json, "active_threads");
	write_threads(answer, &json);
	json_object_end(&json);
	act_context(look->op, &context);
	look->threads->calls++;
	service_ask(look->threads->service, FUNCTION_thread_waiting,
	    &context, TEXT_NONE, &most, 1, on_waiting, look);
}

/* --- the others -------------------------------------------------------- */

static void
write_list(const struct look *look, const struct threads_answer *answer,
    struct json_out *json)
{
	bool is_thread = look->what == DEBUG_THREAD_SESSIONS;

	json_object_begin(json);
	if (is_thread) {
		json_key(json, "thread_id");
		json_text(json, look->thread);
	}
	json_key(json, is_thread ? "active_session_count" :
	    "total_sessions");
	json_int(json, answer->count);
	json_key(json, is_thread ? "active_sessions" : "sessions");
	json_array_begin(json);
	if (answer->count > 0)
		json_raw(json, answer->records);
	json_array_end(json);
	json_object_end(json);
}

static void
on_answer(void *me, const struct threads_answer *answer)
{
	struct look *look = object_cast(struct look, LOOK_MAGIC, me);
	struct json_out json;
	struct buf body;

	if (look->what == DEBUG_ALL_SESSIONS) {
		look_for_waiting(look, answer);
		return;
	}
	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	write_list(look, answer, &json);
	reply(look, &body);
}

static void
answer_debug(void *context, struct op *op, enum debug_what what, text thread)
{
	struct threads *threads = object_cast(struct threads, THREADS_MAGIC,
	    context);
	struct look *look = object_create(struct look, LOOK_MAGIC);

	look->threads = threads;
	look->op = op;
	look->what = what;
	look->thread = thread;
	buf_init(&look->sockets, BUF_NO_LIMIT);
	threads_ask(threads, op->tenant->id, thread, on_answer, look);
}

const struct debug_acts threads_debug_acts = { .answer = answer_debug };

/* --- debug_status ------------------------------------------------------ */

struct status {
	unsigned	 magic;
#define STATUS_MAGIC 0x74737475
	struct threads	*threads;
	char		 sid[SOCKETIO_SID_LEN];
};

static void
send_status(struct threads_session *session, int64_t count)
{
	struct socketio_writer writer;
	struct json_out *json = &writer.json;

	socketio_event(session->socket, TEXT("debug_status"), &writer);
	json_object_begin(json);
	threads_write_names(session, json);
	json_key(json, "session_count");
	json_int(json, count);
	json_key(json, "thread_counts");
	json_object_begin(json);
	if (session->thread != NULL) {
		json_key(json, session->thread);
		json_int(json, count);
	}
	json_object_end(json);
	json_key(json, "is_registered");
	json_bool(json, session->is_ready);
	threads_write_now(json, "timestamp");
	json_object_end(json);
	socketio_send(session->socket, &writer);
}

static void
on_counted(void *me, const struct threads_answer *answer)
{
	struct status *status = object_cast(struct status, STATUS_MAGIC, me);
	struct threads_session *session;

	DL_FOREACH(status->threads->sessions, session)
		if (text_is(socketio_sid(session->socket),
		    text_from(status->sid, sizeof status->sid))) {
			send_status(session, answer->count);
			break;
		}
	object_free(&status);
}

/* Of its own thread alone; one without is alone. */
void
threads_tell_status(struct threads_session *session)
{
	struct status *status;

	if (session->thread == NULL) {
		send_status(session, 0);
		return;
	}
	status = object_create(struct status, STATUS_MAGIC);
	status->threads = session->threads;
	memcpy(status->sid, socketio_sid(session->socket).at,
	    sizeof status->sid);
	threads_ask(session->threads, socketio_tenant(session->socket),
	    text_of(session->thread), on_counted, status);
}
