/* SPDX-License-Identifier: MIT */
/*
 * JSON bodies: what our grammar lets through json-c reads, and what json-c
 * then writes our grammar lets through again.
 */
#include <json-c/json.h>
#include <stdint.h>

#include "base/must.h"
#include "core/json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text t = text_from((const char *)data, size), again, inner;
	struct json_object *value = json_in_read(t);
	bool is_valid = json_in_is_valid(t);
	int64_t number;
	size_t len;

	if (value == NULL) {
		/* null is valid, but no body. */
		must(!is_valid || text_is(text_trim(t), TEXT("null")));
		return (0);
	}
	must(is_valid);
	json_in_text(value, "a", &inner);
	json_in_int(value, "a", &number);
	again.at = json_object_to_json_string_length(value,
	    JSON_C_TO_STRING_PLAIN, &len);
	again.len = len;
	must(json_in_is_valid(again));
	json_in_free(&value);
	must(value == NULL);
	return (0);
}
