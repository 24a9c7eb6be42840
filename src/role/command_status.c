/* SPDX-License-Identifier: MIT */
/*
 * `partyline status`: reads the shared segment of a running server, which
 * the master hands over; no other process is asked for anything.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/json_out.h"
#include "base/log.h"
#include "base/stamp.h"
#include "plat/segment.h"
#include "role/command.h"
#include "role/ctl.h"

struct status {
	const struct command	*command;
	const struct segment	*segment;
	int64_t			 now_ms;
	struct buf		 out;
};

/* A histogram in numbers; a bound of 0 is one beyond the last bucket. */
struct digest {
	uint64_t	count;
	uint64_t	sum;
	uint64_t	buckets[HISTOGRAM_BUCKETS];
	uint64_t	p50_us;
	uint64_t	p99_us;
};

static bool
is_wanted(const struct status *status, const char *name)
{
	const struct command *command = status->command;

	for (unsigned i = 0; i < command->words_count; i++)
		if (text_begins(text_of(name), text_of(command->words[i])))
			return (true);
	return (command->words_count == 0);
}

/* Moments on the monotonic clock: their sum says nothing to a reader. */
static bool
is_moment(const char *name)
{
	size_t len = strlen(name);

	return (len > 3 && strcmp(name + len - 3, "_ms") == 0);
}

static uint64_t
upper_bound(const struct digest *digest, unsigned percent)
{
	/* Rounded up: of one value, each percentile is that value. */
	uint64_t wanted = (digest->count * percent + 99) / 100, seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += digest->buckets[i];
		if (seen >= wanted)
			return (UINT64_C(1) << i);
	}
	return (0);
}

static struct digest
digest_of(const struct segment *segment, enum histogram which)
{
	struct digest digest = { .count = 0 };

	segment_histogram(segment, which, digest.buckets, &digest.sum);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		digest.count += digest.buckets[i];
	digest.p50_us = upper_bound(&digest, 50);
	digest.p99_us = upper_bound(&digest, 99);
	return (digest);
}

static double
mean_us(const struct digest *digest)
{
	return (digest->count == 0 ? 0 :
	    (double)digest->sum / (double)digest->count);
}

static int64_t
uptime_ms(const struct status *status, const struct slot *slot)
{
	int64_t started = atomic_load_explicit(
	    &slot->counts.gauges[GAUGE_started_ms], memory_order_relaxed);

	return (started > 0 ? status->now_ms - started : 0);
}

static uint64_t
slot_counter(const struct slot *slot, unsigned which)
{
	return (atomic_load_explicit(&slot->counts.counters[which],
	    memory_order_relaxed));
}

static int64_t
slot_gauge(const struct slot *slot, unsigned which)
{
	return (atomic_load_explicit(&slot->counts.gauges[which],
	    memory_order_relaxed));
}

/* As a reader sees it. */

static void
add_bound(struct buf *out, const char *name, uint64_t us)
{
	const uint64_t last = UINT64_C(1) << (HISTOGRAM_BUCKETS - 2);

	if (us == 0)
		buf_printf(out, " %s over %" PRIu64 " us", name, last);
	else
		buf_printf(out, " %s at most %" PRIu64 " us", name, us);
}

static void
show_sums(struct status *status)
{
	double seconds = (double)(status->now_ms -
	    status->segment->started_ms) / 1000.0;

	if (seconds < 0.001)
		seconds = 0.001;
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t value = segment_counter(status->segment, i);

		if (is_wanted(status, counter_rows[i].name))
			buf_printf(&status->out,
			    "%-24s %14" PRIu64 " %12.2f  %s\n",
			    counter_rows[i].name, value,
			    (double)value / seconds, counter_rows[i].text);
	}
	for (unsigned i = 0; i < GAUGES; i++)
		if (is_wanted(status, gauge_rows[i].name) &&
		    !is_moment(gauge_rows[i].name))
			buf_printf(&status->out,
			    "%-24s %14" PRId64 " %12s  %s\n",
			    gauge_rows[i].name,
			    segment_gauge(status->segment, i), ".",
			    gauge_rows[i].text);
}

