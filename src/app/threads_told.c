/* SPDX-License-Identifier: MIT */
/*
 * Up to where threads were told: reported as soon as it is known, one report
 * of a thread at a time, so that a crowd of events costs few of them. What a
 * worker that is killed had not reported is in the segment: a word for each
 * thread, or the last one of those that share it,
 *
 *	told[hash % SEGMENT_TOLD] = half of the hash, low half of the number
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/threads_inside.h"
#include "core/act.h"
#include "plat/loop.h"
#include "plat/segment.h"

#define DIGITS 24

static void	report(struct threads_thread *thread);

static text
epoch_of(const struct threads_thread *thread)
{
	return (text_from(thread->epoch, thread->epoch_len));
}

static uint64_t
mark_of(int32_t tenant, text stream, text epoch)
{
	uint64_t hash = 14695981039346656037u ^ (uint32_t)tenant;

	for (size_t i = 0; i < stream.len; i++)
		hash = (hash ^ (unsigned char)stream.at[i]) * 1099511628211u;
	for (size_t i = 0; i < epoch.len; i++)
		hash = (hash ^ (unsigned char)epoch.at[i]) * 1099511628211u;
	return (hash);
}

/* It never falls, but for another thread's. */
static void
mark(struct threads_thread *thread)
{
	uint64_t hash = mark_of(thread->tenant, threads_stream(thread),
	    epoch_of(thread));
	uint64_t half = hash & ~(uint64_t)UINT32_MAX, word;
	_Atomic uint64_t *at = &thread->threads->service->segment->
	    told[hash % SEGMENT_TOLD];

	if (thread->told > UINT32_MAX)
		return;
	word = atomic_load(at);
	while (((word ^ half) > UINT32_MAX ||
	    (uint32_t)word < thread->told) &&
	    !atomic_compare_exchange_weak(at, &word, half | thread->told))
		;
}

uint64_t
threads_told_here(const struct threads *threads, int32_t tenant, text stream,
    text epoch)
{
	uint64_t hash = mark_of(tenant, stream, epoch), word;
	uint64_t half = hash & ~(uint64_t)UINT32_MAX;

	word = atomic_load(&threads->service->segment->
	    told[hash % SEGMENT_TOLD]);
	return ((word ^ half) > UINT32_MAX ? 0 : word & UINT32_MAX);
}

static void
set_epoch(struct threads_thread *thread, text epoch)
{
	must(epoch.len <= sizeof thread->epoch);
	memcpy(thread->epoch, epoch.at, epoch.len);
	thread->epoch_len = (uint8_t)epoch.len;
}

static void
free_if_done(struct threads_thread *thread)
{
	struct threads *threads = thread->threads;

	if (thread->seats > 0 || thread->is_reporting ||
	    (thread->has_to_report && !threads->is_closing))
		return;
	timer_stop(loop_timers(threads->service->loop), &thread->again);
	HASH_DEL(threads->by_key, thread);
	object_free(&thread);
}

static bool
was_done(const struct db_answer *answer)
{
	struct call_row row;

	return (answer->result == DB_ROWS && act_answer_row(answer, &row));
}

static void
on_reported(void *me, const struct db_answer *answer)
{
	struct threads_thread *thread = object_cast(struct threads_thread,
	    THREADS_THREAD_MAGIC, me);
	struct threads *threads = thread->threads;

	threads->calls--;
	thread->is_reporting = false;
	if (!was_done(answer)) {
		thread->has_to_report = true;
		if (!threads->is_closing)
			timer_set(loop_timers(threads->service->loop),
			    &thread->again, THREADS_AGAIN_MS);
	} else if (thread->has_to_report && !threads->is_closing)
		report(thread);
	free_if_done(thread);
}

void
threads_call_told(struct threads *threads, int32_t tenant, text stream,
    text epoch, uint64_t seq, text sid,
    void (*on_answer)(void *, const struct db_answer *), void *me)
{
	struct call_context context = { .tenant = tenant,
	    .request_id = TEXT("thread") };
	char digits[DIGITS];
	text inputs[] = { stream, epoch, TEXT_NONE, sid };

	snprintf(digits, sizeof digits, "%" PRIu64, seq);
	inputs[2] = text_of(digits);
	threads->calls++;
	service_ask(threads->service, FUNCTION_thread_told, &context,
	    TEXT_NONE, inputs, 4, on_answer, me);
}

static void
report(struct threads_thread *thread)
{
	if (thread->is_reporting || timer_is_set(&thread->again))
		return;
	thread->has_to_report = false;
	thread->is_reporting = true;
	threads_call_told(thread->threads, thread->tenant,
	    threads_stream(thread), epoch_of(thread), thread->told, TEXT(""),
	    on_reported, thread);
}

static void
on_released(void *me, const struct db_answer *answer)
{
	struct threads *threads = object_cast(struct threads, THREADS_MAGIC,
	    me);

	/* Where it was not, its time will be over soon. */
	(void)answer;
	threads->calls--;
}

void
threads_release(struct threads *threads, int32_t tenant, text stream,
    text epoch, uint64_t seq, text sid)
{
	threads_call_told(threads, tenant, stream, epoch, seq, sid,
	    on_released, threads);
}

void
threads_thread_told(struct threads_thread *thread, text epoch, uint64_t seq,
    bool has_to_report)
{
	if (!text_is(epoch, epoch_of(thread))) {
		set_epoch(thread, epoch);
		thread->told = seq;
	} else if (seq > thread->told)
		thread->told = seq;
	else
		return;
	mark(thread);
	if (!has_to_report)
		return;
	thread->has_to_report = true;
	report(thread);
}

struct threads_thread *
threads_thread_get(struct threads *threads, int32_t tenant, text stream,
    text epoch)
{
	struct threads_thread *thread;
	char digits[DIGITS];
	struct buf key;
	int len;

	len = snprintf(digits, sizeof digits, "%" PRId32 " ", tenant);
	buf_init(&key, BUF_NO_LIMIT);
	buf_add(&key, text_from(digits, (size_t)len));
	buf_add(&key, stream);
	HASH_FIND(hh, threads->by_key, key.at, key.len, thread);
	if (thread == NULL) {
		thread = object_create_sized(sizeof *thread + key.len,
		    THREADS_THREAD_MAGIC);
		thread->threads = threads;
		thread->tenant = tenant;
		thread->stream_at = (size_t)len;
		thread->key_len = key.len;
		memcpy(thread->key, key.at, key.len);
		set_epoch(thread, epoch);
		timer_init(&thread->again, report, thread);
		HASH_ADD(hh, threads->by_key, key, thread->key_len, thread);
	}
	buf_fini(&key);
	thread->seats++;
	return (thread);
}

void
threads_thread_give(struct threads_thread *thread)
{
	must(thread->seats > 0);
	thread->seats--;
	free_if_done(thread);
}
