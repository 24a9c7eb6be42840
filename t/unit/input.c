/* SPDX-License-Identifier: MIT */
/*
 * core/input: each kind from each place, at its bounds and beyond.
 */
#include "core/input.h"

#include "core/json.h"
#include "tap.h"

#define BODY(name, kind, missing, min, max)				\
	{ name, INPUT_BODY, INPUT_##kind, ERR_##missing, min, max,	\
	    "red|green", "", 0 }
#define QUERY(name, kind, missing, min, max)				\
	{ name, INPUT_QUERY, INPUT_##kind, ERR_##missing, min, max,	\
	    "red|green", "", 0 }

static const struct input_row body_inputs[] = {
	BODY("key", text, admin_key_required, 1, 3),
	BODY("notes", text, none, 0, 3),
	BODY("number", integer, none, -2, 5),
	BODY("flag", boolean, none, 0, 0),
	BODY("game", id, none, 1, 0),
	BODY("few", id, none, 1, 9),
	BODY("color", choice, none, 0, 0),
	BODY("type", custom, none, 8, 12),
	BODY("data", object, none, 2, 10),
	BODY("ids", ids, none, 1, 3),
	BODY("needed", text, input_missing, 0, 3),
	BODY("room", room, none, 4, 4),
	BODY("when", moment, none, 0, 0),
	BODY("csv", csv, none, 1, 9),
	{ .name = NULL }
};
static const struct operation_row body_row = { .name = "body",
    .method = METHOD_POST, .path = "/body", .inputs = body_inputs };

static const struct input_row list_inputs[] = {
	{ "chat", INPUT_BODY, INPUT_chat, ERR_input_missing, 0, 3, "messages",
	    "", 0 },
	BODY("notes", text, none, 0, 3),
	{ .name = NULL }
};
static const struct operation_row list_row = { .name = "list",
    .method = METHOD_POST, .path = "/list", .inputs = list_inputs };

static const struct input_row other_inputs[] = {
	{ "b", INPUT_PATH, INPUT_id, ERR_session_not_found, 1, 0, NULL, "", 0 },
	{ "a", INPUT_PATH, INPUT_text, ERR_not_found, 2, 3, NULL, "", 0 },
	QUERY("notes", text, none, 0, 3),
	QUERY("number", integer, none, -2, 5),
	QUERY("flag", boolean, none, 0, 0),
	QUERY("game", id, input_missing, 1, 0),
	QUERY("color", choice, none, 0, 0),
	QUERY("limit", page, none, 0, 50),
	QUERY("offset", skip, none, 0, 50),
	QUERY("since", cursor, none, 0, 0),
	QUERY("ticket", ticket, none, 0, 0),
	QUERY("room", room, none, 4, 4),
	QUERY("from", day, none, 0, 0),
	{ .name = NULL }
};
static const struct operation_row other_row = { .name = "other",
    .method = METHOD_GET, .path = "/x/{a}/y/{b}", .inputs = other_inputs };

static struct op *op;

static void
on_answer(struct op *answered)
{
	must(answered == op);
}

static bool
reads(const struct operation_row *row)
{
	op->row = row;
	op->on_answer = on_answer;
	op_name(op, TEXT("r"));
	return (input_read(op));
}

static bool
reads_body_of(const struct operation_row *row, const char *body)
{
	op_destroy(&op);
	op = op_create(NULL);
	op->body = text_of(body);
	op->json = json_in_read(op->body);
	must((op->json != NULL) == (op->body.len > 0));
	return (reads(row));
}

static bool
reads_body(const char *body)
{
	return (reads_body_of(&body_row, body));
}

static bool
reads_list(const char *body)
{
	return (reads_body_of(&list_row, body));
}

/* The members beside those that have to be there. */
static bool
reads_members(const char *members)
{
	static char body[4096];

	snprintf(body, sizeof body, "{\"key\":\"k\",\"needed\":\"\"%s%s}",
	    members[0] != '\0' ? "," : "", members);
	return (reads_body(body));
}

