/* SPDX-License-Identifier: MIT */
/*
 * JSON bodies: what our grammar lets through json-c reads, and what json-c
 * then writes our grammar lets through again. The bytes of a member mean what
 * json-c found in it.
 */
#include <json-c/json.h>
#include <stdint.h>

#include "base/must.h"
#include "core/carried.h"
#include "core/json.h"

/* What is read of bytes alone is what json-c reads. */
static void
compare_scalar(struct json_object *value, text raw)
{
	struct buf spelled;
	text words, same;
	int64_t number = 0, same_number = 0;

	buf_init(&spelled, BUF_NO_LIMIT);
	if (carried_as_text(raw, &spelled, &words)) {
		must(json_in_as_text(value, &same) && text_is(words, same));
		must(carried_is(raw, words));
	} else
		must(!json_in_as_text(value, &same));
	must(carried_as_int(raw, &number) ==
	    json_in_as_int(value, &same_number) && number == same_number);
	buf_fini(&spelled);
}

/* Each is looked for in all: that grows with the square. */
#define COMPARED_MAX 64

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
compare(struct json_object *value, text t, const char *name)
{
	struct json_object *member = NULL, *again;
	bool is_there = json_object_object_get_ex(value, name, &member);
	text raw;

	must(json_in_raw(t, text_of(name), &raw) == is_there);
	if (!is_there)
		return;
	must(raw.at > t.at && raw.at + raw.len < t.at + t.len);
	must(json_in_is_valid(raw) && text_trim(raw).len == raw.len);
	again = json_in_read(raw);
	must(json_object_equal(again, member));
	compare_scalar(member, raw);
	json_in_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text t = text_from((const char *)data, size), again, inner;
	struct json_object *value = json_in_read(t);
	bool is_valid = json_in_is_valid(t);
	int64_t number;
	unsigned compared = 0;
	size_t len;

	if (value == NULL) {
		/* null is valid, but no body. */
		must(!is_valid || text_is(text_trim(t), TEXT("null")));
		return (0);
	}
	must(is_valid);
	json_in_text(value, "a", &inner);
	json_in_int(value, "a", &number);
	if (json_in_is_object(value)) {
		compare(value, t, "a");
		json_object_object_foreach(value, name, member) {
			(void)member;
			if (++compared == COMPARED_MAX)
				break;
			compare(value, t, name);
		}
	}
	again.at = json_object_to_json_string_length(value,
	    JSON_C_TO_STRING_PLAIN, &len);
	again.len = len;
	must(json_in_is_valid(again));
	json_in_free(&value);
	must(value == NULL);
	return (0);
}