static void
show_histograms(struct status *status)
{
	for (unsigned i = 0; i < HISTOGRAMS; i++) {
		struct digest digest = digest_of(status->segment, i);

		if (!is_wanted(status, histogram_rows[i].name))
			continue;
		buf_printf(&status->out, "%-24s %14" PRIu64 " %12s  %s",
		    histogram_rows[i].name, digest.count, ".",
		    histogram_rows[i].text);
		if (digest.count > 0) {
			buf_printf(&status->out, " Mean %.1f us,",
			    mean_us(&digest));
			add_bound(&status->out, "p50", digest.p50_us);
			buf_add_char(&status->out, ',');
			add_bound(&status->out, "p99", digest.p99_us);
		}
		buf_add_char(&status->out, '\n');
	}
}

static void
show_server(struct status *status)
{
	const struct segment *segment = status->segment;

	/* The rest is what a prefix asks for; this is for who asks nothing. */
	if (status->command->words_count > 0)
		return;
	buf_printf(&status->out, "up %.1f s, log level %s",
	    (double)(status->now_ms - segment->started_ms) / 1000.0,
	    log_level_name(atomic_load(&segment->log_level)));
	for (unsigned i = 0; i < PARTS; i++)
		buf_printf(&status->out, ", %s %s", part_name(i),
		    part_state_name(atomic_load(&segment->parts[i])));
	buf_add_char(&status->out, '\n');
}

static void
show_slot(struct status *status, unsigned number)
{
	const struct slot *slot = &status->segment->slots[number];
	enum role role = atomic_load(&slot->role);

	if (role == ROLE_NONE)
		return;
	buf_printf(&status->out, "\nslot %u: %s", number, role_name(role));
	if (role == ROLE_WORKER)
		buf_printf(&status->out, " %" PRIu32,
		    atomic_load(&slot->ordinal));
	buf_printf(&status->out, ", pid %" PRId32 ", generation %" PRIu32
	    ", up %.1f s%s\n", atomic_load(&slot->pid),
	    atomic_load(&slot->generation),
	    (double)uptime_ms(status, slot) / 1000.0,
	    atomic_load(&slot->is_draining) != 0 ? ", draining" : "");
	for (unsigned i = 0; i < COUNTERS; i++)
		if (is_wanted(status, counter_rows[i].name) &&
		    slot_counter(slot, i) != 0)
			buf_printf(&status->out, "  %-22s %14" PRIu64 "\n",
			    counter_rows[i].name, slot_counter(slot, i));
	for (unsigned i = 0; i < GAUGES; i++)
		if (is_wanted(status, gauge_rows[i].name) &&
		    !is_moment(gauge_rows[i].name) &&
		    slot_gauge(slot, i) != 0)
			buf_printf(&status->out, "  %-22s %14" PRId64 "\n",
			    gauge_rows[i].name, slot_gauge(slot, i));
}

static void
show_text(struct status *status)
{
	show_server(status);
	show_sums(status);
	show_histograms(status);
	if (!status->command->wants_processes)
		return;
	for (unsigned i = 0; i < status->segment->slots_count; i++)
		show_slot(status, i);
}

/* As a program sees it. */

static void
json_server(const struct status *status, struct json_out *json)
{
	const struct segment *segment = status->segment;

	json_key(json, "uptime_ms");
	json_int(json, status->now_ms - segment->started_ms);
	json_key(json, "log_level");
	json_text_of(json, log_level_name(atomic_load(&segment->log_level)));
	json_key(json, "parts");
	json_object_begin(json);
	for (unsigned i = 0; i < PARTS; i++) {
		json_key(json, part_name(i));
		json_text_of(json,
		    part_state_name(atomic_load(&segment->parts[i])));
	}
	json_object_end(json);
}

