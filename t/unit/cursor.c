/* SPDX-License-Identifier: MIT */
/*
 * core/cursor: what is one, in queries and in JSON, and what is none.
 */
#include "core/cursor.h"

#include "core/json.h"
#include "tap.h"

static const struct {
	const char	*written;
	enum cursor_kind kind;		/* none: refused */
	uint64_t	 seq;
	const char	*epoch;
} texts[] = {
	{ "0", CURSOR_NUMBER, 0, NULL },
	{ "41", CURSOR_NUMBER, 41, NULL },
	{ "041", CURSOR_NUMBER, 41, NULL },
	{ "9223372036854775806", CURSOR_NUMBER, CURSOR_SEQ_MAX, NULL },
	{ "k3:41", CURSOR_PAIR, 41, "k3" },
	{ "0:0", CURSOR_PAIR, 0, "0" },
	{ "abcdefghabcdefghabcdefghabcdefgh:1", CURSOR_PAIR, 1,
	    "abcdefghabcdefghabcdefghabcdefgh" },
	{ "", CURSOR_NONE, 0, NULL },
	{ "-1", CURSOR_NONE, 0, NULL },
	{ "+1", CURSOR_NONE, 0, NULL },
	{ " 1", CURSOR_NONE, 0, NULL },
	{ "1 ", CURSOR_NONE, 0, NULL },
	{ "1.0", CURSOR_NONE, 0, NULL },
	{ "9223372036854775807", CURSOR_NONE, 0, NULL },
	{ "99999999999999999999", CURSOR_NONE, 0, NULL },
	{ ":", CURSOR_NONE, 0, NULL },
	{ ":1", CURSOR_NONE, 0, NULL },
	{ "k3:", CURSOR_NONE, 0, NULL },
	{ "k3:-1", CURSOR_NONE, 0, NULL },
	{ "k3:4:1", CURSOR_NONE, 0, NULL },
	{ "k 3:1", CURSOR_NONE, 0, NULL },
	{ "k\xc3\xa4:1", CURSOR_NONE, 0, NULL },
	{ "abcdefghabcdefghabcdefghabcdefghi:1", CURSOR_NONE, 0, NULL },
}, values[] = {
	{ "[41]", CURSOR_NUMBER, 41, NULL },
	{ "[0]", CURSOR_NUMBER, 0, NULL },
	{ "[{\"epoch\":\"k3\",\"seq\":41}]", CURSOR_PAIR, 41, "k3" },
	{ "[{\"seq\":1,\"more\":[],\"epoch\":\"x\"}]", CURSOR_PAIR, 1, "x" },
	{ "[-1]", CURSOR_NONE, 0, NULL },
	{ "[1.5]", CURSOR_NONE, 0, NULL },
	{ "[\"41\"]", CURSOR_NONE, 0, NULL },
	{ "[true]", CURSOR_NONE, 0, NULL },
	{ "[[41]]", CURSOR_NONE, 0, NULL },
	{ "[9223372036854775807]", CURSOR_NONE, 0, NULL },
	{ "[{}]", CURSOR_NONE, 0, NULL },
	{ "[{\"seq\":1}]", CURSOR_NONE, 0, NULL },
	{ "[{\"epoch\":\"k3\"}]", CURSOR_NONE, 0, NULL },
	{ "[{\"epoch\":\"\",\"seq\":1}]", CURSOR_NONE, 0, NULL },
	{ "[{\"epoch\":\"a:b\",\"seq\":1}]", CURSOR_NONE, 0, NULL },
	{ "[{\"epoch\":\"k3\",\"seq\":\"1\"}]", CURSOR_NONE, 0, NULL },
	{ "[{\"epoch\":null,\"seq\":1}]", CURSOR_NONE, 0, NULL },
};

static void
is_cursor(const struct cursor *got, enum cursor_kind kind, uint64_t seq,
    const char *epoch)
{
	is(got->kind, kind);
	is(got->seq, seq);
	if (epoch != NULL)
		is_text(got->epoch, epoch);
}

static void
test_texts(void)
{
	test("in a query");
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct cursor cursor = { .seq = 7 };

		is(cursor_read(text_of(texts[i].written), &cursor),
		    texts[i].kind != CURSOR_NONE);
		is_cursor(&cursor, texts[i].kind, texts[i].kind ==
		    CURSOR_NONE ? 7 : texts[i].seq, texts[i].epoch);
	}
}

static void
test_values(void)
{
	struct cursor cursor = { .kind = CURSOR_PAIR };

	test("in JSON");
	for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
		struct json_object *array = json_in_read(text_of(
		    values[i].written));

		cursor = (struct cursor){ .seq = 7 };
		is(cursor_read_json(json_in_element(array, 0), &cursor),
		    values[i].kind != CURSOR_NONE);
		is_cursor(&cursor, values[i].kind, values[i].kind ==
		    CURSOR_NONE ? 7 : values[i].seq, values[i].epoch);
		json_in_free(&array);
	}
	ok(cursor_read_json(NULL, &cursor));
	is(cursor.kind, CURSOR_NONE);
}

static void
test_writing(void)
{
	struct cursor cursor = { .kind = CURSOR_NONE };
	struct buf buf;

	test("written");
	buf_init(&buf, BUF_NO_LIMIT);
	cursor_write(&cursor, &buf);
	is_text(buf_text(&buf), "");
	cursor = (struct cursor){ .kind = CURSOR_NUMBER, .seq = 41 };
	cursor_write(&cursor, &buf);
	is_text(buf_text(&buf), "41");
	buf_clear(&buf);
	cursor = (struct cursor){ .kind = CURSOR_PAIR, .seq = 41,
	    .epoch = TEXT("k3") };
	cursor_write(&cursor, &buf);
	is_text(buf_text(&buf), "k3:41");
	buf_fini(&buf);
}

int
main(void)
{
	test_texts();
	test_values();
	test_writing();
	return (done());
}
