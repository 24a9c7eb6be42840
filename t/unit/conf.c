/* SPDX-License-Identifier: MIT */
/*
 * base/conf: each source, each kind and its bounds, what is told, and that
 * what is printed prints the same again.
 */
#include "base/conf.h"

#include "base/mem.h"
#include "base/spelling.h"
#include "tap.h"

static struct conf *conf;
static struct buf problems;

static void
anew(void)
{
	conf_destroy(&conf);
	conf = conf_create();
	buf_clear(&problems);
}

static bool
reads(const char *content)
{
	anew();
	return (conf_read_text(conf, text_of(content), "f", &problems));
}

static bool
sets(const char *assignment)
{
	anew();
	return (conf_set(conf, text_of(assignment), &problems));
}

/* Each as its one problem. */
#define refuses_text(content, wanted)					\
	(ok(!reads(content)), is_text(buf_text(&problems), wanted "\n"))
#define refuses_set(assignment, wanted)					\
	(ok(!sets(assignment)),						\
	    is_text(buf_text(&problems), "--set: " wanted "\n"))

static bool
has_problem(const char *words)
{
	return (strstr(problems.at, words) != NULL);
}

static bool
reads_environment(char *const *environment)
{
	anew();
	return (conf_read_environment(conf, environment, &problems));
}

static void
test_file(void)
{
	test("lines, blanks, comments, quotes, escapes, CRLF, BOM");
	ok(reads("\xef\xbb\xbf# first\r\n\r\n"
	    "workers=3\r\n"
	    "\t max_body \t=  2MiB   # half of what it was\r\n"
	    "user = a#b\n"
	    "redis_prefix = \" \\\"a\\\\\\n\\t# \" # why not\n"
	    "log_file =\n"
	    "admin_key = \"\""));
	is(problems.len, 0);
	is(conf->workers, 3);
	is(conf->max_body, 2 << 20);
	is_text(conf->user, "a#b");
	is_text(conf->redis_prefix, " \"a\\\n\t# ");
	is_text(conf->log_file, "");
	is_text(conf->origin[OPTION_workers], "f:3");

	test("what is wrong in a file is told by line");
	refuses_text("\nworkers = many",
	    "f:2: workers: \"many\" is not a whole number; allowed: 0 to "
	    "510");
	refuses_text("worker = 1", "f:1: worker: there is no such option; "
	    "did you mean workers?");
	refuses_text("xyzzy = 1", "f:1: xyzzy: there is no such option; "
	    "allowed: those that partyline -x options lists");
	refuses_text("workers", "f:1: this is not name = value");
	refuses_text("= 3", "f:1: this is not name = value");
	refuses_text("[main]", "f:1: this is not name = value");
	refuses_text("workers = 1\n\nworkers = 2", "f:3: workers: is given "
	    "twice, first in line 1; allowed: once");
	is(conf->workers, 1);
	refuses_text("log_file = \"x", "f:1: log_file: has no closing quote; "
	    "allowed: the path of a file or folder, or nothing");
	refuses_text("log_file = \"x\" y", "f:1: log_file: has something "
	    "behind its closing quote; allowed: the path of a file or "
	    "folder, or nothing");
	refuses_text("log_file = \"\\x\"", "f:1: log_file: has a \\ that is "
	    "not one of \\\" \\\\ \\n \\t; allowed: the path of a file or "
	    "folder, or nothing");
	refuses_text("log_file = \xc3(", "f:1: the line is not UTF-8");
	refuses_text("log_file = a\001", "f:1: log_file: has a control sign "
	    "or is not UTF-8; allowed: the path of a file or folder, or "
	    "nothing");

	test("a reader goes on after an error");
	ok(!reads("a = 1\nb = 2\nworkers = 4\nworkers = x"));
	ok(has_problem("f:1: ") && has_problem("f:2: ") &&
	    has_problem("f:4: "));
	is(conf->workers, 4);

	test("a refused value leaves the former one");
	ok(reads("workers = 4"));
	ok(!conf_set(conf, TEXT("workers=-1"), &problems));
	is(conf->workers, 4);
	is_text(conf->origin[OPTION_workers], "f:1");
}

