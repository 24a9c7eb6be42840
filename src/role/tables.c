/* SPDX-License-Identifier: MIT */
/*
 * Printing the tables. A row is written once, cell by cell; whether that
 * becomes JSON or a line of columns is decided by the cells' writers.
 */
#include "role/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/json_out.h"
#include "base/mem.h"
#include "core/input.h"
#include "role/asyncapi.h"
#include "role/command.h"
#include "role/openapi.h"

#define CELLS_MAX 12

struct row {
	struct row	*next;
	unsigned	 count;
	char		*cells[CELLS_MAX];
};

struct table {
	bool		 is_json;
	struct json_out	 json;
	struct arena	 arena;
	struct row	*first, **last;
	struct row	*row;
};

static void
row_begin(struct table *table)
{
	if (table->is_json) {
		json_object_begin(&table->json);
		return;
	}
	table->row = arena_alloc(&table->arena, sizeof *table->row);
	*table->last = table->row;
	table->last = &table->row->next;
}

static void
row_end(struct table *table)
{
	if (table->is_json)
		json_object_end(&table->json);
}

/* What only programs want to know. NULL: null. */
static void
detail(struct table *table, const char *column, const char *value)
{
	if (!table->is_json)
		return;
	json_key(&table->json, column);
	if (value != NULL)
		json_text_of(&table->json, value);
	else
		json_nothing(&table->json);
}

static void
detail_number(struct table *table, const char *column, int64_t value)
{
	if (!table->is_json)
		return;
	json_key(&table->json, column);
	json_int(&table->json, value);
}

static void
add_cell(struct table *table, const char *value)
{
	struct row *row = table->row;
	char *copy = arena_copy(&table->arena, value, strlen(value));

	/* A line of columns is one line. */
	for (char *at = copy; *at != '\0'; at++)
		if (*at == '\n')
			*at = ' ';
	must(row->count < CELLS_MAX);
	row->cells[row->count++] = copy;
}

static void
cell(struct table *table, const char *column, const char *value)
{
	detail(table, column, value);
	if (!table->is_json)
		add_cell(table, value[0] != '\0' ? value : "-");
}

static void
cell_number(struct table *table, const char *column, int64_t value)
{
	char digits[24];

	detail_number(table, column, value);
	snprintf(digits, sizeof digits, "%" PRId64, value);
	if (!table->is_json)
		add_cell(table, digits);
}

/* "id [notes]": what may be missing in brackets. */
static void
cell_of_inputs(struct table *table, const struct operation_row *row)
{
	struct buf names;

	buf_init(&names, BUF_NO_LIMIT);
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		buf_printf(&names, input->missing != ERR_none ? "%s%s" :
		    "%s[%s]", names.len > 0 ? " " : "", input->name);
	add_cell(table, names.len > 0 ? names.at : "-");
	buf_fini(&names);
}

static void
print_input(struct table *table, const struct input_row *input)
{
	struct buf rule;

	buf_init(&rule, BUF_NO_LIMIT);
	input_rule(input, &rule);
	json_object_begin(&table->json);
	detail(table, "name", input->name);
	detail(table, "where", input_place_name(input->place));
	detail(table, "kind", input_kind_name(input->kind));
	detail_number(table, "min", input->min);
	detail_number(table, "max", input->max);
	detail(table, "choices", input->choices);
	json_key(&table->json, "required");
	json_bool(&table->json, input->missing != ERR_none);
	detail(table, "missing", input->missing != ERR_none ?
	    error_rows[input->missing].code.at : NULL);
	detail(table, "invalid", error_rows[input->invalid != ERR_none ?
	    input->invalid : ERR_input_invalid].code.at);
	detail(table, "rule", rule.at);
	detail(table, "text", input->text);
	json_object_end(&table->json);
	buf_fini(&rule);
}

static void
print_inputs(struct table *table, const struct operation_row *row)
{
	if (!table->is_json) {
		cell_of_inputs(table, row);
		return;
	}
	json_key(&table->json, "inputs");
	json_array_begin(&table->json);
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		print_input(table, input);
	json_array_end(&table->json);
}

