/* SPDX-License-Identifier: MIT */
/*
 * The frame of the document, and each operation in it.
 */
#include "role/openapi.h"

#include <stdio.h>

#include "role/schemas.h"

void
openapi_say(struct json_out *json, const char *key, const char *value)
{
	json_key(json, key);
	json_text_of(json, value);
}

void
openapi_refer(struct json_out *json, const char *kind, const char *name)
{
	char target[128];
	int len = snprintf(target, sizeof target, "#/components/%s/%s", kind,
	    name);

	must(len > 0 && (size_t)len < sizeof target);
	json_object_begin(json);
	openapi_say(json, "$ref", target);
	json_object_end(json);
}

bool
openapi_has_key(const struct operation_row *row)
{
	/* Of what C does before one call of SQL: that which makes a noun. */
	return (row->method == METHOD_POST &&
	    (row->way == WAY_WRITE || row->way == WAY_BATCH ||
	    (row->way == WAY_OWN && row->who == WHO_USER &&
	    row->status == 201)));
}

static bool
is_shown(const struct operation_row *row)
{
	return (row->door == DOOR_FRONT);
}

/* The noun that the name begins with. */
text
openapi_tag(const struct operation_row *row)
{
	text name = text_of(row->name), noun, rest;

	return (text_cut(name, '_', &noun, &rest) ? noun : TEXT("server"));
}

static void
write_tags(struct json_out *json)
{
	text last = TEXT_NONE;

	json_key(json, "tags");
	json_array_begin(json);
	for (unsigned i = 0; i < OPERATIONS; i++) {
		const struct operation_row *row = &operation_rows[i];
		text tag = openapi_tag(row);

		/* The rows are sorted; only "server" comes in several runs. */
		if (!is_shown(row) || text_is(tag, last) ||
		    text_is(tag, TEXT("server")))
			continue;
		last = tag;
		json_object_begin(json);
		json_key(json, "name");
		json_text(json, tag);
		json_object_end(json);
	}
	json_object_begin(json);
	openapi_say(json, "name", "server");
	json_object_end(json);
	json_array_end(json);
}

const char *
openapi_who(enum who who)
{
	static const char *const words[] = {
		[WHO_ANYONE] = "For anyone.",
		[WHO_READER] = ("For anyone where the tenant's public_read is "
		    "on, else for any token."),
		[WHO_MEMBER] = "For any token.",
		[WHO_BOT] = "For tokens of bots and admins.",
		[WHO_ADMIN] = "For tokens of admins.",
		[WHO_USER] = "For who has logged in at the tabletop, and for "
		    "tokens of admins.",
	};

	return (words[who]);
}

static void
write_security(struct json_out *json, enum who who)
{
	json_key(json, "security");
	json_array_begin(json);
	if (who == WHO_READER) {
		json_object_begin(json);
		json_object_end(json);
	}
	if (who != WHO_ANYONE) {
		json_object_begin(json);
		json_key(json, "bearer");
		json_array_begin(json);
		if (who == WHO_ADMIN || who == WHO_USER)
			json_text_of(json, "admin");
		else if (who == WHO_BOT)
			json_text_of(json, "bot");
		json_array_end(json);
		json_object_end(json);
	}
	if (who == WHO_USER)
		json_raw(json, TEXT("{\"login\":[]}"));
	json_array_end(json);
}

static void
write_operation(struct json_out *json, const struct operation_row *row)
{
	char method[8];
	size_t len = 0;

	for (const char *at = method_name(row->method); *at != '\0'; at++)
		method[len++] = (char)(*at | 0x20);
	method[len] = '\0';
	json_key(json, method);
	json_object_begin(json);
	openapi_say(json, "operationId", row->name);
	json_key(json, "tags");
	json_array_begin(json);
	json_text(json, openapi_tag(row));
	json_array_end(json);
	openapi_say(json, "summary", row->text);
	openapi_say(json, "description", openapi_who(row->who));
	write_security(json, row->who);
	openapi_inputs(json, row);
	openapi_answers(json, row);
	json_object_end(json);
}

/* All methods of the path of rows[i], where that is the first of them. */
static void
write_path(struct json_out *json, unsigned first)
{
	const char *path = operation_rows[first].path;

	for (unsigned i = 0; i < first; i++)
		if (is_shown(&operation_rows[i]) &&
		    strcmp(operation_rows[i].path, path) == 0)
			return;
	json_key(json, path);
	json_object_begin(json);
	for (unsigned i = first; i < OPERATIONS; i++)
		if (is_shown(&operation_rows[i]) &&
		    strcmp(operation_rows[i].path, path) == 0)
			write_operation(json, &operation_rows[i]);
	json_object_end(json);
}

