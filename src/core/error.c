/* SPDX-License-Identifier: MIT */
/*
 * The rows of the errors, and the words of HTTP's status numbers.
 */
#include "core/error.h"

#include <stddef.h>

const struct error_row error_rows[ERRORS] = {
	[ERR_none] = { TEXT("none"), 500, TEXT("") },
#define ERROR(name, status, words) [ERR_##name] =			\
	{ TEXT(#name), status, TEXT(words) },
#include "tbl/errors.h"
#undef ERROR
};

enum err
error_named(text code)
{
	for (enum err i = ERR_none + 1; i < ERRORS; i++)
		if (text_is(error_rows[i].code, code))
			return (i);
	return (ERR_none);
}

enum err
error_of_status(unsigned status)
{
	switch (status) {
	case 400:
		return (ERR_malformed_request);
	case 404:
		return (ERR_not_found);
	case 413:
		return (ERR_body_too_large);
	case 417:
		return (ERR_expectation_failed);
	default:
		return (ERR_internal);
	}
}

const char *
status_reason(unsigned status)
{
	static const struct {
		unsigned	 status;
		const char	*reason;
	} reasons[] = {
		{ 200, "OK" }, { 201, "Created" }, { 204, "No Content" },
		{ 304, "Not Modified" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 422, "Unprocessable Content" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return (reasons[i].reason);
	return (status < 400 ? "OK" : "Error");
}
