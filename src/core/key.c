/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's HMAC and scrypt around one line of text.
 */
#include "core/key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/secret.h"

#define SALT_SIZE 16
#define PROOF_SIZE 32

/* What a text may ask for: 64 MiB, and eight times the work of today. */
#define MEMORY_MAX (64 << 20)
#define WORK_MAX (8 * 16384 * 8)
#define SALT_SIZE_MIN 8
#define SALT_SIZE_MAX 64

struct scrypt {
	uint64_t	n;
	uint64_t	r;
	uint64_t	p;
	size_t		salt_len;
	unsigned char	salt[SALT_SIZE_MAX];
	unsigned char	proof[PROOF_SIZE];
};

/* The costs of new hashes, and of proving that there is nobody. */
static const struct scrypt today = { .n = 16384, .r = 8, .p = 1,
    .salt_len = SALT_SIZE };

static void
hex_write(const unsigned char *from, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[from[i] >> 4];
		out[2 * i + 1] = digits[from[i] & 15];
	}
	out[2 * len] = '\0';
}

/* As hex_write writes it: small letters, nothing beside it. */
static bool
hex_read(text t, unsigned char *out, size_t most, size_t *len_out)
{
	if (t.len % 2 != 0 || t.len / 2 > most)
		return (false);
	for (size_t i = 0; i < t.len; i++) {
		char c = t.at[i];
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
		    c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;

		if (digit == 16)
			return (false);
		if (i % 2 == 0)
			out[i / 2] = (unsigned char)(digit << 4);
		else
			out[i / 2] |= (unsigned char)digit;
	}
	*len_out = t.len / 2;
	return (true);
}

static bool
cost_read(text *rest, uint64_t *out)
{
	text word;
	int64_t number;

	if (!text_cut(*rest, '$', &word, rest) ||
	    !text_to_int64(word, 1, MEMORY_MAX, &number))
		return (false);
	*out = (uint64_t)number;
	return (true);
}

static bool
scrypt_read(text hash, struct scrypt *out)
{
	text word, rest;
	size_t proof_len;

	if (!text_cut(hash, '$', &word, &rest) ||
	    !text_is(word, TEXT("scrypt")) ||
	    !cost_read(&rest, &out->n) || !cost_read(&rest, &out->r) ||
	    !cost_read(&rest, &out->p) ||
	    !text_cut(rest, '$', &word, &rest) ||
	    !hex_read(word, out->salt, SALT_SIZE_MAX, &out->salt_len) ||
	    !hex_read(rest, out->proof, PROOF_SIZE, &proof_len))
		return (false);
	/* Divided, not multiplied: nothing here can overflow. */
	return (out->n > 1 && (out->n & (out->n - 1)) == 0 &&
	    out->n <= MEMORY_MAX / 128 / out->r &&
	    out->p <= WORK_MAX / (out->n * out->r) &&
	    out->salt_len >= SALT_SIZE_MIN && proof_len == PROOF_SIZE);
}

/* What the key comes to under these costs and this salt. */
static void
scrypt_prove(const struct scrypt *scrypt, text key,
    unsigned char proof_out[PROOF_SIZE])
{
	if (EVP_PBE_scrypt(key.len > 0 ? key.at : "", key.len, scrypt->salt,
	    scrypt->salt_len, scrypt->n, scrypt->r, scrypt->p,
	    2 * (uint64_t)MEMORY_MAX, proof_out, PROOF_SIZE) != 1)
		must_never("OpenSSL has scrypt within our bounds");
}

bool
key_is_fit(text key)
{
	size_t signs = 0;

	for (size_t i = 0; i < key.len; i++)
		signs += ((unsigned char)key.at[i] & 0xc0) != 0x80;
	return (signs > 0 && signs <= KEY_SIGNS_MAX && text_is_utf8(key) &&
	    !text_has(key, '\0'));
}

void
key_lookup(text secret, int32_t tenant, text key, char out[KEY_LOOKUP_SIZE])
{
	unsigned char code[EVP_MAX_MD_SIZE];
	struct buf message;
	unsigned len = 0;

	must(secret.len > 0);
	buf_init(&message, BUF_NO_LIMIT);
	buf_printf(&message, "admin-key:%d:", tenant);
	buf_add(&message, key);
	if (HMAC(EVP_sha256(), secret.at, (int)secret.len,
	    (unsigned char *)message.at, message.len, code, &len) == NULL)
		must_never("OpenSSL has HMAC");
	must(2 * len + 1 == KEY_LOOKUP_SIZE);
	hex_write(code, len, out);
	buf_fini(&message);
}

void
key_hash(text key, char out[KEY_HASH_SIZE])
{
	struct scrypt scrypt = today;
	char salt[2 * SALT_SIZE + 1], proof[2 * PROOF_SIZE + 1];
	int len;

	secret_fill(scrypt.salt, SALT_SIZE);
	scrypt_prove(&scrypt, key, scrypt.proof);
	hex_write(scrypt.salt, SALT_SIZE, salt);
	hex_write(scrypt.proof, PROOF_SIZE, proof);
	len = snprintf(out, KEY_HASH_SIZE, "scrypt$%u$%u$%u$%s$%s",
	    (unsigned)scrypt.n, (unsigned)scrypt.r, (unsigned)scrypt.p, salt,
	    proof);
	must(len == KEY_HASH_SIZE - 1);
}

bool
key_check(text key, text hash)
{
	struct scrypt scrypt = { 0 };
	unsigned char proof[PROOF_SIZE];

	if (!scrypt_read(hash, &scrypt))
		return (key_check_nobody(key));
	scrypt_prove(&scrypt, key, proof);
	return (secret_is(text_from((char *)proof, PROOF_SIZE),
	    text_from((char *)scrypt.proof, PROOF_SIZE)));
}

bool
key_check_nobody(text key)
{
	unsigned char proof[PROOF_SIZE];

	scrypt_prove(&today, key, proof);
	return (false);
}
