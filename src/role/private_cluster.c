/* SPDX-License-Identifier: MIT */
/*
 * Making the private PostgreSQL's cluster.
 *
 * It is made in postgres.new and renamed when it is whole and on the disk,
 * so that whoever is killed in between leaves nothing half:
 *
 *	initdb --> roles and database --> syncfs --> rename --> fsync
 *
 * Passwords go to the tools through memory, never through arguments.
 */
#include "role/private_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stamp.h"
#include "plat/folder.h"

#define TOOL_MOST_MS	120000
#define TOOL_LOOK_MS	20

int
cluster_version(int folder)
{
	struct buf content;
	int64_t version = 0;

	buf_init(&content, BUF_NO_LIMIT);
	if (folder >= 0 && file_read(folder, "PG_VERSION", &content))
		text_to_int64(text_trim(buf_text(&content)), 1, 1000,
		    &version);
	buf_fini(&content);
	return ((int)version);
}

/* Something to read for a program that is started next. */
static int
memory_file(const char *content)
{
	int fd = memfd_create("partyline", MFD_CLOEXEC);
	size_t len = strlen(content);

	if (fd < 0)
		return (-1);
	if (write(fd, content, len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) != 0) {
		close(fd);
		return (-1);
	}
	return (fd);
}

/* Runs one of the cluster's tools to its end. */
static bool
tool_run(struct private_server *server, int folder,
    const char *const *argv, int in, int kept)
{
	struct proc_spec spec = { .argv = argv, .user = server->becomes,
	    .death_signal = SIGKILL, .in = in, .out = server->log,
	    .keep = { folder, kept }, .keep_count = kept >= 0 ? 2 : 1 };
	int64_t until = clock_ms() + TOOL_MOST_MS;
	int status = 0;
	pid_t pid;

	server->log_from = lseek(server->log, 0, SEEK_END);
	pid = proc_start(&spec);
	if (pid < 0)
		return (false);
	while (!proc_wait(pid, TOOL_LOOK_MS, &status))
		if (private_is_asked_to_stop() || clock_ms() >= until) {
			/* With the programs that it runs itself. */
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
	private_last_words(server);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool
initdb(struct private_server *server, int folder)
{
	char program[512], data[32], password[40], line[64];
	const char *const argv[] = { program, "-D", data, "-U", "postgres",
	    "-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
	    password, "--no-sync", "--no-instructions", NULL };
	bool is_good;
	int secret;

	/* Over the name of postgres: initdb lies beside it. */
	snprintf(program, sizeof program, "%.*s/initdb",
	    (int)(strrchr(server->program, '/') - server->program),
	    server->program);
	snprintf(line, sizeof line, "%s\n", server->place->of_superuser);
	secret = memory_file(line);
	if (secret < 0)
		return (private_complain_of(server->place, "postgres.new"));
	snprintf(data, sizeof data, "/proc/self/fd/%d", folder);
	snprintf(password, sizeof password, "--pwfile=/proc/self/fd/%d",
	    secret);
	is_good = tool_run(server, folder, argv, -1, secret);
	close(secret);
	return (is_good || private_complain_of_program(server,
	    "could not be made"));
}

/* Statements, a line each, without a server and without a password. */
static bool
single_user(struct private_server *server, int folder, const char *statements)
{
	char data[32];
	const char *const argv[] = { server->program, "--single", "-D", data,
	    "-c", "exit_on_error=on", "-c", "log_min_error_statement=panic",
	    "-c", "log_checkpoints=off", "postgres", NULL };
	int in = memory_file(statements);
	bool is_good;

	if (in < 0)
		return (private_complain_of(server->place, "postgres"));
	snprintf(data, sizeof data, "/proc/self/fd/%d", folder);
	is_good = tool_run(server, folder, argv, in, -1);
	close(in);
	return (is_good || private_complain_of_program(server,
	    "could not be set up"));
}

bool
cluster_make(struct private_server *server)
{
	struct private_place *place = server->place;
	char statements[512];
	int folder;

	/* What a killed start left; its tools may still be dying. */
	folder = openat(place->state_dir, "postgres.new",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0) {
		bool is_clear = private_clear(server, folder);

		close(folder);
		if (!is_clear)
			return (false);
	}
	if (!folder_remove(place->state_dir, "postgres.new"))
		return (private_complain_of(place, "postgres.new"));
	folder = folder_open(place->state_dir, "postgres.new", 0700,
	    server->becomes);
	if (folder < 0)
		return (private_complain_of(place, "postgres.new"));
	log_info("making the private database", F("user", server->user.name),
	    F("with", server->program));
	snprintf(statements, sizeof statements,
	    "CREATE ROLE partyline_owner LOGIN CREATEROLE PASSWORD '%s';\n"
	    "CREATE ROLE partyline LOGIN NOINHERIT PASSWORD '%s';\n"
	    "CREATE DATABASE partyline OWNER partyline_owner;\n",
	    place->of_owner, place->of_server);
	if (!initdb(server, folder) ||
	    !single_user(server, folder, statements)) {
		close(folder);
		return (false);
	}
	if (syncfs(folder) != 0 || renameat(place->state_dir, "postgres.new",
	    place->state_dir, "postgres") != 0 ||
	    fsync(place->state_dir) != 0) {
		close(folder);
		return (private_complain_of(place, "postgres"));
	}
	server->folder = folder;
	place->is_first = true;
	return (true);
}

bool
cluster_renew_passwords(struct private_server *server)
{
	const struct private_place *place = server->place;
	char statements[512];

	snprintf(statements, sizeof statements,
	    "ALTER ROLE postgres PASSWORD '%s';\n"
	    "ALTER ROLE partyline_owner PASSWORD '%s';\n"
	    "ALTER ROLE partyline PASSWORD '%s';\n", place->of_superuser,
	    place->of_owner, place->of_server);
	log_warn("the private servers' passwords were lost, setting new ones");
	if (!private_clear(server, server->folder))
		return (false);
	server->acts->tidy(server);
	return (single_user(server, server->folder, statements));
}
