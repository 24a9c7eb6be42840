/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL as a client, and plain sockets that look the same.
 */
#include "jobs/dial_pipe.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

SSL_CTX *
pipe_tls_create(const char *ca_file)
{
	static const unsigned char http[] = "\x08http/1.1";
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	bool is_read;

	must(tls != NULL);
	ERR_clear_error();
	is_read = (ca_file[0] == '\0' ?
	    SSL_CTX_set_default_verify_paths(tls) :
	    SSL_CTX_load_verify_file(tls, ca_file)) == 1;
	ERR_clear_error();
	if (!is_read || SSL_CTX_set_min_proto_version(tls,
	    TLS1_2_VERSION) != 1) {
		SSL_CTX_free(tls);
		return (NULL);
	}
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_alpn_protos(tls, http, sizeof http - 1);
	return (tls);
}

void
pipe_init(struct pipe *pipe, int fd, SSL_CTX *tls, const char *host,
    bool is_ip)
{
	bool is_set;

	*pipe = (struct pipe){ .fd = fd };
	if (tls == NULL)
		return;
	pipe->ssl = SSL_new(tls);
	must(pipe->ssl != NULL);
	SSL_set_hostflags(pipe->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_ip)
		is_set = X509_VERIFY_PARAM_set1_ip_asc(
		    SSL_get0_param(pipe->ssl), host) == 1;
	else
		is_set = SSL_set1_host(pipe->ssl, host) == 1 &&
		    SSL_set_tlsext_host_name(pipe->ssl, host) == 1;
	must(is_set && SSL_set_fd(pipe->ssl, fd) == 1);
	SSL_set_connect_state(pipe->ssl);
}

void
pipe_fini(struct pipe *pipe)
{
	if (pipe->ssl != NULL) {
		ERR_clear_error();
		if (SSL_is_init_finished(pipe->ssl))
			SSL_shutdown(pipe->ssl);
		SSL_free(pipe->ssl);
		ERR_clear_error();
	}
	if (pipe->fd >= 0)
		close(pipe->fd);
	*pipe = (struct pipe){ .fd = -1 };
}

static enum pipe_result
fail(struct pipe *pipe, const char *words)
{
	snprintf(pipe->words, sizeof pipe->words, "%s", words);
	return (PIPE_FAILED);
}

/* How a call of OpenSSL that gave no bytes is to be taken. */
static enum pipe_result
explain(struct pipe *pipe, int result)
{
	int cause = SSL_get_error(pipe->ssl, result), number = errno;
	long verdict = SSL_get_verify_result(pipe->ssl);
	unsigned long error = ERR_peek_error();
	const char *reason = error != 0 ? ERR_reason_error_string(error) :
	    NULL;

	ERR_clear_error();
	switch (cause) {
	case SSL_ERROR_WANT_READ:
		return (PIPE_WANTS_READ);
	case SSL_ERROR_WANT_WRITE:
		return (PIPE_WANTS_WRITE);
	case SSL_ERROR_ZERO_RETURN:
		return (PIPE_ENDED);
	case SSL_ERROR_SYSCALL:
		return (number == 0 ? PIPE_ENDED :
		    fail(pipe, strerror(number)));
	default:
		break;
	}
	if (error != 0 && ERR_GET_REASON(error) ==
	    SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return (PIPE_ENDED);
	if (verdict != X509_V_OK)
		return (fail(pipe, X509_verify_cert_error_string(verdict)));
	return (fail(pipe, reason != NULL ? reason : "it failed"));
}

enum pipe_result
pipe_shake(struct pipe *pipe)
{
	int result;

	if (pipe->ssl == NULL)
		return (PIPE_DONE);
	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(pipe->ssl);
	return (result == 1 ? PIPE_DONE : explain(pipe, result));
}

static enum pipe_result
explain_plain(struct pipe *pipe, ssize_t result, enum pipe_result again)
{
	if (result == 0)
		return (PIPE_ENDED);
	if (errno == EAGAIN || errno == EINTR)
		return (again);
	return (fail(pipe, strerror(errno)));
}

enum pipe_result
pipe_read(struct pipe *pipe, char *at, size_t size, size_t *len_out)
{
	ssize_t got;

	*len_out = 0;
	if (pipe->ssl != NULL) {
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_read_ex(pipe->ssl, at, size, len_out);
		return (result == 1 ? PIPE_DONE : explain(pipe, result));
	}
	got = recv(pipe->fd, at, size, MSG_DONTWAIT);
	if (got <= 0)
		return (explain_plain(pipe, got, PIPE_WANTS_READ));
	*len_out = (size_t)got;
	return (PIPE_DONE);
}

enum pipe_result
pipe_write(struct pipe *pipe, const char *at, size_t len, size_t *len_out)
{
	ssize_t sent;

	*len_out = 0;
	if (pipe->ssl != NULL) {
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_write_ex(pipe->ssl, at, len, len_out);
		return (result == 1 ? PIPE_DONE : explain(pipe, result));
	}
	sent = send(pipe->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return (explain_plain(pipe, sent, PIPE_WANTS_WRITE));
	*len_out = (size_t)sent;
	return (PIPE_DONE);
}