static void
test_bounds_of_a_file(void)
{
	struct buf content;

	buf_init(&content, BUF_NO_LIMIT);
	anew();
	test("NUL is told");
	ok(!conf_read_text(conf, TEXT("workers = 1\0"), "f", &problems));
	is_text(buf_text(&problems), "f:1: the line holds a NUL byte\n");

	test("lines up to 16 KiB");
	buf_add_char(&content, '#');
	while (content.len < 16 * 1024)
		buf_add_char(&content, 'x');
	ok(reads(content.at));
	buf_add_char(&content, 'x');
	refuses_text(content.at, "f:1: the line is longer than 16 KiB");

	test("files up to 1 MiB");
	buf_clear(&content);
	while (content.len < 1024 * 1024)
		buf_add_string(&content, "# fifteen bytes\n");
	ok(reads(content.at));
	buf_add_char(&content, '#');
	refuses_text(content.at, "f: is larger than 1 MiB");

	test("the list of problems is bounded");
	buf_clear(&content);
	for (unsigned i = 0; i < 1000; i++)
		buf_add_string(&content, "what\n");
	ok(!reads(content.at));
	ok(problems.len < 2000);
	ok(has_problem("f:20: too many problems, the rest is not read"));

	test("a file that is not there");
	anew();
	ok(!conf_read_file(conf, "/nonexistent/x", &problems));
	is_text(buf_text(&problems), "/nonexistent/x: cannot be read: No "
	    "such file or directory\n");
	buf_fini(&content);
}

