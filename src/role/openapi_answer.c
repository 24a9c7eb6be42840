/* SPDX-License-Identifier: MIT */
/*
 * What an operation answers: its success by the schema of its row, and the
 * refusals that such a row can have. A schema may bring members of its own:
 * x-headers, which success has beside the usual ones; x-also-503, where an
 * answer of the same form tells that the server is not well; x-has-tag, where
 * what is no JSON has an ETag as well; and x-other-types, in which the same
 * comes as text.
 */
#include <stdio.h>

#include "core/input.h"
#include "core/json.h"
#include "role/openapi.h"
#include "role/schemas.h"

static bool
is_anyone(const struct operation_row *row)
{
	/* Who is anyone may still bring a key that is wrong. */
	return (row->who == WHO_ANYONE && row->way != WAY_OWN);
}

static bool
has_body(const struct operation_row *row)
{
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		if (input->place == INPUT_BODY)
			return (true);
	return (false);
}

static bool
keeps_something(const struct operation_row *row)
{
	if (row->way != WAY_WRITE && row->way != WAY_BATCH)
		return (false);
	for (const struct input_row *input = row->inputs;
	    input->name != NULL; input++)
		if (input_is_kept(input))
			return (true);
	return (false);
}

bool
openapi_has_refusal(const struct operation_row *row, unsigned status)
{
	switch (status) {
	case 401:
	case 403:
		return (!is_anyone(row));
	case 404:
		/* At least its tenant can be missing. */
		return (row->way != WAY_LOCAL);
	case 409:
		/* What is taken or in use can refuse whatever changes. */
		return (row->way == WAY_WRITE || openapi_has_key(row));
	case 422:
		return (openapi_has_key(row));
	case 413:
	case 415:
		return (has_body(row));
	case 507:
		return (keeps_something(row));
	default:
		return (true);
	}
}

static const unsigned refusals[] = { OPENAPI_REFUSALS };
#define REFUSALS (sizeof refusals / sizeof refusals[0])

static text
schema_of(const char *name)
{
	for (const struct schema *schema = schemas; schema->name != NULL;
	    schema++)
		if (strcmp(schema->name, name) == 0)
			return (schema->json);
	must_never("t/00-tables.t looks whether each answer has a schema");
}

/* JSON, unless its schema says otherwise; in the schema's own memory. */
static text
media_type_of(text schema)
{
	text raw;

	return (json_in_raw(schema, TEXT("contentMediaType"), &raw) ?
	    text_from(raw.at + 1, raw.len - 2) : op_json_type);
}

static void
refer_header(struct json_out *json, const char *name, const char *component)
{
	json_key(json, name);
	openapi_refer(json, "headers", component);
}

bool
openapi_has_tag(const struct operation_row *row)
{
	text schema = schema_of(row->answer), raw;

	return (row->method == METHOD_GET &&
	    (text_is(media_type_of(schema), op_json_type) ||
	    json_in_raw(schema, TEXT("x-has-tag"), &raw)));
}

static void
write_own_headers(struct json_out *json, const struct operation_row *row,
    text schema, unsigned status)
{
	text more;

	json_key(json, "headers");
	json_object_begin(json);
	refer_header(json, "X-Request-Id", "request_id");
	if (openapi_has_tag(row) && status == 200)
		refer_header(json, "ETag", "etag");
	if (row->way != WAY_LOCAL) {
		refer_header(json, "RateLimit-Policy", "rate_limit_policy");
		refer_header(json, "RateLimit", "rate_limit");
	}
	if (json_in_raw(schema, TEXT("x-headers"), &more))
		/* Members of this object, without the braces of theirs. */
		json_raw(json, text_from(more.at + 1, more.len - 2));
	json_object_end(json);
}

/* What the client may ask for instead, in no form that a schema could say. */
static void
write_other_types(struct json_out *json, text schema)
{
	text list, type, rest;

	if (!json_in_raw(schema, TEXT("x-other-types"), &list))
		return;
	while (text_cut(list, '"', &rest, &list) &&
	    text_cut(list, '"', &type, &list)) {
		char key[64];

		snprintf(key, sizeof key, "%.*s", TEXT_ARGS(type));
		json_key(json, key);
		json_raw(json, TEXT("{\"schema\":{\"type\":\"string\"}}"));
	}
}

static void
write_content(struct json_out *json, const struct operation_row *row,
    text schema, bool or_refusal)
{
	char type[64];

	snprintf(type, sizeof type, "%.*s", TEXT_ARGS(media_type_of(schema)));
	json_key(json, "content");
	json_object_begin(json);
	json_key(json, type);
	json_object_begin(json);
	json_key(json, "schema");
	if (or_refusal) {
		json_object_begin(json);
		json_key(json, "anyOf");
		json_array_begin(json);
		openapi_refer(json, "schemas", row->answer);
		openapi_refer(json, "schemas", "error");
		json_array_end(json);
		json_object_end(json);
	} else
		openapi_refer(json, "schemas", row->answer);
	json_object_end(json);
	write_other_types(json, schema);
	json_object_end(json);
}

static void
begin_answer(struct json_out *json, unsigned status)
{
	char key[8];

	snprintf(key, sizeof key, "%u", status);
	json_key(json, key);
	json_object_begin(json);
	openapi_say(json, "description", status_reason(status));
}