static bool
reads_target(const char *a, const char *b, const char *query)
{
	op_destroy(&op);
	op = op_create(NULL);
	op->segments[0] = text_of(a);
	op->segments[1] = text_of(b);
	op->segments_count = 2;
	op->query = text_of(query);
	return (reads(&other_row));
}

static bool
reads_query(const char *query)
{
	static char whole[4096];

	snprintf(whole, sizeof whole, "game=1%s%s", query[0] != '\0' ? "&" :
	    "", query);
	return (reads_target("ab", "1", whole));
}

/* What was read under this name. */
static text
input(const char *name)
{
	for (unsigned i = 0; i < op->inputs_count; i++)
		if (strcmp(op->row->inputs[i].name, name) == 0)
			return (op->inputs[i].at != NULL ? op->inputs[i] :
			    TEXT("NULL"));
	return (TEXT("unread"));
}

static text
told(const char *name)
{
	struct json_object *json = json_in_read(op->answer.body);
	text t = TEXT("none");

	json_in_text(json, name, &t);
	t = text_from(arena_copy(&op->arena, t.at, t.len), t.len);
	json_in_free(&json);
	return (t);
}

#define error_is(wanted) is_text(told("error"), wanted)
#define field_is(wanted) is_text(told("field"), wanted)

static void
test_texts(void)
{
	test("texts are counted in characters");
	ok(reads_members("\"notes\":\"\xe2\x82\xac\\u00e9\\ud83d\\ude00\""));
	is_text(input("notes"), "\xe2\x82\xac\xc3\xa9\xf0\x9f\x98\x80");
	ok(!reads_members("\"notes\":\"abcd\""));
	is(op->answer.err, ERR_input_invalid);
	is(op->answer.status, 400);
	error_is("notes must be a text of at most 3 characters");
	field_is("notes");
	ok(!reads_members("\"notes\":\"abc\\u00e9\""));
	ok(reads_members("\"notes\":\"\""));
	is_text(input("notes"), "");
	ok(!reads_members("\"notes\":1"));
	ok(!reads_members("\"notes\":true"));
	ok(!reads_members("\"notes\":[\"a\"]"));
	ok(!reads_members("\"notes\":{}"));
	ok(reads_query("notes=a%2Bb"));
	is_text(input("notes"), "a+b");
	ok(reads_query("notes=a+b&other=%41"));
	is_text(input("notes"), "a b");
	ok(!reads_query("notes=abcd"));
	field_is("notes");
}

static void
test_missing(void)
{
	test("what is missing is named, null is missing");
	ok(reads_members(""));
	is_text(input("notes"), "NULL");
	is(op->inputs_count, 14);
	ok(reads_members("\"notes\":null,\"ids\":null,\"data\":null"));
	is_text(input("notes"), "NULL");
	is_text(input("ids"), "NULL");
	ok(!reads_body("{\"key\":\"a\"}"));
	is(op->answer.err, ERR_input_missing);
	error_is("needed is required");
	field_is("needed");
	ok(!reads_body("{\"key\":\"a\",\"needed\":null}"));
	is(op->answer.err, ERR_input_missing);
	ok(!reads_body(""));
	is(op->answer.err, ERR_admin_key_required);
	error_is("Admin key is required");
	field_is("key");
	ok(!reads_target("ab", "1", ""));
	is(op->answer.err, ERR_input_missing);
	field_is("game");

	test("an empty text is missing where it must not be empty");
	ok(!reads_body("{\"key\":\"\",\"needed\":\"\"}"));
	is(op->answer.err, ERR_admin_key_required);
	ok(!reads_body("{\"key\":7,\"needed\":\"\"}"));
	is(op->answer.err, ERR_input_invalid);
	error_is("key must be a text of 1 to 3 characters");
}