static void
test_kinds(void)
{
	test("flags");
	ok(sets("access_log=off"));
	ok(!conf->access_log);
	refuses_set("access_log=yes", "access_log: \"yes\" is neither on nor "
	    "off; allowed: on or off");

	test("counts");
	ok(sets("workers=510"));
	refuses_set("workers=511",
	    "workers: \"511\" is too large; allowed: 0 to 510");
	refuses_set("workers=-1",
	    "workers: \"-1\" is not a whole number; allowed: 0 to 510");
	refuses_set("workers=",
	    "workers: \"\" is not a whole number; allowed: 0 to 510");
	refuses_set("workers=1.5",
	    "workers: \"1.5\" is not a whole number; allowed: 0 to 510");
	refuses_set("max_processes=7",
	    "max_processes: \"7\" is too small; allowed: 8 to 1024");
	refuses_set("workers=99999999999999999999",
	    "workers: \"99999999999999999999\" is too large; allowed: 0 to "
	    "510");

	test("bytes");
	ok(sets("max_body=1024"));
	is(conf->max_body, 1024);
	ok(sets("max_body=3KiB"));
	is(conf->max_body, 3072);
	ok(sets("max_body=1GiB"));
	is(conf->max_body, 1 << 30);
	refuses_set("max_body=2GiB", "max_body: \"2GiB\" is too large; "
	    "allowed: 1KiB to 1GiB (units: KiB, MiB, GiB)");
	refuses_set("max_body=9223372036854775807GiB",
	    "max_body: \"9223372036854775807GiB\" is too large; "
	    "allowed: 1KiB to 1GiB (units: KiB, MiB, GiB)");
	refuses_set("max_body=1kb", "max_body: \"1kb\" has an unknown unit; "
	    "allowed: 1KiB to 1GiB (units: KiB, MiB, GiB)");

	test("spans");
	ok(sets("drain_timeout=0"));
	is(conf->drain_timeout, 0);
	ok(sets("drain_timeout=250ms"));
	is(conf->drain_timeout, 250);
	ok(sets("drain_timeout=1h"));
	is(conf->drain_timeout, 3600000);
	ok(sets("drain_timeout=2min"));
	is(conf->drain_timeout, 120000);
	refuses_set("drain_timeout=30", "drain_timeout: \"30\" has no unit; "
	    "allowed: 0 to 1h (units: ms, s, min, h, d)");
	refuses_set("drain_timeout=1d", "drain_timeout: \"1d\" is too large; "
	    "allowed: 0 to 1h (units: ms, s, min, h, d)");

	test("choices");
	ok(sets("log_level=debug"));
	is_text(conf->log_level, "debug");
	refuses_set("log_level=loud", "log_level: \"loud\" is none of the "
	    "choices; allowed: error, warn, info or debug");
	refuses_set("log_level=", "log_level: \"\" is none of the choices; "
	    "allowed: error, warn, info or debug");

	test("texts, secrets and paths");
	refuses_set("redis_prefix=", "redis_prefix: has 0 bytes; allowed: 1 "
	    "to 64 bytes");
	refuses_set("jwt_secret=hush", "jwt_secret: has 4 bytes; allowed: 32 "
	    "to 4096 bytes, or nothing");
	ok(sets("jwt_secret="));
	ok(sets("admin_key=x"));
	is_text(conf->admin_key, "x");
	refuses_set("state_dir=", "state_dir: is empty; allowed: the path of "
	    "a file or folder");

	test("hosts and networks");
	ok(sets("listen=127.0.0.1:1 [::1]:2\tunix:/x unix:y"));
	ok(sets("tls_listen="));
	refuses_set("listen=", "listen: has no address; allowed: addresses "
	    "with blanks between, such as 127.0.0.1:5000, [::1]:5000, "
	    "unix:/path");
	refuses_set("listen=a:1", "listen: \"a:1\" has no numeric address "
	    "before its port; allowed: addresses with blanks between, such "
	    "as 127.0.0.1:5000, [::1]:5000, unix:/path");
	ok(sets("trusted_proxies=10.0.0.0/8 ::1 unix"));
	refuses_set("trusted_proxies=proxy", "trusted_proxies: \"proxy\" is "
	    "not a numeric address; allowed: networks with blanks between, "
	    "such as 10.0.0.0/8, ::1, or the word unix, or nothing");

	test("ports");
	ok(sets("outgoing_ports=443 8000-8999\t1"));
	refuses_set("outgoing_ports=443 http", "outgoing_ports: \"http\" is "
	    "neither a port nor two with - between; allowed: ports with "
	    "blanks between, such as 443 or 8000-8999");
	refuses_set("outgoing_ports=9-8", "outgoing_ports: \"9-8\" begins "
	    "behind its end; allowed: ports with blanks between, such as "
	    "443 or 8000-8999");

	test("urls, which are never repeated");
	ok(sets("database_url=postgres://u:hush@h/d"));
	is_text(conf->database_url, "postgres://u:hush@h/d");
	ok(sets("redis_url=unix:///run/redis.sock"));
	ok(sets("redis_url=unix://:word@/run/redis.sock"));
	ok(!sets("redis_url=unix://:word@run/redis.sock"));
	ok(!sets("redis_url=unix://run/redis.sock"));
	ok(!sets("database_url=mysql://u:hush@h/d"));
	ok(has_problem("allowed: postgresql://... or postgres://...") &&
	    !has_problem("hush"));
	ok(!sets("redis_url=rediss://u:hush@h"));
	ok(has_problem("run a tunnel") && !has_problem("hush"));
	ok(!sets("database_url=postgres:x"));
	ok(!sets("database_url=postgres://"));
	ok(!sets("database_url=postgres://a b"));

	test("--set");
	refuses_set("workers", "\"workers\" is not name=value; allowed: "
	    "--set workers=4, say");
	refuses_set("wrokers=1", "wrokers: there is no such option; did you "
	    "mean workers?");
}

static const char *
file_with(const char *content)
{
	static char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/tmp/unit-conf-%d", (int)getpid());
	file = fopen(path, "w");
	if (ok(file != NULL)) {
		fputs(content, file);
		fclose(file);
	}
	return (path);
}

