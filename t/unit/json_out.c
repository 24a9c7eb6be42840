/* SPDX-License-Identifier: MIT */
/*
 * Writing JSON: every value, every escape, and text that is broken.
 */
/* json-c has a type of that name. */
#define json_bool json_c_bool
#include <json-c/json.h>
#undef json_bool
#include <math.h>

#include "base/json_out.h"

#include "tap.h"

static struct buf buf;
static struct json_out json;

static void
begin(const char *name)
{
	test(name);
	buf_init(&buf, BUF_NO_LIMIT);
	json_out_init(&json, &buf);
}

/* What is written so far; begins anew. */
static void
wrote(const char *wanted)
{
	is_text(buf_text(&buf), wanted);
	buf_clear(&buf);
	json_out_init(&json, &buf);
}

static void
test_values(void)
{
	begin("commas and brackets are where they belong");
	json_object_begin(&json);
	json_object_end(&json);
	wrote("{}");
	json_object_begin(&json);
	json_key(&json, "list");
	json_array_begin(&json);
	json_int(&json, 1);
	json_array_begin(&json);
	json_array_end(&json);
	json_bool(&json, true);
	json_bool(&json, false);
	json_nothing(&json);
	json_object_begin(&json);
	json_key(&json, "a");
	json_int(&json, -2);
	json_key(&json, "b");
	json_text(&json, TEXT("two"));
	json_object_end(&json);
	json_array_end(&json);
	json_key(&json, "raw");
	json_raw(&json, TEXT("{\"x\":[1]}"));
	json_key(&json, "none");
	json_text_of(&json, NULL);
	json_object_end(&json);
	wrote("{\"list\":[1,[],true,false,null,{\"a\":-2,\"b\":\"two\"}],"
	    "\"raw\":{\"x\":[1]},\"none\":null}");
	json_int(&json, INT64_MIN);
	wrote("-9223372036854775808");
	json_double(&json, 0.1);
	wrote("0.1");
	json_double(&json, 1e300);
	wrote("1e+300");
	json_double(&json, NAN);
	wrote("null");
	json_double(&json, -INFINITY);
	wrote("null");
	buf_fini(&buf);
}

static void
test_escapes(void)
{
	begin("what must be escaped is, and nothing else");
	json_text(&json, TEXT("a\"b\\c/d"));
	wrote("\"a\\\"b\\\\c/d\"");
	json_text(&json, TEXT("\n\r\t"));
	wrote("\"\\n\\r\\t\"");
	json_text(&json, text_from("\0\x01\x1f\x7f", 4));
	wrote("\"\\u0000\\u0001\\u001f\x7f\"");
	json_text(&json, TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
	wrote("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	json_text(&json, TEXT_NONE);
	wrote("\"\"");
	json_object_begin(&json);
	json_key(&json, "k\"\n");
	json_int(&json, 1);
	json_object_end(&json);
	wrote("{\"k\\\"\\n\":1}");

	test("broken UTF-8 becomes U+FFFD, and breaks nothing beside it");
	json_text(&json, TEXT("a\xff" "b"));
	wrote("\"a\xef\xbf\xbd" "b\"");
	json_text(&json, TEXT("\xc3"));
	wrote("\"\xef\xbf\xbd\"");
	json_text(&json, TEXT("\xe2\x82"));
	wrote("\"\xef\xbf\xbd\xef\xbf\xbd\"");
	json_text(&json, TEXT("\xed\xa0\x80"));
	wrote("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	json_text(&json, TEXT("\xc3\"\xc3\xa4"));
	wrote("\"\xef\xbf\xbd\\\"\xc3\xa4\"");
	buf_fini(&buf);
}

/* Another's parser reads back what we wrote of any bytes. */
static void
test_read_back(void)
{
	uint64_t dice = 1;

	begin("any bytes are written so that a parser reads them");
	for (unsigned i = 0; i < 3000; i++) {
		char bytes[24];
		struct json_object *read;
		size_t len;

		for (size_t j = 0; j < sizeof bytes; j++) {
			dice = dice * 6364136223846793005 +
			    1442695040888963407;
			/* Half of it ASCII, a third quotes and controls. */
			bytes[j] = (char)(dice >> 56 & (i % 2 ? 0xff :
			    i % 3 ? 0x7f : 0x3f));
		}
		len = i % sizeof bytes;
		json_array_begin(&json);
		json_text(&json, text_from(bytes, len));
		json_array_end(&json);
		ok(text_is_utf8(buf_text(&buf)));
		read = json_tokener_parse(buf.at);
		ok(read != NULL);
		if (text_is_utf8(text_from(bytes, len))) {
			struct json_object *value =
			    json_object_array_get_idx(read, 0);

			is_text(text_from(json_object_get_string(value),
			    (size_t)json_object_get_string_len(value)),
			    text_from(bytes, len));
		}
		json_object_put(read);
		buf_clear(&buf);
		json_out_init(&json, &buf);
	}
	buf_fini(&buf);
}

static void
test_limit(void)
{
	test("it fails with its buffer, once");
	buf_init(&buf, 8);
	json_out_init(&json, &buf);
	json_array_begin(&json);
	json_text(&json, TEXT("too long for it"));
	json_array_end(&json);
	ok(buf.has_failed);
	buf_fini(&buf);
}

int
main(void)
{
	test_values();
	test_escapes();
	test_read_back();
	test_limit();
	return (done());
}