static void
write_successes(struct json_out *json, const struct operation_row *row,
    text schema)
{
	begin_answer(json, row->status);
	write_own_headers(json, row, schema, row->status);
	if (row->status != 204)
		write_content(json, row, schema, false);
	json_object_end(json);
	if (!openapi_has_tag(row))
		return;
	begin_answer(json, 304);
	json_key(json, "headers");
	json_object_begin(json);
	refer_header(json, "X-Request-Id", "request_id");
	refer_header(json, "ETag", "etag");
	json_object_end(json);
	json_object_end(json);
}

void
openapi_answers(struct json_out *json, const struct operation_row *row)
{
	text schema = schema_of(row->answer), raw;
	bool also_503 = json_in_raw(schema, TEXT("x-also-503"), &raw);
	char key[32];

	json_key(json, "responses");
	json_object_begin(json);
	write_successes(json, row, schema);
	for (size_t i = 0; i < REFUSALS; i++) {
		if (!openapi_has_refusal(row, refusals[i]))
			continue;
		if (also_503 && refusals[i] == 503) {
			begin_answer(json, 503);
			write_own_headers(json, row, schema, 503);
			write_content(json, row, schema, true);
			json_object_end(json);
			continue;
		}
		snprintf(key, sizeof key, "%u", refusals[i]);
		json_key(json, key);
		snprintf(key, sizeof key, "refusal_%u", refusals[i]);
		openapi_refer(json, "responses", key);
	}
	json_key(json, "default");
	openapi_refer(json, "responses", "refusal");
	json_object_end(json);
}

/* The codes that a refusal of this status can have; 0: any. */
static void
write_refusal_schema(struct json_out *json, unsigned status)
{
	json_key(json, "schema");
	if (status == 0) {
		openapi_refer(json, "schemas", "error");
		return;
	}
	json_object_begin(json);
	openapi_say(json, "$ref", "#/components/schemas/error");
	json_key(json, "properties");
	json_object_begin(json);
	json_key(json, "code");
	json_object_begin(json);
	json_key(json, "enum");
	json_array_begin(json);
	for (enum err err = ERR_none + 1; err < ERRORS; err++)
		if (error_rows[err].status == status)
			json_text(json, error_rows[err].code);
	json_array_end(json);
	json_object_end(json);
	json_object_end(json);
	json_object_end(json);
}

static void
write_refusal(struct json_out *json, unsigned status)
{
	openapi_say(json, "description", status != 0 ? status_reason(status) :
	    "Whatever else HTTP or the server can fail in.");
	json_key(json, "headers");
	json_object_begin(json);
	refer_header(json, "X-Request-Id", "request_id");
	if (status == 401)
		refer_header(json, "WWW-Authenticate", "www_authenticate");
	if (status == 429) {
		refer_header(json, "RateLimit-Policy", "rate_limit_policy");
		refer_header(json, "RateLimit", "rate_limit");
	}
	if (status == 429 || status == 503)
		refer_header(json, "Retry-After", "retry_after");
	json_object_end(json);
	json_key(json, "content");
	json_object_begin(json);
	json_key(json, "application/json");
	json_object_begin(json);
	write_refusal_schema(json, status);
	json_object_end(json);
	json_object_end(json);
}

void
openapi_shared_answers(struct json_out *json)
{
	char key[32];

	json_key(json, "responses");
	json_object_begin(json);
	json_key(json, "refusal");
	json_object_begin(json);
	write_refusal(json, 0);
	json_object_end(json);
	for (size_t i = 0; i < REFUSALS; i++) {
		snprintf(key, sizeof key, "refusal_%u", refusals[i]);
		json_key(json, key);
		json_object_begin(json);
		write_refusal(json, refusals[i]);
		json_object_end(json);
	}
	json_object_end(json);
}

void
openapi_shared_headers(struct json_out *json)
{
	static const struct {
		const char	*name, *pattern, *text;
		bool		 is_required;
	} headers[] = {
		{ "etag", "^\"[0-9a-f]{32}(-gz)?\"$",
		    "Strong: the same tag, the same bytes.", true },
		{ "rate_limit", "^\"[a-z]+\";r=[0-9]+(;t=[0-9]+)?$",
		    "What is left (r) for how many seconds (t), where a "
		    "limit applies.", false },
		{ "rate_limit_policy", "^\"[a-z]+\";q=[0-9]+(;w=[0-9]+)?$",
		    "What may be done (q) within so many seconds (w), where "
		    "a limit applies.", false },
		{ "request_id", "^[A-Za-z0-9._:-]{1,128}$",
		    "The name that the request was given by its client, or "
		    "by us.", true },
		{ "retry_after", "^[0-9]+$",
		    "In how many seconds to ask again.", true },
		{ "www_authenticate", "^Bearer", "What to bring.", true },
	};

	json_key(json, "headers");
	json_object_begin(json);
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		json_key(json, headers[i].name);
		json_object_begin(json);
		openapi_say(json, "description", headers[i].text);
		json_key(json, "required");
		json_bool(json, headers[i].is_required);
		json_key(json, "schema");
		json_object_begin(json);
		openapi_say(json, "type", "string");
		openapi_say(json, "pattern", headers[i].pattern);
		json_object_end(json);
		json_object_end(json);
	}
	json_object_end(json);
}
