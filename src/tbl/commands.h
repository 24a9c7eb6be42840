/* SPDX-License-Identifier: MIT */
/*
 * What `partyline` can be told to do, sorted by name.
 *
 * To add one: its row here, `int command_<name>(struct command *)` in role/,
 * a subtest in t/10-commands.t, make docs.
 *
 *	COMMAND(name, arguments, brief, text, examples)
 *
 * The flags that a command takes are those that stand in its arguments; the
 * list of all is in role/command.c. text and examples are shown by
 * `partyline help name` and in partyline(8); an example is a line each.
 */
COMMAND(admin, "add --name NAME [--role ROLE] [--key-file FILE]|list|revoke NAME [--tenant SLUG] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "manage who may sign in",
    "add makes an admin, or one with fewer rights (--role bot, viewer), and a\n"
    "key, which is shown once; with --key-file he gets the key that stands in\n"
    "FILE. His name is what others see of him. list shows all that there are\n"
    "and were. revoke ends an admin's key and every token of his name, on all\n"
    "hosts within a second. Admins of the configuration (admin_key,\n"
    "admins_file) are listed, too; one that is revoked here stays so until he\n"
    "has another key there.",
    "partyline admin add --name Ann\n"
    "partyline admin add --name Kosmi --role bot --tenant games\n"
    "partyline admin add --name Bob --key-file - < key\n"
    "partyline admin revoke Ann --state-dir /var/lib/partyline\n")
COMMAND(config, "check|print|diff [-c FILE] [--set NAME=VALUE]... [--json]",
    "look at the configuration",
    "check says whether the server could start with it; print writes the\n"
    "whole of it, as a file that -c reads; diff writes what is not at its\n"
    "default, and where it was set. Secrets are masked in all of them, and\n"
    "a mask is refused by check and serve.",
    "partyline config check -c /etc/partyline/partyline.conf\n"
    "partyline config diff --set workers=4\n")
COMMAND(epoch, "renew [--tenant SLUG] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "make all clients read the present state",
    "Begins a new epoch of every stream, or of a tenant's: each client that\n"
    "follows one, or comes back to it, gets the present state (resync) and\n"
    "goes on from there. To be run where the database was put back in a way\n"
    "that PostgreSQL does not show: a copy of its files, a snapshot of its\n"
    "disk, a failover that lost commits without a new timeline. Numbers of\n"
    "events would be given twice, and clients could not tell.",
    "partyline epoch renew -c /etc/partyline/partyline.conf\n"
    "partyline epoch renew --tenant games\n")
COMMAND(events, "tail [--tenant SLUG] [--session ID] [--since CURSOR] [--count N] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "watch what happens",
    "tail prints the numbered events of a stream as they are written: the\n"
    "lobby's, or a session's. It reads the database, not the server, so it\n"
    "sees what clients ought to. An event is a line: its number, when, what,\n"
    "and its data; with --json the envelope as clients get it. A line with\n"
    "resync comes where events cannot be told one by one, because they are\n"
    "no longer kept or the database was put back: the state instead. Where\n"
    "it began and ended is said on standard error, as --since takes it. It\n"
    "ends on INT, or after N events.",
    "partyline events tail\n"
    "partyline events tail --session 17 --since 0 --json\n"
    "partyline events tail --tenant games --session 17 --count 1\n")
COMMAND(fault, "list|arm NAME [TIMES]|clear [NAME] [-c FILE] [--state-dir DIR] [--json]",
    "make a running test build fail on purpose",
    "Only a server built with --enable-faults has fault points. arm makes a\n"
    "point fail the next TIMES (1) times that it is passed; clear disarms.",
    "partyline fault arm child_hangs\n"
    "partyline fault clear\n")
COMMAND(help, "[COMMAND]",
    "explain a command",
    "Without a name: what there is.",
    "partyline help serve\n")
COMMAND(import, "sqlite FILE [--tenant SLUG] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "bring in what today's server has kept",
    "sqlite reads the database of the picker server that was in use before:\n"
    "games, packs, sessions, their games, votes, chat and webhooks, with ids\n"
    "and times, all of it or nothing. FILE stays as it is; stop the server that\n"
    "writes it first. It can be brought in again: what is here already is\n"
    "skipped, and what has changed in FILE since is changed here. What could\n"
    "not be brought in, or not as it was, is told row by row. While\n"
    "another session than the file's is active, an active one is refused.",
    "partyline import sqlite jackbox.db\n"
    "partyline import sqlite jackbox.db --tenant games --json\n")
COMMAND(log, "level [LEVEL]|reopen [-c FILE] [--state-dir DIR] [--json]",
    "see or set the log level of a running server",
    "level without LEVEL shows it. What is set lasts until the next reload.\n"
    "reopen opens log_file anew, as the signal USR1 does.",
    "partyline log level debug\n"
    "partyline log reopen --state-dir /var/lib/partyline\n")
COMMAND(migrate, "[-c FILE] [--set NAME=VALUE]... [--json]",
    "bring the database to this program's schema",
    "Runs what is new of the migrations in sql_dir against migrate_url, each\n"
    "in a transaction of its own, then replaces the functions. Safe to run\n"
    "again, and by several at once. Refused: a database that is newer than\n"
    "this program, and a migration that was changed after it had run.",
    "partyline migrate -c /etc/partyline/partyline.conf\n"
    "partyline migrate --set migrate_url=postgresql://owner@/partyline\n")
