/* SPDX-License-Identifier: MIT */
/*
 * Writing the request and reading the answer.
 */
#include "jobs/dial_handshake.h"

#include <curl/curl.h>
#include <openssl/evp.h>

#include "base/address.h"
#include "base/mem.h"
#include "base/secret.h"
#include "jobs/dial.h"
#include "plat/digest.h"

/* URLs. */

static bool
read_part(CURLU *url, CURLUPart what, unsigned flags, struct buf *out)
{
	char *part = NULL;

	if (curl_url_get(url, what, &part, flags) != CURLUE_OK) {
		/* 7.88 leaves here what has no form in punycode. */
		curl_free(part);
		return (false);
	}
	buf_add_string(out, part);
	curl_free(part);
	return (true);
}

static bool
read_host(CURLU *url, struct dial_target *target)
{
	struct address address;
	struct buf host;
	bool is_read;
	text name;

	buf_init(&host, BUF_NO_LIMIT);
	is_read = read_part(url, CURLUPART_HOST, CURLU_PUNYCODE, &host);
	name = buf_text(&host);
	if (name.len > 2 && name.at[0] == '[')
		name = text_from(name.at + 1, name.len - 2);
	buf_add(&target->host, name);
	target->is_ip = address_read_peer(name, &address);
	buf_add(&target->name, buf_text(&host));
	buf_fini(&host);
	return (is_read && name.len > 0);
}

static void
read_target(CURLU *url, struct dial_target *target, const char **why_out)
{
	struct buf scheme, port, user;

	buf_init(&scheme, BUF_NO_LIMIT);
	buf_init(&port, BUF_NO_LIMIT);
	buf_init(&user, BUF_NO_LIMIT);
	read_part(url, CURLUPART_SCHEME, 0, &scheme);
	target->is_tls = text_is_like(buf_text(&scheme), TEXT("wss"));
	if (!target->is_tls &&
	    !text_is_like(buf_text(&scheme), TEXT("ws")))
		*why_out = "the URL is neither wss: nor ws:";
	else if (read_part(url, CURLUPART_USER, 0, &user) ||
	    read_part(url, CURLUPART_PASSWORD, 0, &user))
		*why_out = "the URL has a user or a password in it";
	else if (!read_host(url, target))
		*why_out = "the URL cannot be read";
	else {
		if (read_part(url, CURLUPART_PORT, 0, &port)) {
			buf_add_char(&target->name, ':');
			buf_add(&target->name, buf_text(&port));
		} else
			buf_add_string(&port, target->is_tls ? "443" : "80");
		read_part(url, CURLUPART_PATH, 0, &target->ask);
		buf_add_char(&target->ask, '?');
		if (!read_part(url, CURLUPART_QUERY, 0, &target->ask))
			target->ask.at[--target->ask.len] = '\0';
		buf_printf(&target->connect,
		    target->is_ip && strchr(target->host.at, ':') != NULL ?
		    "http://[%s]:%s/" : "http://%s:%s/", target->host.at,
		    port.at);
	}
	buf_fini(&scheme);
	buf_fini(&port);
	buf_fini(&user);
}