/* The sums, or one slot's share of them. */
static void
json_counts(const struct status *status, const struct slot *slot,
    struct json_out *json)
{
	json_key(json, "counters");
	json_object_begin(json);
	for (unsigned i = 0; i < COUNTERS; i++)
		if (is_wanted(status, counter_rows[i].name)) {
			json_key(json, counter_rows[i].name);
			json_int(json, (int64_t)(slot != NULL ?
			    slot_counter(slot, i) :
			    segment_counter(status->segment, i)));
		}
	json_object_end(json);
	json_key(json, "gauges");
	json_object_begin(json);
	for (unsigned i = 0; i < GAUGES; i++)
		if (is_wanted(status, gauge_rows[i].name)) {
			json_key(json, gauge_rows[i].name);
			json_int(json, slot != NULL ? slot_gauge(slot, i) :
			    segment_gauge(status->segment, i));
		}
	json_object_end(json);
}

static void
json_bound(struct json_out *json, const char *key, uint64_t us)
{
	json_key(json, key);
	if (us != 0)
		json_int(json, (int64_t)us);
	else
		json_nothing(json);
}

static void
json_histograms(const struct status *status, struct json_out *json)
{
	json_key(json, "histograms");
	json_object_begin(json);
	for (unsigned i = 0; i < HISTOGRAMS; i++) {
		struct digest digest = digest_of(status->segment, i);

		if (!is_wanted(status, histogram_rows[i].name))
			continue;
		json_key(json, histogram_rows[i].name);
		json_object_begin(json);
		json_key(json, "count");
		json_int(json, (int64_t)digest.count);
		json_key(json, "sum_us");
		json_int(json, (int64_t)digest.sum);
		json_key(json, "mean_us");
		json_double(json, mean_us(&digest));
		json_bound(json, "p50_us", digest.p50_us);
		json_bound(json, "p99_us", digest.p99_us);
		json_key(json, "buckets");
		json_array_begin(json);
		for (unsigned j = 0; j < HISTOGRAM_BUCKETS; j++)
			json_int(json, (int64_t)digest.buckets[j]);
		json_array_end(json);
		json_object_end(json);
	}
	json_object_end(json);
}

static void
json_slot(const struct status *status, unsigned number,
    struct json_out *json)
{
	const struct slot *slot = &status->segment->slots[number];
	enum role role = atomic_load(&slot->role);

	if (role == ROLE_NONE)
		return;
	json_object_begin(json);
	json_key(json, "slot");
	json_int(json, number);
	json_key(json, "role");
	json_text_of(json, role_name(role));
	json_key(json, "ordinal");
	json_int(json, atomic_load(&slot->ordinal));
	json_key(json, "pid");
	json_int(json, atomic_load(&slot->pid));
	json_key(json, "generation");
	json_int(json, atomic_load(&slot->generation));
	json_key(json, "uptime_ms");
	json_int(json, uptime_ms(status, slot));
	json_key(json, "is_draining");
	json_bool(json, atomic_load(&slot->is_draining) != 0);
	json_counts(status, slot, json);
	json_object_end(json);
}

static void
show_json(struct status *status)
{
	struct json_out json;

	json_out_init(&json, &status->out);
	json_object_begin(&json);
	json_server(status, &json);
	json_counts(status, NULL, &json);
	json_histograms(status, &json);
	json_key(&json, "processes");
	json_array_begin(&json);
	for (unsigned i = 0; i < status->segment->slots_count; i++)
		json_slot(status, i, &json);
	json_array_end(&json);
	json_object_end(&json);
	buf_add_char(&status->out, '\n');
}

int
command_status(struct command *command)
{
	struct status status = { .command = command };
	struct ctl_answer answer;
	const char *why = "no descriptor came with it";
	int exit_code = ctl_ask(command, TEXT("segment"), &answer);

	if (exit_code != EX_OK) {
		ctl_answer_fini(&answer);
		return (exit_code);
	}
	status.segment = answer.fd < 0 ? NULL :
	    segment_open(answer.fd, &why);
	ctl_answer_fini(&answer);
	if (status.segment == NULL) {
		fprintf(stderr, "partyline: the server's counters cannot be "
		    "read: %s\n", why);
		return (EX_UNAVAILABLE);
	}
	status.now_ms = clock_ms();
	buf_init(&status.out, BUF_NO_LIMIT);
	if (command->wants_json)
		show_json(&status);
	else
		show_text(&status);
	segment_unmap(status.segment);
	return (command_answer(&status.out));
}
