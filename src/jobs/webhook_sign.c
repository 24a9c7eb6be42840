/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's HMAC around what the two forms sign.
 */
#include "jobs/webhook_sign.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/mem.h"

#define CODE_SIZE	32
#define BASE64_SIZE	45

static void
sign(text key, text message, unsigned char out[CODE_SIZE])
{
	unsigned len = 0;

	if (HMAC(EVP_sha256(), key.len > 0 ? key.at : "", (int)key.len,
	    (const unsigned char *)(message.len > 0 ? message.at : ""),
	    message.len, out, &len) == NULL)
		must_never("OpenSSL has HMAC");
	must(len == CODE_SIZE);
}

/* The six bits of a sign of base64; 64: it is none. */
static unsigned
bits_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return ((unsigned)(c - 'A'));
	if (c >= 'a' && c <= 'z')
		return ((unsigned)(c - 'a') + 26);
	if (c >= '0' && c <= '9')
		return ((unsigned)(c - '0') + 52);
	return (c == '+' ? 62 : c == '/' ? 63 : 64);
}

/* Padding may be there or not. false: it is no base64, or empty. */
static bool
decode(text base64, struct buf *out)
{
	unsigned held = 0, word = 0;

	for (unsigned i = 0; i < 2 && text_ends(base64, TEXT("=")); i++)
		base64.len--;
	if (base64.len == 0 || base64.len % 4 == 1)
		return (false);
	for (size_t i = 0; i < base64.len; i++) {
		unsigned bits = bits_of(base64.at[i]);

		if (bits > 63)
			return (false);
		word = (word << 6 | bits) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			buf_add_char(out, (char)(word >> held & 0xff));
		}
	}
	return (true);
}

static void
add_signature(text secret, text message, struct buf *out)
{
	unsigned char code[CODE_SIZE], base64[BASE64_SIZE];
	text prefix = TEXT("whsec_"), key = secret;
	struct buf decoded;

	buf_init(&decoded, BUF_NO_LIMIT);
	if (text_begins(secret, prefix) && decode(text_from(secret.at +
	    prefix.len, secret.len - prefix.len), &decoded))
		key = buf_text(&decoded);
	sign(key, message, code);
	EVP_EncodeBlock(base64, code, sizeof code);
	buf_printf(out, "%sv1,%s", out->len > 0 ? " " : "",
	    (const char *)base64);
	if (decoded.len > 0)
		OPENSSL_cleanse(decoded.at, decoded.len);
	buf_fini(&decoded);
}

void
webhook_sign(const text *secrets, unsigned count, text id, int64_t stamp_s,
    text body, struct buf *out)
{
	struct buf message;

	must(count > 0);
	buf_init(&message, BUF_NO_LIMIT);
	buf_add(&message, id);
	buf_printf(&message, ".%" PRId64 ".", stamp_s);
	buf_add(&message, body);
	for (unsigned i = 0; i < count; i++)
		add_signature(secrets[i], buf_text(&message), out);
	buf_fini(&message);
}

void
webhook_sign_legacy(text secret, text body, char out[WEBHOOK_LEGACY_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char code[CODE_SIZE];
	char *at = out + sizeof "sha256=" - 1;

	memcpy(out, "sha256=", sizeof "sha256=" - 1);
	sign(secret, body, code);
	for (unsigned i = 0; i < CODE_SIZE; i++) {
		*at++ = digits[code[i] >> 4];
		*at++ = digits[code[i] & 15];
	}
	*at = '\0';
}