static void
test_bodies(void)
{
	test("a body is an object where it is read, and has the last word");
	ok(!reads_body("[1]"));
	is(op->answer.err, ERR_body_not_object);
	ok(!reads_body("\"a\""));
	is(op->answer.err, ERR_body_not_object);
	ok(reads_members("\"notes\":\"a\",\"notes\":\"b\""));
	is_text(input("notes"), "b");
	ok(reads_members("\"notes\":\"a\",\"notes\":null"));
	is_text(input("notes"), "NULL");
	ok(reads_members("\"unknown\":[{}],\"Notes\":5"));
	is_text(input("notes"), "NULL");

	test("a body is ignored where nothing is read from it");
	op_destroy(&op);
	op = op_create(NULL);
	op->segments[0] = TEXT("ab");
	op->segments[1] = TEXT("1");
	op->segments_count = 2;
	op->query = TEXT("game=1");
	op->body = TEXT("[1]");
	op->json = json_in_read(op->body);
	ok(reads(&other_row));
}

static void
test_numbers(void)
{
	test("whole numbers, truth and ids");
	ok(reads_members("\"number\":-2,\"flag\":true,\"game\":"
	    "9223372036854775807"));
	is_text(input("number"), "-2");
	is_text(input("flag"), "t");
	is_text(input("game"), "9223372036854775807");
	ok(reads_members("\"number\":5,\"flag\":false,\"few\":9"));
	is_text(input("flag"), "f");
	ok(!reads_members("\"number\":-3"));
	error_is("number must be a whole number from -2 to 5");
	ok(!reads_members("\"number\":6"));
	ok(!reads_members("\"number\":1.0"));
	ok(!reads_members("\"number\":\"1\""));
	ok(!reads_members("\"number\":true"));
	ok(reads_members("\"flag\":1"));
	is_text(input("flag"), "t");
	ok(reads_members("\"flag\":0"));
	is_text(input("flag"), "f");
	ok(!reads_members("\"flag\":2"));
	error_is("flag must be true or false");
	ok(!reads_members("\"flag\":-1"));
	ok(!reads_members("\"flag\":1.0"));
	ok(!reads_members("\"flag\":\"true\""));
	ok(!reads_members("\"game\":0"));
	error_is("game must be a whole number from 1");
	ok(!reads_members("\"game\":-1"));
	ok(!reads_members("\"game\":\"1\""));
	ok(!reads_members("\"few\":10"));
	error_is("few must be a whole number from 1 to 9");

	test("the same in a query");
	ok(reads_query("number=-2&flag=1"));
	is_text(input("number"), "-2");
	is_text(input("flag"), "t");
	ok(reads_query("number=005&flag=false"));
	is_text(input("number"), "5");
	is_text(input("flag"), "f");
	ok(!reads_query("number=6"));
	ok(!reads_query("number="));
	ok(!reads_query("number=+1"));
	ok(!reads_query("number=1.0"));
	ok(!reads_query("number=1e0"));
	ok(!reads_query("number=0x1"));
	ok(!reads_query("number=%201"));
	ok(!reads_query("flag=t"));
	ok(!reads_query("flag="));
	ok(!reads_query("game=0"));
	ok(!reads_query("game=9223372036854775808"));
	ok(!reads_query("game=1&game=x"));
	ok(reads_query("game=x&game=2"));
	is_text(input("game"), "2");
}

