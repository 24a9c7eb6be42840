/* SPDX-License-Identifier: MIT */
/*
 * Starting other people's programs and waiting for them.
 */
#include "plat/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "base/stamp.h"

#define ASK_MOST_MS	10000
#define DEFAULT_PATH	"/usr/local/bin:/usr/bin:/bin"

static const char *
search_path(void)
{
	const char *path = getenv("PATH");

	return (path != NULL && path[0] != '\0' ? path : DEFAULT_PATH);
}

static void
signals_reset(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		if (number != SIGKILL && number != SIGSTOP)
			signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: everything above the outputs closes at exec but keep. */
static bool
descriptors_arrange(const struct proc_spec *spec)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	int in = spec->in >= 0 ? spec->in : nothing;
	int out = spec->out >= 0 ? spec->out : nothing;

	/* Lifted first, so that none of the three overwrites another. */
	in = fcntl(in, F_DUPFD_CLOEXEC, 3);
	out = fcntl(out, F_DUPFD_CLOEXEC, 3);
	if (nothing < 0 || in < 0 || out < 0 ||
	    dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		return (false);
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		for (int fd = 3; fd < 65536; fd++)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (unsigned i = 0; i < spec->keep_count; i++)
		if (fcntl(spec->keep[i], F_SETFD, 0) != 0)
			return (false);
	return (true);
}

static _Noreturn void
program_become(const struct proc_spec *spec, pid_t parent)
{
	static char path[4096];
	static const char *const environment[] = { path, "LC_ALL=C.UTF-8",
	    "HOME=/", "TZ=UTC", NULL };
	const char *why = NULL;

	signals_reset();
	setsid();
	if (chdir("/") != 0 || !descriptors_arrange(spec))
		_exit(127);
	if (spec->user != NULL && !proc_become_user(spec->user, &why)) {
		dprintf(STDERR_FILENO, "%s: %s\n", spec->argv[0], why);
		_exit(127);
	}
	prctl(PR_SET_PDEATHSIG, spec->death_signal);
	if (getppid() != parent)
		_exit(127);
	snprintf(path, sizeof path, "PATH=%s", search_path());
	execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv,
	    (char *const *)(uintptr_t)environment);
	dprintf(STDERR_FILENO, "error: %s cannot be run: %s\n", spec->argv[0],
	    strerror(errno));
	_exit(127);
}

pid_t
proc_start(const struct proc_spec *spec)
{
	pid_t parent = getpid(), pid;

	must(spec->keep_count <= PROC_KEEP_MAX);
	pid = fork();
	if (pid == 0)
		program_become(spec, parent);
	return (pid);
}

void
proc_pause(int64_t ms)
{
	poll(NULL, 0, (int)ms);
}

bool
proc_wait(pid_t pid, int64_t most_ms, int *status_out)
{
	int64_t until = clock_ms() + most_ms;

	for (;;) {
		pid_t got = waitpid(pid, status_out, WNOHANG);

		if (got == pid)
			return (true);
		if (got < 0 && errno != EINTR) {
			*status_out = 0;
			return (true);
		}
		if (clock_ms() >= until)
			return (false);
		proc_pause(2);
	}
}

bool
proc_ask(const char *const *argv, char *out, size_t size)
{
	struct proc_spec spec = { .argv = argv, .death_signal = SIGKILL,
	    .in = -1 };
	int ends[2], status = -1;
	int64_t until = clock_ms() + ASK_MOST_MS;
	size_t len = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return (false);
	spec.out = ends[1];
	pid = proc_start(&spec);
	close(ends[1]);
	while (pid > 0 && len < size - 1) {
		struct pollfd end = { .fd = ends[0], .events = POLLIN };
		ssize_t n;

		if (poll(&end, 1, 100) <= 0) {
			if (clock_ms() >= until)
				break;
			continue;
		}
		n = read(ends[0], out + len, size - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(ends[0]);
	out[len] = '\0';
	if (pid < 0)
		return (false);
	if (!proc_wait(pid, 1000, &status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

const char *
proc_status_text(int status)
{
	static char said[64];

	if (WIFSIGNALED(status))
		snprintf(said, sizeof said, "signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(said, sizeof said, "exit code %d",
		    WEXITSTATUS(status));
	return (said);
}

bool
proc_on_path(const char *program, char *out, size_t size)
{
	const char *at = search_path();

	for (;;) {
		size_t len = strcspn(at, ":");
		int all = snprintf(out, size, "%.*s/%s", (int)len, at,
		    program);

		if (len > 0 && (size_t)all < size && access(out, X_OK) == 0)
			return (true);
		if (at[len] == '\0')
			return (false);
		at += len + 1;
	}
}
