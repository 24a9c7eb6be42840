/* SPDX-License-Identifier: MIT */
/*
 * core/hub with its rules taken away one by one: a violation has to be found
 * by random schedules, or their checks would be empty. What is about load
 * alone is taken away too, and nothing may be found.
 *
 *	SEED=n SCHEDULES=n t/unit/hub_switches.t
 */
#include "hub_schedule.h"

#define SCHEDULES	60000	/* at most, for each */

static const struct {
	enum hub_rule	 rule;
	const char	*what;
} switches[] = {
	{ HUB_RULE_EXACT, "found without: only what is exactly next" },
	{ HUB_RULE_EPOCH, "found without: nothing of another epoch's page" },
	{ HUB_RULE_STAY, "found without: replaying ones move no hub" },
	{ HUB_RULE_HEAD, "found without: the page's head is the judge" },
	{ HUB_RULE_WISH, "found without: a failure leaves the wish" },
	{ HUB_RULE_MOVE, "found without: a gap's state moves the hub" },
	{ HUB_RULE_HIGHEST, "found without: heard counts too" },
	{ HUB_RULE_LOOK, "found without: deleted is looked up" },
	{ HUB_RULE_ASKED, "found without: answers are for who was there" },
	{ HUB_RULE_HOLD, "found without: hold is bounded" },
	{ HUB_RULE_TOLD, "found without: the caches are told" },
	{ HUB_RULE_GENERATION, "found without: late answers are dropped" },
	{ HUB_RULE_SWEEP, "found without: a sweep is only news" },
	{ HUB_RULE_ALIEN, "found without: other epochs' news move nothing" },
	{ HUB_RULE_DROP, "found without: what was delivered is dropped" },
	{ HUB_RULE_OWN, "found without: what it had before is not given" },
	{ HUB_RULE_TIMER, "found without: a gap is looked at" },
};

/* In a child: what is wrong may be seen by must() first. */
static bool
is_found(enum hub_rule rule, uint64_t first, uint64_t count)
{
	pid_t pid = child_start();

	if (pid == 0) {
		const char *wrong = NULL;

		hub_rule_off = rule;
		for (uint64_t i = 0; i < count && wrong == NULL; i++)
			wrong = run_schedule(first + i);
		if (wrong != NULL)
			fprintf(stderr, "# %s, at the %lluth\n", wrong,
			    (unsigned long long)sum.schedules);
		_exit(wrong == NULL ? 0 : 1);
	}
	return (!child_was_fine(pid));
}

static void
test_switches(uint64_t first, uint64_t count)
{
	for (unsigned i = 0; i < sizeof switches / sizeof *switches; i++) {
		test(switches[i].what);
		ok(is_found(switches[i].rule, first, count));
	}
	test("nothing is found without the back-off");
	ok(!is_found(HUB_RULE_BACKOFF, first, count));
	test("nothing is found where lowest and rows are two snapshots");
	ok(!is_found(HUB_RULES, first, count));
}

int
main(void)
{
	uint64_t first = first_seed();

	test_switches(first, number_of("SCHEDULES", SCHEDULES));
	return (done());
}