static void
test_words(void)
{
	test("choices and names of custom events");
	ok(reads_members("\"color\":\"green\",\"type\":\"custom.a-Z_0\""));
	is_text(input("color"), "green");
	is_text(input("type"), "custom.a-Z_0");
	ok(!reads_members("\"color\":\"gree\""));
	error_is("color must be red or green");
	ok(!reads_members("\"color\":\"red|green\""));
	ok(!reads_members("\"color\":\"\""));
	ok(!reads_members("\"color\":\"Red\""));
	ok(!reads_members("\"color\":0"));
	ok(reads_query("color=red"));
	ok(!reads_query("color="));
	ok(!reads_query("color=red%20"));
	ok(!reads_members("\"type\":\"custom.\""));
	error_is("type must be custom. and a name of letters, digits, dots, "
	    "- and _, of 8 to 12 characters");
	ok(!reads_members("\"type\":\"Custom.a\""));
	ok(!reads_members("\"type\":\"custom.a b\""));
	ok(!reads_members("\"type\":\"custom.\\u00e9\""));
	ok(!reads_members("\"type\":\"custom.abcdef\""));
	ok(!reads_members("\"type\":\"session.started\""));
	ok(!reads_members("\"type\":7"));

	test("codes of rooms");
	ok(reads_members("\"room\":\"AZ09\""));
	is_text(input("room"), "AZ09");
	ok(!reads_members("\"room\":\"AZ0\""));
	error_is("room must be four of A-Z and 0-9");
	ok(!reads_members("\"room\":\"AZ090\""));
	ok(!reads_members("\"room\":\"az09\""));
	ok(!reads_members("\"room\":\"AZ0\\n\""));
	ok(!reads_members("\"room\":\"\u00c4BC\""));
	ok(!reads_members("\"room\":\"\""));
	ok(!reads_members("\"room\":1234"));
	ok(reads_query("room=QRST"));
	is_text(input("room"), "QRST");
	ok(!reads_query("room="));
	ok(!reads_query("room=QRS"));

	test("days");
	ok(reads_query("from=2024-02-29"));
	is_text(input("from"), "2024-02-29");
	ok(!reads_query("from=2023-02-29"));
	error_is("from must be a day as YYYY-MM-DD");
	ok(!reads_query("from="));
	ok(!reads_query("from=2024-2-29"));
	ok(!reads_query("from=24-02-29"));
	ok(!reads_query("from=2024-02-29T"));
	ok(!reads_query("from=1969-12-31"));

	test("CSV is handed on as records, right or wrong");
	ok(reads_members("\"csv\":\"a,\\\"b\\\"\\r\\nc\""));
	is_text(input("csv"),
	    "{\"records\":[[1,\"a\",\"b\"],[2,\"c\"]],\"broken\":null}");
	ok(reads_members("\"csv\":\"\\\"a\""));
	is_text(input("csv"), "{\"records\":[],"
	    "\"broken\":[1,\"a quote is not closed\"]}");
	ok(!reads_members("\"csv\":\"\""));
	error_is("csv must be a CSV text of 1 to 9 characters");
	ok(!reads_members("\"csv\":\"1234567890\""));
	ok(!reads_members("\"csv\":7"));
}

static void
test_cursors(void)
{
	test("cursors and tickets are handed on as they are");
	ok(reads_query("since=41"));
	is_text(input("since"), "41");
	ok(reads_query("since=k3:41&ticket=a.b"));
	is_text(input("since"), "k3:41");
	is_text(input("ticket"), "a.b");
	ok(reads_query("since=k3%3A41&ticket="));
	is_text(input("since"), "k3:41");
	is_text(input("ticket"), "");
	ok(!reads_query("since="));
	error_is("since must be a number, or an epoch, a colon and a number");
	ok(!reads_query("since=-1"));
	ok(!reads_query("since=:1"));
	ok(!reads_query("since=k3:"));
	ok(!reads_query("since=1:2:3"));
}

