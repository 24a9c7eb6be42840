/* SPDX-License-Identifier: MIT */
/*
 * A process with a loop and a pool of store/db, that a test drives by lines
 * on its standard input (T::Store). Words are separated by tabs; the word \N
 * is SQL's NULL and \0 a text of one zero byte.
 *
 * A statement is NAME=SQL, or NAME@KIND=SQL where only that lane has it.
 * --product: with the roles and openings of the product's own connections.
 *
 *	call ID KIND STREAM STATEMENT DEADLINE [PARAMETER]...
 *	op ID KIND STREAM OPERATION DEADLINE [INPUT]...	 an api function
 *	chain ID KIND COUNT STATEMENT [PARAMETER]...	 each from the last
 *	abandon ID		arm FAULT TIMES		counts	    quit
 *
 * It says
 *
 *	state STATE WHY		counts NAME=VALUE...	ended
 *	answer ID rows COUNT [COLUMN|COLUMN...]...
 *	answer ID refused SQLSTATE MESSAGE DETAIL CONSTRAINT
 *	answer ID failed WHY	answer ID unknown
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "plat/loop.h"
#include "store/call.h"
#include "store/db.h"
#include "store/schema.h"

#define WORDS_MAX 64
#define STATEMENTS_MAX 32
#define ASKED_MAX 20000

struct asked {
	char		 id[32];
	struct db_query *query;
	bool		 is_operation;
	unsigned	 left;		/* of a chain */
	struct db_call	 call;
	char		*copy;		/* a chain's parameters */
	text		*words;
};

static struct db_pool *pool;
static struct asked *asked;
static unsigned asked_count;
static struct db_statement statements[STATEMENTS_MAX];
static unsigned statements_count;
static const char *begin[8];
static unsigned begin_count;
static const char *const kind_names[DB_KINDS] = { "write", "read", "slow",
    "fleet" };
static const char *roles[DB_KINDS];
static const char *identity;
static unsigned fleet;
static bool is_product;
static int64_t expected = -1;
static bool has_ended;

static const char *
on_identity(void *context, const struct db_answer *answer)
{
	int64_t version;

	(void)context;
	if (is_product)
		return (schema_check(answer));
	if (expected < 0)
		return (NULL);
	if (db_rows(answer) != 1 || !text_to_int64(db_field(answer, 0, 0), 0,
	    INT32_MAX, &version))
		return ("the identity cannot be read");
	return (version == expected ? NULL : "the schema is not known");
}

static void
on_state(void *context, enum db_state state, const char *why)
{
	static const char *const names[] = { "starting", "up", "down" };

	(void)context;
	printf("state\t%s\t%s\n", names[state], why);
}

static void
print_rows(const struct asked *from, const struct db_answer *answer)
{
	struct call_row row;

	printf("rows\t%u", db_rows(answer));
	for (unsigned i = 0; i < db_rows(answer); i++) {
		if (!from->is_operation) {
			text first = db_field(answer, i, 0);

			if (first.at == NULL)
				first = TEXT("\\N");
			printf("\t%.*s", TEXT_ARGS(first));
			continue;
		}
		if (!call_row_read(answer, i, &row))
			printf("\tbroken");
		else if (!row.is_event)
			printf("\t%u|%u|%.*s|%.*s|%.*s", row.element,
			    row.status, TEXT_ARGS(row.body),
			    TEXT_ARGS(row.headers), TEXT_ARGS(row.refusal));
		else
			printf("\t%u|%.*s|%.*s|%s|%llu|%.*s", row.element,
			    TEXT_ARGS(row.stream), TEXT_ARGS(row.epoch),
			    row.is_live ? "live" : "stored",
			    (unsigned long long)row.seq,
			    TEXT_ARGS(row.body));
	}
}

static void
on_answer(void *context, const struct db_answer *answer)
{
	struct asked *from = context;

	from->query = NULL;
	if (from->left > 0 && answer->result == DB_ROWS) {
		from->left--;
		from->query = db_call(pool, &from->call);
		return;
	}
	printf("answer\t%s\t", from->id);
	switch (answer->result) {
	case DB_ROWS:
		print_rows(from, answer);
		break;
	case DB_REFUSED:
		printf("refused\t%s\t%.*s\t%.*s\t%.*s", answer->sqlstate,
		    TEXT_ARGS(answer->message), TEXT_ARGS(answer->detail),
		    TEXT_ARGS(answer->constraint));
		break;
	case DB_FAILED:
		printf("failed\t%s", db_why_name(answer->why));
		break;
	case DB_UNKNOWN:
		printf("unknown");
		break;
	}
	putchar('\n');
}

static enum db_kind
kind_of(text word)
{
	for (enum db_kind kind = 0; kind < DB_KINDS; kind++)
		if (text_is(word, text_of(kind_names[kind])))
			return (kind);
	die(EX_USAGE, "no lane %.*s", TEXT_ARGS(word));
}

