/* SPDX-License-Identifier: MIT */
/*
 * Lines: connecting, listening, and messages in both directions.
 */
#include "transport/engineio_line.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "base/count.h"
#include "base/log.h"
#include "core/tenant.h"
#include "plat/segment.h"
#include "transport/engineio_errand.h"

#define READ_SIZE 65536
#define READS_AT_ONCE 16
#define BACKLOG 511
#define ACCEPTS_AT_ONCE 16
/* Of a worker that takes nothing any more nothing is expected. */
#define WAITING_MOST (256u << 20)

struct engineio_listener {
	int		 fd;
	struct loop_watch *watch;
};

/* --- going ------------------------------------------------------------- */

static void
drop_piece(struct engineio_line *line)
{
	struct line_piece *piece = line->pieces;

	LL_DELETE(line->pieces, piece);
	line->waiting -= piece->len;
	if (piece->fd >= 0)
		close(piece->fd);
	mem_free(piece);
}

static void
line_close(struct engineio_line *line)
{
	struct engineio_set *set = line->set;

	DL_DELETE(set->lines, line);
	loop_forget(&line->watch);
	close(line->fd);
	while (line->pieces != NULL)
		drop_piece(line);
	for (; line->fds_count > 0; line->fds_count--)
		close(line->fds[line->fds_count - 1]);
	mem_free(line->got);
	engineio_errands_lose(line);
	object_free(&line);
}

/* The end of it in a moment, so that whoever is at work with it may go on. */
static void
line_break(struct engineio_line *line)
{
	shutdown(line->fd, SHUT_RDWR);
	line->is_broken = true;
}

/* --- out --------------------------------------------------------------- */

static ssize_t
write_piece(const struct engineio_line *line, const struct line_piece *piece)
{
	union {
		char		 room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr	 align;
	} control = { .room = { 0 } };
	struct iovec iov = { (char *)(uintptr_t)piece->at + piece->sent,
	    piece->len - piece->sent };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (piece->fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof control.room;
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &piece->fd, sizeof(int));
	}
	return (sendmsg(line->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void
write_on(struct engineio_line *line)
{
	while (line->pieces != NULL && !line->is_broken) {
		struct line_piece *piece = line->pieces;
		ssize_t len = write_piece(line, piece);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN) {
			loop_once_writable(line->watch, write_on, line);
			return;
		}
		if (len < 0) {
			line_break(line);
			return;
		}
		if (piece->fd >= 0)
			close(piece->fd);
		piece->fd = -1;
		piece->sent += (size_t)len;
		if (piece->sent == piece->len)
			drop_piece(line);
	}
}

void
engineio_line_send(struct engineio_line *line, struct line_head *head,
    text body, int fd)
{
	struct line_piece *piece;
	bool has_begun = line->pieces != NULL;

	head->size = (uint32_t)body.len;
	if (line->waiting > WAITING_MOST)
		line_break(line);
	piece = mem_alloc(sizeof *piece + sizeof *head + body.len);
	piece->fd = fd;
	piece->len = sizeof *head + body.len;
	memcpy(piece->at, head, sizeof *head);
	if (body.len > 0)
		memcpy(piece->at + sizeof *head, body.at, body.len);
	LL_APPEND(line->pieces, piece);
	line->waiting += piece->len;
	if (!has_begun)
		write_on(line);
}

/* --- in ---------------------------------------------------------------- */

static void
keep_fds(struct engineio_line *line, struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
	    header = CMSG_NXTHDR(message, header)) {
		int fd;

		if (header->cmsg_level != SOL_SOCKET ||
		    header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
		if (line->fds_count < LINE_FDS)
			line->fds[line->fds_count++] = fd;
		else
			close(fd);
	}
}

static int
take_fd(struct engineio_line *line)
{
	int fd;

	if (line->fds_count == 0)
		return (-1);
	fd = line->fds[0];
	memmove(line->fds, line->fds + 1, --line->fds_count * sizeof(int));
	return (fd);
}

/* Messages that are whole. */
static void
hear(struct engineio_line *line)
{
	size_t at = 0;

	while (line->got_len - at >= sizeof(struct line_head)) {
		struct line_head head;
		int fd = -1;

		memcpy(&head, line->got + at, sizeof head);
		if (line->got_len - at < sizeof head + head.size)
			break;
		if (head.word == LINE_SOCKET)
			fd = take_fd(line);
		engineio_errand_hear(line, &head, text_from(line->got + at +
		    sizeof head, head.size), fd);
		at += sizeof head + head.size;
	}
	line->got_len -= at;
	memmove(line->got, line->got + at, line->got_len);
	if (line->got_len == 0 && line->got_size > READ_SIZE) {
		mem_free(line->got);
		line->got = NULL;
		line->got_size = 0;
	}
}

/* false: it has come to its end. */
static bool
read_some(struct engineio_line *line, bool *has_more_out)
{
	union {
		char		 room[CMSG_SPACE(LINE_FDS * sizeof(int))];
		struct cmsghdr	 align;
	} control;
	struct iovec iov;
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = sizeof control.room };
	ssize_t len;

	if (line->got_size - line->got_len < READ_SIZE / 2) {
		line->got_size = line->got_size * 2 + READ_SIZE;
		line->got = mem_resize(line->got, line->got_size);
	}
	iov = (struct iovec){ line->got + line->got_len,
	    line->got_size - line->got_len };
	len = recvmsg(line->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	*has_more_out = len > 0;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return (true);
	if (len <= 0)
		return (false);
	keep_fds(line, &message);
	line->got_len += (size_t)len;
	return (true);
}

static void
on_readable(struct engineio_line *line)
{
	bool is_there = true, has_more = true;

	loop_arrival_us(line->set->loop);
	for (unsigned i = 0; i < READS_AT_ONCE && is_there && has_more; i++) {
		is_there = read_some(line, &has_more);
		if (is_there && has_more)
			hear(line);
	}
	if (!is_there || line->is_broken)
		line_close(line);
}

/* --- coming ------------------------------------------------------------ */

static socklen_t
name_of(const struct engineio_set *set, const struct engineio_place *place,
    struct sockaddr_un *out)
{
	int len;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(out->sun_path + 1, sizeof out->sun_path - 1,
	    "partyline-%s-%u-%u", set->ground->segment->host,
	    (unsigned)place->slot, (unsigned)place->generation);
	return ((socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    (size_t)len));
}

static bool
is_process_of(const struct engineio_set *set, unsigned slot, pid_t pid)
{
	const struct slot *at = &set->ground->segment->slots[slot];

	return (at->role == ROLE_WORKER && at->pid == pid);
}

/* The process behind a connection; 0: of another user. */
static pid_t
pid_behind(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 ||
	    who.uid != getuid())
		return (0);
	return (who.pid);
}

