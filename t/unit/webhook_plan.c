/* SPDX-License-Identifier: MIT */
/*
 * jobs/webhook_plan: what follows from each kind of try.
 */
#include "jobs/webhook_plan.h"

#include "base/conf.h"

#include "tap.h"

#define SECOND	1000LL
#define MINUTE	(60 * SECOND)
#define HOUR	(60 * MINUTE)

static struct webhook_plan plan;
static struct webhook_verdict verdict;

static enum webhook_outcome
judge(struct webhook_tried tried)
{
	if (tried.attempt == 0)
		tried.attempt = 1;
	if (tried.words == NULL)
		tried.words = "";
	webhook_judge(&plan, &tried, 0, &verdict);
	return (verdict.outcome);
}

static enum webhook_outcome
answers(int status)
{
	return (judge((struct webhook_tried){ .is_answered = true,
	    .status = status }));
}

static void
test_success(void)
{
	test("each 2xx is success");
	for (int status = 200; status < 300; status++)
		is(answers(status), WEBHOOK_DELIVERED);
	is_text(verdict.why, "");

	test("nothing else is");
	for (int status = 100; status < 600; status++)
		if (status < 200 || status >= 300)
			ok(answers(status) != WEBHOOK_DELIVERED);

	test("a 2xx that broke off is none");
	is(judge((struct webhook_tried){ .status = 200,
	    .words = "the connection ended too early" }), WEBHOOK_AGAIN);
	is_text(verdict.why, "the connection ended too early");
}

static void
test_schedule(void)
{
	const int64_t wanted[] = { 5 * SECOND, 5 * MINUTE, 30 * MINUTE,
	    2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR };
	struct webhook_tried tried = { .is_answered = true, .status = 500 };

	test("retries come when the schedule says");
	for (unsigned i = 0; i < 9; i++) {
		tried.attempt = i + 1;
		is(judge(tried), WEBHOOK_AGAIN);
		is(verdict.retry_ms, wanted[i]);
	}
	is_text(verdict.why, "answered 500");

	test("the tenth try is the last");
	tried.attempt = 10;
	is(judge(tried), WEBHOOK_DEAD);
	is(verdict.retry_ms, 0);

	test("jitter adds up to a fifth and takes nothing");
	tried.attempt = 2;
	for (unsigned random = 0; random < 5000; random += 7) {
		webhook_judge(&plan, &tried, random, &verdict);
		ok(verdict.retry_ms >= 5 * MINUTE &&
		    verdict.retry_ms <= 6 * MINUTE);
	}
	webhook_judge(&plan, &tried, 1023, &verdict);
	ok(verdict.retry_ms > 5 * MINUTE + 50 * SECOND);
}

static void
test_breaker(void)
{
	struct webhook_tried tried = { .words = "connection refused",
	    .attempt = 1 };

	test("an endpoint that begins to fail is not left alone");
	for (; tried.failures < WEBHOOK_BREAKS_AT - 1; tried.failures++) {
		is(judge(tried), WEBHOOK_AGAIN);
		is(verdict.pause_ms, 0);
	}

	test("then it is, for as long as it has been failing");
	is(judge(tried), WEBHOOK_AGAIN);
	is(verdict.pause_ms, 5 * SECOND);
	tried.failing_ms = 7 * SECOND;
	judge(tried);
	is(verdict.pause_ms, 7 * SECOND);
	for (unsigned random = 0; random < 2048; random += 11) {
		webhook_judge(&plan, &tried, random, &verdict);
		ok(verdict.pause_ms >= 7 * SECOND &&
		    verdict.pause_ms < 9 * SECOND);
	}

	test("but never for longer than the bound");
	tried.failures = 4000000000u;
	tried.failing_ms = 100 * HOUR;
	for (unsigned random = 0; random < 2048; random += 11) {
		webhook_judge(&plan, &tried, random, &verdict);
		is(verdict.pause_ms, 10 * MINUTE);
	}

	test("a success needs none");
	tried.is_answered = true;
	tried.status = 204;
	judge(tried);
	is(verdict.pause_ms, 0);
}