static unsigned
statement_of(text name)
{
	for (unsigned i = 0; i < statements_count; i++)
		if (text_is(name, text_of(statements[i].name)))
			return (i);
	die(EX_USAGE, "no statement %.*s", TEXT_ARGS(name));
}

static int64_t
number_of(text word)
{
	int64_t number;

	if (!text_to_int64(word, 0, INT64_MAX, &number))
		die(EX_USAGE, "%.*s is no number", TEXT_ARGS(word));
	return (number);
}

static struct asked *
ask(text id)
{
	struct asked *new = &asked[asked_count++];

	must(asked_count < ASKED_MAX);
	snprintf(new->id, sizeof new->id, "%.*s", TEXT_ARGS(id));
	new->call.on_answer = on_answer;
	new->call.context = new;
	return (new);
}

static void
decode(text *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (text_is(words[i], TEXT("\\N")))
			words[i] = TEXT_NONE;
		else if (text_is(words[i], TEXT("\\0")))
			words[i] = TEXT("\0");
}

static void
do_call(text *words, unsigned count, bool is_operation)
{
	struct asked *new = ask(words[1]);
	struct call_context context = { .tenant = 7, .role = TEXT("bot"),
	    .caller = TEXT("admin:3"), .request_id = TEXT("r1"),
	    .address = TEXT("127.0.0.1") };
	struct call_parameters parameters;
	int64_t deadline = number_of(words[5]);

	decode(words + 6, count - 6);
	new->is_operation = is_operation;
	new->call.kind = kind_of(words[2]);
	new->call.stream = words[3];
	new->call.statement = statement_of(words[4]);
	new->call.deadline_ms = deadline != 0 ? clock_ms() + deadline : 0;
	new->call.parameters = words + 6;
	new->call.parameters_count = count - 6;
	if (is_operation) {
		call_parameters(&context, words + 6, count - 6, &parameters);
		new->call.parameters = parameters.at;
		new->call.parameters_count = parameters.count;
	}
	new->query = db_call(pool, &new->call);
	new->call.parameters = NULL;
}

static void
do_chain(text *words, unsigned count)
{
	struct asked *new = ask(words[1]);
	size_t size = 0;
	char *at;

	new->call.kind = kind_of(words[2]);
	new->left = (unsigned)number_of(words[3]) - 1;
	new->call.statement = statement_of(words[4]);
	for (unsigned i = 5; i < count; i++)
		size += words[i].len;
	new->copy = at = mem_alloc(size + 1);
	new->words = mem_alloc(WORDS_MAX * sizeof(text));
	for (unsigned i = 5; i < count; i++) {
		memcpy(at, words[i].at, words[i].len);
		new->words[i - 5] = text_from(at, words[i].len);
		at += words[i].len;
	}
	new->call.parameters = new->words;
	new->call.parameters_count = count - 5;
	new->query = db_call(pool, &new->call);
}

static void
do_abandon(text id)
{
	for (unsigned i = 0; i < asked_count; i++)
		if (text_is(id, text_of(asked[i].id)))
			db_abandon(&asked[i].query);
}

static void
do_arm(text name, text times)
{
	char value[128];

	snprintf(value, sizeof value, "%.*s=%.*s", TEXT_ARGS(name),
	    TEXT_ARGS(times));
	setenv("PARTYLINE_FAULTS", value, 1);
	fault_arm_from_environment();
}

static void
do_counts(void)
{
	printf("counts");
	for (unsigned i = 0; i < COUNTERS; i++)
		printf("\t%s=%llu", counter_rows[i].name,
		    (unsigned long long)counts->counters[i]);
	for (unsigned i = 0; i < GAUGES; i++)
		printf("\t%s=%lld", gauge_rows[i].name,
		    (long long)counts->gauges[i]);
	for (unsigned i = 0; i < HISTOGRAMS; i++) {
		unsigned long long sum = 0;

		for (unsigned j = 0; j < HISTOGRAM_BUCKETS; j++)
			sum += counts->histograms[i].buckets[j];
		printf("\t%s=%llu", histogram_rows[i].name, sum);
	}
	printf("\tidle=%d\n", db_pool_is_idle(pool));
}

static void
do_line(text line)
{
	text words[WORDS_MAX];
	unsigned count = 0;
	bool is_more = true;

	while (is_more && count < WORDS_MAX)
		is_more = text_cut(line, '\t', &words[count++], &line);
	if (text_is(words[0], TEXT("call")) && count >= 6)
		do_call(words, count, false);
	else if (text_is(words[0], TEXT("op")) && count >= 6)
		do_call(words, count, true);
	else if (text_is(words[0], TEXT("chain")) && count >= 5)
		do_chain(words, count);
	else if (text_is(words[0], TEXT("abandon")) && count == 2)
		do_abandon(words[1]);
	else if (text_is(words[0], TEXT("arm")) && count == 3)
		do_arm(words[1], words[2]);
	else if (text_is(words[0], TEXT("counts")))
		do_counts();
	else if (text_is(words[0], TEXT("quit")))
		has_ended = true;
	else
		die(EX_USAGE, "%.*s is no command", TEXT_ARGS(words[0]));
}

