/* SPDX-License-Identifier: MIT */
/*
 * A host with nothing in it but a relay, that a test drives by lines on its
 * standard input (T::Relay). Words are separated by tabs; \N is no payload.
 *
 *	relay --set redis_url=unix:///path --set redis_prefix=x
 *
 *	put SLOT event|live|sweep TENANT STREAM SEQ PAYLOAD [TO]
 *	crowd SLOT COUNT BYTES	COUNT events of tenant 1, numbered from 1
 *	want SLOT TENANT COUNT	hubs of that slot in the tenant's bucket
 *	die SLOT		the relay goes as if killed; the next has SLOT
 *	cursors SLOT		state			counts
 *	drain			until it is idle	quit
 *
 * It says, beside answers of the same names:
 *
 *	host ID
 *	heard KIND TENANT STREAM EPOCH SEQ PAYLOAD	in the relay's ring
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/relay.h"
#include "plat/loop.h"
#include "plat/segment.h"
#include "plat/wake.h"

#define WORDS_MAX 16
#define SHOWN_MAX 900
#define SLOTS 8
#define RING_BYTES (256 * 1024)
#define PAYLOAD_MAX (16 * 1024)

static struct segment *segment;
static struct loop *loop;
static struct conf *conf;
static struct relay *relay;
static unsigned relay_slot;
static struct ring_reader reader;
static struct counts counted[1];
static bool has_ended;
static bool drains;

static const char *const kinds[] = { [RING_EVENT] = "event",
    [RING_LIVE] = "live", [RING_SWEEP] = "sweep" };

static int64_t
number_of(text word)
{
	int64_t number;

	if (!text_to_int64(word, 0, INT64_MAX, &number))
		die(EX_USAGE, "%.*s is no number", TEXT_ARGS(word));
	return (number);
}

static void
start_relay(unsigned slot)
{
	struct relay_setup setup = { .loop = loop, .segment = segment,
	    .slot = slot, .conf = conf };

	relay_slot = slot;
	atomic_store(&segment->slots[slot].role, ROLE_RELAY);
	ring_reader_fini(&reader);
	ring_reader_init(&reader, segment_ring(segment, slot),
	    RING_FROM_TAIL);
	relay = relay_create(&setup);
}

static void
write_record(unsigned slot, const struct ring_record *record)
{
	struct ring_writer writer;

	must(slot < SLOTS && slot != relay_slot);
	ring_writer_init(&writer, segment_ring(segment, slot));
	ring_write(&writer, record);
}

static void
put(const text *words, unsigned count)
{
	struct ring_record record = { .to = RING_TO_ALL,
	    .tenant = (int32_t)number_of(words[3]), .stream = words[4],
	    .epoch = TEXT("e"), .seq = (uint64_t)number_of(words[5]),
	    .has_payload = !text_is(words[6], TEXT("\\N")) };

	for (unsigned i = RING_EVENT; i <= RING_SWEEP; i++)
		if (text_is(words[2], text_of(kinds[i])))
			record.kind = i;
	if (record.has_payload)
		record.payload = words[6];
	if (count > 7)
		record.to = (uint32_t)number_of(words[7]);
	write_record((unsigned)number_of(words[1]), &record);
	relay_news(relay);
}

static void
crowd(unsigned slot, unsigned count, size_t bytes)
{
	char *payload = mem_alloc(bytes);
	struct ring_record record = { .kind = RING_EVENT,
	    .to = RING_TO_ALL, .tenant = 1, .stream = TEXT("crowd"),
	    .epoch = TEXT("e"), .has_payload = true,
	    .payload = text_from(payload, bytes) };

	memset(payload, 'x', bytes);
	for (record.seq = 1; record.seq <= count; record.seq++)
		write_record(slot, &record);
	mem_free(payload);
	relay_news(relay);
}

static void
say_heard(void)
{
	struct ring_record record;
	enum ring_got got;

	while ((got = ring_read(&reader, &record)) != RING_EMPTY) {
		if (got == RING_LAPPED) {
			printf("lapped\n");
			continue;
		}
		printf("heard\t%s\t%" PRId32 "\t%.*s\t%.*s\t%" PRIu64 "\t",
		    kinds[record.kind], record.tenant,
		    TEXT_ARGS(record.stream), TEXT_ARGS(record.epoch),
		    record.seq);
		if (record.payload.len > SHOWN_MAX)
			printf("%zu bytes\n", record.payload.len);
		else if (record.has_payload)
			printf("%.*s\n", TEXT_ARGS(record.payload));
		else
			printf("\\N\n");
	}
}

static void
say_state(void)
{
	printf("state\t%s\t%s\t%u\n", part_state_name(atomic_load(
	    &segment->parts[PART_REDIS])),
	    segment_is_cut_off(segment) ? "cut off" : "good",
	    atomic_load(&segment->relay_owes_sweep));
}

static void
say_cursors(unsigned slot)
{
	must(slot < SLOTS);
	printf("cursors\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n",
	    atomic_load(&segment->slots[slot].relay_done),
	    atomic_load(&segment->slots[slot].relay_read),
	    atomic_load(&segment_ring(segment, slot)->tail));
}

static void
say_counts(void)
{
	printf("counts");
	for (unsigned i = 0; i < COUNTERS; i++)
		printf("\t%s=%" PRIu64, counter_rows[i].name,
		    atomic_load(&counted->counters[i]));
	for (unsigned i = 0; i < GAUGES; i++)
		printf("\t%s=%" PRId64, gauge_rows[i].name,
		    atomic_load(&counted->gauges[i]));
	putchar('\n');
}

/* As the master does when one died: the cursors stay. */
static void
die_and_start(unsigned slot)
{
	relay_destroy(&relay);
	segment_void_slot(segment, relay_slot);
	start_relay(slot);
}

