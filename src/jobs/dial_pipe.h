/* SPDX-License-Identifier: MIT */
/*
 * A connected socket, with or without TLS, whose bytes go as they can.
 *
 * Holds always:
 *  1. No call waits. Which way a pipe wants to be called again it says
 *     itself: TLS may have to write in order to read.
 *  2. A certificate is checked against the host's name or address before
 *     any byte of ours goes.
 *
 *	pipe_init(&pipe, fd, tls, host);
 *	switch (pipe_shake(&pipe)) ...
 *	switch (pipe_read(&pipe, at, size, &len)) ...
 *	pipe_fini(&pipe);
 */
#ifndef JOBS_DIAL_PIPE_H
#define JOBS_DIAL_PIPE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

enum pipe_result {
	PIPE_DONE,
	PIPE_WANTS_READ,
	PIPE_WANTS_WRITE,
	PIPE_ENDED,		/* by the other side */
	PIPE_FAILED		/* pipe_words has why */
};

struct pipe {
	int	 fd;
	SSL	*ssl;		/* NULL: without TLS */
	char	 words[128];
};

/* ca_file: "" is what the system believes. NULL: it cannot be read. */
SSL_CTX	*pipe_tls_create(const char *ca_file);

/* The descriptor is the pipe's from now on. tls: NULL for none. */
void	 pipe_init(struct pipe *pipe, int fd, SSL_CTX *tls,
	    const char *host, bool is_ip);
void	 pipe_fini(struct pipe *pipe);
enum pipe_result pipe_shake(struct pipe *pipe);
enum pipe_result pipe_read(struct pipe *pipe, char *at, size_t size,
	    size_t *len_out);
enum pipe_result pipe_write(struct pipe *pipe, const char *at, size_t len,
	    size_t *len_out);

#endif
