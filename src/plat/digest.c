/* SPDX-License-Identifier: MIT */
/*
 * Calling OpenSSL for digests.
 */
#include "plat/digest.h"

#include <openssl/evp.h>

#include "base/must.h"

void
digest_as_hex(text t, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	static EVP_MD *sha256;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256 != NULL);
	if (EVP_Digest(t.at, t.len, hash, &len, sha256, NULL) != 1)
		must_never("OpenSSL has SHA-256");
	must(size > 0 && size - 1 <= 2 * (size_t)len);
	for (size_t i = 0; i < size - 1; i++)
		out[i] = digits[i % 2 == 0 ? hash[i / 2] >> 4 :
		    hash[i / 2] & 15];
	out[size - 1] = '\0';
}
