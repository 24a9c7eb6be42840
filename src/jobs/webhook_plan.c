/* SPDX-License-Identifier: MIT */
/*
 * Verdicts on tries.
 */
#include "jobs/webhook_plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/must.h"

#define JITTER_PARTS	5

void
webhook_plan_init(struct webhook_plan *plan, const struct conf *conf)
{
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	if (!spans_read(text_of(conf->webhook_schedule), &plan->schedule,
	    &why))
		must_never("conf_check has read it");
	buf_fini(&why);
	plan->pause_max = conf->webhook_pause_max;
	plan->disable_after = conf->webhook_disable_after;
}

/* Up to a fifth more. */
static int64_t
spread(int64_t ms, unsigned random)
{
	return (ms + ms / JITTER_PARTS * (random % 1024) / 1024);
}

static int64_t
least_wait(const struct webhook_plan *plan)
{
	int64_t ms = plan->schedule.count > 0 ? plan->schedule.ms[0] :
	    plan->pause_max;

	return (ms < plan->pause_max ? ms : plan->pause_max);
}

static int64_t
longest_wait(const struct webhook_plan *plan)
{
	int64_t longest = plan->pause_max;

	for (unsigned i = 0; i < plan->schedule.count; i++)
		if (plan->schedule.ms[i] > longest)
			longest = plan->schedule.ms[i];
	return (longest);
}

static bool
asks_for_rest(const struct webhook_tried *tried)
{
	return (tried->is_answered &&
	    (tried->status == 429 || tried->status == 503));
}

/* What Retry-After asks for, as far as we go. */
static int64_t
rest_asked(const struct webhook_plan *plan,
    const struct webhook_tried *tried)
{
	int64_t most = longest_wait(plan);

	if (!asks_for_rest(tried) || tried->retry_after_s <= 0)
		return (0);
	return (tried->retry_after_s < most / 1000 ?
	    tried->retry_after_s * 1000 : most);
}

static int64_t
pause_for(const struct webhook_plan *plan,
    const struct webhook_tried *tried, unsigned random)
{
	int64_t ms = tried->failing_ms, rest = rest_asked(plan, tried);

	if (tried->failures + 1 < WEBHOOK_BREAKS_AT && !asks_for_rest(tried))
		return (0);
	if (ms < least_wait(plan))
		ms = least_wait(plan);
	if (ms < plan->pause_max)
		ms = spread(ms, random);
	if (ms > plan->pause_max)
		ms = plan->pause_max;
	return (ms > rest ? ms : rest);
}

static void
write_why(const struct webhook_tried *tried, char out[WEBHOOK_WHY_SIZE])
{
	if (!tried->is_answered)
		snprintf(out, WEBHOOK_WHY_SIZE, "%s", tried->words);
	else if (tried->status == 410)
		snprintf(out, WEBHOOK_WHY_SIZE, "answered 410: gone");
	else if (tried->status >= 300 && tried->status < 400)
		snprintf(out, WEBHOOK_WHY_SIZE, "answered %d: redirects are "
		    "not followed", tried->status);
	else if (asks_for_rest(tried) && tried->retry_after_s > 0)
		snprintf(out, WEBHOOK_WHY_SIZE, "answered %d: come back in "
		    "%" PRId64 " s", tried->status, tried->retry_after_s);
	else
		snprintf(out, WEBHOOK_WHY_SIZE, "answered %d",
		    tried->status);
}

/* Whether nothing more is to be sent there at all. */
static bool
is_gone(const struct webhook_plan *plan, const struct webhook_tried *tried,
    char why_out[WEBHOOK_WHY_SIZE])
{
	if (tried->is_answered && tried->status == 410) {
		snprintf(why_out, WEBHOOK_WHY_SIZE, "answered 410: gone");
		return (true);
	}
	if (tried->failures == 0 ||
	    tried->failing_ms < plan->disable_after)
		return (false);
	snprintf(why_out, WEBHOOK_WHY_SIZE, "failed for %" PRId64 " h, %u "
	    "times in a row", tried->failing_ms / 3600000,
	    tried->failures + 1);
	return (true);
}

void
webhook_judge(const struct webhook_plan *plan,
    const struct webhook_tried *tried, unsigned random,
    struct webhook_verdict *out)
{
	int64_t rest = rest_asked(plan, tried);

	must(tried->attempt > 0);
	memset(out, 0, sizeof *out);
	if (tried->is_answered && tried->status >= 200 &&
	    tried->status < 300) {
		out->outcome = WEBHOOK_DELIVERED;
		return;
	}
	write_why(tried, out->why);
	if (tried->is_test) {
		out->outcome = WEBHOOK_DEAD;
		return;
	}
	out->pause_ms = pause_for(plan, tried, random);
	if (is_gone(plan, tried, out->disabled_for)) {
		out->outcome = WEBHOOK_GONE;
	} else if (tried->attempt > plan->schedule.count) {
		out->outcome = WEBHOOK_DEAD;
	} else {
		out->outcome = WEBHOOK_AGAIN;
		out->retry_ms = spread(
		    plan->schedule.ms[tried->attempt - 1], random);
		if (out->retry_ms < rest)
			out->retry_ms = rest;
	}
}

unsigned
webhook_each(unsigned free, unsigned most)
{
	unsigned half = (free + 1) / 2;

	return (half == 0 ? 1 : half < most ? half : most);
}

/* The bytes of the sign at the text's begin; 0: there is none. */
static size_t
sign_len(text t)
{
	for (size_t len = 1; len <= 4 && len <= t.len; len++)
		if (text_is_utf8(text_from(t.at, len)))
			return (len);
	return (0);
}

void
webhook_keep(text answer, struct buf *out)
{
	while (answer.len > 0) {
		size_t len = sign_len(answer);
		unsigned char c = (unsigned char)answer.at[0];
		bool is_fit = len > 0 && c != 0x7f &&
		    (c >= ' ' || c == '\t' || c == '\n');

		if (len == 0)
			len = 1;
		if (out->len + len > WEBHOOK_KEPT_MAX)
			return;
		if (is_fit)
			buf_add(out, text_from(answer.at, len));
		else if (c != '\r')
			buf_add_char(out, '?');
		answer = text_from(answer.at + len, answer.len - len);
	}
}

text
webhook_origin(text url)
{
	unsigned slashes = 0;
	size_t len = 0;

	for (; len < url.len; len++) {
		char c = url.at[len];

		if (c == '?' || c == '#' || (c == '/' && ++slashes == 3))
			break;
	}
	return (text_from(url.at, len));
}
