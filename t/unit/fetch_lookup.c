/* SPDX-License-Identifier: MIT */
/*
 * jobs/fetch: a look-up that hangs is nobody else's matter, neither while it
 * is waited for nor once it is not.
 */
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>

#include "base/conf.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "jobs/fetch.h"
#include "jobs/ground.h"
#include "plat/loop.h"
#include "tap.h"

#define HANGS_MS 3000

static struct ground ground = { .magic = GROUND_MAGIC };
static atomic_uint hanging;
static unsigned ended;
static enum fetch_why why;

int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **out)
{
	(void)name;
	(void)service;
	(void)hints;
	(void)out;
	hanging++;
	poll(NULL, 0, HANGS_MS);
	hanging--;
	return (EAI_AGAIN);
}

static void
on_end(void *me, const struct fetch_end *end)
{
	(void)me;
	ended++;
	why = end->why;
}

static struct fetch *
start(struct fetcher *fetcher, int64_t timeout_ms)
{
	return (fetch_start(fetcher, &(struct fetch_request){
	    .url = "http://hangs.example/", .timeout_ms = timeout_ms,
	    .on_end = on_end }));
}

static void
turn_until(unsigned count, unsigned at_least_hanging)
{
	int64_t until = clock_ms() + 10000;

	while ((ended < count || hanging < at_least_hanging) &&
	    clock_ms() < until)
		loop_turn(ground.loop, 20);
}

int
main(void)
{
	struct conf *conf = conf_create();
	struct fetcher *fetcher;
	struct fetch *fetch;
	int64_t began;

	ground.loop = loop_create();
	ground.conf = conf;
	fetcher = fetcher_create(&ground);

	test("its time is over before it is");
	began = clock_ms();
	start(fetcher, 100);
	turn_until(1, 1);
	is(ended, 1);
	is(why, FETCH_TIMED_OUT);
	ok(clock_ms() - began < HANGS_MS - 500);
	is(hanging, 1);

	test("cancelled, and the end of all, without waiting for it");
	began = clock_ms();
	fetch = start(fetcher, 60000);
	start(fetcher, 60000);
	turn_until(1, 3);
	is(hanging, 3);
	fetch_cancel(&fetch);
	fetcher_destroy(&fetcher);
	is(ended, 2);
	is(why, FETCH_STOPPED);
	ok(clock_ms() - began < HANGS_MS - 500);

	/* What they hold is theirs to give back. */
	while (hanging > 0)
		poll(NULL, 0, 10);
	loop_destroy(&ground.loop);
	conf_destroy(&conf);
	return (done());
}
