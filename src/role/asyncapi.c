/* SPDX-License-Identifier: MIT */
/*
 * The document is the server's: it receives what clients say, and sends what
 * they hear. An event is a message whose payload is the envelope around its
 * data_<name>; all else has the payload live_<name>. The channel `live` is
 * the WebSocket; each operation that answers an event_stream or events is one
 * more, in which those are the messages of its stream. `socketio` has the
 * events of streams that only Socket.IO carries.
 */
#include "role/asyncapi.h"

#include <stdio.h>

#include "app/live.h"
#include "role/openapi.h"
#include "role/schemas.h"

enum direction { FROM_CLIENT, FROM_SERVER };
enum event_kind { NUMBERED, NUMBERED_FLAT, LIVE };

static const struct message_row {
	const char	*name, *type;
	enum direction	 direction;
	const char	*answers;
	const char	*text;
} message_rows[] = {
#define MESSAGE(name, type, direction, answers, text)			\
	{ #name, type, direction, answers, text },
#include "tbl/messages.h"
#undef MESSAGE
};
#define MESSAGES (sizeof message_rows / sizeof message_rows[0])

static const struct event_row {
	const char	*name, *type, *stream;
	enum event_kind	 kind;
	const char	*text;
} event_rows[] = {
#define EVENT(name, type, stream, kind, text)				\
	{ #name, type, stream, kind, text },
#include "tbl/events.h"
#undef EVENT
};
#define EVENTS (sizeof event_rows / sizeof event_rows[0])

const struct asyncapi_block asyncapi_blocks[ASYNCAPI_BLOCKS] = {
	{ "sse_resync", "resync", "live_state",
	    "In an event stream: the state, in place of events." },
	{ "sse_deleted", "deleted", "live_sse_deleted",
	    "In an event stream: the end, it is no more." },
	{ "sse_closing", "closing", "live_sse_closing",
	    "In an event stream: the end, and when to come back." },
	{ "events", "events", "events", "The answer of a poll." },
};

static bool
is_sse(const struct operation_row *row)
{
	return (strcmp(row->answer, "event_stream") == 0);
}

static bool
is_of_poll(const struct asyncapi_block *block)
{
	return (strcmp(block->key, "events") == 0);
}

static bool
is_door(const struct operation_row *row)
{
	return (is_sse(row) || strcmp(row->answer, "events") == 0);
}

/* "session:<id>" comes through what is of "session:{id}". */
static bool
carries(const struct operation_row *row, const struct event_row *event)
{
	return (strncmp(row->stream, event->stream,
	    strcspn(row->stream, "{")) == 0);
}

static bool
is_sent(const struct message_row *row)
{
	return (row->direction == FROM_SERVER);
}

/* Whether it is the live door that carries it. */
static bool
is_live(const struct event_row *row)
{
	return (strncmp(row->stream, "lobby", 5) == 0 ||
	    strncmp(row->stream, "session:", 8) == 0);
}

/* An answer comes when it is asked for; is that the only way? */
static bool
is_answer(text name)
{
	for (size_t i = 0; i < MESSAGES; i++) {
		text rest = text_of(message_rows[i].answers), word;

		while (text_next_word(&rest, &word))
			if (text_is(word, name))
				return (true);
	}
	return (false);
}

static void
refer_kind(struct json_out *json, const char *place, const char *kind,
    text name)
{
	char target[128];
	int len = snprintf(target, sizeof target, "#/%s/%s%.*s", place, kind,
	    TEXT_ARGS(name));

	must(len > 0 && (size_t)len < sizeof target);
	json_object_begin(json);
	openapi_say(json, "$ref", target);
	json_object_end(json);
}

static void
refer_said(struct json_out *json, text name)
{
	refer_kind(json, "channels/live/messages", "", name);
}

static void
refer_event(struct json_out *json, const struct event_row *row)
{
	refer_kind(json, is_live(row) ? "channels/live/messages" :
	    "channels/socketio/messages", "event_", text_of(row->name));
}

static void
write_info(struct json_out *json)
{
	openapi_say(json, "asyncapi", "3.0.0");
	json_key(json, "info");
	json_object_begin(json);
	openapi_say(json, "title", "Partyline, live");
	openapi_say(json, "version", "1");
	openapi_say(json, "description", "The live doors of a game night: a "
	    "WebSocket with one JSON object a frame, event streams (SSE) and "
	    "long polls. The same events come through each, with the same "
	    "numbers. A connection belongs to the "
	    "tenant whose host name it carries; a path below /t/{slug} "
	    "overrides that. Members that are not named here are ignored. A "
	    "numbered event comes exactly once and in the order of its "
	    "stream, also to who was away and says where he stopped; the "
	    "others come at most once.");
	json_key(json, "license");
	json_raw(json, TEXT("{\"name\":\"MIT\"}"));
	json_object_end(json);
	json_key(json, "servers");
	json_raw(json, TEXT("{\"host\":{\"host\":\"{host}\","
	    "\"protocol\":\"ws\",\"description\":\"The tenant of the "
	    "host\",\"variables\":{\"host\":{\"default\":"
	    "\"127.0.0.1:5000\"}}},\"tenant\":{\"host\":"
	    "\"{host}\",\"pathname\":\"/t/{slug}\",\"protocol\":\"ws\","
	    "\"description\":\"A tenant by its name\",\"variables\":{\"host\":{"
	    "\"default\":\"127.0.0.1:5000\"},\"slug\":{\"default\":"
	    "\"default\"}}},\"http\":{\"host\":\"{host}\","
	    "\"protocol\":\"http\",\"description\":\"Streams and polls, "
	    "also below /t/{slug}\",\"variables\":{\"host\":{\"default\":"
	    "\"127.0.0.1:5000\"}}}}"));
	openapi_say(json, "defaultContentType", "application/json");
}

static void
write_closes(struct json_out *json)
{
	json_key(json, "x-closes");
	json_array_begin(json);
	for (unsigned i = 0; i < CLOSES; i++) {
		json_object_begin(json);
		openapi_say(json, "code", close_rows[i].name);
		json_key(json, "number");
		json_int(json, close_rows[i].number);
		openapi_say(json, "again", close_rows[i].again);
		openapi_say(json, "description", close_rows[i].text);
		json_object_end(json);
	}
	json_array_end(json);
	json_key(json, "x-close-reason");
	openapi_refer(json, "schemas", "live_close");
}

static void
write_servers(struct json_out *json, text names)
{
	text name;

	json_key(json, "servers");
	json_array_begin(json);
	while (text_next_word(&names, &name))
		refer_kind(json, "servers", "", name);
	json_array_end(json);
}

static void
write_door_messages(struct json_out *json, const struct operation_row *row,
    void (*write)(struct json_out *json, const struct operation_row *row,
    const char *kind, const char *name))
{
	for (size_t i = 0; i < EVENTS; i++)
		if (carries(row, &event_rows[i]))
			write(json, row, "event_", event_rows[i].name);
	for (size_t i = 0; i < ASYNCAPI_BLOCKS; i++)
		if (is_sse(row) != is_of_poll(&asyncapi_blocks[i]))
			write(json, row, "", asyncapi_blocks[i].key);
}

static void
write_member(struct json_out *json, const struct operation_row *row,
    const char *kind, const char *name)
{
	char key[64];

	(void)row;
	snprintf(key, sizeof key, "%s%s", kind, name);
	json_key(json, key);
	openapi_refer(json, "messages", key);
}

static void
write_reference(struct json_out *json, const struct operation_row *row,
    const char *kind, const char *name)
{
	char place[96];

	snprintf(place, sizeof place, "channels/%s/messages", row->name);
	refer_kind(json, place, kind, text_of(name));
}

static void
write_door_channel(struct json_out *json, const struct operation_row *row)
{
	json_key(json, row->name);
	json_object_begin(json);
	openapi_say(json, "address", row->path);
	openapi_say(json, "description", is_sse(row) ? "Events are blocks "
	    "without a name, whose data is the envelope and whose id is the "
	    "cursor; the others are blocks with one." : "Each event is in "
	    "`events` of an answer. OpenAPI has the parameters.");
	write_servers(json, TEXT("http"));
	if (strchr(row->path, '{') != NULL) {
		json_key(json, "parameters");
		json_raw(json, TEXT("{\"id\":{\"description\":"
		    "\"The session.\"}}"));
	}
	json_key(json, "messages");
	json_object_begin(json);
	write_door_messages(json, row, write_member);
	json_object_end(json);
	json_object_end(json);
}

static void
write_door_operation(struct json_out *json, const struct operation_row *row)
{
	json_key(json, row->name);
	json_object_begin(json);
	openapi_say(json, "action", "send");
	json_key(json, "channel");
	refer_kind(json, "channels", "", text_of(row->name));
	openapi_say(json, "summary", row->text);
	json_key(json, "bindings");
	json_raw(json, TEXT("{\"http\":{\"method\":\"GET\"}}"));
	json_key(json, "messages");
	json_array_begin(json);
	write_door_messages(json, row, write_reference);
	json_array_end(json);
	json_object_end(json);
}

static void
write_doors(struct json_out *json,
    void (*write)(struct json_out *json, const struct operation_row *row))
{
	for (size_t i = 0; i < OPERATIONS; i++)
		if (is_door(&operation_rows[i]))
			write(json, &operation_rows[i]);
}

static void
write_events_of(struct json_out *json, bool of_live)
{
	char key[64];

	for (size_t i = 0; i < EVENTS; i++) {
		if (is_live(&event_rows[i]) != of_live)
			continue;
		snprintf(key, sizeof key, "event_%s", event_rows[i].name);
		json_key(json, key);
		openapi_refer(json, "messages", key);
	}
}

static void
write_socketio(struct json_out *json)
{
	json_key(json, "socketio");
	json_object_begin(json);
	openapi_say(json, "address", "/socket.io/");
	openapi_say(json, "description", "Socket.IO, version 4 of its "
	    "clients: who has joined a table, or registered for a thread, "
	    "hears these under their types, with data as the argument.");
	write_servers(json, TEXT("http"));
	json_key(json, "messages");
	json_object_begin(json);
	write_events_of(json, false);
	json_object_end(json);
	json_object_end(json);
}

static void
write_channel(struct json_out *json)
{
	json_key(json, "channels");
	json_object_begin(json);
	json_key(json, "live");
	json_object_begin(json);
	openapi_say(json, "address", LIVE_PATH);
	write_servers(json, TEXT("host tenant"));
	json_key(json, "messages");
	json_object_begin(json);
	for (size_t i = 0; i < MESSAGES; i++) {
		json_key(json, message_rows[i].name);
		openapi_refer(json, "messages", message_rows[i].name);
	}
	write_events_of(json, true);
	json_object_end(json);
	json_key(json, "bindings");
	json_raw(json, TEXT("{\"ws\":{\"method\":\"GET\"}}"));
	write_closes(json);
	json_object_end(json);
	write_socketio(json);
	write_doors(json, write_door_channel);
	json_object_end(json);
}

static void
begin_operation(struct json_out *json, const char *name, const char *action,
    const char *channel, const char *words)
{
	json_key(json, name);
	json_object_begin(json);
	openapi_say(json, "action", action);
	json_key(json, "channel");
	refer_kind(json, "channels", "", text_of(channel));
	openapi_say(json, "summary", words);
	json_key(json, "messages");
	json_array_begin(json);
}

/* What a client says, and what it is answered. */
static void
write_question(struct json_out *json, const struct message_row *row)
{
	text rest = text_of(row->answers), word;

	begin_operation(json, row->name, "receive", "live", row->text);
	refer_said(json, text_of(row->name));
	json_array_end(json);
	json_key(json, "reply");
	json_object_begin(json);
	json_key(json, "channel");
	refer_kind(json, "channels", "", TEXT("live"));
	json_key(json, "messages");
	json_array_begin(json);
	while (text_next_word(&rest, &word))
		refer_said(json, word);
	json_array_end(json);
	json_object_end(json);
	json_object_end(json);
}

static void
write_events(struct json_out *json, const char *name, const char *channel,
    const char *words)
{
	begin_operation(json, name, "send", channel, words);
	for (size_t i = 0; i < EVENTS; i++)
		if (is_live(&event_rows[i]) == (strcmp(channel, "live") == 0))
			refer_event(json, &event_rows[i]);
	json_array_end(json);
	json_object_end(json);
}

static void
write_operations(struct json_out *json)
{
	json_key(json, "operations");
	json_object_begin(json);
	for (size_t i = 0; i < MESSAGES; i++)
		if (!is_sent(&message_rows[i]))
			write_question(json, &message_rows[i]);
	write_events(json, "events", "live", "What happens in the lobby and in "
	    "the sessions that the client follows.");
	write_events(json, "told", "socketio", "What happens at tables, to "
	    "users and in threads.");
	begin_operation(json, "unasked", "send", "live",
	    "What the server says of a stream by itself.");
	for (size_t i = 0; i < MESSAGES; i++)
		if (is_sent(&message_rows[i]) &&
		    !is_answer(text_of(message_rows[i].name)))
			refer_said(json, text_of(message_rows[i].name));
	refer_said(json, TEXT("presence_update"));
	refer_said(json, TEXT("unsubscribed"));
	json_array_end(json);
	json_object_end(json);
	write_doors(json, write_door_operation);
	json_object_end(json);
}

/* Both kinds begin with letters and a sign. */
static void
add_pattern(struct buf *pattern, text word)
{
	const char *open = memchr(word.at, '<', word.len);
	text kind = text_from(open, word.len - (size_t)(open - word.at));

	buf_printf(pattern, "^%.*s[%c]%s$", (int)(open - word.at - 1),
	    word.at, open[-1], text_is(kind, TEXT("<id>")) ? "[1-9]\\d*" :
	    "[A-Za-z0-9._-]+");
}

/*
 * "custom.<name>", "session:<id>", or what stands there. Of several that have
 * commas between, each has a pattern.
 */
static void
write_word(struct json_out *json, const char *word)
{
	text rest = text_of(word), one;
	struct buf pattern;

	json_object_begin(json);
	if (strchr(word, '<') == NULL)
		openapi_say(json, "const", word);
	else {
		buf_init(&pattern, BUF_NO_LIMIT);
		while (text_next_word(&rest, &one)) {
			if (pattern.len > 0)
				buf_add_char(&pattern, '|');
			if (one.at[one.len - 1] == ',')
				one.len--;
			add_pattern(&pattern, one);
		}
		openapi_say(json, "type", "string");
		json_key(json, "pattern");
		json_text(json, buf_text(&pattern));
		buf_fini(&pattern);
	}
	json_object_end(json);
}

static void
write_envelope(struct json_out *json, const struct event_row *row)
{
	char schema[64];

	json_object_begin(json);
	openapi_say(json, "type", "object");
	json_key(json, "required");
	json_raw(json, row->kind == LIVE ?
	    TEXT("[\"type\",\"stream\",\"timestamp\",\"data\"]") :
	    TEXT("[\"type\",\"stream\",\"seq\",\"timestamp\",\"data\"]"));
	json_key(json, "properties");
	json_object_begin(json);
	json_key(json, "type");
	write_word(json, row->type);
	json_key(json, "stream");
	write_word(json, row->stream);
	if (row->kind == NUMBERED_FLAT) {
		json_key(json, "sessionId");
		json_raw(json, TEXT("{\"type\":\"integer\",\"minimum\":1}"));
	}
	if (row->kind != LIVE) {
		json_key(json, "seq");
		json_raw(json, TEXT("{\"type\":\"integer\",\"minimum\":1}"));
	}
	json_key(json, "timestamp");
	json_raw(json, TEXT("{\"type\":\"string\",\"pattern\":\"^\\\\d{4}-"
	    "\\\\d\\\\d-\\\\d\\\\dT\\\\d\\\\d:\\\\d\\\\d:\\\\d\\\\d\\\\."
	    "\\\\d{3}Z$\"}"));
	json_key(json, "data");
	snprintf(schema, sizeof schema, "data_%s", row->name);
	openapi_refer(json, "schemas", schema);
	json_object_end(json);
	json_key(json, "additionalProperties");
	json_bool(json, false);
	json_object_end(json);
}

static void
write_other(struct json_out *json, const char *key, const char *name,
    const char *words, const char *schema)
{
	json_key(json, key);
	json_object_begin(json);
	openapi_say(json, "name", name);
	openapi_say(json, "summary", words);
	json_key(json, "payload");
	openapi_refer(json, "schemas", schema);
	json_object_end(json);
}

static void
write_messages(struct json_out *json)
{
	char key[64];

	json_key(json, "messages");
	json_object_begin(json);
	for (size_t i = 0; i < MESSAGES; i++) {
		snprintf(key, sizeof key, "live_%s", message_rows[i].name);
		write_other(json, message_rows[i].name, message_rows[i].type,
		    message_rows[i].text, key);
	}
	for (size_t i = 0; i < ASYNCAPI_BLOCKS; i++)
		write_other(json, asyncapi_blocks[i].key,
		    asyncapi_blocks[i].name, asyncapi_blocks[i].text,
		    asyncapi_blocks[i].schema);
	for (size_t i = 0; i < EVENTS; i++) {
		snprintf(key, sizeof key, "event_%s", event_rows[i].name);
		json_key(json, key);
		json_object_begin(json);
		openapi_say(json, "name", event_rows[i].type);
		openapi_say(json, "summary", event_rows[i].text);
		json_key(json, "payload");
		write_envelope(json, &event_rows[i]);
		json_object_end(json);
	}
	json_object_end(json);
}

/* Whether a schema of ours, or one that they need, refers to it. */
static bool
is_needed(const char *name)
{
	char target[96];
	int len = snprintf(target, sizeof target,
	    "\"#/components/schemas/%s\"", name);

	must(len > 0 && (size_t)len < sizeof target);
	if (schema_is_live(name) || strcmp(name, "events") == 0)
		return (true);
	for (const struct schema *schema = schemas; schema->name != NULL;
	    schema++)
		/* They are literals, which end with a NUL. */
		if (strcmp(schema->name, name) != 0 &&
		    strstr(schema->json.at, target) != NULL &&
		    is_needed(schema->name))
			return (true);
	return (false);
}

static void
write_components(struct json_out *json)
{
	json_key(json, "components");
	json_object_begin(json);
	write_messages(json);
	json_key(json, "schemas");
	json_object_begin(json);
	for (const struct schema *schema = schemas; schema->name != NULL;
	    schema++)
		if (is_needed(schema->name)) {
			json_key(json, schema->name);
			json_raw(json, schema->json);
		}
	json_object_end(json);
	json_object_end(json);
}

void
asyncapi_write(struct buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_object_begin(&json);
	write_info(&json);
	write_channel(&json);
	write_operations(&json);
	write_components(&json);
	json_object_end(&json);
}
