/* SPDX-License-Identifier: MIT */
/*
 * plat/sock under TLS: the same calls, on sockets that h2o keeps. The client
 * is OpenSSL in another process.
 */
#include <fcntl.h>
#include <h2o.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/count.h"
#include "sock_pair.h"

static SSL_CTX *server;
static struct owner one;
static int go[2];			/* the client waits for a byte */

static SSL_CTX *
server_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	ok(SSL_CTX_use_certificate(context, certificate) == 1);
	ok(SSL_CTX_use_PrivateKey(context, key) == 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return (context);
}

/* The client. */

static SSL *
client_begin(int fd)
{
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));

	fcntl(fd, F_SETFL, 0);
	SSL_set_fd(ssl, fd);
	ok(SSL_connect(ssl) == 1);
	return (ssl);
}

static void
client_write(SSL *ssl, const char *string)
{
	is(SSL_write(ssl, string, (int)strlen(string)), strlen(string));
}

/* All until the end; how it ended. */
static int
client_read_all(SSL *ssl, struct buf *got)
{
	char at[5000];
	int len;

	while ((len = SSL_read(ssl, at, sizeof at)) > 0)
		buf_add(got, text_from(at, (size_t)len));
	return (SSL_get_error(ssl, len));
}

static void
client_wait(void)
{
	char byte;

	ok(read(go[0], &byte, 1) == 1);
}

static unsigned
count_numbers(const struct buf *got, text *rest_out)
{
	unsigned number = 0;
	char wanted[16];
	size_t at = 0;

	for (; at + 1000 <= got->len; at += 1000) {
		snprintf(wanted, sizeof wanted, "<%u.", number + 1);
		if (!text_begins(text_from(got->at + at, 1000),
		    text_of(wanted)))
			break;
		number++;
	}
	*rest_out = text_from(got->at + at, got->len - at);
	return (number);
}

/* The server's side of it. */

static bool is_shaken, is_adopting_early;

static void
adopt(h2o_socket_t *from)
{
	one.sock = sock_adopt(socks, from, &acts, &one);
	ok(one.sock != NULL);
}

static void
on_request(h2o_socket_t *from, const char *error)
{
	ok(error == NULL);
	if (from->input->size < 13)
		return;
	h2o_buffer_consume(&from->input, 8);
	adopt(from);
}

static void
on_handshake(h2o_socket_t *from, const char *error)
{
	is_shaken = true;
	if (!ok(error == NULL))
		return;
	if (is_adopting_early)
		h2o_socket_read_start(from, on_request);
	else
		adopt(from);
}

/* Both ends; the client's runs in a child. */
static pid_t
begin_pair(void (*client)(SSL *ssl), bool is_small)
{
	int fd = pair(&one.client, is_small);
	h2o_socket_t *from;
	pid_t pid = child_start();

	if (pid == 0) {
		close(fd);
		client(client_begin(one.client));
		child_done();
	}
	close(one.client);
	buf_init(&one.in, BUF_NO_LIMIT);
	one.look_ms = 60000;
	is_shaken = false;
	from = h2o_evloop_socket_create(loop_h2o(loop), fd, 0);
	h2o_socket_ssl_handshake(from, server, NULL, on_handshake);
	until(is_shaken && (is_adopting_early || one.sock != NULL));
	return (pid);
}

static bool
has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG |
	    WNOWAIT) == 0 && info.si_pid == pid);
}

static void
end_pair(pid_t pid)
{
	if (one.sock != NULL)
		sock_cut(one.sock, "the test is over");
	until(one.closes == 1);
	/* The end of TLS takes h2o some turns. */
	until(has_ended(pid));
	ok(child_was_fine(pid));
	buf_fini(&one.in);
	memset(&one, 0, sizeof one);
}

static void
client_of_talk(SSL *ssl)
{
	struct buf got;
	text rest;

	buf_init(&got, BUF_NO_LIMIT);
	client_write(ssl, "hello");
	client_write(ssl, " again");
	is(client_read_all(ssl, &got), SSL_ERROR_ZERO_RETURN);
	is(count_numbers(&got, &rest), 300);
	is_text(rest, "FAREWELL");
	buf_fini(&got);
}

static void
check_talk(void)
{
	struct bytes *farewell = bytes_of("FAREWELL");
	pid_t pid;

	test("TLS: both directions, many turns, the farewell, a clean end");
	pid = begin_pair(client_of_talk, false);
	until(one.in.len == 11);
	is_text(buf_text(&one.in), "hello again");
	for (unsigned i = 1; i <= 300; i++) {
		send_number(&one, i);
		if (i % 7 == 0)
			loop_turn(loop, 0);
		if (!sock_has_room(one.sock))
			until(sock_has_room(one.sock));
	}
	sock_close(one.sock, farewell, SOCK_WHEN_SENT, 10000);
	until(one.closes == 1);
	is_text(one.why, "closed");
	is(one.overflows, 0);
	is(farewell->holders, 1);
	end_pair(pid);
	bytes_give(&farewell);
}