static void
obey(const text *words, unsigned count)
{
	text verb = words[0];

	if (text_is(verb, TEXT("put")) && count >= 7)
		put(words, count);
	else if (text_is(verb, TEXT("crowd")) && count == 4)
		crowd((unsigned)number_of(words[1]),
		    (unsigned)number_of(words[2]),
		    (size_t)number_of(words[3]));
	else if (text_is(verb, TEXT("want")) && count == 4) {
		atomic_store(&segment->slots[number_of(words[1]) % SLOTS].
		    interest[bucket_of((int32_t)number_of(words[2]))],
		    (uint32_t)number_of(words[3]));
		relay_news(relay);
	} else if (text_is(verb, TEXT("die")) && count == 2)
		die_and_start((unsigned)number_of(words[1]));
	else if (text_is(verb, TEXT("cursors")) && count == 2)
		say_cursors((unsigned)number_of(words[1]));
	else if (text_is(verb, TEXT("state")))
		say_state();
	else if (text_is(verb, TEXT("counts")))
		say_counts();
	else if (text_is(verb, TEXT("drain")))
		drains = true;
	else if (text_is(verb, TEXT("quit")))
		has_ended = true;
	else
		die(EX_USAGE, "what is %.*s?", TEXT_ARGS(verb));
}

static void
obey_line(text line)
{
	text words[WORDS_MAX];
	unsigned count = 0;

	while (count < WORDS_MAX - 1 &&
	    text_cut(line, '\t', &words[count], &line))
		count++;
	/* The last one is its head where nothing was left to cut. */
	obey(words, count + 1);
}

static void
on_input(struct buf *input)
{
	char piece[65536];
	ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
	text rest, line, after;

	if (got == 0)
		has_ended = true;
	if (got <= 0)
		return;
	buf_add(input, text_from(piece, (size_t)got));
	rest = buf_text(input);
	while (text_cut(rest, '\n', &line, &after)) {
		obey_line(line);
		rest = after;
	}
	memmove(input->at, rest.at, rest.len);
	input->len = rest.len;
}

static void
read_options(int argc, char **argv)
{
	struct buf problems;

	buf_init(&problems, BUF_NO_LIMIT);
	conf = conf_create();
	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "--set") != 0 ||
		    !conf_set(conf, text_of(argv[i + 1]), &problems))
			die(EX_USAGE, "%s %.*s", argv[i],
			    TEXT_ARGS(buf_text(&problems)));
	if (!conf_check(conf, &problems))
		die(EX_CONFIG, "%.*s", TEXT_ARGS(buf_text(&problems)));
	buf_fini(&problems);
}

int
main(int argc, char **argv)
{
	static _Atomic unsigned level = LOG_INFO;
	struct loop_watch *watch;
	struct buf input;
	int fd;

	log_use(STDERR_FILENO, "relay", &level);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	read_options(argc, argv);
	counts = counted;
	segment = segment_create(SLOTS, RING_BYTES, PAYLOAD_MAX, &fd);
	must(segment != NULL && wake_open(segment));
	snprintf(segment->host, sizeof segment->host, "%016x",
	    (unsigned)getpid());
	printf("host\t%s\n", segment->host);
	loop = loop_create();
	buf_init(&input, BUF_NO_LIMIT);
	watch = loop_watch_readable(loop, STDIN_FILENO, on_input, &input);
	start_relay(1);
	while (!has_ended) {
		loop_turn(loop, 1000);
		say_heard();
		if (drains && relay_is_idle(relay)) {
			drains = false;
			printf("idle\n");
		}
	}
	relay_destroy(&relay);
	ring_reader_fini(&reader);
	loop_forget(&watch);
	loop_destroy(&loop);
	wake_close();
	segment_unmap(segment);
	close(fd);
	conf_destroy(&conf);
	buf_fini(&input);
	puts("ended");
	return (EX_OK);
}
