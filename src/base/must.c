/* SPDX-License-Identifier: MIT */
/*
 * The last words of a process. Everything here must work with a broken heap
 * and inside a signal handler: no allocation, no stdio buffers, no locks.
 */
#include "base/must.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *panic_record;
static const char *volatile doing = "nothing in particular";

/* Small, so that it can stand on a stack that has nearly run out. */
struct last_words {
	char	 text[PANIC_SIZE];
	size_t	 len;
};

static void
say(struct last_words *words, const char *text)
{
	while (*text != '\0' && words->len < sizeof words->text - 1)
		words->text[words->len++] = *text++;
	words->text[words->len] = '\0';
}

static void
say_number(struct last_words *words, uintptr_t number, unsigned base)
{
	char digits[24], *at = digits + sizeof digits;

	*--at = '\0';
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number != 0);
	say(words, at);
}

static void
leave_words(struct last_words *words)
{
	ssize_t ignored;

	if (panic_record != NULL)
		memcpy(panic_record, words->text, words->len + 1);
	say(words, "\n");
	ignored = write(STDERR_FILENO, words->text, words->len);
	(void)ignored;
}

void
must_failed(const char *file, int line, const char *function,
    const char *what)
{
	struct last_words words = { .len = 0 };
	const char *name = strstr(file, "src/");

	say(&words, "panic: ");
	say(&words, what);
	say(&words, " (");
	say(&words, name != NULL ? name + 4 : file);
	say(&words, ":");
	say_number(&words, (uintptr_t)line, 10);
	say(&words, " ");
	say(&words, function);
	say(&words, ") while doing ");
	say(&words, doing);
	leave_words(&words);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void
on_broken_memory(int number, siginfo_t *info, void *context)
{
	struct last_words words = { .len = 0 };

	(void)context;
	say(&words, "panic: ");
	say(&words, number == SIGABRT ? "aborted by a library" :
	    number == SIGFPE ? "arithmetic fault" :
	    number == SIGILL ? "illegal instruction" : "memory fault");
	if (number != SIGABRT) {
		say(&words, " at address 0x");
		say_number(&words, (uintptr_t)info->si_addr, 16);
	}
	say(&words, " while doing ");
	say(&words, doing);
	leave_words(&words);
	/* SA_RESETHAND: this time it kills, with the true signal. */
	raise(number);
}

void
must_record_in(char *record)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
	    SIGABRT };
	struct sigaction action = { .sa_sigaction = on_broken_memory,
	    .sa_flags = SA_SIGINFO | SA_RESETHAND };

	panic_record = record;
#ifndef SANITIZED	/* sanitizers print better last words */
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
#else
	(void)numbers;
	(void)action;
#endif
}

void
must_doing(const char *what)
{
	doing = what;
}

void
die(int exit_code, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "partyline: %s\n", text);
	exit(exit_code);
}
