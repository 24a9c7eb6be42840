/* SPDX-License-Identifier: MIT */
/*
 * Asking all processes for their sockets: a question, and from each process
 * as many pieces of an answer as its records need.
 *
 *	{"asks":"k3…","tenant":1,"thread":"t1"}
 *	{"answers":"k3…","host":"…","slot":3,"is_last":true,"count":2,
 *	 "sessions":[…]}
 *
 * Where it is alone on its host all are heard when each worker has sent its
 * last piece; other hosts are waited for.
 */
#include <utlist.h>

#include "app/threads_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "core/event.h"
#include "core/json.h"
#include "core/op.h"
#include "plat/loop.h"
#include "plat/segment.h"

#define STREAM TEXT("threads")
#define HEAD_MOST 256			/* bytes of a piece beside records */

struct threads_asking {
	unsigned	 magic;
#define THREADS_ASKING_MAGIC 0x7468613f
	struct threads_asking *prev, *next;
	struct threads	*threads;
	char		 id[OP_ID_MADE + 1];
	struct timer	 late;
	struct buf	 records;
	int64_t		 count;
	bool		 has[SEGMENT_SLOTS_MAX];
	void		(*on_answer)(void *me,
			    const struct threads_answer *answer);
	void		*me;
};

/* --- answering --------------------------------------------------------- */

struct piece {
	struct threads	*threads;
	text		 id;
	struct buf	 records;
	int64_t		 count;
};

static void
say_piece(struct piece *piece, bool is_last)
{
	struct service *service = piece->threads->service;
	struct json_out json;
	struct buf payload;

	buf_init(&payload, BUF_NO_LIMIT);
	json_out_init(&json, &payload);
	json_object_begin(&json);
	json_key(&json, "answers");
	json_text(&json, piece->id);
	json_key(&json, "host");
	json_text_of(&json, service->segment->host);
	json_key(&json, "slot");
	json_int(&json, service->slot);
	json_key(&json, "is_last");
	json_bool(&json, is_last);
	json_key(&json, "count");
	json_int(&json, piece->count);
	buf_add(&payload, TEXT(",\"sessions\":["));
	buf_add(&payload, buf_text(&piece->records));
	buf_add(&payload, TEXT("]}"));
	event_say(service, TENANT_OF_ALL, STREAM, buf_text(&payload));
	buf_fini(&payload);
	buf_clear(&piece->records);
	piece->count = 0;
}

static bool
is_asked_for(const struct threads_session *session, int32_t tenant,
    text thread)
{
	return (session->has_record &&
	    socketio_tenant(session->socket) == tenant &&
	    (thread.at == NULL || (session->thread != NULL &&
	    text_is(text_of(session->thread), thread))));
}

static void
add_record(struct buf *records, text record)
{
	if (records->len > 0)
		buf_add_char(records, ',');
	buf_add(records, record);
}

static void
write_record(const struct threads_session *session, struct buf *record)
{
	struct json_out json;

	buf_clear(record);
	json_out_init(&json, record);
	threads_write_record(session, &json);
}

static void
answer(struct threads *threads, text id, int32_t tenant, text thread)
{
	size_t most = (size_t)threads->service->conf->ring_record_max;
	struct piece piece = { .threads = threads, .id = id };
	struct threads_session *session;
	struct buf record;

	buf_init(&piece.records, BUF_NO_LIMIT);
	buf_init(&record, BUF_NO_LIMIT);
	DL_FOREACH(threads->sessions, session) {
		if (!is_asked_for(session, tenant, thread))
			continue;
		write_record(session, &record);
		if (piece.count > 0 && HEAD_MOST + piece.records.len +
		    record.len > most)
			say_piece(&piece, false);
		add_record(&piece.records, buf_text(&record));
		piece.count++;
	}
	say_piece(&piece, true);
	buf_fini(&record);
	buf_fini(&piece.records);
}

/* --- asking ------------------------------------------------------------ */

static void
end(struct threads_asking *asking)
{
	struct threads *threads = asking->threads;
	struct threads_answer answer = { .count = asking->count,
	    .records = buf_text(&asking->records) };

	DL_DELETE(threads->askings, asking);
	timer_stop(loop_timers(threads->service->loop), &asking->late);
	asking->on_answer(asking->me, &answer);
	buf_fini(&asking->records);
	object_free(&asking);
}

void
threads_end_askings(struct threads *threads)
{
	while (threads->askings != NULL)
		end(threads->askings);
}

