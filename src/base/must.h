/* SPDX-License-Identifier: MIT */
/*
 * Checks of our own state, always compiled in.
 *
 * A process that finds itself wrong writes a panic record (where, what, which
 * operation) into memory that outlives it and aborts; the master prints the
 * record and starts another.
 *
 * Holds always:
 *  1. must() is about us; what a client or the world does wrong is an error.
 *  2. The expression has no effect of its own.
 *  3. Nothing here allocates, so that it works when memory is gone.
 *
 *	must(queue->length > 0);
 *	must_never("the switch above knows every state");
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <stddef.h>

#define PANIC_SIZE 512

#define must(x)								\
	do {								\
		if (__builtin_expect(!(x), 0))				\
			must_failed(__FILE__, __LINE__, __func__, #x);	\
	} while (0)
#define must_never(why)	must_failed(__FILE__, __LINE__, __func__, why)

/* For what costs too much in production: --enable-debug. */
#ifdef DEBUG_CHECKS
#define must_debug(x)	must(x)
#else
#define must_debug(x)	do { } while (0)
#endif

_Noreturn void must_failed(const char *file, int line, const char *function,
    const char *what);

/*
 * Where panic records of this process go: PANIC_SIZE bytes, kept by the
 * caller for the life of the process. Also catches the signals of broken
 * memory, whose record names the signal and the address.
 */
void	must_record_in(char *record);

/* What the process is doing, for the record: a string that stays valid. */
void	must_doing(const char *what);

/* Before workers exist: says what, why and what to do, and exits. */
_Noreturn void die(int exit_code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
