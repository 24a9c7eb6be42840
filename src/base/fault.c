/* SPDX-License-Identifier: MIT */
/*
 * Fault points. Passing one that is not armed costs a load.
 */
#include "base/fault.h"

#include <stddef.h>

#include "base/count.h"

const struct fault_row fault_rows[FAULTS] = {
#define FAULT_POINT(name, text) { #name, text },
#include "tbl/faults.h"
#undef FAULT_POINT
};

static struct fault_arms *armed;

void
fault_use(struct fault_arms *arms)
{
	armed = arms;
}

bool
fault_hit(enum fault fault)
{
	unsigned left;

	if (armed == NULL)
		return (false);
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
