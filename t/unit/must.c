/* SPDX-License-Identifier: MIT */
/*
 * Last words: what a process that finds itself wrong leaves behind.
 */
#include "base/must.h"

#include <errno.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "tap.h"

static char *record;		/* shared with the children */
static char said[4096];		/* what the last child wrote to stderr */
static char *volatile nowhere;
static volatile int zero;

static void
lines_of_checks(void)
{
	must(1 + 1 == 2);
	must_doing("a sum");
	must(zero == 1);
}

static void
never_words(void)
{
	must_never("this happens");
}

static void
touch_nowhere(void)
{
	must_doing("a walk");
	nowhere[0x18] = 1;
}

static void
abort_elsewhere(void)
{
	abort();
}

static void
long_words(void)
{
	static char words[2 * PANIC_SIZE];

	memset(words, 'w', sizeof words - 1);
	must_never(words);
}

static void
die_of_a_port(void)
{
	die(EX_UNAVAILABLE, "%s is taken; choose another %s",
	    "127.0.0.1:5000", "listen");
}

/* The wait status of a child that runs this, with its words in said. */
static int
status_of(void (*call)(void), bool has_record)
{
	int status = 0, pipes[2];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	memset(record, 0, PANIC_SIZE);
	if (!ok(pipe(pipes) == 0))
		return (0);
	pid = child_start();
	if (pid == 0) {
		child_dies_quietly();
		dup2(pipes[1], STDERR_FILENO);
		must_record_in(has_record ? record : NULL);
		call();
		_exit(0);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], said + len, sizeof said - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(pipes[0]);
	ok(waitpid(pid, &status, 0) == pid);
	return (status);
}

static void
died_of(int status, int signal)
{
	ok(WIFSIGNALED(status));
	is(WTERMSIG(status), signal);
}

int
main(void)
{
	int status;

	record = mmap(NULL, PANIC_SIZE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	test("a failed check says what, where and during what, and aborts");
	died_of(status_of(lines_of_checks, true), SIGABRT);
	ok(text_begins(text_of(record), TEXT("panic: zero == 1 (")));
	ok(strstr(record, "must.c:") != NULL);
	ok(strstr(record, " lines_of_checks) while doing a sum") != NULL);
	ok(strncmp(said, record, strlen(record)) == 0);
	is_text(said + strlen(record), "\n");

	test("so does what never happens, and words too long are cut");
	died_of(status_of(never_words, true), SIGABRT);
	ok(text_begins(text_of(record), TEXT("panic: this happens (")));
	died_of(status_of(long_words, true), SIGABRT);
	is(strlen(record), PANIC_SIZE - 1);
	ok(text_begins(text_of(record), TEXT("panic: wwww")));

	test("without a place for the record it is still said");
	died_of(status_of(never_words, false), SIGABRT);
	is(record[0], '\0');
	ok(text_begins(text_of(said), TEXT("panic: this happens (")));

#ifndef SANITIZED	/* sanitizers have words of their own */
	test("broken memory is recorded with its address");
	died_of(status_of(touch_nowhere, true), SIGSEGV);
	ok(text_begins(text_of(record),
	    TEXT("panic: memory fault at address 0x18 while doing a walk")));

	test("so is what a library aborts");
	died_of(status_of(abort_elsewhere, true), SIGABRT);
	ok(text_begins(text_of(record),
	    TEXT("panic: aborted by a library while doing ")));
#else
	(void)touch_nowhere;
	(void)abort_elsewhere;
#endif

	test("a boot that cannot be says why, and exits with its code");
	status = status_of(die_of_a_port, true);
	ok(WIFEXITED(status));
	is(WEXITSTATUS(status), EX_UNAVAILABLE);
	is_text(said, "partyline: 127.0.0.1:5000 is taken; choose another "
	    "listen\n");
	is(record[0], '\0');
	return (done());
}
