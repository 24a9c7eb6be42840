/* SPDX-License-Identifier: MIT */
/*
 * jobs/responder_reply and jobs/responder_item: what responders say, and what
 * becomes of it.
 */
#include "jobs/responder_reply.h"

#include "base/mem.h"
#include "jobs/responder_item.h"
#include "tap.h"

static struct buf out;

static void
on_item(void *me, text object)
{
	(void)me;
	buf_add(&out, object);
	buf_add_char(&out, ';');
}

/* In pieces of that size; the objects, and what is wrong at last. */
static text
read_in(enum reply_form form, text answer, size_t piece, size_t most)
{
	struct reply reply;
	bool is_good = true;

	buf_clear(&out);
	reply_init(&reply, form, most, on_item, NULL);
	while (is_good && answer.len > 0) {
		size_t now = piece < answer.len ? piece : answer.len;

		is_good = reply_read(&reply, text_from(answer.at, now));
		answer = text_from(answer.at + now, answer.len - now);
	}
	if (!is_good || !reply_end(&reply))
		buf_printf(&out, "!%s", reply.problem);
	reply_fini(&reply);
	return (buf_text(&out));
}

static text
events(const char *answer)
{
	return (read_in(REPLY_EVENTS, text_of(answer), 1, 1000));
}

static text
lines(const char *answer)
{
	return (read_in(REPLY_LINES, text_of(answer), 1, 1000));
}

static text
whole(const char *answer)
{
	return (read_in(REPLY_WHOLE, text_of(answer), 1, 1000));
}

static void
test_forms(void)
{
	test("the form by its Content-Type");
	is(reply_form_of(TEXT("text/event-stream")), REPLY_EVENTS);
	is(reply_form_of(TEXT("Text/Event-Stream; charset=utf-8")),
	    REPLY_EVENTS);
	is(reply_form_of(TEXT("application/x-ndjson")), REPLY_LINES);
	is(reply_form_of(TEXT("application/jsonl ;x=y")), REPLY_LINES);
	is(reply_form_of(TEXT("application/json")), REPLY_WHOLE);
	is(reply_form_of(TEXT("text/html")), REPLY_UNKNOWN);
	is(reply_form_of(TEXT("")), REPLY_UNKNOWN);
}

static void
test_events(void)
{
	test("blocks of an event stream");
	is_text(events(""), "");
	is_text(events("data: {\"a\":1}\n\ndata:{\"b\":2}\n\n"),
	    "{\"a\":1};{\"b\":2};");
	is_text(events("data: {\"a\":1}\r\n\r\ndata: {\"b\":2}\r\r"),
	    "{\"a\":1};{\"b\":2};");
	is_text(events("\xef\xbb\xbf" "data: {}\n\n"), "{};");
	is_text(events(": life\nevent: x\nid: 1\nretry: 5\ndata: {}\nfoo\n\n"),
	    "{};");
	is_text(events("\n\n\n"), "");

	test("data of several lines is one object");
	is_text(events("data: {\"a\":\ndata:  [1,\ndata: 2]}\n\n"),
	    "{\"a\":[1,2]};");

	test("the last block needs no blank line, and may say that it is");
	is_text(events("data: {\"a\":1}"), "{\"a\":1};");
	is_text(events("data: {\"a\":1}\n"), "{\"a\":1};");
	is_text(events("data: {\"a\":1}\n\ndata: [DONE]\n\n"), "{\"a\":1};");

	test("what is no object ends it");
	is_text(events("data: {}\n\ndata: hello\n\ndata: {}\n\n"),
	    "{};!what it says is no JSON");
	is_text(events("data: 17\n\n"), "!what it says is no JSON object");
	is_text(events("data: [{}]\n\n"), "!what it says is no JSON object");
}

static void
test_lines(void)
{
	test("lines");
	is_text(lines("{\"a\": 1}\n\n {\"b\" :2}\r\n{\"c\":3}"),
	    "{\"a\":1};{\"b\":2};{\"c\":3};");
	is_text(lines("{\"a\":\"x y\\\" }\"}\n"), "{\"a\":\"x y\\\" }\"};");
	is_text(lines("{\"a\":\n1}\n"), "!what it says is no JSON");
	is_text(lines("{\"a\":\"\\u0000\"}\n"), "!what it says is no JSON");
	is_text(lines("\xff\n"), "!what it says is no JSON");
}

static void
test_whole(void)
{
	test("all of it: an object, or an array of them");
	is_text(whole(" {\"message\" : \"a\\nb\"}\n"),
	    "{\"message\":\"a\\nb\"};");
	is_text(whole("[{\"a\":[1 , {\"x\":2}]},{ }\n]"),
	    "{\"a\":[1,{\"x\":2}]};{};");
	is_text(whole("[ ]"), "");
	is_text(whole("[{},1]"), "{};!what it says is no JSON object");
	is_text(whole(""), "!what it says is no JSON");
	is_text(whole("\"text\""), "!what it says is no JSON object");
}