static void
print_operations(struct table *table)
{
#define OPERATION(name, method, path, door, who, way, limit, stream,	\
	    status, answer, text, inputs)				\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell(table, "method", #method);					\
	cell(table, "path", path);					\
	cell(table, "door", #door);					\
	cell(table, "who", #who);					\
	cell(table, "way", #way);					\
	cell(table, "limit", #limit);					\
	cell(table, "stream", stream);					\
	cell_number(table, "status", status);				\
	cell(table, "answer", #answer);					\
	print_inputs(table, &operation_rows[OPERATION_##name]);		\
	cell(table, "text", text);					\
	row_end(table);
#include "tbl/operations.h"
#undef OPERATION
}

static void
print_events(struct table *table)
{
#define EVENT(name, type, stream, kind, text)				\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell(table, "type", type);					\
	cell(table, "stream", stream);					\
	cell(table, "kind", #kind);					\
	cell(table, "text", text);					\
	row_end(table);
#include "tbl/events.h"
#undef EVENT
}

static void
print_functions(struct table *table)
{
#define FUNCTION(name, lane, context, inputs, text)			\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell(table, "lane", #lane);					\
	cell(table, "context", #context);				\
	cell_number(table, "inputs", inputs);				\
	cell(table, "text", text);					\
	row_end(table);
#include "tbl/functions.h"
#undef FUNCTION
}

static void
print_option(struct table *table, enum option option)
{
	const struct option_row *row = &option_rows[option];
	struct buf allowed, variable;

	buf_init(&allowed, BUF_NO_LIMIT);
	buf_init(&variable, BUF_NO_LIMIT);
	conf_allowed(row, &allowed);
	conf_variable(row, &variable);
	row_begin(table);
	cell(table, "name", row->name);
	cell(table, "kind", conf_kind_name(row->kind));
	cell(table, "default", row->value);
	cell(table, "when", row->may_reload ? "reload" : "restart");
	detail_number(table, "min", row->min);
	detail_number(table, "max", row->max);
	detail(table, "choices", row->choices);
	detail(table, "allowed", allowed.at);
	detail(table, "variable", variable.at);
	if (conf_has_file_variable(row))
		buf_add_string(&variable, "_FILE");
	detail(table, "file_variable", conf_has_file_variable(row) ?
	    variable.at : NULL);
	detail(table, "legacy_variable", conf_legacy_variable(option));
	cell(table, "text", row->text);
	row_end(table);
	buf_fini(&allowed);
	buf_fini(&variable);
}

static void
print_options(struct table *table)
{
	for (enum option i = 0; i < OPTIONS; i++)
		print_option(table, i);
}

static void
print_errors(struct table *table)
{
#define ERROR(name, status, text)					\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell_number(table, "status", status);				\
	cell(table, "text", text);					\
	row_end(table);
#include "tbl/errors.h"
#undef ERROR
}

static void
print_closes(struct table *table)
{
#define CLOSE(name, number, again, text)				\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell_number(table, "number", number);				\
	cell(table, "again", #again);					\
	cell(table, "text", text);					\
	row_end(table);
#include "tbl/closes.h"
#undef CLOSE
}

static void
print_messages(struct table *table)
{
#define MESSAGE(name, type, direction, answers, text)			\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell(table, "type", type);					\
	cell(table, "direction", #direction);				\
	cell(table, "answers", answers);				\
	cell(table, "text", text);					\
	row_end(table);
#include "tbl/messages.h"
#undef MESSAGE
}

static void
print_counters(struct table *table)
{
#define ROW(name, kind, text)						\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell(table, "kind", kind);					\
	cell(table, "text", text);					\
	row_end(table);
#define COUNTER(name, text) ROW(name, "counter", text)
#define GAUGE(name, text) ROW(name, "gauge", text)
#define HISTOGRAM(name, text) ROW(name, "histogram", text)
#include "tbl/counters.h"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#undef ROW
}

static void
print_command(struct table *table, const struct command_row *row)
{
	row_begin(table);
	cell(table, "name", row->name);
	detail(table, "arguments", row->arguments);
	cell(table, "brief", row->brief);
	detail(table, "text", row->text);
	detail(table, "examples", row->examples);
	if (table->is_json) {
		json_key(&table->json, "flags");
		json_array_begin(&table->json);
		for (unsigned i = 0; i < COMMAND_FLAGS; i++) {
			const struct command_flag *flag = &command_flags[i];

			if (!command_takes(row, flag))
				continue;
			json_object_begin(&table->json);
			detail(table, "flag", flag->flag);
			detail(table, "argument", flag->argument);
			detail(table, "text", flag->text);
			json_object_end(&table->json);
		}
		json_array_end(&table->json);
	}
	row_end(table);
}

static void
print_commands(struct table *table)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		print_command(table, &command_rows[i]);
}

static void
print_faults(struct table *table)
{
#define FAULT_POINT(name, text)						\
	row_begin(table);						\
	cell(table, "name", #name);					\
	cell(table, "text", text);					\
	row_end(table);
#include "tbl/faults.h"
#undef FAULT_POINT
}

static const struct {
	const char	 *name;
	void		(*print)(struct table *);
} tables[] = {
	{ "operations", print_operations },
	{ "events", print_events },
	{ "messages", print_messages },
	{ "functions", print_functions },
	{ "options", print_options },
	{ "errors", print_errors },
	{ "closes", print_closes },
	{ "counters", print_counters },
	{ "commands", print_commands },
	{ "faults", print_faults },
};
#define TABLES (sizeof tables / sizeof tables[0])

/* Every column as wide as its widest cell; the last as it comes. */
static void
add_columns(const struct table *table, struct buf *out)
{
	int widths[CELLS_MAX] = { 0 };

	for (const struct row *row = table->first; row != NULL;
	    row = row->next)
		for (unsigned i = 0; i + 1 < row->count; i++) {
			int width = (int)strlen(row->cells[i]);

			if (widths[i] < width)
				widths[i] = width;
		}
	for (const struct row *row = table->first; row != NULL;
	    row = row->next) {
		for (unsigned i = 0; i + 1 < row->count; i++)
			buf_printf(out, "%-*s  ", widths[i], row->cells[i]);
		buf_printf(out, "%s\n", row->cells[row->count - 1]);
	}
}

static int
misused(const char *what)
{
	fprintf(stderr, "partyline: %s\nusage: partyline -x TABLE [--json]\n"
	    "tables:", what);
	for (size_t i = 0; i < TABLES; i++)
		fprintf(stderr, " %s", tables[i].name);
	fputs(" openapi asyncapi\n", stderr);
	return (EX_USAGE);
}

/* No table, but made from some. */
static int
print_document(void (*write)(struct buf *out))
{
	struct buf out;

	buf_init(&out, BUF_NO_LIMIT);
	write(&out);
	buf_add_char(&out, '\n');
	return (command_answer(&out));
}

int
tables_print(char **words)
{
	struct table table = { .is_json = false };
	const char *name = NULL;
	struct buf out;
	size_t which = 0;

	for (; *words != NULL; words++)
		if (strcmp(*words, "--json") == 0)
			table.is_json = true;
		else if (name == NULL)
			name = *words;
		else
			return (misused("-x takes one table"));
	if (name == NULL)
		return (misused("-x needs the name of a table"));
	if (strcmp(name, "openapi") == 0)
		return (print_document(openapi_write));
	if (strcmp(name, "asyncapi") == 0)
		return (print_document(asyncapi_write));
	while (which < TABLES && strcmp(tables[which].name, name) != 0)
		which++;
	if (which == TABLES)
		return (misused("there is no such table"));
	buf_init(&out, BUF_NO_LIMIT);
	arena_init(&table.arena);
	table.last = &table.first;
	json_out_init(&table.json, &out);
	if (table.is_json)
		json_array_begin(&table.json);
	tables[which].print(&table);
	if (table.is_json) {
		json_array_end(&table.json);
		buf_add_char(&out, '\n');
	} else
		add_columns(&table, &out);
	arena_fini(&table.arena);
	return (command_answer(&out));
}
