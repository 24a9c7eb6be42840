/* SPDX-License-Identifier: MIT */
/*
 * The tables of src/tbl, printed by the program itself: for readers as
 * aligned columns, with --json whole, for docs/make-reference and the tests.
 *
 *	partyline -x options --json
 *	partyline -x openapi
 *	partyline -x asyncapi
 */
#ifndef ROLE_TABLES_H
#define ROLE_TABLES_H

/* The words behind -x, ended by NULL. An exit code. */
int	tables_print(char **words);

#endif
