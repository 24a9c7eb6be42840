/* SPDX-License-Identifier: MIT */
/*
 * The private PostgreSQL: its programs found, its cluster made, its server
 * started.
 *
 * A cluster is made in postgres.new and renamed when it is whole and on the
 * disk, so that whoever is killed in between leaves nothing half:
 *
 *	initdb --> roles and database --> syncfs --> rename --> fsync
 */
#include "role/private_server.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "plat/folder.h"

#define TOOL_MOST_MS	120000
#define INSTALL		"apt-get install postgresql redis-server"

/* The major version that a folder of programs is of; 0: none. */
static int
version_of(const char *bin)
{
	char path[512], said[128];
	const char *const argv[] = { path, "--version", NULL };
	int version = 0;

	snprintf(path, sizeof path, "%s/initdb", bin);
	if (access(path, X_OK) != 0)
		return (0);
	snprintf(path, sizeof path, "%s/postgres", bin);
	if (access(path, X_OK) != 0)
		return (0);
	if (sscanf(bin, "/usr/lib/postgresql/%d/bin", &version) == 1)
		return (version);
	if (!proc_ask(argv, said, sizeof said) ||
	    sscanf(said, "postgres (PostgreSQL) %d", &version) != 1)
		return (0);
	return (version);
}

struct search {
	int	wanted;		/* 0: the newest */
	int	best;
	char	bin[512];
};

static void
consider(struct search *search, const char *bin)
{
	int version = version_of(bin);

	if (version > search->best &&
	    (search->wanted == 0 || version == search->wanted)) {
		search->best = version;
		snprintf(search->bin, sizeof search->bin, "%s", bin);
	}
}

