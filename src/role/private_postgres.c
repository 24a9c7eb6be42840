/* SPDX-License-Identifier: MIT */
/*
 * The private PostgreSQL: its programs found, its server started and asked
 * for signs of life. private_cluster.c makes what it serves.
 */
#include "role/private_server.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "plat/folder.h"

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
		    "data over with pg_upgrade, or move the folder away to "
		    "begin anew", place->path, wanted, wanted));
	return (private_complain(place, EX_UNAVAILABLE,
	    "PostgreSQL is not installed: " INSTALL
	    ", or set database_url to a server of yours"));
}

/* PostgreSQL is particular about whose its folder is. */
static bool
may_run(struct private_server *server, int folder)
{
	struct private_place *place = server->place;
	struct stat now;

	if (fstat(folder, &now) != 0)
		return (private_complain_of(place, "postgres"));
	if (place->is_root && now.st_uid == 0)
		return (private_complain(place, EX_NOPERM,
		    "%s/postgres belongs to root, as whom PostgreSQL refuses "
		    "to run; give it to another user: chown -R postgres: "
		    "%s/postgres", place->path, place->path));
	if (!place->is_root && now.st_uid != geteuid())
		return (private_complain(place, EX_NOPERM,
		    "%s/postgres belongs to user %s; start the server as that "
		    "user or as root, or set state_dir to a folder of yours",
		    place->path, server->user.name));
	return (true);
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
	version = cluster_version(folder);
	if (version == 0 && !folder_is_empty(folder))
		return (private_complain(place, EX_CANTCREAT,
		    "%s/postgres has things in it but is no PostgreSQL "
		    "cluster; move it away", place->path));
	private_choose_user(server, version != 0 ? folder : -1, "postgres");
	if ((version != 0 && !may_run(server, folder)) ||
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
		return (cluster_make(server));
	}
	return (!place->has_new_secrets || cluster_renew_passwords(server));
}

static pid_t
spawn(struct private_server *server)
{
	char data[32], sockets[64];
	const char *const argv[] = { server->program, "-D", data,
	    "-c", "listen_addresses=", "-c", "port=5432", "-c", sockets,
	    "-c", "unix_socket_permissions=0777",
	    "-c", "cluster_name=partyline",
	    "-c", "jit=off",
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
