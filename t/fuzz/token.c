/* SPDX-License-Identifier: MIT */
/*
 * Tokens. What begins with { is a header, a line's end and a payload, and is
 * signed here, so that claims are reached too; all else is a token as it is.
 * What is believed is within the bounds, and made anew it is believed again.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>

#include "core/token.h"

#define NOW 1800000000LL

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct token_key keys[] = {
	{ TEXT("one"), TEXT("0123456789abcdef0123456789abcdef") },
	{ TEXT("two"), TEXT("the second of two keys, long enough") },
};

static void
add_part(text bytes, struct buf *out)
{
	unsigned char *coded = mem_alloc(bytes.len * 2 + 8);
	int len = EVP_EncodeBlock(coded, (const unsigned char *)bytes.at,
	    (int)bytes.len);

	for (int i = 0; i < len && coded[i] != '='; i++)
		buf_add_char(out, coded[i] == '+' ? '-' :
		    coded[i] == '/' ? '_' : (char)coded[i]);
	mem_free(coded);
}

static void
sign(text head, text payload, struct buf *out)
{
	unsigned char code[EVP_MAX_MD_SIZE];
	unsigned len;

	add_part(head, out);
	buf_add_char(out, '.');
	add_part(payload, out);
	must(HMAC(EVP_sha256(), keys[0].secret.at, (int)keys[0].secret.len,
	    (const unsigned char *)out->at, out->len, code, &len) != NULL);
	buf_add_char(out, '.');
	add_part(text_from((char *)code, len), out);
}

static void
check_good(text compact, const struct token *token, struct arena *arena)
{
	struct token again;
	struct buf buf;

	must(compact.len <= TOKEN_MAX && token->exp > NOW);
	must(token->rank > RANK_NONE && token->rank < RANKS);
	must(token->tenant > 0 && token_name_is_fit(token->name));
	must(token->iat <= NOW + TOKEN_SKEW_S);
	must(token->jti.len <= TOKEN_ID_MAX && token->kid.len > 0);
	buf_init(&buf, BUF_NO_LIMIT);
	must(token_make(&keys[1], token, &buf));
	must(token_read(keys, 2, buf_text(&buf), NOW, arena, &again) ==
	    TOKEN_GOOD);
	must(again.rank == token->rank && text_is(again.name, token->name));
	must(again.tenant == token->tenant && again.exp == token->exp);
	must(again.timestamp_ms == token->timestamp_ms);
	must(text_is(again.jti, token->jti) && text_is(again.kid,
	    keys[1].id));
	/* Whoever has no key believes nobody. */
	must(token_read(keys, 1, buf_text(&buf), NOW, arena, &again) ==
	    TOKEN_UNKNOWN_KEY);
	buf_fini(&buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text compact = text_from((const char *)data, size), head, payload;
	struct arena arena;
	struct token token;
	struct buf buf;

	arena_init(&arena);
	buf_init(&buf, BUF_NO_LIMIT);
	if (size < 65536 && text_begins(compact, TEXT("{"))) {
		text_cut(compact, '\n', &head, &payload);
		sign(head, payload, &buf);
		compact = buf_text(&buf);
	}
	if (token_read(keys, 2, compact, NOW, &arena, &token) == TOKEN_GOOD) {
		check_good(compact, &token, &arena);
		/* What is believed can be shown. */
		must(token_parts(compact, &arena, &head, &payload));
	} else if (token_parts(compact, &arena, &head, &payload))
		must(head.len > 1 && payload.len > 1);
	buf_fini(&buf);
	arena_fini(&arena);
	return (0);
}
