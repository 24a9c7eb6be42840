/* SPDX-License-Identifier: MIT */
/*
 * The child that migrates. It says itself what there is to say; its exit
 * code tells the master whether the start goes on.
 */
#include "role/migration.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/count.h"
#include "base/log.h"
#include "base/must.h"
#include "plat/proc.h"
#include "role/private_server.h"
#include "role/quickstart.h"
#include "role/server.h"

#define PAUSE_FIRST_MS	500
#define LOOK_MS		20

enum patience { ONCE, UNTIL_DONE };

int
migration_exit_code(enum migrate_end end)
{
	switch (end) {
	case MIGRATE_OK:
		return (EX_OK);
	case MIGRATE_FILES:
		return (EX_NOINPUT);
	case MIGRATE_AWAY:
		return (EX_UNAVAILABLE);
	case MIGRATE_REFUSED:
		return (EX_DATAERR);
	case MIGRATE_FAILED:
		break;
	}
	return (EX_SOFTWARE);
}

/* What the start of a server ends with is said to who started it. */
static void
complain(enum patience patience, const char *why)
{
	if (patience == ONCE)
		fprintf(stderr, "partyline: the database cannot be migrated: "
		    "%s\n", why);
	else
		log_error("the database cannot be migrated", F("why", why));
}

static enum migrate_end
try_once(const struct server *server, const struct migrate_files *files,
    enum patience patience)
{
	const struct conf *conf = server->conf;
	struct migrate_report report;
	enum migrate_end end;
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	end = migrate_run(conf->migrate_url, files, &report, &why);
	if (end == MIGRATE_OK && server->quickstart != NULL)
		end = migrate_grant(conf->migrate_url, QUICKSTART_LOGIN,
		    &why);
	if (end == MIGRATE_OK)
		log_info("database migrated", F("schema", report.to),
		    F("was", report.from), F("migrations", report.ran),
		    F("functions_replaced", report.has_replaced_api));
	else if (end == MIGRATE_AWAY)
		log_warn("the database cannot be migrated yet, the server "
		    "starts without it", F("why", buf_text(&why)));
	else
		complain(patience, why.at);
	buf_fini(&why);
	return (end);
}

static enum migrate_end
try_until_done(const struct server *server,
    const struct migrate_files *files)
{
	int64_t pause_ms = PAUSE_FIRST_MS;
	enum migrate_end end;

	do {
		proc_pause(pause_ms);
		pause_ms *= 2;
		if (pause_ms > server->conf->restart_max)
			pause_ms = server->conf->restart_max;
		end = try_once(server, files, UNTIL_DONE);
		log_flush();
	} while (end == MIGRATE_AWAY);
	return (end);
}

static void
give_up_rights(const struct conf *conf, pid_t master)
{
	const char *why;

	if (geteuid() == 0 && !proc_become(conf->user, &why)) {
		log_error("rights could not be given up", F("why", why));
		exit(EX_NOPERM);
	}
	/* After that, because it is cleared by it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		exit(EX_UNAVAILABLE);
}

static _Noreturn void
child_main(struct server *server, enum patience patience, pid_t master)
{
	static struct counts own;
	struct migrate_files *files;
	enum migrate_end end = MIGRATE_FILES;
	struct buf folder, why;

	proc_title("migrate");
	log_use(server->log_fd, "migrate", &server->segment->log_level);
	/* The master's are its own to write. */
	counts = &own;
	must_record_in(NULL);
	child_close_masters(server);
	buf_init(&folder, BUF_NO_LIMIT);
	buf_init(&why, BUF_NO_LIMIT);
	migrate_folder(server->conf->sql_dir, &folder);
	files = migrate_files_read(folder.at, &why);
	give_up_rights(server->conf, master);
	if (files == NULL)
		complain(patience, why.at);
	else
		end = patience == ONCE ? try_once(server, files, ONCE) :
		    try_until_done(server, files);
	migrate_files_free(&files);
	buf_fini(&folder);
	buf_fini(&why);
	log_flush();
	exit(migration_exit_code(end));
}

static bool
begin(struct server *server, enum patience patience)
{
	pid_t master = getpid();

	log_flush();
	server->migration = fork();
	if (server->migration == 0)
		child_main(server, patience, master);
	if (server->migration > 0)
		return (true);
	server->migration = 0;
	log_error("no process to migrate the database in");
	return (false);
}

int
migration_boot(struct server *server)
{
	int status = 0;

	if (server->conf->migrate_url[0] == '\0')
		return (EX_OK);
	if (!begin(server, ONCE))
		return (EX_OSERR);
	while (!proc_wait(server->migration, LOOK_MS, &status))
		if (private_is_asked_to_stop())
			kill(server->migration, SIGKILL);
	server->migration = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != EX_UNAVAILABLE)
		return (WEXITSTATUS(status));
	/* Away, or killed: whoever asked us to stop is heard by the loop. */
	return (begin(server, UNTIL_DONE) ? EX_OK : EX_OSERR);
}

bool
migration_on_exit(struct server *server, pid_t pid, int status)
{
	if (pid != server->migration || pid == 0)
		return (false);
	server->migration = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)
		return (true);
	if (WIFEXITED(status)) {
		log_error("the database stays as it is, no worker will use "
		    "it: mend it, then run partyline migrate",
		    F("how", proc_status_text(status)));
		return (true);
	}
	log_warn("migrating was cut short, tried again",
	    F("how", proc_status_text(status)));
	if (server->stage == STAGE_RUNNING)
		begin(server, UNTIL_DONE);
	return (true);
}
