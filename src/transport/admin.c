/* SPDX-License-Identifier: MIT */
/*
 * Counters as text and as JSON.
 */
#include "transport/admin.h"

#include "base/json_out.h"
#include "base/stamp.h"
#include "plat/segment.h"

static void
write_head(struct buf *out, const struct count_row *row, const char *ending,
    const char *type)
{
	buf_printf(out, "# HELP partyline_%s%s %s\n# TYPE partyline_%s%s %s\n",
	    row->name, ending, row->text, row->name, ending, type);
}

static bool
is_live(const struct slot *slot)
{
	return (atomic_load(&slot->role) != ROLE_NONE);
}

static void
write_gauge(struct buf *out, const struct segment *segment, enum gauge which)
{
	write_head(out, &gauge_rows[which], "", "gauge");
	for (unsigned i = 0; i < segment->slots_count; i++) {
		const struct slot *slot = &segment->slots[i];

		if (is_live(slot))
			buf_printf(out, "partyline_%s{role=\"%s\","
			    "ordinal=\"%u\",slot=\"%u\"} %lld\n",
			    gauge_rows[which].name,
			    role_name(atomic_load(&slot->role)),
			    (unsigned)atomic_load(&slot->ordinal), i,
			    (long long)atomic_load(
			    &slot->counts.gauges[which]));
	}
}

static void
write_histogram(struct buf *out, const struct segment *segment,
    enum histogram which)
{
	const char *name = histogram_rows[which].name;
	uint64_t buckets[HISTOGRAM_BUCKETS], sum_us, count = 0;

	segment_histogram(segment, which, buckets, &sum_us);
	write_head(out, &histogram_rows[which], "_seconds", "histogram");
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		count += buckets[i];
		/* The last bucket has no upper bound. */
		if (i < HISTOGRAM_BUCKETS - 1)
			buf_printf(out,
			    "partyline_%s_seconds_bucket{le=\"%.6f\"} %llu\n",
			    name, (double)(1ULL << i) / 1e6,
			    (unsigned long long)count);
	}
	buf_printf(out, "partyline_%s_seconds_bucket{le=\"+Inf\"} %llu\n"
	    "partyline_%s_seconds_sum %.6f\n"
	    "partyline_%s_seconds_count %llu\n", name,
	    (unsigned long long)count, name, (double)sum_us / 1e6, name,
	    (unsigned long long)count);
}

static text
keep(struct op *op, struct buf *buf)
{
	text kept = text_from(arena_copy(&op->arena, buf->at, buf->len),
	    buf->len);

	buf_fini(buf);
	return (kept);
}

void
operation_metrics(struct op *op)
{
	const struct segment *segment = op->ground->segment;
	struct buf out;

	buf_init(&out, BUF_NO_LIMIT);
	for (enum counter i = 0; i < COUNTERS; i++) {
		write_head(&out, &counter_rows[i], "_total", "counter");
		buf_printf(&out, "partyline_%s_total %llu\n",
		    counter_rows[i].name,
		    (unsigned long long)segment_counter(segment, i));
	}
	for (enum gauge i = 0; i < GAUGES; i++)
		write_gauge(&out, segment, i);
	for (enum histogram i = 0; i < HISTOGRAMS; i++)
		write_histogram(&out, segment, i);
	op_reply_as(op, 200, TEXT("text/plain; version=0.0.4; charset=utf-8"),
	    keep(op, &out));
}

static void
write_parts(struct json_out *json, const struct segment *segment)
{
	json_key(json, "parts");
	json_object_begin(json);
	for (enum part i = 0; i < PARTS; i++) {
		json_key(json, part_name(i));
		json_text(json, text_of(part_state_name(
		    atomic_load(&segment->parts[i]))));
	}
	json_object_end(json);
}

/* Of one slot, or in sum where it is NULL. */
static void
write_numbers(struct json_out *json, const struct segment *segment,
    const struct slot *slot)
{
	json_key(json, "counters");
	json_object_begin(json);
	for (enum counter i = 0; i < COUNTERS; i++) {
		json_key(json, counter_rows[i].name);
		json_int(json, (int64_t)(slot != NULL ?
		    atomic_load(&slot->counts.counters[i]) :
		    segment_counter(segment, i)));
	}
	json_object_end(json);
	json_key(json, "gauges");
	json_object_begin(json);
	for (enum gauge i = 0; i < GAUGES; i++) {
		json_key(json, gauge_rows[i].name);
		json_int(json, slot != NULL ?
		    atomic_load(&slot->counts.gauges[i]) :
		    segment_gauge(segment, i));
	}
	json_object_end(json);
}

static void
write_process(struct json_out *json, const struct segment *segment,
    const struct slot *slot)
{
	json_object_begin(json);
	json_key(json, "role");
	json_text(json, text_of(role_name(atomic_load(&slot->role))));
	json_key(json, "ordinal");
	json_int(json, atomic_load(&slot->ordinal));
	json_key(json, "pid");
	json_int(json, atomic_load(&slot->pid));
	json_key(json, "generation");
	json_int(json, atomic_load(&slot->generation));
	write_numbers(json, segment, slot);
	json_object_end(json);
}

void
operation_status(struct op *op)
{
	const struct segment *segment = op->ground->segment;
	struct json_out json;
	struct buf out;

	buf_init(&out, BUF_NO_LIMIT);
	json_out_init(&json, &out);
	json_object_begin(&json);
	json_key(&json, "uptimeMs");
	json_int(&json, clock_ms() - segment->started_ms);
	write_parts(&json, segment);
	write_numbers(&json, segment, NULL);
	json_key(&json, "processes");
	json_array_begin(&json);
	for (unsigned i = 0; i < segment->slots_count; i++)
		if (is_live(&segment->slots[i]))
			write_process(&json, segment, &segment->slots[i]);
	json_array_end(&json);
	json_object_end(&json);
	op_reply(op, 200, keep(op, &out));
}