static void
on_input(struct buf *input)
{
	char piece[65536];
	ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
	text rest, line, after;

	if (got == 0)
		has_ended = true;
	if (got <= 0)
		return;
	buf_add(input, text_from(piece, (size_t)got));
	rest = buf_text(input);
	while (text_cut(rest, '\n', &line, &after)) {
		do_line(line);
		rest = after;
	}
	memmove(input->at, rest.at, rest.len);
	input->len = rest.len;
}

static void
add_statement(const char *given, bool is_operation)
{
	text name, value, lane;
	struct buf sql, copy;
	struct db_statement *new = &statements[statements_count++];

	must(statements_count < STATEMENTS_MAX);
	text_cut(text_of(given), '=', &name, &value);
	if (text_cut(name, '@', &name, &lane))
		new->lanes = 1u << kind_of(lane);
	buf_init(&copy, BUF_NO_LIMIT);
	buf_printf(&copy, "%s%.*s", is_operation ? "op_" : "",
	    TEXT_ARGS(name));
	new->name = buf_take(&copy);
	buf_init(&sql, BUF_NO_LIMIT);
	if (is_operation)
		call_statement(name, (unsigned)number_of(value), &sql);
	else
		buf_add(&sql, value);
	new->sql = buf_take(&sql);
}

static void
add_role(const char *given)
{
	text name, role;

	must(text_cut(text_of(given), '=', &name, &role));
	roles[kind_of(name)] = role.at;
}

static void
read_arguments(char **argv, struct conf *conf)
{
	struct buf problems;

	buf_init(&problems, BUF_NO_LIMIT);
	for (; argv[0] != NULL && argv[1] != NULL; argv += 2) {
		if (strcmp(argv[0], "--set") == 0)
			conf_set(conf, text_of(argv[1]), &problems);
		else if (strcmp(argv[0], "--begin") == 0)
			begin[begin_count++] = argv[1];
		else if (strcmp(argv[0], "--identity") == 0)
			identity = argv[1];
		else if (strcmp(argv[0], "--role") == 0)
			add_role(argv[1]);
		else if (strcmp(argv[0], "--fleet") == 0)
			fleet = (unsigned)number_of(text_of(argv[1]));
		else if (strcmp(argv[0], "--product") == 0)
			is_product = true;
		else if (strcmp(argv[0], "--expect") == 0)
			expected = number_of(text_of(argv[1]));
		else if (strcmp(argv[0], "--statement") == 0)
			add_statement(argv[1], false);
		else if (strcmp(argv[0], "--operation") == 0)
			add_statement(argv[1], true);
		else
			die(EX_USAGE, "%s is no flag", argv[0]);
	}
	if (problems.len > 0)
		die(EX_USAGE, "%s", problems.at);
	buf_fini(&problems);
}

/* Any database, instead of one of the product's. */
static void
be_plain(struct db_setup *setup)
{
	memcpy(setup->role, roles, sizeof roles);
	setup->begin = begin;
	setup->begin_count = begin_count;
	setup->identity = identity;
	setup->connections[DB_FLEET] = fleet;
}

int
main(int argc, char **argv)
{
	struct conf *conf = conf_create();
	struct loop *loop = loop_create();
	_Atomic unsigned level = LOG_INFO;
	struct db_setup setup = { .loop = loop, .statements = statements,
	    .on_identity = on_identity, .on_state = on_state };
	struct loop_watch *watch;
	struct buf input;

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	fault_arm_from_environment();
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_use(STDERR_FILENO, "driver", &level);
	asked = mem_alloc(ASKED_MAX * sizeof *asked);
	buf_init(&input, BUF_NO_LIMIT);
	read_arguments(argv + 1, conf);
	setup.statements_count = statements_count;
	db_setup_from(&setup, conf);
	if (!is_product)
		be_plain(&setup);
	pool = db_pool_create(&setup);
	watch = loop_watch_readable(loop, STDIN_FILENO, on_input, &input);
	must(watch != NULL);
	while (!has_ended)
		loop_turn(loop, 1000);
	db_pool_destroy(&pool);
	loop_forget(&watch);
	loop_destroy(&loop);
	for (unsigned i = 0; i < asked_count; i++) {
		mem_free(asked[i].copy);
		mem_free(asked[i].words);
	}
	mem_free(asked);
	for (unsigned i = 0; i < statements_count; i++) {
		mem_free((void *)(uintptr_t)statements[i].name);
		mem_free((void *)(uintptr_t)statements[i].sql);
	}
	buf_fini(&input);
	conf_destroy(&conf);
	puts("ended");
	return (EX_OK);
}