static void
test_environment(void)
{
	char from_file[128];
	char *file_too[] = { from_file, NULL };
	char *both[] = { from_file, (char *)"PARTYLINE_ADMIN_KEY=x", NULL };

	test("PARTYLINE_X, and what is not ours");
	ok(reads_environment((char *[]){ (char *)"PATH=/bin",
	    (char *)"PARTYLINE_WORKERS=5", (char *)"PARTYLINE=x",
	    (char *)"PARTYLINE_FAULTS=a", (char *)"partyline_workers=6",
	    NULL }));
	is(conf->workers, 5);
	is_text(conf->origin[OPTION_workers], "PARTYLINE_WORKERS");
	ok(!reads_environment((char *[]){
	    (char *)"PARTYLINE_WORKER=5", NULL }));
	is_text(buf_text(&problems), "PARTYLINE_WORKER: worker: there is no "
	    "such option; did you mean workers?\n");
	ok(!reads_environment((char *[]){
	    (char *)"PARTYLINE_WORKERS=x", NULL }));
	is_text(buf_text(&problems), "PARTYLINE_WORKERS: workers: \"x\" is "
	    "not a whole number; allowed: 0 to 510\n");
	ok(!reads_environment((char *[]){
	    (char *)"PARTYLINE_Workers=5", NULL }));

	test("the names of old, which give way");
	ok(reads_environment((char *[]){ (char *)"PORT=80",
	    (char *)"ADMIN_KEY=k", (char *)"ADMIN_CONFIG_PATH=/a",
	    (char *)"JWT_SECRET=01234567890123456789012345678901",
	    (char *)"DATABASE_URL=postgres://h/d",
	    (char *)"REDIS_URL=redis://h", NULL }));
	is_text(conf->listen, "0.0.0.0:80");
	is_text(conf->admin_key, "k");
	is_text(conf->admins_file, "/a");
	is_text(conf->jwt_secret, "01234567890123456789012345678901");
	is_text(conf->database_url, "postgres://h/d");
	is_text(conf->redis_url, "redis://h");
	is_text(conf->origin[OPTION_listen], "PORT");
	ok(reads_environment((char *[]){ (char *)"PORT=",
	    (char *)"ADMIN_KEY=", NULL }));
	is_text(conf->origin[OPTION_listen], "default");
	ok(reads_environment((char *[]){
	    (char *)"PARTYLINE_LISTEN=127.0.0.1:81", (char *)"PORT=80",
	    NULL }));
	is_text(conf->listen, "127.0.0.1:81");
	ok(!reads_environment((char *[]){ (char *)"PORT=http", NULL }));
	is_text(buf_text(&problems), "PORT: listen: \"http\" is not a port; "
	    "allowed: 1 to 65535\n");

	test("PARTYLINE_X_FILE, for secrets and urls");
	snprintf(from_file, sizeof from_file, "PARTYLINE_ADMIN_KEY_FILE=%s",
	    file_with("hush\n"));
	ok(reads_environment(file_too));
	is_text(conf->admin_key, "hush");
	file_with("hush\n\n");
	ok(reads_environment(file_too));
	is_text(conf->admin_key, "hush\n");
	file_with("hush\r\n");
	ok(reads_environment(file_too));
	is_text(conf->admin_key, "hush");
	ok(!reads_environment(both));
	ok(has_problem("is given twice in the environment"));
	snprintf(from_file, sizeof from_file,
	    "PARTYLINE_DATABASE_URL_FILE=%s", file_with("postgres://h/d\n"));
	ok(reads_environment(file_too));
	is_text(conf->database_url, "postgres://h/d");
	unlink(file_with(""));
	ok(!reads_environment(file_too));
	ok(has_problem("cannot be read: No such file or directory"));
	ok(!reads_environment((char *[]){
	    (char *)"PARTYLINE_WORKERS_FILE=/x", NULL }));
	ok(reads_environment((char *[]){
	    (char *)"PARTYLINE_LOG_FILE=/x", NULL }));
	is_text(conf->log_file, "/x");
}

