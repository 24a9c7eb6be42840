/* SPDX-License-Identifier: MIT */
/*
 * Fault points: rows of tbl/faults.h that a test arms and the code passes.
 * Compiled out unless --enable-faults: FAULT(name) is then the constant
 * false.
 *
 * The arms live in memory that all processes of the server share, so that
 * arming reaches every one of them, and the count of times holds in sum.
 *
 *	if (FAULT(log_disk_full))
 *		errno = ENOSPC, written = -1;
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <stdatomic.h>
#include <stdbool.h>

enum fault {
#define FAULT_POINT(name, text) FAULT_##name,
#include "tbl/faults.h"
#undef FAULT_POINT
	FAULTS
};

struct fault_arms {
	_Atomic unsigned	times[FAULTS];
};

struct fault_row {
	const char	*name;
	const char	*text;
};
extern const struct fault_row fault_rows[FAULTS];

/*
 * Arms what the environment names, in memory of this process, for faults
 * that come before the shared memory: PARTYLINE_FAULTS="name name=times".
 * Dies on a name that is no fault point. Compiled out like FAULT.
 */
void	fault_arm_from_environment(void);
/* From here on the arms are these; what was armed before is carried over. */
void	fault_use(struct fault_arms *arms);
bool	fault_hit(enum fault fault);

#ifdef WITH_FAULTS
#define FAULT(name)	(__builtin_expect(fault_hit(FAULT_##name), 0))
#else
#define FAULT(name)	(false)
#endif

#endif