bool
dial_target_read(const char *url, struct dial_target *out,
    const char **why_out)
{
	CURLU *read = curl_url();

	must(read != NULL);
	*out = (struct dial_target){ .is_tls = false };
	buf_init(&out->host, BUF_NO_LIMIT);
	buf_init(&out->connect, BUF_NO_LIMIT);
	buf_init(&out->ask, BUF_NO_LIMIT);
	buf_init(&out->name, BUF_NO_LIMIT);
	*why_out = NULL;
	if (curl_url_set(read, CURLUPART_URL, url,
	    CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		read_target(read, out, why_out);
	else
		*why_out = "the URL cannot be read";
	curl_url_cleanup(read);
	return (*why_out == NULL);
}

void
dial_target_fini(struct dial_target *target)
{
	buf_fini(&target->host);
	buf_fini(&target->connect);
	buf_fini(&target->ask);
	buf_fini(&target->name);
}

/* The request. */

void
handshake_make_key(char out[HANDSHAKE_KEY_SIZE])
{
	unsigned char bytes[16];

	secret_fill(bytes, sizeof bytes);
	EVP_EncodeBlock((unsigned char *)out, bytes, sizeof bytes);
}

void
handshake_write(const struct dial_target *target, const char *key,
    const struct dial_request *request, struct buf *out)
{
	buf_printf(out, "GET %s HTTP/1.1\r\nHost: %s\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
	    "User-Agent: Partyline\r\n", target->ask.at, target->name.at,
	    key);
	if (request->protocol != NULL)
		buf_printf(out, "Sec-WebSocket-Protocol: %s\r\n",
		    request->protocol);
	for (unsigned i = 0; i < request->header_count; i++) {
		const struct fetch_header *header = &request->headers[i];

		must(!text_has(header->value, '\r') &&
		    !text_has(header->value, '\n') &&
		    !text_has(header->value, '\0'));
		buf_printf(out, "%s: %.*s\r\n", header->name,
		    TEXT_ARGS(header->value));
	}
	buf_add_string(out, "\r\n");
}

/* The answer. */

static bool
has_word(text list, text wanted)
{
	text word;

	while (list.len > 0) {
		text_cut(list, ',', &word, &list);
		if (text_is_like(text_trim(word), wanted))
			return (true);
	}
	return (false);
}

static bool
is_accepted(text value, const char *key)
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char joined[HANDSHAKE_KEY_SIZE + sizeof magic];
	char digest[DIGEST_SHA1_SIZE];

	snprintf(joined, sizeof joined, "%s%s", key, magic);
	digest_sha1(text_of(joined), digest);
	return (text_is(value, text_of(digest)));
}

struct answer_head {
	text	upgrade, connection, accept, protocol, extensions;
	text	length, encoding, retry_after;
};

/* Takes a line with its end off the front; false: none is whole. */
static bool
next_line(text *rest, text *line_out)
{
	text line, tail;

	if (!text_cut(*rest, '\n', &line, &tail))
		return (false);
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	*line_out = line;
	*rest = tail;
	return (true);
}

/* HTTP/1.1 101 and whatever. */
static bool
read_status(text line, int *status_out)
{
	int64_t status;

	if (line.len < 12 || (line.len > 12 && line.at[12] != ' ') ||
	    (!text_begins(line, TEXT("HTTP/1.1 ")) &&
	    !text_begins(line, TEXT("HTTP/1.0 "))) ||
	    !text_to_int64(text_from(line.at + 9, 3), 100, 999, &status))
		return (false);
	*status_out = (int)status;
	return (true);
}

static bool
read_header(text line, struct answer_head *head)
{
	static const struct {
		text	name;
		size_t	at;
	} known[] = {
#define KNOWN(header, member) { TEXT(header), offsetof(struct answer_head, \
    member) }
		KNOWN("upgrade", upgrade), KNOWN("connection", connection),
		KNOWN("sec-websocket-accept", accept),
		KNOWN("sec-websocket-protocol", protocol),
		KNOWN("sec-websocket-extensions", extensions),
		KNOWN("content-length", length),
		KNOWN("transfer-encoding", encoding),
		KNOWN("retry-after", retry_after),
#undef KNOWN
	};
	text name, value;

	if (!text_cut(line, ':', &name, &value) || name.len == 0)
		return (false);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		text *place = (text *)((char *)head + known[i].at);

		if (!text_is_like(name, known[i].name))
			continue;
		if (place->at != NULL)
			return (false);		/* twice */
		*place = text_trim(value);
	}
	return (true);
}

static const char *
find_wrong(const struct answer_head *head, const char *key,
    const char *protocol)
{
	if (!has_word(head->upgrade, TEXT("websocket")) ||
	    !has_word(head->connection, TEXT("upgrade")))
		return ("it does not say that it became a WebSocket");
	if (!is_accepted(head->accept, key))
		return ("it did not answer our key");
	if (head->extensions.len > 0)
		return ("it uses an extension nobody asked for");
	if (head->protocol.len > 0 && (protocol == NULL ||
	    !text_is(head->protocol, text_of(protocol))))
		return ("it speaks a protocol nobody asked for");
	return (NULL);
}

static enum handshake
judge(const struct answer_head *head, const char *key, const char *protocol,
    struct handshake_answer *out)
{
	out->body_len = -1;
	if (out->status == 101) {
		out->words = find_wrong(head, key, protocol);
		return (out->words == NULL ? HANDSHAKE_UPGRADED :
		    HANDSHAKE_BROKEN);
	}
	if (head->encoding.len == 0)
		text_to_int64(head->length, 0, INT64_MAX, &out->body_len);
	text_to_int64(head->retry_after, 0, INT64_MAX, &out->retry_after_s);
	return (HANDSHAKE_REFUSED);
}

enum handshake
handshake_read(text got, const char *key, const char *protocol,
    struct handshake_answer *out)
{
	struct answer_head head = { .upgrade = TEXT_NONE };
	text rest = got, line;

	*out = (struct handshake_answer){ .status = 0,
	    .words = "what answers there does not speak HTTP" };
	while (next_line(&rest, &line)) {
		if (out->status == 0) {
			if (!read_status(line, &out->status))
				return (HANDSHAKE_BROKEN);
			continue;
		}
		if (line.len > 0) {
			if (!read_header(line, &head))
				return (HANDSHAKE_BROKEN);
			continue;
		}
		if (out->status >= 200 || out->status == 101) {
			out->head_len = got.len - rest.len;
			return (judge(&head, key, protocol, out));
		}
		/* It goes on, as 100 and 103 do. */
		out->status = 0;
		head = (struct answer_head){ .upgrade = TEXT_NONE };
	}
	/* Only what is whole was told. */
	out->status = 0;
	if (got.len - rest.len <= HANDSHAKE_MAX && got.len <= HANDSHAKE_MAX)
		return (HANDSHAKE_NEEDS_MORE);
	out->words = "its headers are too large";
	return (HANDSHAKE_BROKEN);
}