static void
test_wholes(void)
{
	test("an object is exactly what was written");
	ok(reads_members("\"data\" : { \"a\":2.0} "));
	is_text(input("data"), "{ \"a\":2.0}");
	ok(reads_members("\"data\":{\"x\":1},\"d\\u0061ta\":{}"));
	is_text(input("data"), "{}");
	ok(!reads_members("\"data\":{\"abcd\":12}"));
	error_is("data must be an object of 2 to 10 bytes");
	ok(!reads_members("\"data\":[]"));
	ok(!reads_members("\"data\":\"{}\""));

	test("ids are sorted, each once");
	ok(reads_members("\"ids\":[17,9223372036854775807,3]"));
	is_text(input("ids"), "{3,17,9223372036854775807}");
	ok(reads_members("\"ids\":[5,5,5]"));
	is_text(input("ids"), "{5}");
	ok(!reads_members("\"ids\":[]"));
	error_is("ids must be a list of 1 to 3 ids");
	ok(!reads_members("\"ids\":[1,2,3,4]"));
	ok(!reads_members("\"ids\":[1,0]"));
	ok(!reads_members("\"ids\":[-1]"));
	ok(!reads_members("\"ids\":[\"1\"]"));
	ok(!reads_members("\"ids\":[1,null]"));
	ok(!reads_members("\"ids\":[1.5]"));
	ok(!reads_members("\"ids\":[[1]]"));
	ok(!reads_members("\"ids\":{\"0\":1}"));
	ok(!reads_members("\"ids\":1"));
}

static void
test_moments(void)
{
	test("moments are written as they are shown");
	ok(reads_members("\"when\":\"2026-03-15 20:30:00\""));
	is_text(input("when"), "2026-03-15T20:30:00.000Z");
	ok(reads_members("\"when\":\"2026-03-15T20:30:00.5+01:00\""));
	is_text(input("when"), "2026-03-15T19:30:00.500Z");
	ok(reads_members("\"when\":null"));
	is_text(input("when"), "NULL");
	ok(!reads_members("\"when\":\"yesterday\""));
	error_is("when must be a time in ISO 8601, which without an offset "
	    "is UTC");
	ok(!reads_members("\"when\":1773601200"));
	ok(!reads_members("\"when\":\"\""));
}

static void
refuses_line(const char *line, const char *error, const char *field)
{
	static char body[4096];

	snprintf(body, sizeof body, "{\"chat\":[{\"username\":\"a\","
	    "\"message\":\"\",\"timestamp\":\"2026-03-15T20:30Z\"},%s]}",
	    line);
	ok(!reads_list(body));
	error_is(error);
	field_is(field);
}

static void
test_lists(void)
{
	static const char one[] = "{\"username\":\"Zo\\u00eb\",\"more\":[],"
	    "\"message\":\"a\\n\\\"b\",\"timestamp\":\"2026-03-15 20:30\"}";
	static const char meant[] = "[{\"username\":\"Zo\xc3\xab\","
	    "\"message\":\"a\\n\\\"b\",\"timestamp\":\"2026-03-15 20:30\","
	    "\"moment\":\"2026-03-15T20:30:00.000Z\"}]";
	char body[512];

	test("a list is a member, by either name, or all of the body");
	snprintf(body, sizeof body, "{\"chat\":[%s]}", one);
	ok(reads_list(body));
	is_text(input("chat"), meant);
	snprintf(body, sizeof body, "{\"messages\":[%s],\"notes\":\"x\"}",
	    one);
	ok(reads_list(body));
	is_text(input("chat"), meant);
	is_text(input("notes"), "x");
	snprintf(body, sizeof body, "{\"chat\":null,\"messages\":[%s]}", one);
	ok(reads_list(body));
	is_text(input("chat"), meant);
	snprintf(body, sizeof body, "{\"chat\":[],\"messages\":[%s]}", one);
	ok(reads_list(body));
	is_text(input("chat"), "[]");
	snprintf(body, sizeof body, "[%s]", one);
	ok(reads_list(body));
	is_text(input("chat"), meant);
	is_text(input("notes"), "NULL");
	ok(reads_list("[]"));
	is_text(input("chat"), "[]");

	test("what is no list");
	ok(!reads_list("{}"));
	is(op->answer.err, ERR_input_missing);
	error_is("chat is required");
	ok(!reads_list(""));
	is(op->answer.err, ERR_input_missing);
	ok(!reads_list("{\"chat\":{}}"));
	error_is("chat must be a list of at most 3 lines, each with "
	    "username, message and timestamp");
	field_is("chat");
	ok(!reads_list("7"));
	is(op->answer.err, ERR_body_not_object);
	ok(!reads_list("\"x\""));
	is(op->answer.err, ERR_body_not_object);
	snprintf(body, sizeof body, "[%s,%s,%s,%s]", one, one, one, one);
	ok(!reads_list(body));
	error_is("chat must be a list of at most 3 lines, each with "
	    "username, message and timestamp");

	test("a line that is wrong is named");
	refuses_line("7", "chat[1] must be an object with username, message "
	    "and timestamp", "chat[1]");
	refuses_line("{\"message\":\"\",\"timestamp\":\"2026-03-15T20:30\"}",
	    "chat[1].username must be a text of 1 to 100 characters",
	    "chat[1].username");
	refuses_line("{\"username\":\"\",\"message\":\"\"}",
	    "chat[1].username must be a text of 1 to 100 characters",
	    "chat[1].username");
	refuses_line("{\"username\":\"a\",\"message\":null}",
	    "chat[1].message must be a text of at most 2000 characters",
	    "chat[1].message");
	refuses_line("{\"username\":\"a\",\"message\":\"\"}",
	    "chat[1].timestamp must be a time in ISO 8601",
	    "chat[1].timestamp");
	refuses_line("{\"username\":\"a\",\"message\":\"\","
	    "\"timestamp\":\"x\"}",
	    "chat[1].timestamp must be a time in ISO 8601",
	    "chat[1].timestamp");
}

