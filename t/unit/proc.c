/* SPDX-License-Identifier: MIT */
/*
 * Starting programs, finding them again, giving up rights, titles.
 */
#include "plat/proc.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/stamp.h"
#include "tap.h"

#define SOON_MS	5000

static char folder_name[] = "/tmp/partyline-u-XXXXXX";
static int folder;

/* What a shell says that was started with this spec. */
static text
says(struct proc_spec *spec, const char *script)
{
	static char said[4096];
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	int ends[2], status;
	ssize_t len = 0, n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return (TEXT_NONE);
	spec->argv = argv;
	spec->in = -1;
	spec->out = ends[1];
	pid = proc_start(spec);
	close(ends[1]);
	while ((n = read(ends[0], said + len, sizeof said - (size_t)len)) > 0)
		len += n;
	close(ends[0]);
	ok(proc_wait(pid, SOON_MS, &status));
	return (text_trim(text_from(said, (size_t)len)));
}

static void
what_it_inherits(void)
{
	struct proc_spec spec = { .death_signal = SIGKILL };
	int kept = fcntl(folder, F_DUPFD_CLOEXEC, 40);
	int other = fcntl(folder, F_DUPFD, 50);
	char want[16];

	test("a program inherits what its spec names and nothing else");
	spec.keep[0] = kept;
	spec.keep_count = 1;
	snprintf(want, sizeof want, "%d", kept);
	is_text(says(&spec, "i=3; while [ $i -lt 64 ]; do "
	    "[ ! -e /proc/$$/fd/$i ] || echo $i; i=$((i + 1)); done"), want);
	ok(fcntl(kept, F_GETFD) == FD_CLOEXEC);
	close(kept);
	close(other);

	test("nor signals, environment or session");
	signal(SIGPIPE, SIG_IGN);
	setenv("PGHOSTADDR", "192.0.2.1", 1);
	spec.keep_count = 0;
	/* Signals 1 to 28: make leaves the C library's own, 32 and 33,
	 * ignored in what it starts. */
	is_text(says(&spec, "grep -o 'SigIgn.*' /proc/self/status | "
	    "tail -c 8"), "0000000");
	is_text(says(&spec, "echo \"$PGHOSTADDR\""), "");
	is_text(says(&spec, "set -- $(cat /proc/$$/stat); "
	    "[ $6 = $$ ] && echo its own"), "its own");
	signal(SIGPIPE, SIG_DFL);
	unsetenv("PGHOSTADDR");
}

static void
how_it_fails(void)
{
	const char *const missing[] = { "/nowhere/program", NULL };
	const char *const echo[] = { "/bin/echo", "hello", NULL };
	const char *const sleeps[] = { "/bin/sleep", "1000", NULL };
	const char *const fails[] = { "/bin/false", NULL };
	struct proc_spec spec = { .argv = missing, .death_signal = SIGKILL,
	    .in = -1, .out = -1 };
	char said[64];
	int status;
	pid_t pid;

	test("a program that is not there ends with 127 and says so");
	ok(proc_wait(proc_start(&spec), SOON_MS, &status));
	is_text(proc_status_text(status), "exit code 127");
	ok(!proc_ask(missing, said, sizeof said));
	ok(strstr(said, "/nowhere/program cannot be run: No such") != NULL);

	test("an answer is what was printed, if the program was content");
	ok(proc_ask(echo, said, sizeof said));
	is_text(said, "hello\n");
	ok(!proc_ask(fails, said, sizeof said));

	test("waiting has an end, and tells what killed");
	spec.argv = sleeps;
	pid = proc_start(&spec);
	ok(!proc_wait(pid, 20, &status));
	kill(pid, SIGKILL);
	ok(proc_wait(pid, SOON_MS, &status));
	is_text(proc_status_text(status), "signal 9 (Killed)");
}

/* A process of its own starts a sleeper and dies. */
static pid_t
orphan_start(const struct proc_user *user)
{
	const char *const sleeps[] = { "/bin/sleep", "1000", NULL };
	struct proc_spec spec = { .argv = sleeps, .death_signal = SIGTERM,
	    .in = -1, .user = user };
	int ends[2];
	pid_t parent, pid = 0;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return (-1);
	spec.out = -1;
	parent = fork();
	if (parent == 0) {
		pid = proc_start(&spec);
		if (write(ends[1], &pid, sizeof pid) != sizeof pid)
			_exit(1);
		raise(SIGKILL);
	}
	close(ends[1]);
	if (read(ends[0], &pid, sizeof pid) != sizeof pid)
		pid = -1;
	close(ends[0]);
	waitpid(parent, NULL, 0);
	return (pid);
}

