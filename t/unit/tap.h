/* SPDX-License-Identifier: MIT */
/*
 * Unit tests in C that write TAP.
 *
 * test() begins a test; the checks up to the next test() belong to it. Each
 * test is one line of output; a check that fails says where and what, and
 * fails its test, and the test goes on. The caller keeps a test's name until
 * the next.
 *
 * Holds always:
 *  1. Without done() there is no plan, so a program that ends early fails.
 *  2. A check evaluates its arguments once, and returns whether it held.
 *  3. A child of child_start() ends by child_done(), and writes no TAP of
 *     its own: its parent looks at what it came to by
 *     ok(child_was_fine(pid)).
 *
 *	int
 *	main(void)
 *	{
 *		test("a lapped reader is told, then goes on");
 *		fill(ring, RING_SIZE + 1);
 *		is(ring_read(&reader, &record), RING_LAPPED);
 *		is_text(record.stream, "lobby");
 *		return (done());
 *	}
 */
#ifndef UNIT_TAP_H
#define UNIT_TAP_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

static struct {
	const char	*name;		/* of the test at hand */
	unsigned	 number;
	unsigned	 failed_checks;	/* in it */
	unsigned	 failed_tests;
} tap;

#define ok(x)	tap_ok((x), #x, __FILE__, __LINE__)
#define is(got, wanted)							\
	tap_is((long long)(got), (long long)(wanted), #got, __FILE__, __LINE__)
/* text or strings */
#define is_text(got, wanted)						\
	tap_is_text(tap_text(got), tap_text(wanted), #got, __FILE__, __LINE__)

#define tap_text(x)							\
	_Generic((x), text: tap_same, default: text_of)(x)

__attribute__((unused)) static text
tap_same(text t)
{
	return (t);
}

static void
tap_end_of_test(void)
{
	if (tap.name == NULL)
		return;
	printf("%sok %u - %s\n", tap.failed_checks > 0 ? "not " : "",
	    ++tap.number, tap.name);
	fflush(stdout);
	if (tap.failed_checks > 0)
		tap.failed_tests++;
	tap.failed_checks = 0;
	tap.name = NULL;
}

__attribute__((unused)) static void
test(const char *name)
{
	tap_end_of_test();
	tap.name = name;
}

__attribute__((unused)) static int
done(void)
{
	tap_end_of_test();
	printf("1..%u\n", tap.number);
	return (tap.failed_tests > 0 || fflush(stdout) != 0 ? 1 : 0);
}

static bool
tap_ok(bool holds, const char *what, const char *file, int line)
{
	if (!holds) {
		tap.failed_checks++;
		fprintf(stderr, "# %s:%d: in \"%s\": not so: %s\n", file, line,
		    tap.name, what);
	}
	return (holds);
}

__attribute__((unused)) static bool
tap_is(long long got, long long wanted, const char *what, const char *file,
    int line)
{
	if (got == wanted)
		return (true);
	tap_ok(false, what, file, line);
	fprintf(stderr, "#   got %lld\n#   for %lld\n", got, wanted);
	return (false);
}

__attribute__((unused)) static bool
tap_is_text(text got, text wanted, const char *what, const char *file,
    int line)
{
	if (text_is(got, wanted))
		return (true);
	tap_ok(false, what, file, line);
	fprintf(stderr, "#   got \"%.*s\"\n#   for \"%.*s\"\n",
	    TEXT_ARGS(got), TEXT_ARGS(wanted));
	return (false);
}

/* Children. */

/* A fork whose child does not outlive us, should we be killed or abort. */
__attribute__((unused)) static pid_t
child_start(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
	    getppid() != parent))
		_exit(2);
	if (pid < 0)
		abort();
	return (pid);
}

__attribute__((unused, noreturn)) static void
child_done(void)
{
	_exit(tap.failed_checks > 0 ? 1 : 0);
}

__attribute__((unused)) static bool
child_was_fine(pid_t pid)
{
	int status;

	return (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0);
}

/* The child dies quietly: without words and without a core file. */
__attribute__((unused)) static void
child_dies_quietly(void)
{
	int fd = open("/dev/null", O_WRONLY);

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	dup2(fd, STDERR_FILENO);
}

/* Whether the call, in a process of its own, ends by abort(). */
__attribute__((unused)) static bool
aborts(void (*call)(void))
{
	pid_t pid = child_start();
	int status;

	if (pid == 0) {
		child_dies_quietly();
		call();
		_exit(0);
	}
	return (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGABRT);
}

#endif
