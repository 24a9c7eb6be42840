/* SPDX-License-Identifier: MIT */
/*
 * Reading and answering the opening handshake.
 */
#include "transport/ws_handshake.h"

#include "core/tenant.h"

#define KEY_LETTERS 24			/* 16 bytes, with == */

static text
text_of_iovec(h2o_iovec_t from)
{
	return (text_from(from.base, from.len));
}

/* How often it is there; the last value. */
static unsigned
find(const h2o_req_t *req, text name, text *value_out)
{
	unsigned count = 0;

	*value_out = TEXT_NONE;
	for (size_t i = 0; i < req->headers.size; i++)
		if (text_is(text_of_iovec(*req->headers.entries[i].name),
		    name)) {
			*value_out = text_trim(text_of_iovec(
			    req->headers.entries[i].value));
			count++;
		}
	return (count);
}

/* Whether a list of words separated by commas has this one. */
static bool
has_word(text list, text wanted)
{
	text rest = list, word;

	while (rest.len > 0) {
		text_cut(rest, ',', &word, &rest);
		if (text_is_like(text_trim(word), wanted))
			return (true);
	}
	return (false);
}

static bool
is_letter(char c)
{
	return ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' &&
	    (c | 0x20) <= 'z') || c == '+' || c == '/');
}

bool
ws_accept_of(text key, char out[WS_ACCEPT_SIZE])
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char joined[KEY_LETTERS + sizeof magic];

	if (key.len != KEY_LETTERS || key.at[22] != '=' || key.at[23] != '=')
		return (false);
	for (size_t i = 0; i < 22; i++)
		if (!is_letter(key.at[i]))
			return (false);
	memcpy(joined, key.at, KEY_LETTERS);
	memcpy(joined + KEY_LETTERS, magic, sizeof magic);
	digest_sha1(text_from(joined, KEY_LETTERS + sizeof magic - 1), out);
	return (true);
}

/* h2o took Connection and Upgrade together already. */
static bool
asks_for_websocket(const h2o_req_t *req)
{
	return (req->upgrade.base != NULL && has_word(
	    text_from(req->upgrade.base, req->upgrade.len),
	    TEXT("websocket")));
}

enum err
ws_handshake_read(const h2o_req_t *req, const struct tenant *tenant,
    struct ws_handshake *out)
{
	text key, version, origin;

	*out = (struct ws_handshake){ .deflate = { .is_on = false } };
	if (!asks_for_websocket(req) ||
	    find(req, TEXT("sec-websocket-version"), &version) != 1 ||
	    !text_is(version, TEXT("13")))
		return (ERR_upgrade_required);
	if (req->version != 0x101 ||
	    find(req, TEXT("sec-websocket-key"), &key) != 1 ||
	    !ws_accept_of(key, out->accept))
		return (ERR_bad_handshake);
	if (tenant != NULL && find(req, TEXT("origin"), &origin) > 0 &&
	    !tenant_origin_allows(tenant, origin))
		return (ERR_origin_not_allowed);
	for (size_t i = 0; i < req->headers.size; i++)
		if (text_is(text_of_iovec(*req->headers.entries[i].name),
		    TEXT("sec-websocket-extensions")))
			frame_deflate_offer(&out->deflate,
			    text_of_iovec(req->headers.entries[i].value));
	return (ERR_none);
}

static void
add(h2o_req_t *req, text name, text value)
{
	h2o_iovec_t copy = h2o_strdup(&req->pool, value.at, value.len);

	h2o_add_header_by_str(&req->pool, &req->res.headers, name.at,
	    name.len, 0, NULL, copy.base, copy.len);
}

void
ws_handshake_answer(h2o_req_t *req, const struct ws_handshake *handshake)
{
	req->res.status = 101;
	req->res.reason = "Switching Protocols";
	add(req, TEXT("upgrade"), TEXT("websocket"));
	add(req, TEXT("sec-websocket-accept"), text_of(handshake->accept));
	if (handshake->deflate.is_on)
		add(req, TEXT("sec-websocket-extensions"),
		    frame_deflate_answer(&handshake->deflate));
}