static struct engineio_line *
create(struct engineio_set *set, int fd)
{
	struct engineio_line *line = object_create(struct engineio_line,
	    ENGINEIO_LINE_MAGIC);

	line->set = set;
	line->fd = fd;
	line->watch = loop_watch_readable(set->loop, fd, on_readable, line);
	if (line->watch == NULL) {
		close(fd);
		object_free(&line);
		return (NULL);
	}
	DL_APPEND(set->lines, line);
	return (line);
}

/* Whether it can be there at all, as the segment knows. */
static bool
is_alive(const struct engineio_set *set, const struct engineio_place *place)
{
	const struct segment *segment = set->ground->segment;
	struct engineio_place now;

	if (set->listener == NULL || place->host != set->place.host ||
	    place->slot >= segment->slots_count ||
	    segment->slots[place->slot].role != ROLE_WORKER)
		return (false);
	engineio_place_of(segment, place->slot, &now);
	return (engineio_place_is(place, &now));
}

static struct engineio_line *
open_line(struct engineio_set *set, const struct engineio_place *place)
{
	struct sockaddr_un name;
	socklen_t len = name_of(set, place, &name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	struct engineio_line *line;

	if (fd < 0)
		return (NULL);
	if (connect(fd, (struct sockaddr *)&name, len) != 0 ||
	    !is_process_of(set, place->slot, pid_behind(fd))) {
		close(fd);
		return (NULL);
	}
	line = create(set, fd);
	if (line != NULL) {
		line->is_ours = true;
		line->place = *place;
	}
	return (line);
}

struct engineio_line *
engineio_line_to(struct engineio_set *set,
    const struct engineio_place *place)
{
	struct engineio_line *line;

	if (!is_alive(set, place))
		return (NULL);
	DL_FOREACH(set->lines, line)
		if (line->is_ours && !line->is_broken &&
		    engineio_place_is(&line->place, place))
			return (line);
	return (open_line(set, place));
}

static bool
is_of_host(const struct engineio_set *set, pid_t pid)
{
	for (unsigned i = 0; i < set->ground->segment->slots_count; i++)
		if (is_process_of(set, i, pid))
			return (true);
	return (false);
}

static void
on_acceptable(struct engineio_set *set)
{
	for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(set->listener->fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (is_of_host(set, pid_behind(fd)))
			create(set, fd);
		else
			close(fd);
	}
}

void
engineio_listener_open(struct engineio_set *set)
{
	struct sockaddr_un name;
	socklen_t len = name_of(set, &set->place, &name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&name, len) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		log_error("Engine.IO sessions are this worker's alone",
		    F("why", (const char *)strerror(errno)));
		if (fd >= 0)
			close(fd);
		return;
	}
	set->listener = mem_alloc(sizeof *set->listener);
	set->listener->fd = fd;
	set->listener->watch = loop_watch_readable(set->loop, fd,
	    on_acceptable, set);
	must(set->listener->watch != NULL);
}

void
engineio_listener_close(struct engineio_set *set)
{
	while (set->lines != NULL)
		line_close(set->lines);
	if (set->listener == NULL)
		return;
	loop_forget(&set->listener->watch);
	close(set->listener->fd);
	mem_free(set->listener);
	set->listener = NULL;
}
