/* SPDX-License-Identifier: MIT */
/*
 * Fault points. Passing one that is not armed costs a load.
 */
#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/count.h"
#include "base/must.h"
#include "base/text.h"

const struct fault_row fault_rows[FAULTS] = {
#define FAULT_POINT(name, text) { #name, text },
#include "tbl/faults.h"
#undef FAULT_POINT
};

static struct fault_arms arms_of_this_process;
static struct fault_arms *armed = &arms_of_this_process;

#ifdef WITH_FAULTS
static void
arm_one(text word)
{
	text name, times;
	int64_t number = 1;
	bool has_times = text_cut(word, '=', &name, &times);

	for (unsigned i = 0; i < FAULTS; i++)
		if (text_is(name, text_of(fault_rows[i].name)) &&
		    (!has_times ||
		    text_to_int64(times, 0, INT32_MAX, &number))) {
			atomic_store(&armed->times[i], (unsigned)number);
			return;
		}
	die(EX_USAGE, "PARTYLINE_FAULTS has \"%.*s\"; allowed: names of fault "
	    "points, or name=times, separated by blanks", TEXT_ARGS(word));
}
#endif

void
fault_arm_from_environment(void)
{
#ifdef WITH_FAULTS
	text rest = text_of(getenv("PARTYLINE_FAULTS")), word;

	while (text_next_word(&rest, &word))
		arm_one(word);
#endif
}

void
fault_use(struct fault_arms *arms)
{
	for (unsigned i = 0; i < FAULTS; i++)
		atomic_store(&arms->times[i], atomic_load(&armed->times[i]));
	armed = arms;
}

bool
fault_hit(enum fault fault)
{
	unsigned left;

	left = atomic_load_explicit(&armed->times[fault],
	    memory_order_relaxed);
	while (left > 0)
		if (atomic_compare_exchange_weak(&armed->times[fault], &left,
		    left - 1)) {
			COUNT(faults_hit);
			return (true);
		}
	return (false);
}