/* AsyncAPI has those of the live door; a row may not be shown itself. */
static bool
is_schema_shown(const char *name)
{
	bool is_of_shown = false, is_of_other = schema_is_live(name);

	for (unsigned i = 0; i < OPERATIONS; i++) {
		const struct operation_row *row = &operation_rows[i];

		if (strcmp(row->answer, name) != 0)
			continue;
		/* 204 has no body that anything could be said of. */
		is_of_shown |= is_shown(row) && row->status != 204;
		is_of_other |= !is_shown(row) || row->status == 204;
	}
	return (is_of_shown || !is_of_other);
}

static void
write_request_headers(struct json_out *json)
{
	static const struct {
		const char	*name, *header, *schema, *text;
	} parameters[] = {
		{ "idempotency_key", "Idempotency-Key", "{\"type\":\"string\","
		    "\"minLength\":1,\"maxLength\":255}",
		    "The same key with the same request has its effect once "
		    "within 24 hours, and the same answer." },
		{ "if_none_match", "If-None-Match", "{\"type\":\"string\"}",
		    "Tags of what the client has: 304 if nothing changed." },
		{ "last_event_id", "Last-Event-ID", "{\"type\":\"string\"}",
		    "Where the client stopped, in place of `since`." },
		{ "request_id", "X-Request-Id", "{\"type\":\"string\","
		    "\"pattern\":\"^[A-Za-z0-9._:-]{1,128}$\"}",
		    "How the client calls its request; else it gets a name." },
	};

	json_key(json, "parameters");
	json_object_begin(json);
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0];
	    i++) {
		json_key(json, parameters[i].name);
		json_object_begin(json);
		openapi_say(json, "name", parameters[i].header);
		openapi_say(json, "in", "header");
		openapi_say(json, "description", parameters[i].text);
		json_key(json, "schema");
		json_raw(json, text_of(parameters[i].schema));
		json_object_end(json);
	}
	json_object_end(json);
}

static void
write_components(struct json_out *json)
{
	json_key(json, "components");
	json_object_begin(json);
	json_key(json, "securitySchemes");
	json_raw(json, TEXT("{\"bearer\":{\"type\":\"http\",\"scheme\":"
	    "\"bearer\",\"bearerFormat\":\"JWT\",\"description\":"
	    "\"What auth_login or `partyline token make` gave.\"},"
	    "\"login\":{\"type\":\"apiKey\",\"in\":\"cookie\","
	    "\"name\":\"connect.sid\",\"description\":\"What "
	    "tabletop_login set. Pages of other origins have to be of the "
	    "tenant's list.\"}}"));
	write_request_headers(json);
	openapi_shared_headers(json);
	openapi_shared_answers(json);
	json_key(json, "schemas");
	json_object_begin(json);
	for (const struct schema *schema = schemas; schema->name != NULL;
	    schema++)
		if (is_schema_shown(schema->name)) {
			json_key(json, schema->name);
			json_raw(json, schema->json);
		}
	json_object_end(json);
	json_object_end(json);
}

static void
write_info(struct json_out *json)
{
	openapi_say(json, "openapi", "3.1.0");
	json_key(json, "info");
	json_object_begin(json);
	openapi_say(json, "title", "Partyline");
	openapi_say(json, "version", "1");
	openapi_say(json, "summary", "The live backend of a game night.");
	openapi_say(json, "description", "A request belongs to the tenant "
	    "whose host name it carries; a path below /t/{slug} overrides "
	    "that; else it is the tenant `default`. Members and parameters "
	    "that are not named here are ignored. Each path also answers "
	    "HEAD, where it has GET, and OPTIONS.");
	json_key(json, "license");
	json_raw(json, TEXT("{\"name\":\"MIT\",\"identifier\":\"MIT\"}"));
	json_object_end(json);
	json_key(json, "servers");
	json_raw(json, TEXT("[{\"url\":\"/\",\"description\":\"The tenant of "
	    "the host\"},{\"url\":\"/t/{slug}\",\"description\":\"A tenant by "
	    "its name\",\"variables\":{\"slug\":{\"default\":\"default\"}}}]"));
}

void
openapi_write(struct buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_object_begin(&json);
	write_info(&json);
	write_tags(&json);
	json_key(&json, "paths");
	json_object_begin(&json);
	for (unsigned i = 0; i < OPERATIONS; i++)
		if (is_shown(&operation_rows[i]))
			write_path(&json, i);
	json_object_end(&json);
	write_components(&json);
	json_object_end(&json);
}
