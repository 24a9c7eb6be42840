/* SPDX-License-Identifier: MIT */
/*
 * Everything a client can be told went wrong, sorted by name.
 *
 * To add one: its row here; op_fail(op, ERR_name) where it happens; a test
 * that provokes it; make -C build docs.
 *
 *	ERROR(name, status, text)
 *
 * The name is the `code` of the answer and never changes; the text is its
 * `error`.
 */
ERROR(body_too_large, 413, "Request body is too large")
ERROR(expectation_failed, 417, "Expectation cannot be met")
ERROR(internal, 500, "Something went wrong!")
ERROR(invalid_json, 400, "Invalid JSON in request body")
ERROR(invalid_path, 400, "Invalid request path")
ERROR(invalid_query, 400, "Invalid query string")
ERROR(malformed_request, 400, "Malformed request")
ERROR(media_type, 415, "Request body must be application/json")
ERROR(memory_busy, 503, "Too many large requests at once")
ERROR(method_not_allowed, 405, "Method not allowed")
ERROR(not_found, 404, "Not found")
ERROR(request_timeout, 408, "Request took too long to arrive")
ERROR(too_many_connections, 503, "Too many connections")
ERROR(too_many_from_address, 429, "Too many connections from your address")
