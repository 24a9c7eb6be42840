/* SPDX-License-Identifier: MIT */
/*
 * Secrets: random without bias, compared to the last byte.
 */
#include "base/secret.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "tap.h"

static void
test_random(void)
{
	char first[256] = { 0 }, second[256] = { 0 }, guard[9] = "guardian";
	unsigned seen[256] = { 0 }, kinds = 0;

	test("bytes are filled to the length, and differ");
	secret_fill(first, sizeof first);
	secret_fill(second, sizeof second);
	ok(memcmp(first, second, sizeof first) != 0);
	secret_fill(guard, 0);
	is_text(guard, "guardian");
	secret_fill(guard, 4);
	is_text(guard + 4, "dian");
	for (unsigned i = 0; i < 64; i++) {
		secret_fill(first, sizeof first);
		for (unsigned j = 0; j < sizeof first; j++)
			kinds += seen[(unsigned char)first[j]]++ == 0;
	}
	is(kinds, 256);
}

static void
test_fork(void)
{
	char before[16], ours[16], theirs[16];
	int pipes[2];
	pid_t pid;

	test("a child's are others than its parent's");
	secret_fill(before, sizeof before);
	must(pipe(pipes) == 0);
	pid = fork();
	if (pid == 0) {
		secret_fill(theirs, sizeof theirs);
		_exit(write(pipes[1], theirs, sizeof theirs) !=
		    sizeof theirs);
	}
	secret_fill(ours, sizeof ours);
	is(read(pipes[0], theirs, sizeof theirs), sizeof theirs);
	is(waitpid(pid, NULL, 0), pid);
	ok(memcmp(ours, theirs, sizeof ours) != 0);
	ok(memcmp(ours, before, sizeof ours) != 0);
	close(pipes[0]);
	close(pipes[1]);
}

static void
test_letters(void)
{
	char letters[65], others[65];
	unsigned seen[256] = { 0 }, kinds = 0, most = 0, least = ~0u;

	test("letters are letters and digits, none likelier than another");
	memset(letters, 'X', sizeof letters);
	secret_letters(letters, 10);
	is(strlen(letters), 10);
	is(letters[11], 'X');
	secret_letters(others, 10);
	ok(strcmp(letters, others) != 0);
	for (unsigned i = 0; i < 1000; i++) {
		secret_letters(letters, 64);
		for (unsigned j = 0; j < 64; j++)
			seen[(unsigned char)letters[j]]++;
	}
	for (unsigned i = 0; i < 256; i++)
		if (seen[i] > 0) {
			ok((i >= 'a' && i <= 'z') || (i >= '0' && i <= '9'));
			kinds++;
			most = seen[i] > most ? seen[i] : most;
			least = seen[i] < least ? seen[i] : least;
		}
	is(kinds, 32);
	/* 2000 of each are expected, with a deviation of 44. */
	ok(least > 1600 && most < 2400);
	/* Signs that are taken for others are not among them. */
	ok(seen['l'] == 0 && seen['i'] == 0 && seen['o'] == 0 &&
	    seen['0'] == 0);
}

static void
test_comparing(void)
{
	test("equal only where all of it is");
	ok(secret_is(TEXT("secret"), TEXT("secret")));
	ok(!secret_is(TEXT("secret"), TEXT("Secret")));
	ok(!secret_is(TEXT("secret"), TEXT("secreT")));
	ok(!secret_is(TEXT("secret"), TEXT("secre")));
	ok(!secret_is(TEXT("secre"), TEXT("secret")));
	ok(!secret_is(TEXT("secret"), TEXT("")));
	ok(secret_is(TEXT(""), TEXT_NONE));
	/* Lengths that differ by a multiple of 256, too. */
	static char long_one[257];

	ok(!secret_is(text_from(long_one, 257), text_from(long_one, 1)));
	ok(!secret_is(text_from(long_one, 256), TEXT_NONE));
}

int
main(void)
{
	test_random();
	test_fork();
	test_letters();
	test_comparing();
	return (done());
}
