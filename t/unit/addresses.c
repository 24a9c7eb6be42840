/* SPDX-License-Identifier: MIT */
/*
 * plat/addresses: counting over processes, and after the death of one.
 */
#include "plat/addresses.h"

#include "base/mem.h"
#include "tap.h"

#define MOST 50
#define RACERS 4

static uint64_t
who(const char *string)
{
	struct address address;

	ok(address_read_peer(text_of(string), &address));
	return (addresses_who(&address));
}

/* Takes and gives, and holds at the end what it still has. */
static void
race(unsigned slot, uint64_t one)
{
	unsigned held = 0;

	for (unsigned i = 0; i < 20000; i++) {
		/* Ours is among them: then it can be no more than all. */
		if (addresses_take(slot, one, MOST) == ADDRESS_COUNTED)
			held++;
		if (held > 0 && (i % 3 == 0 || held > MOST / RACERS)) {
			addresses_give(slot, one);
			held--;
		}
		if (held > MOST)
			_exit(2);
	}
	while (held > 0) {
		addresses_give(slot, one);
		held--;
	}
	_exit(0);
}

int
main(void)
{
	uint64_t one, other;
	unsigned counted = 0;
	pid_t pids[RACERS];

	test("before it is open nothing is counted");
	is(addresses_take(0, 7, 1), ADDRESS_UNCOUNTED);
	is(addresses_take(0, 7, 1), ADDRESS_UNCOUNTED);
	is(addresses_count(7), 0);
	addresses_void(0);

	ok(addresses_open(8, 1000));
	one = who("1.2.3.4");
	other = who("1.2.3.5");

	test("up to the bound, over all slots");
	is(addresses_take(0, one, 3), ADDRESS_COUNTED);
	is(addresses_take(1, one, 3), ADDRESS_COUNTED);
	is(addresses_take(2, one, 3), ADDRESS_COUNTED);
	is(addresses_take(0, one, 3), ADDRESS_REFUSED);
	is(addresses_take(3, one, 3), ADDRESS_REFUSED);
	is(addresses_take(3, other, 3), ADDRESS_COUNTED);
	is(addresses_count(one), 3);
	addresses_give(1, one);
	is(addresses_take(0, one, 3), ADDRESS_COUNTED);
	is(addresses_count(one), 3);
	is(addresses_count(other), 1);

	test("the dead one's are taken back, and only his");
	addresses_void(0);
	is(addresses_count(one), 1);
	is(addresses_count(other), 1);
	addresses_void(0);
	addresses_void(2);
	addresses_void(3);
	is(addresses_count(one), 0);
	is(addresses_count(other), 0);

	test("giving what one has not panics");
	{
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			child_dies_quietly();
			addresses_give(0, one);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		ok(WIFSIGNALED(status));
	}

	test("IPv6 counts by /64, IPv4 by address in either form");
	ok(who("2001:db8:1:2::1") == who("2001:db8:1:2:ffff::9"));
	ok(who("2001:db8:1:2::1") != who("2001:db8:1:3::1"));
	ok(who("1.2.3.4") == who("::ffff:1.2.3.4"));
	ok(who("1.2.3.4") != who("1.2.4.4"));

	test("many addresses have a place each");
	for (unsigned i = 0; i < 5000; i++) {
		struct address address = { .kind = ADDRESS_IPV4,
		    .ip = { [10] = 0xff, [11] = 0xff, [12] = 10,
		    [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i } };

		counted += addresses_take(0, addresses_who(&address), 1) ==
		    ADDRESS_COUNTED;
	}
	is(counted, 5000);
	addresses_void(0);

	test("many processes at once keep within the bound");
	for (unsigned i = 0; i < RACERS; i++)
		if ((pids[i] = fork()) == 0)
			race(i, one);
	for (unsigned looks = 0; looks < 1000; looks++)
		/* Those who look while they add see at most themselves. */
		if (addresses_count(one) > MOST + RACERS)
			ok(!"the bound holds");
	for (unsigned i = 0; i < RACERS; i++)
		ok(child_was_fine(pids[i]));
	is(addresses_count(one), 0);

	test("a process killed in the middle leaves nothing behind");
	for (unsigned i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				race(5, one);
		usleep(i * 20);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		addresses_void(5);
		if (!is(addresses_count(one), 0))
			break;
	}

	addresses_close();
	return (done());
}
