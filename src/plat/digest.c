/* SPDX-License-Identifier: MIT */
/*
 * Calling OpenSSL for digests.
 */
#include "plat/digest.h"

#include <openssl/evp.h>

#include "base/mem.h"

struct digest {
	unsigned	 magic;
#define DIGEST_MAGIC 0x64696765
	EVP_MD_CTX	*openssl;
};

/*
 * What OpenSSL looks up and allocates for a digest costs more than a short
 * text's digest does, so each thread keeps it.
 */
struct kept {
	const char	*name;
	size_t		 size;
	EVP_MD		*openssl;
	EVP_MD_CTX	*context;
};

static void
digest_kept(struct kept *kept, text t, unsigned char *out)
{
	unsigned len = 0;

	if (kept->context == NULL) {
		kept->openssl = EVP_MD_fetch(NULL, kept->name, NULL);
		kept->context = EVP_MD_CTX_new();
	}
	if (EVP_DigestInit_ex(kept->context, kept->openssl, NULL) != 1 ||
	    EVP_DigestUpdate(kept->context, t.at, t.len) != 1 ||
	    EVP_DigestFinal_ex(kept->context, out, &len) != 1)
		must_never("OpenSSL has SHA-256 and SHA-1");
	must(len == kept->size);
}

void
digest_of(text t, unsigned char out[DIGEST_SIZE])
{
	static _Thread_local struct kept sha256 = { "SHA256", DIGEST_SIZE,
	    NULL, NULL };

	digest_kept(&sha256, t, out);
}

static void
write_hex(const unsigned char hash[DIGEST_SIZE], char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	must(size > 0 && size - 1 <= 2 * DIGEST_SIZE);
	for (size_t i = 0; i < size - 1; i++)
		out[i] = digits[i % 2 == 0 ? hash[i / 2] >> 4 :
		    hash[i / 2] & 15];
	out[size - 1] = '\0';
}

void
digest_as_hex(text t, char *out, size_t size)
{
	unsigned char hash[DIGEST_SIZE];

	digest_of(t, hash);
	write_hex(hash, out, size);
}

struct digest *
digest_begin(void)
{
	struct digest *digest = object_create(struct digest, DIGEST_MAGIC);

	digest->openssl = EVP_MD_CTX_new();
	if (digest->openssl == NULL ||
	    EVP_DigestInit_ex(digest->openssl, EVP_sha256(), NULL) != 1)
		must_never("OpenSSL has SHA-256");
	return (digest);
}

void
digest_add(struct digest *digest, text t)
{
	object_check(digest, DIGEST_MAGIC);
	if (EVP_DigestUpdate(digest->openssl, t.at, t.len) != 1)
		must_never("OpenSSL takes bytes");
}

void
digest_end(struct digest **digest, char out[DIGEST_HEX_SIZE])
{
	unsigned char hash[DIGEST_SIZE];
	unsigned len = 0;

	object_check(*digest, DIGEST_MAGIC);
	if (EVP_DigestFinal_ex((*digest)->openssl, hash, &len) != 1)
		must_never("OpenSSL has an end");
	must(len == DIGEST_SIZE);
	EVP_MD_CTX_free((*digest)->openssl);
	object_free(digest);
	write_hex(hash, out, DIGEST_HEX_SIZE);
}

void
digest_sha1(text t, char out[DIGEST_SHA1_SIZE])
{
	static _Thread_local struct kept sha1 = { "SHA1", 20, NULL, NULL };
	unsigned char hash[20];

	digest_kept(&sha1, t, hash);
	EVP_EncodeBlock((unsigned char *)out, hash, sizeof hash);
}

void
digest_as_base64(text t, char out[DIGEST_BASE64_SIZE])
{
	unsigned char hash[DIGEST_SIZE];

	digest_of(t, hash);
	EVP_EncodeBlock((unsigned char *)out, hash, sizeof hash);
}