COMMAND(monitors, "[list|all] [--tenant SLUG] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "see which rooms are watched",
    "list, or no word, shows the rooms of games that are watched, of all\n"
    "tenants or of one: how far the game is, how many play, and which process\n"
    "of which host is at it. Where nobody is named, nobody watches it yet.\n"
    "all shows those as well that are watched no more, and why.",
    "partyline monitors\n"
    "partyline monitors all --tenant games --json\n")
COMMAND(serve, "[-c FILE] [--set NAME=VALUE]...",
    "run the server",
    "Runs in the foreground until it is told to stop. Without a database_url\n"
    "it runs a private PostgreSQL and Redis in state_dir. Where migrate_url\n"
    "is set it migrates first; while PostgreSQL is away, as soon as it can.\n"
    "Signals: HUP reads the configuration anew and replaces the processes\n"
    "without losing a request; USR1 opens log_file anew; TERM and QUIT stop\n"
    "after the work at hand is done, a second one at once.",
    "partyline serve\n"
    "partyline serve --set listen=0.0.0.0:5000 --set workers=2\n"
    "partyline serve -c /etc/partyline/partyline.conf\n")
COMMAND(status, "[PREFIX...] [--processes] [-c FILE] [--state-dir DIR] [--json]",
    "show the counters of a running server",
    "Reads the shared segment itself, so it answers even when every process\n"
    "is busy. With prefixes only what begins with one of them is shown;\n"
    "--processes adds a line for each process and its share of the sums.",
    "partyline status\n"
    "partyline status requests --state-dir /var/lib/partyline\n"
    "partyline status --json\n")
COMMAND(tenant, "add SLUG [--host HOST]...|list|show SLUG|set SLUG NAME=VALUE...|remove SLUG [--yes]|export SLUG [FILE]|import SLUG [FILE] [--no-hosts] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "manage who is served",
    "A tenant has everything for itself: sessions, admins, streams, limits.\n"
    "Clients reach it under its hosts, and below /t/SLUG/ of any other. What\n"
    "belongs to nobody is the tenant default's. Settings, as set takes them:\n"
    "  hosts             host names, separated by blanks\n"
    "  max_connections   connections that last, at a time\n"
    "  max_events        events in a minute\n"
    "  max_requests      requests in a minute\n"
    "  max_storage       bytes, or KiB, MiB, GiB\n"
    "  origins           *, or the Origins of pages that may ask, by blanks\n"
    "  public_read       on, or off: reading needs a token too\n"
    "  responder_url     who answers turns of threads: an http(s) address\n"
    "  retention_days    how long events are kept\n"
    "  retention_events  how many of each stream are kept\n"
    "  threads           on, or off: Socket.IO needs the login of the tabletop\n"
    "An empty value takes a limit or an address away. Limits hold for each\n"
    "host of the installation by itself. A running server knows within a\n"
    "second. remove\n"
    "takes all that the tenant has, and says what that is without --yes.\n"
    "export writes all of it into FILE, or to standard output; the file has\n"
    "hashes of keys, keep it as you keep those. import puts it back, into a\n"
    "new tenant or one that nobody used, whole or not at all. Host names that\n"
    "another tenant has are refused; with --no-hosts none are taken. Admins\n"
    "keep their keys in the installation that they had them in, while their\n"
    "tenant's number is free; elsewhere it says who needs new ones.",
    "partyline tenant add games --host games.example\n"
    "partyline tenant set games max_requests=6000 max_storage=2GiB\n"
    "partyline tenant set games 'origins=https://a.example' max_requests=\n"
    "partyline tenant list --state-dir /var/lib/partyline\n"
    "partyline tenant export games games.tenant\n"
    "partyline tenant import games games.tenant\n"
    "partyline tenant import copy games.tenant --no-hosts\n"
    "partyline tenant remove games --yes\n")
COMMAND(token, "make --name NAME --role ROLE [--life SPAN]|inspect [TOKEN]|revoke TOKEN|revoke --name NAME|rotate [--life SPAN] [--tenant SLUG] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "make tokens, look into them, end them",
    "make signs a token without a key, good for SPAN (24h): for a bot that\n"
    "cannot sign in. inspect says what is in a token and whether it is\n"
    "believed; it exits with 65 where it is not. revoke ends one token, or\n"
    "with --name all of a name that were made until now, on all hosts within\n"
    "a second. rotate makes a new key that signs; what was signed with the\n"
    "former ones is believed for SPAN (24h), with 0s no longer. TOKEN may be\n"
    "-, and is read from standard input then, so that nobody sees it among\n"
    "the processes. None of them needs a server that runs on your own\n"
    "database.",
    "partyline token make --name Kosmi --role bot --life 90d\n"
    "partyline token inspect - < token\n"
    "partyline token revoke --name Kosmi --tenant games\n"
    "partyline token rotate\n")
COMMAND(version, "[--json]",
    "tell the version and what was compiled in",
    "The features line names faults, sanitizers and systemd where they are\n"
    "compiled in.",
    "partyline version\n")
COMMAND(webhooks, "list|show ID|replay ID [dead|all] [--tenant SLUG] [-c FILE] [--set NAME=VALUE]... [--state-dir DIR] [--json]",
    "see where events are sent, and send them again",
    "list shows a tenant's webhooks: how many deliveries wait for each and\n"
    "since when, how many are dead, and how the last try went. show adds the\n"
    "last ten tries. replay sends again all that is dead, or, with all, what\n"
    "was delivered as well, as far back as it is kept; the other side knows\n"
    "by its webhook-id what it has had. None of them needs a server that runs\n"
    "on your own database; what is queued is sent by one.",
    "partyline webhooks list\n"
    "partyline webhooks show 3 --tenant games\n"
    "partyline webhooks replay 3\n")
