/* SPDX-License-Identifier: MIT */
/*
 * Asking a running server: one line to its control socket, one line back.
 */
#include "role/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/json.h"
#include "role/command.h"

#define ANSWER_MAX (1024 * 1024)

/* A descriptor, or -1 with errno. */
static int
dial(const char *state_dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = CTL_WAIT_MS / 1000 };
	int folder, fd = -1, error = 0;

	folder = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return (-1);
	snprintf(address.sun_path, sizeof address.sun_path,
	    "/proc/self/fd/%d/control", folder);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) ||
	    connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		error = errno;
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	close(folder);
	errno = error;
	return (fd);
}

static int
tell_unreachable(const char *state_dir, int error)
{
	if (error == EACCES || error == EPERM) {
		fprintf(stderr, "partyline: %s/control: %s; ask as the user "
		    "that runs the server\n", state_dir, strerror(error));
		return (EX_NOPERM);
	}
	if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
		fprintf(stderr, "partyline: no server runs on state_dir %s; "
		    "start it with partyline serve, or name its state_dir "
		    "by --state-dir\n", state_dir);
	else
		fprintf(stderr, "partyline: %s/control: %s\n", state_dir,
		    strerror(error));
	return (EX_UNAVAILABLE);
}

static bool
send_line(int fd, text words)
{
	struct buf line;
	size_t sent = 0;
	ssize_t n = 1;

	buf_init(&line, BUF_NO_LIMIT);
	buf_add(&line, words);
	buf_add_char(&line, '\n');
	for (; sent < line.len && n > 0; sent += n > 0 ? (size_t)n : 0)
		n = send(fd, line.at + sent, line.len - sent, MSG_NOSIGNAL);
	buf_fini(&line);
	return (n > 0);
}

/* Keeps the first descriptor that came and closes what else did. */
static void
take_descriptors(struct msghdr *packet, int *fd)
{
	struct cmsghdr *at = CMSG_FIRSTHDR(packet);

	for (; at != NULL; at = CMSG_NXTHDR(packet, at)) {
		size_t count;

		if (at->cmsg_level != SOL_SOCKET ||
		    at->cmsg_type != SCM_RIGHTS)
			continue;
		count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int got;

			memcpy(&got, CMSG_DATA(at) + i * sizeof got,
			    sizeof got);
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
}

/* Until the server closes; false, with errno, where it did not in time. */
static bool
receive(int fd, struct ctl_answer *answer)
{
	for (;;) {
		union {
			char		buffer[CMSG_SPACE(4 * sizeof(int))];
			struct cmsghdr	aligned;
		} ancillary;
		char piece[4096];
		struct iovec part = { piece, sizeof piece };
		struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1,
		    .msg_control = ancillary.buffer,
		    .msg_controllen = sizeof ancillary.buffer };
		ssize_t n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (false);
		take_descriptors(&packet, &answer->fd);
		if (n == 0)
			return (true);
		buf_add(&answer->line, text_from(piece, (size_t)n));
		if (answer->line.has_failed) {
			errno = EMSGSIZE;
			return (false);
		}
	}
}

static int
judge(struct ctl_answer *answer)
{
	text error;
	bool is_ok;

	answer->json = json_in_read(text_trim(buf_text(&answer->line)));
	if (answer->json == NULL ||
	    !json_in_bool(answer->json, "ok", &is_ok)) {
		fputs("partyline: the server was lost before its answer\n",
		    stderr);
		return (EX_UNAVAILABLE);
	}
	if (is_ok)
		return (EX_OK);
	if (!json_in_text(answer->json, "error", &error))
		error = TEXT("the server refused");
	fprintf(stderr, "partyline: %.*s\n", TEXT_ARGS(error));
	return (EX_DATAERR);
}

int
ctl_ask(const struct command *command, text words,
    struct ctl_answer *answer_out)
{
	struct buf state_dir;
	int fd, exit_code = EX_CONFIG;

	*answer_out = (struct ctl_answer){ .fd = -1 };
	buf_init(&answer_out->line, ANSWER_MAX);
	buf_init(&state_dir, BUF_NO_LIMIT);
	if (!command_state_dir(command, &state_dir))
		goto out;
	fd = dial(state_dir.at);
	if (fd < 0) {
		exit_code = tell_unreachable(state_dir.at, errno);
		goto out;
	}
	if (!send_line(fd, words) || !receive(fd, answer_out)) {
		fprintf(stderr, "partyline: %s/control: the server does not "
		    "answer: %s\n", state_dir.at,
		    errno == EAGAIN ? "time is out" : strerror(errno));
		exit_code = EX_UNAVAILABLE;
	} else
		exit_code = judge(answer_out);
	close(fd);
out:
	buf_fini(&state_dir);
	return (exit_code);
}

void
ctl_answer_fini(struct ctl_answer *answer)
{
	json_in_free(&answer->json);
	buf_fini(&answer->line);
	if (answer->fd >= 0)
		close(answer->fd);
	answer->fd = -1;
}
