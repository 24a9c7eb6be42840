/* SPDX-License-Identifier: MIT */
/*
 * Bytes into lines, lines into blocks, and what is in them into objects.
 */
#include "jobs/responder_reply.h"

#include "base/must.h"
#include "core/json.h"

enum reply_form
reply_form_of(text content_type)
{
	static const struct {
		text		 type;
		enum reply_form	 form;
	} types[] = {
		{ TEXT("text/event-stream"), REPLY_EVENTS },
		{ TEXT("application/x-ndjson"), REPLY_LINES },
		{ TEXT("application/ndjson"), REPLY_LINES },
		{ TEXT("application/jsonl"), REPLY_LINES },
		{ TEXT("application/x-jsonl"), REPLY_LINES },
		{ TEXT("application/jsonlines"), REPLY_LINES },
		{ TEXT("application/x-jsonlines"), REPLY_LINES },
		{ TEXT("application/json"), REPLY_WHOLE },
	};
	text type, parameters;

	text_cut(content_type, ';', &type, &parameters);
	type = text_trim(type);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (text_is_like(type, types[i].type))
			return (types[i].form);
	return (REPLY_UNKNOWN);
}

void
reply_init(struct reply *reply, enum reply_form form, size_t most,
    void (*on_item)(void *, text), void *me)
{
	must(form != REPLY_UNKNOWN);
	*reply = (struct reply){ .form = form, .left = most,
	    .on_item = on_item, .me = me };
	buf_init(&reply->line, BUF_NO_LIMIT);
	buf_init(&reply->data, BUF_NO_LIMIT);
}

void
reply_fini(struct reply *reply)
{
	buf_fini(&reply->line);
	buf_fini(&reply->data);
}

static bool
fail(struct reply *reply, const char *problem)
{
	if (reply->problem == NULL)
		reply->problem = problem;
	return (false);
}

/* --- objects ---------------------------------------------------------- */

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

static text
without_blanks(text t)
{
	while (t.len > 0 && is_blank(t.at[0]))
		t = text_from(t.at + 1, t.len - 1);
	return (t);
}

/*
 * The value at the front of what is valid JSON, without the blanks between
 * its parts; how much of it that was, and how deep.
 */
static size_t
take_value(text json, struct buf *out, int *deepest_out)
{
	bool is_quoted = false;
	int depth = 0;
	size_t i;

	*deepest_out = 0;
	for (i = 0; i < json.len; i++) {
		char c = json.at[i];

		if (is_quoted) {
			buf_add_char(out, c);
			if (c == '\\')
				buf_add_char(out, json.at[++i]);
			is_quoted = c != '"';
			continue;
		}
		if (depth == 0 && (c == ',' || c == ']' || c == '}'))
			break;
		is_quoted = c == '"';
		depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		if (depth > *deepest_out)
			*deepest_out = depth;
		if (!is_blank(c))
			buf_add_char(out, c);
	}
	return (i);
}

/* One that is valid. */
static bool
tell(struct reply *reply, text value, size_t *len_out)
{
	struct buf object;
	bool is_good;
	int deepest;

	buf_init(&object, BUF_NO_LIMIT);
	*len_out = take_value(value, &object, &deepest);
	if (object.len == 0 || object.at[0] != '{')
		is_good = fail(reply, "what it says is no JSON object");
	else if (object.len > REPLY_ITEM_MAX)
		is_good = fail(reply, "an object is too large");
	else if (deepest > REPLY_DEPTH_MAX)
		is_good = fail(reply, "an object is too deep");
	else {
		reply->on_item(reply->me, buf_text(&object));
		is_good = true;
	}
	buf_fini(&object);
	return (is_good);
}

static bool
take_object(struct reply *reply, text t)
{
	size_t len;

	if (!json_in_is_valid(t))
		return (fail(reply, "what it says is no JSON"));
	return (tell(reply, t, &len));
}

/* An object, or an array of them. */
static bool
take_whole(struct reply *reply)
{
	text rest = without_blanks(buf_text(&reply->line));
	size_t len;

	if (!text_begins(rest, TEXT("[")))
		return (take_object(reply, rest));
	if (!json_in_is_valid(rest))
		return (fail(reply, "what it says is no JSON"));
	rest = without_blanks(text_from(rest.at + 1, rest.len - 1));
	while (rest.at[0] != ']') {
		if (!tell(reply, rest, &len))
			return (false);
		rest = text_from(rest.at + len, rest.len - len);
		if (rest.at[0] == ',')
			rest = text_from(rest.at + 1, rest.len - 1);
	}
	return (true);
}

/* --- lines and blocks ------------------------------------------------- */

static bool
block_ends(struct reply *reply)
{
	bool is_good = true;
	text data = text_trim(buf_text(&reply->data));

	/* How some say that there is no more. */
	if (data.len > 0 && !text_is(data, TEXT("[DONE]")))
		is_good = take_object(reply, data);
	reply->has_data = false;
	buf_clear(&reply->data);
	return (is_good);
}

static bool
take_field(struct reply *reply, text line)
{
	text name, value;

	text_cut(line, ':', &name, &value);
	if (!text_is(name, TEXT("data")))
		return (true);
	if (text_begins(value, TEXT(" ")))
		value = text_from(value.at + 1, value.len - 1);
	if (reply->data.len + value.len > REPLY_ITEM_MAX)
		return (fail(reply, "an object is too large"));
	if (reply->has_data)
		buf_add_char(&reply->data, '\n');
	buf_add(&reply->data, value);
	reply->has_data = true;
	return (true);
}

static bool
line_ends(struct reply *reply)
{
	text line = buf_text(&reply->line);
	bool is_good;

	if (!reply->has_begun && text_begins(line, TEXT("\xef\xbb\xbf")))
		line = text_from(line.at + 3, line.len - 3);
	reply->has_begun = true;
	if (reply->form == REPLY_LINES)
		is_good = text_trim(line).len == 0 ||
		    take_object(reply, line);
	else if (line.len == 0)
		is_good = block_ends(reply);
	else
		is_good = take_field(reply, line);
	buf_clear(&reply->line);
	return (is_good);
}

static bool
add_to_line(struct reply *reply, text part)
{
	if (reply->line.len + part.len > REPLY_ITEM_MAX)
		return (fail(reply, "a line is too long"));
	buf_add(&reply->line, part);
	return (true);
}

static bool
read_lines(struct reply *reply, text piece)
{
	size_t from = 0;

	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.at[i];
		bool was_return = reply->was_return;

		reply->was_return = c == '\r';
		if (c != '\n' && c != '\r')
			continue;
		if (c == '\n' && was_return) {
			from = i + 1;
			continue;
		}
		if (!add_to_line(reply, text_from(piece.at + from, i - from)) ||
		    !line_ends(reply))
			return (false);
		from = i + 1;
	}
	return (add_to_line(reply, text_from(piece.at + from,
	    piece.len - from)));
}

bool
reply_read(struct reply *reply, text piece)
{
	if (reply->problem != NULL)
		return (false);
	if (piece.len > reply->left)
		return (fail(reply, "it says too much"));
	reply->left -= piece.len;
	if (reply->form != REPLY_WHOLE)
		return (read_lines(reply, piece));
	buf_add(&reply->line, piece);
	return (true);
}

bool
reply_end(struct reply *reply)
{
	if (reply->problem != NULL)
		return (false);
	if (reply->form == REPLY_WHOLE)
		return (take_whole(reply));
	if (reply->line.len > 0 && !line_ends(reply))
		return (false);
	return (reply->form == REPLY_LINES || block_ends(reply));
}