static bool
checks(const char *content)
{
	ok(reads(content));
	return (conf_check(conf, &problems));
}

static void
test_check(void)
{
	test("what stands by default is good");
	ok(checks(""));

	test("rules over several options");
	ok(checks("max_processes = 10\nworkers = 3"));
	ok(!checks("max_processes = 10\nworkers = 4"));
	is_text(buf_text(&problems), "f:2: workers: 4 is too many for "
	    "max_processes 10; allowed: 0 to 3\n");
	ok(!checks("ring_size = 64KiB\nring_record_max = 16KiB"));
	is_text(buf_text(&problems), "f:2: ring_record_max: 16KiB is too "
	    "large for ring_size 64KiB; allowed: less than a quarter of "
	    "ring_size\n");
	ok(checks("ring_size = 64KiB\nring_record_max = 16383"));
	ok(!checks("migrate_url = postgres://h/d"));
	ok(has_problem("f:1: migrate_url: needs database_url"));
	ok(checks("database_url = postgres://h/d"));
	ok(checks("database_url = postgres://h/d\n"
	    "migrate_url = postgres://h/d"));

	test("no address twice");
	ok(!checks("listen = 127.0.0.1:5000 [::ffff:127.0.0.1]:5000"));
	is_text(buf_text(&problems), "f:1: listen: "
	    "\"[::ffff:127.0.0.1]:5000\" is in listen already; allowed: "
	    "once\n");
	ok(!checks("listen = unix:admin.sock"));
	ok(has_problem("\"unix:admin.sock\" is in admin_listen already"));
	ok(checks("admin_listen =\nlisten = 127.0.0.1:1 127.0.0.1:2"));

	test("TLS needs its files");
	ok(!checks("tls_listen = 127.0.0.1:5001"));
	ok(has_problem("tls_listen: needs tls_certificate") &&
	    has_problem("tls_listen: needs tls_key"));
	ok(!checks("tls_listen = 127.0.0.1:5001\ntls_key = /dev/null\n"
	    "tls_certificate = /nonexistent"));
	is_text(buf_text(&problems), "f:3: tls_certificate: \"/nonexistent\" "
	    "cannot be read: No such file or directory; allowed: a PEM "
	    "file\n");
}

static void
printed(struct buf *out)
{
	buf_clear(out);
	conf_print(conf, out);
}

