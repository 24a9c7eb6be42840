/* SPDX-License-Identifier: MIT */
/*
 * Log lines, read back from the file they went to.
 */
#include "base/log.h"

#include <sys/mman.h>

#include "base/count.h"
#include "base/fault.h"
#include "tap.h"

static int fd;
static char got[1 << 20];
static _Atomic unsigned level = LOG_INFO;
static unsigned computed;

static int
compute(void)
{
	return ((int)++computed);
}

static void
begin(const char *name)
{
	test(name);
	log_flush();
	fd = memfd_create("log", MFD_CLOEXEC);
	log_use(fd, "worker 2", &level);
}

/* All lines since the last look. */
static text
lines(void)
{
	ssize_t n = pread(fd, got, sizeof got - 1, 0);

	got[n > 0 ? n : 0] = '\0';
	ok(ftruncate(fd, 0) == 0);
	lseek(fd, 0, SEEK_SET);
	return (text_of(got));
}

/* A line without its time, which is checked by its shape. */
static void
is_line(text line, const char *wanted)
{
	static const char shape[] = "{\"time\":\"####-##-##T##:##:##.###Z\",";
	size_t len = sizeof shape - 1;

	if (!ok(line.len > len))
		return;
	for (size_t i = 0; i < len; i++)
		if (shape[i] == '#' ? line.at[i] < '0' || line.at[i] > '9' :
		    line.at[i] != shape[i]) {
			is_text(text_from(line.at, len), shape);
			break;
		}
	is_text(text_from(line.at + len, line.len - len), wanted);
}

static void
test_line(void)
{
	unsigned big = 4000000000;

	begin("a line has its words and its fields, each by its type");
	log_info("a thing was done", F("text", TEXT("a\"b")),
	    F("string", "plain"), F("none", (const char *)NULL),
	    F("int", -7), F("unsigned", big), F("long", INT64_MIN),
	    F("is", (bool)true), F("is_not", (bool)false));
	is_line(lines(), "\"level\":\"info\",\"role\":\"worker 2\","
	    "\"message\":\"a thing was done\",\"text\":\"a\\\"b\","
	    "\"string\":\"plain\",\"none\":null,\"int\":-7,"
	    "\"unsigned\":4000000000,\"long\":-9223372036854775808,"
	    "\"is\":true,\"is_not\":false}\n");
	log_warn("no fields");
	is_line(lines(), "\"level\":\"warn\",\"role\":\"worker 2\","
	    "\"message\":\"no fields\"}\n");
	log_use(fd, "", &level);
	log_error("no role, broken \xff text\n");
	is_line(lines(), "\"level\":\"error\",\"message\":"
	    "\"no role, broken \xef\xbf\xbd text\\n\"}\n");
	close(fd);
}

static void
test_levels(void)
{
	enum log_level named;

	begin("fields of a level that is off are not computed");
	log_debug("off", F("n", compute()));
	is(computed, 0);
	is(lines().len, 0);
	atomic_store(&level, LOG_DEBUG);
	log_debug("on", F("n", compute()));
	is(computed, 1);
	ok(lines().len > 0);
	atomic_store(&level, LOG_ERROR);
	log_warn("off", F("n", compute()));
	is(computed, 1);
	is(lines().len, 0);
	log_error("on");
	ok(lines().len > 0);
	atomic_store(&level, LOG_INFO);
	log_use(fd, "x", NULL);
	ok(log_is_on(LOG_INFO) && !log_is_on(LOG_DEBUG));
	close(fd);

	test("levels by name");
	for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		ok(log_level_named(text_of(log_level_name(i)), &named));
		is(named, i);
	}
	ok(!log_level_named(TEXT("trace"), &named));
	ok(!log_level_named(TEXT_NONE, &named));
}

static void
test_lost(void)
{
	uint64_t lost = counts->counters[COUNTER_log_lost], bytes;

	begin("what cannot be written is counted, and stops nothing");
	log_use_fd(-1);
	log_info("lost");
	is(counts->counters[COUNTER_log_lost] - lost, 1);
	log_use_fd(fd);
	bytes = counts->counters[COUNTER_log_bytes];
	log_info("kept");
	is(counts->counters[COUNTER_log_lost] - lost, 1);
	is(counts->counters[COUNTER_log_bytes] - bytes, lines().len);
#ifdef WITH_FAULTS
	static struct fault_arms arms;

	fault_use(&arms);
	atomic_store(&arms.times[FAULT_log_disk_full], 1);
	log_info("disk full");
	is(counts->counters[COUNTER_log_lost] - lost, 2);
	is(lines().len, 0);
	log_info("room again");
	ok(lines().len > 0);
#endif
	close(fd);
}

/* Last, because there is no way back. */
static void
test_gathering(void)
{
	text line, rest;

	begin("gathered lines leave together, an error at once");
	log_gather();
	log_info("one");
	log_info("two");
	is(lines().len, 0);
	log_flush();
	rest = lines();
	ok(text_cut(rest, '\n', &line, &rest));
	ok(text_cut(rest, '\n', &line, &rest));
	is(rest.len, 0);
	log_info("three");
	is(lines().len, 0);
	log_error("four");
	rest = lines();
	ok(text_cut(rest, '\n', &line, &rest));
	ok(text_cut(rest, '\n', &line, &rest));
	is(rest.len, 0);
	for (unsigned i = 0; i < 1000; i++)
		log_info("many of them");
	ok(lines().len > 32 * 1024);
	log_use_fd(fd);
	ok(lines().len > 0);
	log_flush();
	is(lines().len, 0);
	close(fd);
}

int
main(void)
{
	test_line();
	test_levels();
	test_lost();
	test_gathering();
	return (done());
}
