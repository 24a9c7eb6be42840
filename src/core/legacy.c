/* SPDX-License-Identifier: MIT */
/*
 * The lines stand in the field `line`, to the letter.
 */
#include "core/legacy.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "core/json.h"

#define TYPE_MOST 64
#define LINE_SIZE 192

/* Of its stream, or the one that the lobby is told of. */
static bool
read_session(struct json_object *json, int64_t *session)
{
	text stream, name, number;

	if (json_in_text(json, "stream", &stream) &&
	    text_cut(stream, ':', &name, &number))
		return (text_is(name, TEXT("session")) &&
		    text_to_int64(number, 1, INT64_MAX, session));
	return (json_in_int(json_in_member(json_in_member(json, "data"),
	    "session"), "id", session));
}

/* "session.started … session 18", where it is of that kind. */
static void
say(text envelope, text kind, const char *module, const char *to)
{
	struct json_object *json = json_in_read(envelope);
	char line[LINE_SIZE];
	int64_t session;
	text type;

	if (json_in_text(json, "type", &type) && type.len <= TYPE_MOST &&
	    text_begins(type, kind) && read_session(json, &session)) {
		snprintf(line, sizeof line, "[%s] Broadcasted %.*s %s for "
		    "session %" PRId64, module, TEXT_ARGS(type), to, session);
		log_info("as it was", F("line", (const char *)line));
	}
	json_in_free(&json);
}

void
legacy_written(text envelope)
{
	say(envelope, TEXT("session."), "Sessions", "event");
}

void
legacy_delivered(text envelope, unsigned clients)
{
	char to[40];

	snprintf(to, sizeof to, "to %u client(s)", clients);
	say(envelope, TEXT(""), "WebSocket", to);
}