static void
test_print(void)
{
	struct buf first, second;

	buf_init(&first, BUF_NO_LIMIT);
	buf_init(&second, BUF_NO_LIMIT);

	test("printed, read back and printed again: the same bytes");
	ok(reads("admin_key = hush\n"
	    "jwt_secret = 01234567890123456789012345678901\n"
	    "database_url = postgres://u:hush@h/d?password=hush&x=y\n"
	    "redis_url = redis://:hush@h:1/0\n"
	    "user = \" \\\"a#\\n\\t \"\nlog_file = a #b\nmax_body = 1024KiB\n"
	    "redis_prefix = \"#\"\nstate_dir = \"a # b\"\n"));
	printed(&first);
	ok(strstr(first.at, "hush") == NULL);
	ok(strstr(first.at, "\nadmin_key = ********\n") != NULL);
	ok(strstr(first.at, "\ndatabase_url = postgres://u:********@h/d?"
	    "password=********&x=y\n") != NULL);
	ok(strstr(first.at, "\nredis_url = redis://:********@h:1/0\n") !=
	    NULL);
	ok(strstr(first.at, "\nuser = \" \\\"a#\\n\\t \"\n") != NULL);
	ok(strstr(first.at, "\nlog_file = a\n") != NULL);
	anew();
	ok(conf_read_text(conf, buf_text(&first), "f", &problems));
	printed(&second);
	is_text(buf_text(&second), buf_text(&first));

	test("a mask is an unset value that the check refuses");
	is_text(conf->admin_key, "");
	is_text(conf->database_url, "");
	ok(!conf_check(conf, &problems));
	ok(has_problem("admin_key: is masked"));
	ok(has_problem("database_url: is masked"));
	ok(conf_set(conf, TEXT("admin_key=again"), &problems));
	is_text(conf->admin_key, "again");

	test("passwords that should have been escaped are masked all the same");
	ok(reads("database_url = postgres://u:hu@sh@h/x"));
	printed(&first);
	ok(strstr(first.at, "postgres://u:********@h/x") != NULL);
	ok(reads("database_url = postgres://u:hu/sh@h/x"));
	printed(&first);
	ok(strstr(first.at, "postgres://u:********@h/x") != NULL);
	ok(reads("database_url = postgres://u@h/x"));
	printed(&first);
	ok(strstr(first.at, "postgres://u@h/x") != NULL);

	test("only what was changed, and whence");
	ok(reads("workers = 4\nmax_body = 1024KiB\naccess_log = on\n"));
	buf_clear(&first);
	conf_print_diff(conf, &first);
	is_text(buf_text(&first), "# from f:1\nworkers = 4\n");

	test("as JSON");
	buf_clear(&first);
	ok(conf_set(conf, TEXT("admin_key=hush"), &problems));
	conf_print_json(conf, true, &first);
	is_text(buf_text(&first),
	    "{\"admin_key\":{\"value\":\"********\",\"origin\":\"--set\","
	    "\"is_default\":false},\"workers\":{\"value\":4,"
	    "\"origin\":\"f:1\",\"is_default\":false}}\n");
	buf_fini(&first);
	buf_fini(&second);
}

static void
test_reload(void)
{
	struct conf *was = conf_create();
	struct buf names;

	test("what needs a restart is named, and kept");
	buf_init(&names, BUF_NO_LIMIT);
	ok(reads("workers = 4\nring_size = 8192KiB\nlisten = 127.0.0.1:1\n"
	    "state_dir = x"));
	conf_needs_restart(was, conf, &names);
	is_text(buf_text(&names), "listen state_dir");
	conf_keep_boot_options(conf, was);
	is_text(conf->listen, "127.0.0.1:5000");
	is_text(conf->state_dir, "./var");
	is(conf->workers, 4);
	buf_clear(&names);
	conf_needs_restart(was, conf, &names);
	is(names.len, 0);
	buf_fini(&names);
	conf_destroy(&was);
}

static void
test_rows(void)
{
	test("each row is sorted, has a good default and a variable");
	anew();
	for (enum option i = 0; i < OPTIONS; i++) {
		struct buf variable;

		buf_init(&variable, BUF_NO_LIMIT);
		conf_variable(&option_rows[i], &variable);
		ok(i == 0 || strcmp(option_rows[i - 1].name,
		    option_rows[i].name) < 0);
		ok(conf_is_default(conf, i));
		ok(strncmp(variable.at, "PARTYLINE_", 10) == 0);
		buf_fini(&variable);
	}
}

static const char *
meant(const char *wrong)
{
	static const char *const names[] = { "config", "log", "serve",
	    "status" };
	struct spelling spelling;

	spelling_init(&spelling, text_of(wrong));
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		spelling_try(&spelling, names[i]);
	return (spelling_nearest(&spelling) == NULL ? "nothing" :
	    spelling_nearest(&spelling));
}

int
main(void)
{
	buf_init(&problems, BUF_NO_LIMIT);
	test_file();
	test_bounds_of_a_file();
	test_kinds();
	test_environment();
	test_check();
	test_print();
	test_reload();
	test_rows();

	test("the name that was probably meant");
	is_text(meant("confg"), "config");
	is_text(meant("cofnig"), "config");
	is_text(meant("stats"), "status");
	is_text(meant("server"), "serve");
	is_text(meant("x"), "nothing");
	is_text(meant(""), "nothing");
	is_text(meant("dance"), "nothing");
	conf_destroy(&conf);
	buf_fini(&problems);
	return (done());
}
