/* SPDX-License-Identifier: MIT */
/*
 * The frame of the page, what several parts need, and the refusals.
 */
#include "role/docs_page.h"

#include <stdio.h>

#include "core/error.h"
#include "plat/digest.h"
#include "role/schemas.h"

void
docs_add_text(struct buf *out, text words)
{
	for (size_t i = 0; i < words.len; i++)
		switch (words.at[i]) {
		case '&':
			buf_add(out, TEXT("&amp;"));
			break;
		case '<':
			buf_add(out, TEXT("&lt;"));
			break;
		case '>':
			buf_add(out, TEXT("&gt;"));
			break;
		case '"':
			buf_add(out, TEXT("&quot;"));
			break;
		default:
			buf_add_char(out, words.at[i]);
		}
}

void
docs_add(struct buf *out, const char *words)
{
	docs_add_text(out, text_of(words));
}

static text
schema_named(const char *prefix, const char *name)
{
	char whole[96];
	int len = snprintf(whole, sizeof whole, "%s%s", prefix, name);

	must(len > 0 && (size_t)len < sizeof whole);
	for (const struct schema *schema = schemas; schema->name != NULL;
	    schema++)
		if (strcmp(schema->name, whole) == 0)
			return (schema->json);
	must_never("t/00-tables.t looks whether each row has a schema");
}

static void
add_line_break(struct buf *out, unsigned depth)
{
	buf_add_char(out, '\n');
	for (unsigned i = 0; i < depth; i++)
		buf_add(out, TEXT("  "));
}

/* A value that the build packed, one member a line. */
static void
add_json(struct buf *out, text json)
{
	bool is_quoted = false;
	unsigned depth = 0;

	for (size_t i = 0; i < json.len; i++) {
		text one = text_from(json.at + i, 1);
		char c = json.at[i];

		if (is_quoted && c == '\\') {
			docs_add_text(out, text_from(json.at + i, 2));
			i++;
			continue;
		}
		is_quoted ^= c == '"';
		if (!is_quoted && (c == '}' || c == ']'))
			add_line_break(out, --depth);
		docs_add_text(out, one);
		if (is_quoted)
			continue;
		if (c == '{' || c == '[')
			depth++;
		if (c == '{' || c == '[' || c == ',')
			add_line_break(out, depth);
		while ((c == '{' || c == '[' || c == ',') &&
		    i + 1 < json.len && json.at[i + 1] == ' ')
			i++;
	}
}

void
docs_add_schema(struct buf *out, const char *summary, const char *prefix,
    const char *name)
{
	buf_add(out, TEXT("<details><summary>"));
	docs_add(out, summary);
	buf_add(out, TEXT("</summary><pre tabindex=\"0\">"));
	add_json(out, schema_named(prefix, name));
	buf_add(out, TEXT("</pre></details>\n"));
}

static bool
is_first_of_status(enum err err)
{
	for (enum err i = ERR_none + 1; i < err; i++)
		if (error_rows[i].status == error_rows[err].status)
			return (false);
	return (true);
}

static void
write_refusals_of(struct buf *out, unsigned status)
{
	buf_printf(out, "<h3 id=\"refusals-%u\">%u %s</h3>\n<table>\n"
	    "<thead><tr><th scope=\"col\">Code</th><th scope=\"col\">Words"
	    "</th></tr></thead>\n<tbody>\n", status, status,
	    status_reason(status));
	for (enum err err = ERR_none + 1; err < ERRORS; err++) {
		if (error_rows[err].status != status)
			continue;
		buf_add(out, TEXT("<tr><td><code>"));
		docs_add_text(out, error_rows[err].code);
		buf_add(out, TEXT("</code></td><td>"));
		docs_add_text(out, error_rows[err].words);
		buf_add(out, TEXT("</td></tr>\n"));
	}
	buf_add(out, TEXT("</tbody>\n</table>\n"));
}

/* By status, from the lowest. */
static void
write_refusals(struct buf *out)
{
	for (unsigned status = 400; status < 600; status++)
		for (enum err err = ERR_none + 1; err < ERRORS; err++)
			if (error_rows[err].status == status &&
			    is_first_of_status(err))
				write_refusals_of(out, status);
}

static void
write_style(struct buf *out)
{
	buf_add(out, docs_style_css);
}

static void
write_script(struct buf *out)
{
	buf_add(out, docs_script_js);
}

static const struct {
	text	 word;
	void	(*write)(struct buf *out);
} parts[] = {
	{ TEXT("closes"), docs_write_closes },
	{ TEXT("contents"), docs_write_contents },
	{ TEXT("events"), docs_write_events },
	{ TEXT("messages"), docs_write_messages },
	{ TEXT("operations"), docs_write_operations },
	{ TEXT("refusals"), write_refusals },
	{ TEXT("script"), write_script },
	{ TEXT("style"), write_style },
};
#define PARTS_OF_PAGE (sizeof parts / sizeof parts[0])

static void
write_part(struct buf *out, text word)
{
	for (size_t i = 0; i < PARTS_OF_PAGE; i++)
		if (text_is(parts[i].word, word)) {
			parts[i].write(out);
			return;
		}
	must_never("frame.html names a part that is not there");
}

void
docs_page_write(struct buf *out)
{
	text rest = docs_frame_html, before, word;

	while (text_cut(rest, '@', &before, &rest)) {
		buf_add(out, before);
		must(text_cut(rest, '@', &word, &rest));
		write_part(out, word);
	}
	buf_add(out, before);
}

void
docs_page_write_policy(struct buf *out)
{
	char style[DIGEST_BASE64_SIZE], script[DIGEST_BASE64_SIZE];

	digest_as_base64(docs_style_css, style);
	digest_as_base64(docs_script_js, script);
	buf_printf(out, "style-src 'sha256-%s'; script-src 'sha256-%s'; "
	    "connect-src 'self'; img-src data:; base-uri 'none'; "
	    "form-action 'none'; ", style, script);
}
