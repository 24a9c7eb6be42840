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
ERROR(active_session_exists, 400, "An active session already exists. Please close it before creating a new one.")
ERROR(admin_key_required, 400, "Admin key is required")
ERROR(admin_key_taken, 409, "Another admin has this key")
ERROR(admin_name_taken, 409, "Another admin has this name")
ERROR(admin_not_found, 404, "Admin not found")
ERROR(body_not_object, 400, "Request body must be a JSON object")
ERROR(body_too_large, 413, "Request body is too large")
ERROR(expectation_failed, 417, "Expectation cannot be met")
ERROR(idempotency_in_progress, 409, "A request with this Idempotency-Key is still running")
ERROR(idempotency_key_reused, 422, "This Idempotency-Key was used with another request")
ERROR(input_invalid, 400, "An input is not what it has to be")
ERROR(input_missing, 400, "An input is missing")
ERROR(internal, 500, "Something went wrong!")
ERROR(invalid_json, 400, "Invalid JSON in request body")
ERROR(invalid_path, 400, "Invalid request path")
ERROR(invalid_query, 400, "Invalid query string")
ERROR(invalid_token, 403, "Invalid or expired token")
ERROR(malformed_request, 400, "Malformed request")
ERROR(media_type, 415, "Request body must be application/json")
ERROR(memory_busy, 503, "Too many large requests at once")
ERROR(method_not_allowed, 405, "Method not allowed")
ERROR(not_found, 404, "Not found")
ERROR(request_timeout, 408, "Request took too long to arrive")
ERROR(session_archive_active, 400, "Cannot archive an active session. Please close it first.")
ERROR(session_archived, 400, "Session is archived")
ERROR(session_closed, 400, "Session is already closed")
ERROR(session_delete_active, 400, "Cannot delete an active session. Please close it first.")
ERROR(session_not_found, 404, "Session not found")
ERROR(setting_invalid, 400, "A setting has an invalid value")
ERROR(setting_unknown, 400, "There is no such setting")
ERROR(storage_full, 507, "The storage of this tenant is used up")
ERROR(stream_not_found, 404, "Stream not found")
ERROR(tenant_default, 400, "The default tenant cannot be removed")
ERROR(tenant_exists, 409, "A tenant has this name")
ERROR(tenant_host_taken, 409, "Another tenant has this host")
ERROR(tenant_not_found, 404, "Tenant not found")
ERROR(tenant_places_full, 503, "The server has no room to count this tenant's use")
ERROR(tenant_slug_invalid, 400, "A tenant's name has 1 to 63 of a-z, 0-9 and, inside, -")
ERROR(token_required, 401, "Access token required")
ERROR(too_many_connections, 503, "Too many connections")
ERROR(too_many_events, 429, "Too many events, please try again later")
ERROR(too_many_from_address, 429, "Too many connections from your address")
ERROR(too_many_logins, 429, "Too many failed logins, please try again later")
ERROR(too_many_requests, 429, "Too many requests, please try again later")
ERROR(too_many_tenant_connections, 429, "Too many connections of this tenant")
