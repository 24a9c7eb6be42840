/* SPDX-License-Identifier: MIT */
/*
 * transport/outbox: order, references, weight, what is lent.
 */
#include "transport/outbox.h"

#include "tap.h"

#define NO_BOUND SIZE_MAX

static struct bytes *
piece(unsigned number, size_t len)
{
	struct bytes *bytes = bytes_create(len);

	memset(bytes->at, (int)('a' + number % 26), len);
	return (bytes);
}

/* The caller's own reference is given; false: it did not fit. */
static bool
put(struct outbox *outbox, unsigned number, size_t len, size_t most,
    int64_t now_ms)
{
	struct bytes *bytes = piece(number, len);
	bool fits = outbox_put(outbox, bytes, most, now_ms);

	bytes_give(&bytes);
	return (fits);
}

static void
test_order(void)
{
	struct outbox outbox = { .ring = NULL };
	struct bytes *out[7];
	unsigned in = 0, next = 0, count;

	test("pieces come out in the order that they came in, many rounds");
	while (next < 5000) {
		for (unsigned i = 0; i < 1 + in % 11; i++)
			ok(put(&outbox, in++, 1, NO_BOUND, 0));
		count = outbox_take(&outbox, out, 7);
		ok(count > 0 && count <= 7);
		/* What comes meanwhile moves nothing that is lent. */
		ok(put(&outbox, in++, 1, NO_BOUND, 0));
		for (unsigned i = 0; i < count; i++, next++)
			is(out[i]->at[0], 'a' + next % 26);
		outbox_sent(&outbox);
	}
	while ((count = outbox_take(&outbox, out, 7)) > 0) {
		next += count;
		outbox_sent(&outbox);
	}
	is(next, in);
	is(outbox.weight, 0);
	ok(outbox.ring == NULL);
}

static void
test_bound(void)
{
	struct outbox outbox = { .ring = NULL };
	struct bytes *out[8];

	test("it takes what fits, an empty one anything");
	ok(put(&outbox, 0, 5000, 1000, 0));
	ok(!put(&outbox, 1, 1, 1000, 0));
	is(outbox_take(&outbox, out, 8), 1);
	ok(!put(&outbox, 1, 1, 1000, 0));
	outbox_sent(&outbox);
	ok(put(&outbox, 0, 500 - OUTBOX_COST, 1000, 0));
	is(outbox.weight, 500);
	ok(put(&outbox, 0, 500 - OUTBOX_COST, 1000, 0));
	ok(!put(&outbox, 0, 0, 1000, 0));
	is(outbox.weight, 1000);
	outbox_empty(&outbox);
	is(outbox.weight, 0);
	is(outbox.count, 0);
}

static void
test_lent(void)
{
	struct outbox outbox = { .ring = NULL };
	struct bytes *shared = piece(3, 10), *out[2];

	test("what is on its way stays, whatever is shed");
	ok(outbox_since_ms(&outbox) == INT64_MAX);
	for (int64_t now = 1; now <= 5; now++)
		ok(outbox_put(&outbox, shared, NO_BOUND, now));
	is(shared->holders, 6);
	is(outbox_since_ms(&outbox), 1);
	is(outbox_take(&outbox, out, 2), 2);
	ok(outbox_waits(&outbox));
	outbox_shed(&outbox);
	ok(!outbox_waits(&outbox));
	is(shared->holders, 3);
	is(outbox_since_ms(&outbox), 1);
	outbox_sent(&outbox);
	is(shared->holders, 1);
	ok(outbox_since_ms(&outbox) == INT64_MAX);
	is(outbox_take(&outbox, out, 2), 0);
	outbox_empty(&outbox);
	bytes_give(&shared);
}

int
main(void)
{
	test_order();
	test_bound();
	test_lent();
	return (done());
}
