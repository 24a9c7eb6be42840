/* SPDX-License-Identifier: MIT */
/*
 * The operations of the front door on the page, noun by noun.
 */
#include "core/input.h"
#include "role/docs_page.h"
#include "role/openapi.h"

static const unsigned refusals[] = { OPENAPI_REFUSALS };
#define REFUSALS (sizeof refusals / sizeof refusals[0])

static bool
is_first_of_noun(unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (operation_rows[i].door == DOOR_FRONT && text_is(
		    openapi_tag(&operation_rows[i]),
		    openapi_tag(&operation_rows[at])))
			return (false);
	return (operation_rows[at].door == DOOR_FRONT);
}

void
docs_write_contents(struct buf *out)
{
	for (unsigned i = 0; i < OPERATIONS; i++) {
		text noun = openapi_tag(&operation_rows[i]);

		if (!is_first_of_noun(i))
			continue;
		buf_printf(out, "<li><a href=\"#noun-%.*s\">%.*s</a></li>\n",
		    TEXT_ARGS(noun), TEXT_ARGS(noun));
	}
}

/* Its name, method, path and what it does, to be searched in. */
static void
begin_article(struct buf *out, const struct operation_row *row)
{
	const char *words[] = { row->name, method_name(row->method),
	    row->path, row->text, row->stream };
	size_t begin;

	buf_printf(out, "<article id=\"operation-%s\" "
	    "aria-labelledby=\"title-%s\" data-words=\"", row->name,
	    row->name);
	begin = out->len;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		docs_add(out, words[i]);
		buf_add_char(out, ' ');
	}
	for (size_t i = begin; i < out->len; i++)
		if (out->at[i] >= 'A' && out->at[i] <= 'Z')
			out->at[i] |= 0x20;
	buf_printf(out, "\">\n<h4 id=\"title-%s\"><span class=\"method %s\">"
	    "%s</span> <code>", row->name, method_name(row->method),
	    method_name(row->method));
	docs_add(out, row->path);
	buf_printf(out, "</code> <a class=\"here\" href=\"#operation-%s\" "
	    "aria-label=\"Link to %s\">#</a></h4>\n<p>", row->name,
	    row->name);
	docs_add(out, row->text);
	buf_add(out, TEXT("</p>\n"));
}

static void
write_about(struct buf *out, const struct operation_row *row)
{
	buf_printf(out, "<p class=\"about\"><code>%s</code>. %s", row->name,
	    openapi_who(row->who));
	if (openapi_has_key(row))
		buf_add(out, TEXT(" Heeds <code>Idempotency-Key</code>."));
	if (openapi_has_tag(row))
		buf_add(out, TEXT(" Has an <code>ETag</code>."));
	if (row->stream[0] != '\0') {
		buf_add(out, TEXT(" Stream: <code>"));
		docs_add(out, row->stream);
		buf_add(out, TEXT("</code>."));
	}
	buf_add(out, TEXT("</p>\n"));
}

static void
write_input(struct buf *out, const struct input_row *input)
{
	struct buf rule;

	buf_init(&rule, BUF_NO_LIMIT);
	input_rule(input, &rule);
	buf_printf(out, "<tr><th scope=\"row\"><code>%s</code></th><td>%s"
	    "</td><td>%s</td><td>", input->name,
	    input_place_name(input->place),
	    input->missing != ERR_none ? "yes" : "no");
	docs_add(out, input->text);
	buf_add(out, TEXT(" It "));
	docs_add_text(out, buf_text(&rule));
	buf_add(out, TEXT(".</td></tr>\n"));
	buf_fini(&rule);
}

static void
write_inputs(struct buf *out, const struct operation_row *row)
{
	if (row->inputs->name == NULL)
		return;
	buf_add(out, TEXT("<table>\n<caption>What it is given</caption>\n"
	    "<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Where"
	    "</th><th scope=\"col\">Needed</th><th scope=\"col\">Meaning"
	    "</th></tr></thead>\n<tbody>\n"));
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		write_input(out, input);
	buf_add(out, TEXT("</tbody>\n</table>\n"));
}

/* Whether an input before this place names it. */
static bool
was_named(const struct operation_row *row, const struct input_row *until,
    enum err err, bool as_missing)
{
	for (const struct input_row *input = row->inputs; input <= until;
	    input++) {
		if (input == until && as_missing)
			return (false);
		if (input->missing == err ||
		    (input != until && input->invalid == err))
			return (true);
	}
	return (false);
}

static void
name_refusal(struct buf *out, enum err err)
{
	const struct error_row *row = &error_rows[err];

	buf_printf(out, "<li>%u <code>", row->status);
	docs_add_text(out, row->code);
	buf_add(out, TEXT("</code>: "));
	docs_add_text(out, row->words);
	buf_add(out, TEXT("</li>\n"));
}

static void
write_refusals(struct buf *out, const struct operation_row *row)
{
	const char *between = "";

	buf_add(out, TEXT("<p>Refusals:"));
	for (size_t i = 0; i < REFUSALS; i++) {
		if (!openapi_has_refusal(row, refusals[i]))
			continue;
		buf_printf(out, "%s <a href=\"#refusals-%u\">%u</a>", between,
		    refusals[i], refusals[i]);
		between = ",";
	}
	buf_add(out, TEXT("</p>\n"));
	if (row->inputs->name == NULL)
		return;
	buf_add(out, TEXT("<ul>\n"));
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++) {
		if (input->missing != ERR_none &&
		    !was_named(row, input, input->missing, true))
			name_refusal(out, input->missing);
		if (input->invalid != ERR_none &&
		    !was_named(row, input, input->invalid, false))
			name_refusal(out, input->invalid);
	}
	name_refusal(out, ERR_input_invalid);
	buf_add(out, TEXT("</ul>\n"));
}

static void
write_operation(struct buf *out, const struct operation_row *row)
{
	begin_article(out, row);
	write_about(out, row);
	write_inputs(out, row);
	buf_printf(out, "<p>Success: %u %s.</p>\n", row->status,
	    status_reason(row->status));
	docs_add_schema(out, "What the answer can be", "", row->answer);
	write_refusals(out, row);
	buf_add(out, TEXT("<div class=\"examples\"></div>\n</article>\n"));
}

static void
write_noun(struct buf *out, unsigned first)
{
	text noun = openapi_tag(&operation_rows[first]);

	buf_printf(out, "<section class=\"noun\" "
	    "aria-labelledby=\"noun-%.*s\">\n<h3 id=\"noun-%.*s\">%.*s</h3>"
	    "\n", TEXT_ARGS(noun), TEXT_ARGS(noun), TEXT_ARGS(noun));
	for (unsigned i = first; i < OPERATIONS; i++)
		if (operation_rows[i].door == DOOR_FRONT &&
		    text_is(openapi_tag(&operation_rows[i]), noun))
			write_operation(out, &operation_rows[i]);
	buf_add(out, TEXT("</section>\n"));
}

void
docs_write_operations(struct buf *out)
{
	buf_add(out, TEXT("<section aria-labelledby=\"operations\">\n"
	    "<h2 id=\"operations\">Operations</h2>\n"));
	for (unsigned i = 0; i < OPERATIONS; i++)
		if (is_first_of_noun(i))
			write_noun(out, i);
	buf_add(out, TEXT("</section>\n"));
}
