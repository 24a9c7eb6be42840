/* SPDX-License-Identifier: MIT */
/*
 * `partyline serve`: the boot, in order.
 */
#include "role/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/admins.h"
#include "plat/proc.h"
#include "role/control.h"
#include "role/migration.h"
#include "role/quickstart.h"
#include "role/server.h"

static void
boot_conf(struct server *server)
{
	struct buf problems;
	const char *why;

	buf_init(&problems, BUF_NO_LIMIT);
	server->conf = command_conf(server->command, &problems);
	/* Before anything is started; boot_admins reads them to keep. */
	if (server->conf == NULL || !admins_check(server->conf, &problems)) {
		fputs(problems.at, stderr);
		exit(EX_CONFIG);
	}
	if (geteuid() == 0 && !proc_may_become(server->conf->user, &why))
		die(EX_CONFIG, "user: %s", why);
	buf_fini(&problems);
}

static void
boot_control(struct server *server)
{
	struct buf problems;

	buf_init(&problems, BUF_NO_LIMIT);
	if (!control_open(server, &problems))
		die(EX_CANTCREAT, "%s", problems.at);
	buf_fini(&problems);
}

static void
boot_quickstart(struct server *server)
{
	if (!quickstart_is_wanted(server->conf))
		return;
	server->quickstart = quickstart_create(server->conf,
	    server->segment, server->state_dir);
	if (!quickstart_start(server->quickstart))
		exit(quickstart_exit_code(server->quickstart));
	quickstart_fill(server->quickstart, server->conf);
}

/* Once the private place has said what key it made. */
static void
boot_admins(struct server *server)
{
	struct buf problems;

	buf_init(&problems, BUF_NO_LIMIT);
	server->admins = admins_read(server->conf, &problems);
	if (server->admins == NULL) {
		fputs(problems.at, stderr);
		if (server->quickstart != NULL)
			quickstart_give_up(server->quickstart);
		exit(EX_CONFIG);
	}
	buf_fini(&problems);
}

static void
boot_migration(struct server *server)
{
	int exit_code = migration_boot(server);

	if (exit_code == EX_OK)
		return;
	if (server->quickstart != NULL)
		quickstart_give_up(server->quickstart);
	exit(exit_code);
}

int
command_serve(struct command *command)
{
	struct server *server = object_create(struct server, SERVER_MAGIC);
	int exit_code;

	server->command = command;
	fault_arm_from_environment();
	boot_conf(server);
	boot_state_dir(server);
	boot_segment(server);
	boot_log(server);
	proc_title("master");
	boot_listeners(server);
	boot_quickstart(server);
	boot_admins(server);
	boot_migration(server);
	boot_control(server);
	posts_init(server, workers_wanted(server->conf));
	exit_code = master_run(server);
	quickstart_destroy(&server->quickstart);
	admins_destroy(&server->admins);
	conf_destroy(&server->conf);
	segment_unmap(server->segment);
	object_free(&server);
	return (exit_code);
}
