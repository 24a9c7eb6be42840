/* SPDX-License-Identifier: MIT */
/*
 * core/csv: RFC 4180, and what is none.
 */
#include "core/csv.h"

#include "base/mem.h"
#include "tap.h"

static struct arena arena;
static struct buf out;

/* Records as 1:a|b;2:c, and what is wrong at last. */
static text
read_all(text t)
{
	struct csv csv;

	buf_clear(&out);
	csv_init(&csv, &arena, t);
	while (csv_next(&csv)) {
		if (out.len > 0)
			buf_add_char(&out, ';');
		buf_printf(&out, "%u:", csv.line);
		for (unsigned i = 0; i < csv.count; i++) {
			if (i > 0)
				buf_add_char(&out, '|');
			buf_add(&out, csv.fields[i]);
		}
	}
	if (csv.problem != NULL)
		buf_printf(&out, "!%u %s", csv.line, csv.problem);
	return (buf_text(&out));
}

static text
read_csv(const char *csv)
{
	return (read_all(text_of(csv)));
}

static text
json_of(const char *csv)
{
	buf_clear(&out);
	csv_as_json(&arena, text_of(csv), &out);
	return (buf_text(&out));
}

static void
test_records(void)
{
	test("records and fields");
	is_text(read_csv(""), "");
	is_text(read_csv("a"), "1:a");
	is_text(read_csv("a,b\r\nc,d\r\n"), "1:a|b;2:c|d");
	is_text(read_csv("a,b\nc,d"), "1:a|b;2:c|d");
	is_text(read_csv(",\n,,"), "1:|;2:||");
	is_text(read_csv(" a ,b "), "1: a |b ");
	is_text(read_csv("a;b\tc"), "1:a;b\tc");
	is_text(read_csv("\xc3\xa4,\xe2\x98\x83"), "1:\xc3\xa4|\xe2\x98\x83");

	test("lines with nothing in them are none");
	is_text(read_csv("\n\r\n\n"), "");
	is_text(read_csv("\na\n\n\r\nb\n\n"), "2:a;5:b");
	is_text(read_csv("\"\"\n"), "1:");

	test("a byte order mark is left out, once and at the beginning");
	is_text(read_csv("\xef\xbb\xbf" "a"), "1:a");
	is_text(read_csv("\xef\xbb\xbf\"a\""), "1:a");
	is_text(read_csv("\xef\xbb\xbf\xef\xbb\xbf" "a"), "1:\xef\xbb\xbf" "a");
	is_text(read_csv("a\n\xef\xbb\xbf" "b"), "1:a;2:\xef\xbb\xbf" "b");
}

static void
test_quotes(void)
{
	test("quotes");
	is_text(read_csv("\"a\",\"b,c\"\n\"d\""), "1:a|b,c;2:d");
	is_text(read_csv("\"\",\"\""), "1:|");
	is_text(read_csv("\"\"\"\""), "1:\"");
	is_text(read_csv("\"a\"\"b\"\"\",c"), "1:a\"b\"|c");
	is_text(read_csv("\"\"\"\"\"\"\n"), "1:\"\"");

	test("lines inside quotes count, and their ends stay");
	is_text(read_csv("\"a\r\nb\"\nc\n\"d\n\n\"\ne"),
	    "1:a\r\nb;3:c;4:d\n\n;7:e");
}

static void
test_broken(void)
{
	test("what is broken is named with its line");
	is_text(read_csv("\""), "!1 a quote is not closed");
	is_text(read_csv("a\nb,\"c\nd\n"), "1:a!2 a quote is not closed");
	is_text(read_csv("a\n\"\"\"\n"), "1:a!2 a quote is not closed");
	is_text(read_csv("a\nb\"c\nd"), "1:a!2 a quote stands inside a field "
	    "that does not begin with one");
	is_text(read_csv("a\n \"b\""), "1:a!2 a quote stands inside a field "
	    "that does not begin with one");
	is_text(read_csv("\"a\"b"), "!1 something follows a closing quote");
	is_text(read_csv("\"a\" ,b"), "!1 something follows a closing quote");
	is_text(read_csv("a\rb"), "!1 a carriage return stands alone");
	is_text(read_csv("a\n\"b\"\r"), "1:a!2 a carriage return stands alone");

	test("so many fields and no more");
	buf_clear(&out);
	for (unsigned i = 1; i < CSV_FIELDS_MAX; i++)
		buf_add_char(&out, ',');
	{
		text most = text_from(arena_copy(&arena, out.at, out.len),
		    out.len);
		char *more = arena_alloc(&arena, most.len + 1);

		memset(more, ',', most.len + 1);
		is(read_all(most).len, 2 + CSV_FIELDS_MAX - 1);
		is_text(read_all(text_from(more, most.len + 1)),
		    "!1 there are too many fields");
	}
}

static void
test_json(void)
{
	test("all of it as JSON");
	is_text(json_of(""), "{\"records\":[],\"broken\":null}");
	is_text(json_of("a,\"b\"\"\"\n\nc,\n"),
	    "{\"records\":[[1,\"a\",\"b\\\"\"],[3,\"c\",\"\"]],"
	    "\"broken\":null}");
	is_text(json_of("a\n\"b"), "{\"records\":[[1,\"a\"]],"
	    "\"broken\":[2,\"a quote is not closed\"]}");
}

int
main(void)
{
	arena_init(&arena);
	buf_init(&out, BUF_NO_LIMIT);
	test_records();
	test_quotes();
	test_broken();
	test_json();
	buf_fini(&out);
	arena_fini(&arena);
	return (done());
}