static bool
find_programs(const struct private_place *place, struct search *search)
{
	static const char *const where = "/usr/lib/postgresql/*/bin";
	char path[512], said[512];
	const char *const argv[] = { path, "--bindir", NULL };
	glob_t found;

	if (place->postgres_bin[0] != '\0') {
		consider(search, place->postgres_bin);
		return (search->best != 0);
	}
	if (glob(where, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			consider(search, found.gl_pathv[i]);
		globfree(&found);
	}
	if (search->best == 0 && proc_on_path("postgres", path, sizeof path)) {
		*strrchr(path, '/') = '\0';
		consider(search, path);
	}
	if (search->best == 0 &&
	    proc_on_path("pg_config", path, sizeof path) &&
	    proc_ask(argv, said, sizeof said)) {
		said[strcspn(said, "\n")] = '\0';
		consider(search, said);
	}
	return (search->best != 0);
}

/* The cluster's major version; 0 where there is no cluster. */
static int
version_of_cluster(int folder)
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

static bool
choose_programs(struct private_server *server, int wanted)
{
	struct private_place *place = server->place;
	struct search search = { .wanted = wanted };
	int len;

	if (find_programs(place, &search)) {
		len = snprintf(server->program, sizeof server->program,
		    "%s/postgres", search.bin);
		must((size_t)len < sizeof server->program);
		return (true);
	}
	if (place->postgres_bin[0] != '\0')
		return (private_complain(place, EX_UNAVAILABLE,
		    "postgres_bin %s: no PostgreSQL%s is there; correct it, "
		    "or leave it empty and install the packages: " INSTALL,
		    place->postgres_bin,
		    wanted != 0 ? " of the cluster's version" : ""));
	if (wanted != 0)
		return (private_complain(place, EX_UNAVAILABLE,
		    "%s/postgres was made by PostgreSQL %d, which is not "
		    "installed: apt-get install postgresql-%d, or carry the "
		    "data over (pg_upgradecluster has the how), or move the "
		    "folder away to begin anew", place->path, wanted, wanted));
	return (private_complain(place, EX_UNAVAILABLE,
	    "PostgreSQL is not installed: " INSTALL
	    ", or set database_url to a server of yours"));
}

/* As root: the owner of the cluster that is there, else the package's user. */
static bool
choose_user(struct private_server *server, int folder)
{
	struct private_place *place = server->place;
	struct proc_user owner;
	struct stat now;

	if (folder >= 0 && fstat(folder, &now) == 0)
		proc_user_of(now.st_uid, now.st_gid, &owner);
	else if (!place->is_root)
		proc_user_of(geteuid(), getegid(), &owner);
	else if (!proc_user_named("postgres", &owner))
		owner = place->fallback;
	server->user = owner;
	server->becomes = place->is_root ? &server->user : NULL;
	if (place->is_root && owner.uid == 0)
		return (private_complain(place, EX_NOPERM,
		    "%s/postgres belongs to root, as whom PostgreSQL refuses "
		    "to run; give it to another user: chown -R postgres: "
		    "%s/postgres", place->path, place->path));
	if (!place->is_root && owner.uid != geteuid())
		return (private_complain(place, EX_NOPERM,
		    "%s/postgres belongs to user %s; start the server as that "
		    "user or as root, or set state_dir to a folder of yours",
		    place->path, owner.name));
	return (true);
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
	int status = 0;
	pid_t pid;

	server->log_from = lseek(server->log, 0, SEEK_END);
	pid = proc_start(&spec);
	if (pid < 0)
		return (false);
	if (!proc_wait(pid, TOOL_MOST_MS, &status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool
complain_of_tool(struct private_server *server, const char *what)
{
	const char *said = private_last_words(server);
	bool is_full = strstr(said, strerror(ENOSPC)) != NULL ||
	    strstr(said, strerror(EDQUOT)) != NULL;

	return (private_complain(server->place, EX_CANTCREAT,
	    "PostgreSQL's cluster in %s could not be %s: %s; %s",
	    server->place->path, what, said[0] != '\0' ? said :
	    "no reason was given", is_full ?
	    "make room on that disk, or set state_dir to a folder on another" :
	    "postgres.log there has all of it"));
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
	return (is_good || complain_of_tool(server, "made"));
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
	return (is_good || complain_of_tool(server, "set up"));
}

static bool
make_cluster(struct private_server *server)
{
	struct private_place *place = server->place;
	char statements[512];
	int folder;

	/* What a killed start left; its tools may still be dying. */
	folder = openat(place->state_dir, "postgres.new",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0) {
		private_clear(server, folder);
		close(folder);
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

/* The file with the passwords was lost: set new ones. */
static bool
renew_passwords(struct private_server *server)
{
	const struct private_place *place = server->place;
	char statements[512];

	snprintf(statements, sizeof statements,
	    "ALTER ROLE postgres PASSWORD '%s';\n"
	    "ALTER ROLE partyline_owner PASSWORD '%s';\n"
	    "ALTER ROLE partyline PASSWORD '%s';\n", place->of_superuser,
	    place->of_owner, place->of_server);
	log_warn("the private servers' passwords were lost, setting new ones");
	private_clear(server, server->folder);
	server->acts->tidy(server);
	return (single_user(server, server->folder, statements));
}

static void
tidy(struct private_server *server)
{
	static const char *const sockets[] = { "postgres/.s.PGSQL.5432",
	    "postgres/.s.PGSQL.5432.lock" };

	/* Nobody works here: whose pids these name are strangers by now. */
	unlinkat(server->folder, "postmaster.pid", 0);
	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
		unlinkat(server->place->run, sockets[i], 0);
}

static bool
prepare(struct private_server *server)
{
	struct private_place *place = server->place;
	int folder, sockets, version;

	if (!private_open_log(server, "postgres.log"))
		return (false);
	folder = folder_open(place->state_dir, "postgres", 0700, NULL);
	if (folder < 0)
		return (private_complain_of(place, "postgres"));
	server->folder = folder;
	version = version_of_cluster(folder);
	if (version == 0 && !folder_is_empty(folder))
		return (private_complain(place, EX_CANTCREAT,
		    "%s/postgres has things in it but is no PostgreSQL "
		    "cluster; move it away", place->path));
	if (!choose_user(server, version != 0 ? folder : -1) ||
	    !choose_programs(server, version))
		return (false);
	sockets = folder_open(place->run, "postgres", 0711, server->becomes);
	if (sockets < 0)
		return (private_complain_of(place, "run/postgres"));
	close(sockets);
	if (version == 0) {
		/* Its place is taken by the new one's renaming. */
		close(folder);
		server->folder = -1;
		return (make_cluster(server));
	}
	return (!place->has_new_secrets || renew_passwords(server));
}

static pid_t
spawn(struct private_server *server)
{
	char data[32], sockets[64];
	const char *const argv[] = { server->program, "-D", data,
	    "-c", "listen_addresses=", "-c", "port=5432", "-c", sockets,
	    "-c", "unix_socket_permissions=0777",
	    "-c", "cluster_name=partyline",
	    "-c", "logging_collector=off", "-c", "log_destination=stderr",
	    /* What is refused to a client is the client's to log, and must
	     * not fill the disk here. */
	    "-c", "log_min_messages=log", "-c", "log_checkpoints=off",
	    "-c", "log_min_error_statement=panic", NULL };
	struct proc_spec spec = { .argv = argv, .user = server->becomes,
	    .death_signal = SIGINT, .in = -1, .out = server->log,
	    .keep = { server->folder, server->place->run },
	    .keep_count = 2 };

	snprintf(data, sizeof data, "/proc/self/fd/%d", server->folder);
	snprintf(sockets, sizeof sockets,
	    "unix_socket_directories=/proc/self/fd/%d/postgres",
	    server->place->run);
	return (proc_start(&spec));
}

void
private_postgres_url(const struct private_place *place, const char *role,
    const char *password, char *out, size_t size)
{
	snprintf(out, size, "postgresql://%s:%s@/partyline?"
	    "host=/proc/self/fd/%d/postgres&port=5432", role, password,
	    place->run);
}

static void *
of_ping_start(struct private_server *server)
{
	char url[PRIVATE_URL_SIZE];

	private_postgres_url(server->place, "partyline",
	    server->place->of_server, url, sizeof url);
	return (ping_start(url));
}

static enum ping_answer
of_ping_poll(void *ping)
{
	return (ping_poll(ping));
}

static const char *
of_ping_why(const void *ping)
{
	return (ping_why(ping));
}

static void
of_ping_stop(void *ping)
{
	struct ping *whole = ping;

	ping_stop(&whole);
}

static void
of_ping_abandon(void *ping)
{
	struct ping *whole = ping;

	ping_abandon(&whole);
}

const struct private_acts private_postgres = {
	.title = "PostgreSQL", .program = "postgres", .part = PART_POSTGRES,
	.stop_signal = SIGINT, .hurry_signal = SIGQUIT,
	.prepare = prepare, .tidy = tidy, .spawn = spawn,
	.ping_start = of_ping_start, .ping_poll = of_ping_poll,
	.ping_why = of_ping_why, .ping_stop = of_ping_stop,
	.ping_abandon = of_ping_abandon,
};
