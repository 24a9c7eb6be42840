/* SPDX-License-Identifier: MIT */
/*
 * Messages between master and child, one packet each.
 */
#include "plat/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"

union ancillary {
	char		buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr	aligned;
};

bool
channel_open(int *master_out, int *child_out)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0, pair) != 0)
		return (false);
	*master_out = pair[0];
	*child_out = pair[1];
	return (true);
}

bool
channel_send_bytes(int socket, const void *at, size_t len, int fd)
{
	struct iovec part = { (void *)(uintptr_t)at, len };
	union ancillary ancillary = { .buffer = { 0 } };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd >= 0) {
		struct cmsghdr *header;

		packet.msg_control = ancillary.buffer;
		packet.msg_controllen = sizeof ancillary.buffer;
		header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	do
		sent = sendmsg(socket, &packet, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return (sent == (ssize_t)len);
}

bool
channel_send(int channel, const struct channel_message *message, int fd)
{
	return (channel_send_bytes(channel, message, sizeof *message, fd));
}

enum channel_got
channel_receive(int channel, struct channel_message *message_out, int *fd_out)
{
	struct iovec part = { message_out, sizeof *message_out };
	union ancillary ancillary;
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1,
	    .msg_control = ancillary.buffer,
	    .msg_controllen = sizeof ancillary.buffer };
	struct cmsghdr *header;
	ssize_t got;

	*fd_out = -1;
	do
		got = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return (CHANNEL_NOTHING);
	if (got <= 0)
		return (CHANNEL_END);
	header = CMSG_FIRSTHDR(&packet);
	if (header != NULL && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS)
		memcpy(fd_out, CMSG_DATA(header), sizeof *fd_out);
	/* Both ends are of one build and one packet is one message. */
	must(got == (ssize_t)sizeof *message_out);
	return (CHANNEL_GOT);
}