static void
test_rest(void)
{
	struct webhook_tried tried = { .is_answered = true, .status = 429,
	    .retry_after_s = 3600 };

	test("429 and 503 say when to come back");
	is(judge(tried), WEBHOOK_AGAIN);
	is(verdict.retry_ms, HOUR);
	is(verdict.pause_ms, HOUR);
	is_text(verdict.why, "answered 429: come back in 3600 s");
	tried.status = 503;
	tried.retry_after_s = 1;
	judge(tried);
	is(verdict.retry_ms, 5 * SECOND);
	is(verdict.pause_ms, 5 * SECOND);

	test("without a word of when the endpoint is left alone, too");
	is(answers(429), WEBHOOK_AGAIN);
	is(verdict.pause_ms, 5 * SECOND);
	is(verdict.retry_ms, 5 * SECOND);

	test("nobody puts it off for longer than the longest wait");
	tried.retry_after_s = INT64_MAX;
	judge(tried);
	is(verdict.retry_ms, 24 * HOUR);
	is(verdict.pause_ms, 24 * HOUR);

	test("of another status Retry-After means nothing here");
	tried.status = 500;
	judge(tried);
	is(verdict.retry_ms, 5 * SECOND);
	is(verdict.pause_ms, 0);
}

static void
test_gone(void)
{
	struct webhook_tried tried = { .is_answered = true, .status = 500,
	    .failures = 40, .failing_ms = 120 * HOUR };

	test("410 ends it");
	is(answers(410), WEBHOOK_GONE);
	is_text(verdict.disabled_for, "answered 410: gone");

	test("so does failing for as long as the option says");
	is(judge(tried), WEBHOOK_GONE);
	is_text(verdict.disabled_for, "failed for 120 h, 41 times in a row");
	tried.failing_ms--;
	is(judge(tried), WEBHOOK_AGAIN);

	test("a test changes nothing but itself");
	tried.failing_ms = 200 * HOUR;
	tried.is_test = true;
	tried.status = 410;
	is(judge(tried), WEBHOOK_DEAD);
	is(verdict.pause_ms, 0);
	is_text(verdict.disabled_for, "");
	is_text(verdict.why, "answered 410: gone");

	test("redirects are told as what they are");
	is(answers(302), WEBHOOK_AGAIN);
	is_text(verdict.why, "answered 302: redirects are not followed");
}

static void
test_each(void)
{
	unsigned free = 64;

	test("however many are slow, there is room for one more");
	for (unsigned slow = 0; slow < 20 && free > 0; slow++) {
		unsigned each = webhook_each(free, 16);

		ok(each >= 1 && each <= 16);
		if (free > 1)
			ok(each < free);
		free -= each;
	}
	is(webhook_each(64, 16), 16);
	is(webhook_each(1, 16), 1);
}

static bool
keeps(text answer, const char *wanted)
{
	struct buf out;
	bool is_same;

	buf_init(&out, BUF_NO_LIMIT);
	webhook_keep(answer, &out);
	is_same = is_text(buf_text(&out), wanted);
	buf_fini(&out);
	return (is_same);
}

static void
test_keep(void)
{
	char large[3000];
	struct buf out;

	test("answers are kept as UTF-8 without control signs");
	keeps(TEXT("caf\303\251\t1\r\n2"), "caf\303\251\t1\n2");
	keeps(TEXT("a\0b\033c\177d"), "a?b?c?d");
	keeps(TEXT("\377\303+\355\240\200"), "??+???");
	keeps(TEXT("cut \303"), "cut ?");

	test("2 KiB of them, cut between two signs");
	memset(large, 'x', sizeof large);
	memcpy(large + WEBHOOK_KEPT_MAX - 1, "\303\251", 2);
	buf_init(&out, BUF_NO_LIMIT);
	webhook_keep(text_from(large, sizeof large), &out);
	is(out.len, WEBHOOK_KEPT_MAX - 1);
	buf_fini(&out);
}

static void
test_origin(void)
{
	test("a log is told of a URL what is no secret");
	is_text(webhook_origin(TEXT("https://a.example:8443/x/y?key=1")),
	    "https://a.example:8443");
	is_text(webhook_origin(TEXT("https://a.example?key=1")),
	    "https://a.example");
	is_text(webhook_origin(TEXT("https://a.example#x")),
	    "https://a.example");
	is_text(webhook_origin(TEXT("")), "");
}

int
main(void)
{
	struct conf *conf = conf_create();

	webhook_plan_init(&plan, conf);
	test_success();
	test_schedule();
	test_breaker();
	test_rest();
	test_gone();
	test_each();
	test_keep();
	test_origin();
	conf_destroy(&conf);
	return (done());
}