static void
test_bounds(void)
{
	static char long_line[REPLY_ITEM_MAX + 100];
	char deep[2 * 20 + 10] = "{\"a\":";
	size_t len = strlen(deep);

	test("there is an end to it");
	is_text(read_in(REPLY_LINES, TEXT("{}\n{}\n{}\n"), 3, 7),
	    "{};{};!it says too much");
	memset(long_line, 'x', sizeof long_line);
	is_text(read_in(REPLY_LINES, text_from(long_line, sizeof long_line),
	    1000, SIZE_MAX), "!a line is too long");
	memcpy(long_line, "{\"a\":\"", 6);
	memcpy(long_line + sizeof long_line - 2, "\"}", 2);
	is_text(read_in(REPLY_WHOLE, text_from(long_line, sizeof long_line),
	    1000, SIZE_MAX), "!an object is too large");
	for (int i = 0; i < REPLY_DEPTH_MAX; i++) {
		deep[len + (size_t)i] = '[';
		deep[len + REPLY_DEPTH_MAX + (size_t)i] = ']';
	}
	deep[len + 2 * REPLY_DEPTH_MAX] = '}';
	is_text(read_in(REPLY_WHOLE, text_of(deep), 1000, SIZE_MAX),
	    "!an object is too deep");
}

/* type=data, one after the other; then the error. */
static text
taken(const char *object, bool is_lesson, bool is_for_sockets)
{
	struct item_turn turn = { 7, is_lesson, is_for_sockets };
	struct item_batch batch;
	struct buf error;

	buf_clear(&out);
	buf_init(&error, BUF_NO_LIMIT);
	item_batch_init(&batch);
	if (item_take(&batch, &turn, text_of(object), &error) ==
	    ITEM_IS_ERROR)
		buf_printf(&out, "!%.*s", TEXT_ARGS(buf_text(&error)));
	item_batch_end(&batch);
	buf_printf(&out, "%.*s %.*s", TEXT_ARGS(buf_text(&batch.types)),
	    TEXT_ARGS(buf_text(&batch.datas)));
	item_batch_fini(&batch);
	buf_fini(&error);
	return (buf_text(&out));
}

static void
test_items(void)
{
	test("messages are told line by line, blank ones are not");
	is_text(taken("{\"message\":\"a\\r\\n\\n \\nb\"}", false, true),
	    "{\"turn.said\",\"turn.said\"} "
	    "{\"{\\\"turnId\\\":7,\\\"item\\\":{\\\"message\\\":\\\"a\\\"}}\","
	    "\"{\\\"turnId\\\":7,\\\"item\\\":{\\\"message\\\":\\\"b\\\"}}\"}");
	is_text(taken("{\"message\":\"\"}", false, false), "{} {}");

	test("sockets get what is theirs as it is");
	is_text(taken("{\"type\":\"analysis\",\"content\":1}", false, true),
	    "{\"analysis_update\"} "
	    "{\"{\\\"type\\\":\\\"analysis\\\",\\\"content\\\":1}\"}");
	is_text(taken("{\"type\":\"next_actions\"}", true, true),
	    "{\"next_action\"} {\"{\\\"type\\\":\\\"next_actions\\\"}\"}");

	test("who asked gets it where there are none");
	is_text(taken("{\"type\":\"analysis\"}", false, false),
	    "{\"turn.said\"} {\"{\\\"turnId\\\":7,\\\"item\\\":"
	    "{\\\"type\\\":\\\"analysis\\\"}}\"}");
	is_text(taken("{\"type\":\"analysis\",\"content\":\"c\"}", true,
	    false), "{\"turn.said\"} {\"{\\\"turnId\\\":7,\\\"item\\\":"
	    "{\\\"status\\\":\\\"streaming\\\",\\\"content\\\":\\\"c\\\","
	    "\\\"complete\\\":false}}\"}");
	is_text(taken("{\"x\":1}", false, true),
	    "{\"turn.said\"} {\"{\\\"turnId\\\":7,\\\"item\\\":"
	    "{\\\"x\\\":1}}\"}");

	test("an error is none of them");
	is_text(taken("{\"error\":\"no model\"}", false, false),
	    "!no model{} {}");
}

int
main(void)
{
	buf_init(&out, BUF_NO_LIMIT);
	test_forms();
	test_events();
	test_lines();
	test_whole();
	test_bounds();
	test_items();
	buf_fini(&out);
	return (done());
}
