/* SPDX-License-Identifier: MIT */
/*
 * Setting up OpenSSL.
 */
#include "plat/tls.h"

#include <openssl/err.h>
#include <stdio.h>

#include "base/must.h"

static char why[512];

static const char *
explain(const char *what, const char *file)
{
	unsigned long number = ERR_peek_error();
	const char *reason = number != 0 ? ERR_reason_error_string(number) :
	    NULL;

	if (file != NULL)
		snprintf(why, sizeof why, "%s %s: %s", what, file,
		    reason != NULL ? reason : "unknown reason");
	else
		snprintf(why, sizeof why, "%s: %s", what,
		    reason != NULL ? reason : "unknown reason");
	ERR_clear_error();
	return (why);
}

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *context)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)context;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in,
	    in_len) != OPENSSL_NPN_NEGOTIATED)
		return (SSL_TLSEXT_ERR_NOACK);
	*out = chosen;
	return (SSL_TLSEXT_ERR_OK);
}

/* A key that is locked is refused, not asked about on the terminal. */
static int
know_no_password(char *at, int size, int is_writing, void *context)
{
	(void)at;
	(void)size;
	(void)is_writing;
	(void)context;
	return (-1);
}

static const char *
load(SSL_CTX *tls, const char *certificate_file, const char *key_file)
{
	if (SSL_CTX_use_certificate_chain_file(tls, certificate_file) != 1)
		return (explain("cannot read the certificate",
		    certificate_file));
	if (SSL_CTX_use_PrivateKey_file(tls, key_file,
	    SSL_FILETYPE_PEM) != 1)
		return (explain("cannot read the private key", key_file));
	if (SSL_CTX_check_private_key(tls) != 1)
		return (explain("the private key does not belong to the "
		    "certificate", NULL));
	return (NULL);
}

SSL_CTX *
tls_create(const char *certificate_file, const char *key_file,
    const char **why_out)
{
	static const unsigned char id[] = "partyline";
	SSL_CTX *tls;

	ERR_clear_error();
	tls = SSL_CTX_new(TLS_server_method());
	must(tls != NULL);
	if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1)
		must_never("OpenSSL knows TLS 1.2");
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
	    SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(tls, id, sizeof id - 1);
	SSL_CTX_set_num_tickets(tls, 1);
	SSL_CTX_set_default_passwd_cb(tls, know_no_password);
	SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
	*why_out = load(tls, certificate_file, key_file);
	if (*why_out != NULL)
		tls_destroy(&tls);
	return (tls);
}

void
tls_destroy(SSL_CTX **tls)
{
	SSL_CTX_free(*tls);
	*tls = NULL;
}
