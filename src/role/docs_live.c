/* SPDX-License-Identifier: MIT */
/*
 * Events, live messages and reasons to close on the page.
 */
#include "app/live.h"
#include "role/asyncapi.h"
#include "role/docs_page.h"

enum way_of_event { NUMBERED, NUMBERED_FLAT, LIVE };
enum direction { FROM_CLIENT, FROM_SERVER };

static const struct {
	const char	*name, *type, *stream;
	enum way_of_event way;
	const char	*text;
} event_rows[] = {
#define EVENT(name, type, stream, way, text)				\
	{ #name, type, stream, way, text },
#include "tbl/events.h"
#undef EVENT
};
#define EVENTS (sizeof event_rows / sizeof event_rows[0])

static const struct {
	const char	*name, *type;
	enum direction	 direction;
	const char	*answers, *text;
} message_rows[] = {
#define MESSAGE(name, type, direction, answers, text)			\
	{ #name, type, direction, answers, text },
#include "tbl/messages.h"
#undef MESSAGE
};
#define MESSAGES (sizeof message_rows / sizeof message_rows[0])

/* kind: event or message. */
static void
begin_article(struct buf *out, const char *kind, const char *name,
    const char *type, const char *words)
{
	buf_printf(out, "<article id=\"%s-%s\" aria-labelledby=\"title-%s-%s\""
	    " data-words=\"%s ", kind, name, kind, name, kind);
	docs_add(out, type);
	buf_printf(out, " %s\">\n<h3 id=\"title-%s-%s\"><code>", name, kind,
	    name);
	docs_add(out, type);
	buf_printf(out, "</code> <a class=\"here\" href=\"#%s-%s\" "
	    "aria-label=\"Link to the %s %s\">#</a></h3>\n<p>", kind, name,
	    kind, name);
	docs_add(out, words);
	buf_add(out, TEXT("</p>\n"));
}

static void
end_article(struct buf *out)
{
	buf_add(out, TEXT("<div class=\"examples\"></div>\n</article>\n"));
}

void
docs_write_events(struct buf *out)
{
	static const char *const ways[] = {
		[NUMBERED] = "Numbered.",
		[NUMBERED_FLAT] = "Numbered; sessionId also beside data.",
		[LIVE] = "Live: has no number, and comes at most once.",
	};

	for (size_t i = 0; i < EVENTS; i++) {
		begin_article(out, "event", event_rows[i].name,
		    event_rows[i].type, event_rows[i].text);
		buf_add(out, TEXT("<p class=\"about\">Stream: <code>"));
		docs_add(out, event_rows[i].stream);
		buf_printf(out, "</code>. %s</p>\n", ways[event_rows[i].way]);
		docs_add_schema(out, "What data can be", "data_",
		    event_rows[i].name);
		end_article(out);
	}
}

/* What is said to it, each with where it stands on the page. */
static void
write_answers(struct buf *out, const char *answers)
{
	text rest = text_of(answers), word;
	const char *between = "Answered by";

	while (text_next_word(&rest, &word)) {
		buf_printf(out, "%s <a href=\"#message-%.*s\">%.*s</a>",
		    between, TEXT_ARGS(word), TEXT_ARGS(word));
		between = ",";
	}
	buf_add_char(out, '.');
}

void
docs_write_messages(struct buf *out)
{
	for (size_t i = 0; i < MESSAGES; i++) {
		begin_article(out, "message", message_rows[i].name,
		    message_rows[i].type, message_rows[i].text);
		buf_printf(out, "<p class=\"about\">%s ",
		    message_rows[i].direction == FROM_CLIENT ?
		    "Said by the client." : "Said by the server.");
		if (message_rows[i].answers[0] != '\0')
			write_answers(out, message_rows[i].answers);
		buf_add(out, TEXT("</p>\n"));
		docs_add_schema(out, "What it can be", "live_",
		    message_rows[i].name);
		end_article(out);
	}
	for (size_t i = 0; i < ASYNCAPI_BLOCKS; i++) {
		begin_article(out, "message", asyncapi_blocks[i].key,
		    asyncapi_blocks[i].name, asyncapi_blocks[i].text);
		docs_add_schema(out, "What it can be", "",
		    asyncapi_blocks[i].schema);
		end_article(out);
	}
}

void
docs_write_closes(struct buf *out)
{
	for (unsigned i = 0; i < CLOSES; i++) {
		buf_printf(out, "<tr><th scope=\"row\"><code>%s</code></th>"
		    "<td>%d</td><td><code>%s</code></td><td>",
		    close_rows[i].name, (int)close_rows[i].number,
		    close_rows[i].again);
		docs_add(out, close_rows[i].text);
		buf_add(out, TEXT("</td></tr>\n"));
	}
}