/* Whether no worker is left that could say more. */
static bool
has_all(const struct threads_asking *asking)
{
	const struct service *service = asking->threads->service;
	const struct segment *segment = service->segment;

	if (service->conf->redis_url[0] != '\0')
		return (false);
	for (unsigned i = 0; i < segment->slots_count; i++)
		if (i != service->slot && !asking->has[i] &&
		    atomic_load(&segment->slots[i].role) == ROLE_WORKER &&
		    atomic_load(&segment->slots[i].listens))
			return (false);
	return (true);
}

static void
add_own(struct threads_asking *asking, int32_t tenant, text thread)
{
	struct threads_session *session;
	struct buf record;

	buf_init(&record, BUF_NO_LIMIT);
	DL_FOREACH(asking->threads->sessions, session) {
		if (!is_asked_for(session, tenant, thread))
			continue;
		write_record(session, &record);
		add_record(&asking->records, buf_text(&record));
		asking->count++;
	}
	buf_fini(&record);
}

static void
say_question(const struct threads_asking *asking, int32_t tenant,
    text thread)
{
	struct json_out json;
	struct buf payload;

	buf_init(&payload, BUF_NO_LIMIT);
	json_out_init(&json, &payload);
	json_object_begin(&json);
	json_key(&json, "asks");
	json_text_of(&json, asking->id);
	json_key(&json, "tenant");
	json_int(&json, tenant);
	if (thread.at != NULL) {
		json_key(&json, "thread");
		json_text(&json, thread);
	}
	json_object_end(&json);
	event_say(asking->threads->service, TENANT_OF_ALL, STREAM,
	    buf_text(&payload));
	buf_fini(&payload);
}

void
threads_ask(struct threads *threads, int32_t tenant, text thread,
    void (*on_answer)(void *, const struct threads_answer *), void *me)
{
	struct threads_asking *asking = object_create(struct threads_asking,
	    THREADS_ASKING_MAGIC);

	COUNT(thread_askings);
	asking->threads = threads;
	asking->on_answer = on_answer;
	asking->me = me;
	op_make_id(asking->id);
	buf_init(&asking->records, BUF_NO_LIMIT);
	timer_init(&asking->late, end, asking);
	DL_APPEND(threads->askings, asking);
	add_own(asking, tenant, thread);
	say_question(asking, tenant, thread);
	timer_set(loop_timers(threads->service->loop), &asking->late,
	    has_all(asking) ? 0 : THREADS_ASK_MS);
}

/* --- hearing ----------------------------------------------------------- */

static void
take_answer(struct threads_asking *asking, struct json_object *json,
    text payload)
{
	const struct service *service = asking->threads->service;
	int64_t slot, count;
	bool is_last;
	text host, sessions;

	if (!json_in_text(json, "host", &host) ||
	    !json_in_int(json, "slot", &slot) || slot < 0 ||
	    slot >= SEGMENT_SLOTS_MAX ||
	    !json_in_bool(json, "is_last", &is_last) ||
	    !json_in_int(json, "count", &count) || count < 0 ||
	    !json_in_raw(payload, TEXT("sessions"), &sessions) ||
	    sessions.len < 2)
		return;
	if (count > 0)
		add_record(&asking->records, text_from(sessions.at + 1,
		    sessions.len - 2));
	asking->count += count;
	if (is_last && text_is(host, text_of(service->segment->host)))
		asking->has[slot] = true;
	if (has_all(asking))
		end(asking);
}

static void
take_question(struct threads *threads, struct json_object *json, text id)
{
	text thread = TEXT_NONE;
	int64_t tenant;

	json_in_text(json, "thread", &thread);
	if (json_in_int(json, "tenant", &tenant) && tenant > 0 &&
	    tenant <= INT32_MAX)
		answer(threads, id, (int32_t)tenant, thread);
}

void
threads_hear(void *context, int32_t tenant, text payload)
{
	struct threads *threads = object_cast(struct threads, THREADS_MAGIC,
	    context);
	struct json_object *json = json_in_read(payload);
	struct threads_asking *asking, *next;
	text id;

	(void)tenant;
	if (json_in_text(json, "asks", &id))
		take_question(threads, json, id);
	else if (json_in_text(json, "answers", &id))
		DL_FOREACH_SAFE(threads->askings, asking, next)
			if (text_is(text_of(asking->id), id)) {
				take_answer(asking, json, payload);
				break;
			}
	json_in_free(&json);
}
