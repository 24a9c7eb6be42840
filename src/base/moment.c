/* SPDX-License-Identifier: MIT */
/*
 * Moments from left to right: day, time, fraction, zone.
 */
#include "base/moment.h"

#include <time.h>

#define LAST_SECOND INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */

/* So many digits, and no more of a number than that. */
static bool
take_number(text *rest, size_t count, int most, int *out)
{
	int number = 0;

	if (rest->len < count)
		return (false);
	for (size_t i = 0; i < count; i++) {
		char c = rest->at[i];

		if (c < '0' || c > '9')
			return (false);
		number = number * 10 + (c - '0');
	}
	*rest = text_from(rest->at + count, rest->len - count);
	*out = number;
	return (number <= most);
}

static bool
take_sign(text *rest, const char *signs)
{
	if (rest->len == 0 || strchr(signs, rest->at[0]) == NULL ||
	    rest->at[0] == '\0')
		return (false);
	*rest = text_from(rest->at + 1, rest->len - 1);
	return (true);
}

static bool
take_day(text *rest, struct tm *when)
{
	if (!take_number(rest, 4, 9999, &when->tm_year) ||
	    !take_sign(rest, "-") ||
	    !take_number(rest, 2, 12, &when->tm_mon) ||
	    !take_sign(rest, "-") ||
	    !take_number(rest, 2, 31, &when->tm_mday))
		return (false);
	when->tm_year -= 1900;
	when->tm_mon--;
	return (true);
}

static bool
take_time(text *rest, struct tm *when)
{
	if (!take_sign(rest, "Tt ") ||
	    !take_number(rest, 2, 23, &when->tm_hour) ||
	    !take_sign(rest, ":") ||
	    !take_number(rest, 2, 59, &when->tm_min))
		return (false);
	return (!take_sign(rest, ":") ||
	    take_number(rest, 2, 59, &when->tm_sec));
}

static bool
take_fraction(text *rest, int *ms_out)
{
	int scale = 100, digit;

	*ms_out = 0;
	if (!take_sign(rest, ".,"))
		return (true);
	if (!take_number(rest, 1, 9, &digit))
		return (false);
	do {
		*ms_out += digit * scale;
		scale /= 10;
	} while (take_number(rest, 1, 9, &digit));
	return (true);
}

/* Seconds that the clock there is ahead of UTC. */
static bool
take_zone(text *rest, int64_t *ahead_out)
{
	int sign, hours, minutes = 0;

	*ahead_out = 0;
	if (rest->len == 0 || take_sign(rest, "Zz"))
		return (true);
	sign = rest->at[0] == '-' ? -1 : 1;
	if (!take_sign(rest, "+-") || !take_number(rest, 2, 23, &hours))
		return (false);
	if (take_sign(rest, ":") || rest->len > 0)
		if (!take_number(rest, 2, 59, &minutes))
			return (false);
	*ahead_out = sign * (hours * 3600 + minutes * 60);
	return (true);
}

bool
moment_read(text t, int64_t *stamp_out)
{
	struct tm when = { .tm_isdst = 0 };
	int64_t seconds, ahead;
	int ms, day;

	if (!take_day(&t, &when) || !take_time(&t, &when) ||
	    !take_fraction(&t, &ms) || !take_zone(&t, &ahead) || t.len > 0)
		return (false);
	/* The 31st of February becomes another day, and month 0 a year. */
	day = when.tm_mday;
	if (when.tm_mon < 0)
		return (false);
	seconds = (int64_t)timegm(&when) - ahead;
	if (when.tm_mday != day || seconds < 0 || seconds > LAST_SECOND)
		return (false);
	*stamp_out = seconds * 1000 + ms;
	return (true);
}