static void
test_paths(void)
{
	test("what a path cannot name is not there");
	ok(reads_target("ab", "007", "game=1"));
	is_text(input("b"), "7");
	is_text(input("a"), "ab");
	ok(!reads_target("ab", "0", "game=1"));
	is(op->answer.err, ERR_session_not_found);
	is(op->answer.status, 404);
	error_is("Session not found");
	field_is("none");
	ok(!reads_target("ab", "-1", "game=1"));
	ok(!reads_target("ab", "1.5", "game=1"));
	ok(!reads_target("ab", "x", "game=1"));
	ok(!reads_target("ab", "9223372036854775808", "game=1"));
	is(op->answer.err, ERR_session_not_found);
	ok(!reads_target("a", "1", "game=1"));
	is(op->answer.err, ERR_not_found);
	ok(!reads_target("abcd", "1", "game=1"));
	is(op->answer.err, ERR_not_found);
}

static void
test_pages(void)
{
	test("pages and what is skipped");
	ok(reads_query("limit=50&offset=50"));
	is_text(input("limit"), "50");
	is_text(input("offset"), "50");
	ok(reads_query("limit=all&offset=51"));
	is_text(input("limit"), "NULL");
	is_text(input("offset"), "50");
	ok(reads_query(""));
	is_text(input("limit"), "NULL");
	is_text(input("offset"), "NULL");
	ok(!reads_query("limit=51"));
	error_is("limit must be a whole number from 0 to 50, or all");
	ok(!reads_query("limit="));
	ok(!reads_query("limit=-0"));
	ok(!reads_query("limit=ALL"));
	ok(reads_query("offset=-5"));
	is_text(input("offset"), "0");
	ok(reads_query("offset="));
	is_text(input("offset"), "0");
	ok(reads_query("offset=5x"));
	is_text(input("offset"), "0");
	ok(reads_query("offset=99999999999999999999"));
	is_text(input("offset"), "50");
}

int
main(void)
{
	test_texts();
	test_missing();
	test_bodies();
	test_numbers();
	test_words();
	test_cursors();
	test_wholes();
	test_moments();
	test_lists();
	test_paths();
	test_pages();

	test("kinds and places have names");
	is_text(input_kind_name(INPUT_text), "text");
	is_text(input_kind_name(INPUT_skip), "skip");
	is_text(input_place_name(INPUT_PATH), "path");
	is_text(input_place_name(INPUT_BODY), "body");

	op_destroy(&op);
	return (done());
}