static void
client_of_early(SSL *ssl)
{
	struct buf got;

	buf_init(&got, BUF_NO_LIMIT);
	client_write(ssl, "REQUEST early");
	client_wait();
	client_write(ssl, " late");
	SSL_shutdown(ssl);
	shutdown(SSL_get_fd(ssl), SHUT_WR);
	client_read_all(ssl, &got);
	buf_fini(&got);
}

static void
check_early(void)
{
	pid_t pid;

	test("TLS: what came with the request is told first");
	is_adopting_early = true;
	pid = begin_pair(client_of_early, false);
	until(one.sock != NULL);
	until(one.in.len == 5);
	sock_pause(one.sock);
	ok(write(go[1], "", 1) == 1);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(loop, 1);
	is(one.in.len, 5);
	sock_resume(one.sock);
	until(one.closes == 1);
	is_text(buf_text(&one.in), "early late");
	is_text(one.why, "closed by the peer");
	is_adopting_early = false;
	end_pair(pid);
}

static void
client_of_slow(SSL *ssl)
{
	struct buf got;
	unsigned number;
	text rest;

	buf_init(&got, BUF_NO_LIMIT);
	client_wait();
	client_read_all(ssl, &got);
	number = count_numbers(&got, &rest);
	ok(number > 0);
	is_text(rest, "FAREWELL");
	buf_fini(&got);
}

static void
say_farewell(struct owner *owner)
{
	struct bytes *bytes = bytes_of("FAREWELL");

	if (owner->overflows == 1)
		sock_close(owner->sock, bytes, SOCK_WHEN_SENT, 10000);
	bytes_give(&bytes);
}

static void
check_slow(void)
{
	unsigned sent = 0;
	pid_t pid;

	test("TLS: who is slow gets whole messages, then the farewell");
	pid = begin_pair(client_of_slow, true);
	one.then = say_farewell;
	while (one.overflows == 0 && sent < 100000) {
		send_number(&one, ++sent);
		if (sent % 8 == 0)
			loop_turn(loop, 0);
	}
	until(one.overflows == 1);
	is_text(one.why, "the queue is full");
	ok(write(go[1], "", 1) == 1);
	until(one.closes == 1);
	is_text(one.why, "closed");
	end_pair(pid);
}

static void
client_of_old(SSL *ssl)
{
	(void)ssl;
	client_wait();
}

static void
check_old(void)
{
	unsigned sent = 0;
	pid_t pid;

	test("TLS: what waits too long closes");
	rules.age_max_ms = 300;
	pid = begin_pair(client_of_old, true);
	while (sock_queued(one.sock) < 20000 && sent < 100000) {
		send_number(&one, ++sent);
		if (sent % 8 == 0)
			loop_turn(loop, 0);
	}
	until(one.overflows == 1);
	until(one.closes == 1);
	is_text(one.why, "the queue is too old");
	ok(write(go[1], "", 1) == 1);
	rules.age_max_ms = 60000;
	end_pair(pid);
}

static void
send_live(const char *what, uint64_t key)
{
	send_string(&one, what, SOCK_LIVE, key);
}

static void
check_live(void)
{
	struct bytes *large = bytes_create(1 << 20);
	uint64_t before = counts->counters[COUNTER_sock_drops];
	unsigned sent = 0;
	pid_t pid;

	test("TLS: a LIVE one takes the place of one of its key alone");
	memset(large->at, '.', large->len);
	pid = begin_pair(client_of_old, true);
	sock_send(one.sock, large, SOCK_NUMBERED, 0);
	until(sock_queued(one.sock) == 0);
	send_live("first", 1);
	while (sock_has_room(one.sock))
		send_number(&one, ++sent);
	send_live("second", 2);
	is(counts->counters[COUNTER_sock_drops] - before, 0);
	send_live("first again", 1);
	is(counts->counters[COUNTER_sock_drops] - before, 1);
	ok(write(go[1], "", 1) == 1);
	end_pair(pid);
	bytes_give(&large);
}

static void
cut_self(struct owner *owner)
{
	sock_cut(owner->sock, "cut by itself");
}

static void
client_of_cut(SSL *ssl)
{
	struct buf got;

	buf_init(&got, BUF_NO_LIMIT);
	client_write(ssl, "hello");
	client_read_all(ssl, &got);
	is(got.len, 0);
	buf_fini(&got);
}

static void
check_cut(void)
{
	pid_t pid;

	test("TLS: a socket may be cut in its own on_bytes");
	one.then = cut_self;
	pid = begin_pair(client_of_cut, false);
	until(one.closes == 1);
	is_text(one.why, "cut by itself");
	end_pair(pid);

	test("TLS: destroying the set closes it");
	pid = begin_pair(client_of_cut, false);
	until(one.in.len == 5);
	end();
	is(one.closes, 1);
	is_text(one.why, "the server stops");
	ok(child_was_fine(pid));
	buf_fini(&one.in);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test("there is a certificate");
	server = server_context();
	ok(pipe(go) == 0);
	begin();
	check_talk();
	check_early();
	check_slow();
	check_old();
	check_live();
	check_cut();
	SSL_CTX_free(server);
	return (done());
}