/* Gone, or a zombie that nobody has collected yet. */
static bool
dies_soon(pid_t pid)
{
	int64_t until = clock_ms() + SOON_MS;
	char path[32], stat[128];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	do {
		FILE *file = fopen(path, "r");
		bool is_gone = file == NULL ||
		    fgets(stat, sizeof stat, file) == NULL ||
		    strstr(stat, ") Z ") != NULL;

		if (file != NULL)
			fclose(file);
		if (is_gone)
			return (true);
		proc_pause(5);
	} while (clock_ms() < until);
	kill(pid, SIGKILL);
	return (false);
}

static void
how_it_dies_with_us(void)
{
	struct proc_user nobody;

	test("a program dies with whom it was started by");
	for (unsigned i = 0; i < 20; i++)
		ok(dies_soon(orphan_start(NULL)));
	if (geteuid() != 0)
		return;
	test("also when it runs as somebody else");
	ok(proc_user_named("nobody", &nobody));
	for (unsigned i = 0; i < 20; i++)
		ok(dies_soon(orphan_start(&nobody)));
}

static void
how_it_is_found(void)
{
	struct proc_spec spec = { .death_signal = SIGKILL, .in = -1,
	    .out = -1 };
	char script[128];
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct proc_found found[PROC_FOUND_MAX];
	int64_t until = clock_ms() + SOON_MS;
	int status;
	pid_t pid;

	test("a process is found by its folder and its program's name");
	is(proc_find(folder, "sleep", found), 0);
	/* A leader and one of its own, who both work in the folder. */
	snprintf(script, sizeof script, "cd %s; sleep 1000 & exec sleep 1000",
	    folder_name);
	spec.argv = argv;
	pid = proc_start(&spec);
	while (proc_find(folder, "sleep", found) < 2 && clock_ms() < until)
		proc_pause(5);
	if (ok(proc_find(folder, "sleep", found) == 2)) {
		unsigned leader = found[0].pid == pid ? 0 : 1;

		is(found[leader].pid, pid);
		ok(found[leader].is_leader);
		ok(!found[1 - leader].is_leader);
		kill(found[1 - leader].pid, SIGKILL);
	}
	is(proc_find(folder, "postgres", found), 0);
	kill(pid, SIGKILL);
	ok(proc_wait(pid, SOON_MS, &status));
}

static void
how_rights_go(void)
{
	struct proc_user user;
	const char *why = "";
	pid_t pid;

	test("a user is found, or there is a reason");
	ok(proc_user_resolve("root", &user, &why));
	is(user.uid, 0);
	ok(!proc_user_resolve("no-such-user", &user, &why));
	ok(strstr(why, "no user no-such-user") != NULL);
	ok(proc_user_resolve("", &user, &why));
	ok(user.uid != 0);

	test("nobody may become root");
	ok(!proc_may_become("root", &why));
	ok(!proc_become("root", &why));
	ok(strstr(why, "root's rights") != NULL);
	if (geteuid() != 0)
		return;

	test("rights once given up do not come back");
	pid = fork();
	if (pid == 0) {
		gid_t groups[64];
		int count;

		ok(proc_become("nobody", &why));
		ok(getuid() != 0 && geteuid() != 0 && getgid() != 0);
		ok(setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0);
		count = getgroups(64, groups);
		for (int i = 0; i < count; i++)
			ok(groups[i] != 0);
		ok(!proc_become("root", &why));
		ok(!proc_become("daemon", &why));
		child_done();
	}
	ok(child_was_fine(pid));
}

static text
title_now(void)
{
	static char title[8192];
	int fd = open("/proc/self/cmdline", O_RDONLY);
	ssize_t len = read(fd, title, sizeof title - 1);

	close(fd);
	title[len > 0 ? len : 0] = '\0';
	return (text_of(title));
}

static void
what_ps_shows(void)
{
	const char *home;

	test("the title is what ps shows, and the environment stays");
	proc_title("worker 2");
	is_text(title_now(), "partyline: worker 2");
	proc_title("a title that is longer than the name of this program was");
	is_text(title_now(),
	    "partyline: a title that is longer than the name of this program "
	    "was");
	proc_title("x");
	is_text(title_now(), "partyline: x");
	home = getenv("UNIT_PROC");
	is_text(home, "as it was");
}

int
main(int argc, char **argv)
{
	/* Once again, with an environment that is known to be there. */
	if (getenv("UNIT_PROC") == NULL) {
		setenv("UNIT_PROC", "as it was", 1);
		execv("/proc/self/exe", argv);
		return (1);
	}
	proc_title_init(argc, argv);
	if (mkdtemp(folder_name) == NULL)
		return (1);
	folder = open(folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	what_it_inherits();
	how_it_fails();
	how_it_dies_with_us();
	how_it_is_found();
	how_rights_go();
	what_ps_shows();
	close(folder);
	rmdir(folder_name);
	return (done());
}
