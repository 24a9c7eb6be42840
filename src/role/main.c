/* SPDX-License-Identifier: MIT */
/*
 * The program's begin. What it can be told to do is in tbl/commands.h; each
 * row has its function below role/:
 *
 *	serve			command_serve.c: the boot, then master.c
 *	config			command_config.c
 *	status			command_status.c, over ctl.c
 *	log, fault		command_control.c, over ctl.c
 *	migrate			command_migrate.c, over store/migrate.c
 *	import			command_import.c, over import_file.c
 *	tenant			command_tenant.c, over command_db.c
 *	help, version		command_help.c
 *	-x TABLE		tables.c: the tables of the program, printed
 */
#include <string.h>

#include "plat/proc.h"
#include "role/command.h"
#include "role/tables.h"

static int (*const runs[COMMANDS])(struct command *) = {
#define COMMAND(name, arguments, brief, text, examples) command_##name,
#include "tbl/commands.h"
#undef COMMAND
};

int
main(int argc, char **argv)
{
	struct command command;
	int exit_code;

	proc_title_init(argc, argv);
	if (argc > 1 && strcmp(argv[1], "-x") == 0)
		return (tables_print(argv + 2));
	if (!command_read(&command, argc, argv, &exit_code))
		return (exit_code);
	return (runs[command.row - command_rows](&command));
}
