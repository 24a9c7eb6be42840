/* SPDX-License-Identifier: MIT */
/*
 * The two clocks, and the one form in which times are shown.
 */
#include "base/stamp.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_clock(clockid_t which, int64_t per_second)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (now.tv_sec * per_second +
	    now.tv_nsec / (1000000000 / per_second));
}

int64_t
stamp_now(void)
{
	return (read_clock(CLOCK_REALTIME, 1000));
}

int64_t
clock_ms(void)
{
	return (read_clock(CLOCK_MONOTONIC, 1000));
}

int64_t
clock_us(void)
{
	return (read_clock(CLOCK_MONOTONIC, 1000000));
}

void
stamp_write(int64_t stamp, char out[STAMP_SIZE])
{
	/* gmtime is needed once a second; a log line comes more often. */
	static _Thread_local time_t cached = -1;
	static _Thread_local char seconds[sizeof "2026-03-15T19:00:00"];
	time_t now = (time_t)(stamp / 1000);
	int ms = (int)(stamp % 1000);

	if (now != cached) {
		struct tm parts;

		gmtime_r(&now, &parts);
		strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
		cached = now;
	}
	for (size_t i = 0; i < sizeof seconds - 1; i++)
		out[i] = seconds[i];
	out[19] = '.';
	out[20] = (char)('0' + ms / 100);
	out[21] = (char)('0' + ms / 10 % 10);
	out[22] = (char)('0' + ms % 10);
	out[23] = 'Z';
	out[24] = '\0';
}

static int
number_at(const char *digits, size_t count)
{
	int number = 0;

	for (size_t i = 0; i < count; i++)
		number = number * 10 + (digits[i] - '0');
	return (number);
}

bool
stamp_read(text t, int64_t *stamp_out)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	struct tm when = { .tm_isdst = 0 };
	char again[STAMP_SIZE];
	int64_t stamp;

	if (t.len != sizeof form - 1)
		return (false);
	for (size_t i = 0; i < t.len; i++)
		if (form[i] == '0' ? t.at[i] < '0' || t.at[i] > '9' :
		    t.at[i] != form[i])
			return (false);
	when.tm_year = number_at(t.at, 4) - 1900;
	when.tm_mon = number_at(t.at + 5, 2) - 1;
	when.tm_mday = number_at(t.at + 8, 2);
	when.tm_hour = number_at(t.at + 11, 2);
	when.tm_min = number_at(t.at + 14, 2);
	when.tm_sec = number_at(t.at + 17, 2);
	stamp = (int64_t)timegm(&when) * 1000 + number_at(t.at + 20, 3);
	if (stamp < 0)
		return (false);
	/* The 31st of February is written as another day. */
	stamp_write(stamp, again);
	if (!text_is(t, text_of(again)))
		return (false);
	*stamp_out = stamp;
	return (true);
}
