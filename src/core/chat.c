/* SPDX-License-Identifier: MIT */
/*
 * One line after the other: read, judged, written.
 */
#include "core/chat.h"

#include "base/buf.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/moment.h"
#include "base/must.h"
#include "base/stamp.h"
#include "core/json.h"

#define WORDS_OF(number) #number
#define WORDS(number) WORDS_OF(number)

struct line {
	text		 username;
	text		 message;
	text		 timestamp;
	char		 moment[STAMP_SIZE];
};

static bool
is_short(text t, size_t most)
{
	return (t.len <= most || text_characters(t) <= most);
}

static bool
read_moment(struct line *line)
{
	int64_t stamp;

	if (!moment_read(line->timestamp, &stamp))
		return (false);
	stamp_write(stamp, line->moment);
	return (true);
}

static bool
read_line(struct json_object *given, struct line *line,
    struct chat_fault *fault)
{
	*fault = (struct chat_fault){ .rule =
	    "must be an object with username, message and timestamp" };
	if (!json_in_is_object(given))
		return (false);
	fault->member = "username";
	fault->rule = "must be a text of 1 to " WORDS(CHAT_NAME_MAX)
	    " characters";
	if (!json_in_text(given, fault->member, &line->username) ||
	    line->username.len == 0 ||
	    !is_short(line->username, CHAT_NAME_MAX))
		return (false);
	fault->member = "message";
	fault->rule = "must be a text of at most " WORDS(CHAT_MESSAGE_MAX)
	    " characters";
	if (!json_in_text(given, fault->member, &line->message) ||
	    !is_short(line->message, CHAT_MESSAGE_MAX))
		return (false);
	fault->member = "timestamp";
	fault->rule = "must be a time in ISO 8601";
	return (json_in_text(given, fault->member, &line->timestamp) &&
	    read_moment(line));
}

static void
write_line(struct json_out *json, const struct line *line)
{
	json_object_begin(json);
	json_key(json, "username");
	json_text(json, line->username);
	json_key(json, "message");
	json_text(json, line->message);
	json_key(json, "timestamp");
	json_text(json, line->timestamp);
	json_key(json, "moment");
	json_text_of(json, line->moment);
	json_object_end(json);
}

bool
chat_read(struct json_object *lines, struct arena *arena, text *out,
    struct chat_fault *fault)
{
	struct json_out json;
	struct buf buf;
	struct line line;
	size_t count = 0, i;

	must(json_in_as_array(lines, &count));
	buf_init(&buf, BUF_NO_LIMIT);
	json_out_init(&json, &buf);
	json_array_begin(&json);
	for (i = 0; i < count; i++) {
		if (!read_line(json_in_element(lines, i), &line, fault))
			break;
		write_line(&json, &line);
	}
	json_array_end(&json);
	if (i < count)
		fault->line = i;
	else
		*out = text_from(arena_copy(arena, buf.at, buf.len), buf.len);
	buf_fini(&buf);
	return (i == count);
}
