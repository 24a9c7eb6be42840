/* SPDX-License-Identifier: MIT */
/*
 * The private Redis: carries news between processes and keeps nothing. Its
 * configuration, with the password in it, goes to its standard input.
 */
#include "role/private_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "plat/folder.h"

static bool
prepare(struct private_server *server)
{
	struct private_place *place = server->place;
	int folder, sockets;

	if (!private_open_log(server, "redis.log"))
		return (false);
	if (!proc_on_path("redis-server", server->program,
	    sizeof server->program))
		return (private_complain(place, EX_UNAVAILABLE,
		    "Redis is not installed: apt-get install redis-server, "
		    "or set database_url and redis_url to servers of yours"));
	folder = folder_open(place->state_dir, "redis", 0700, NULL);
	if (folder < 0)
		return (private_complain_of(place, "redis"));
	private_choose_user(server, folder, "redis");
	close(folder);
	server->folder = folder_open(place->state_dir, "redis", 0700,
	    server->becomes);
	if (server->folder < 0)
		return (private_complain_of(place, "redis"));
	sockets = folder_open(place->run, "redis", 0711, server->becomes);
	if (sockets < 0)
		return (private_complain_of(place, "run/redis"));
	close(sockets);
	return (true);
}

static void
tidy(struct private_server *server)
{
	unlinkat(server->place->run, "redis/redis.sock", 0);
}

static pid_t
spawn(struct private_server *server)
{
	const struct private_place *place = server->place;
	const char *const argv[] = { server->program, "-", NULL };
	struct proc_spec spec = { .argv = argv, .user = server->becomes,
	    .death_signal = SIGTERM, .out = server->log,
	    .keep = { server->folder, place->run }, .keep_count = 2 };
	struct buf conf;
	int ends[2];
	pid_t pid = -1;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return (-1);
	buf_init(&conf, BUF_NO_LIMIT);
	buf_printf(&conf, "port 0\n"
	    "unixsocket /proc/self/fd/%d/redis/redis.sock\n"
	    "unixsocketperm 777\n"
	    "dir /proc/self/fd/%d\n"
	    "requirepass %s\n"
	    "save \"\"\n"
	    "appendonly no\n"
	    "maxmemory 256mb\n"
	    "maxmemory-policy noeviction\n"
	    "daemonize no\n"
	    "supervised no\n"
	    "loglevel notice\n"
	    "logfile \"\"\n", place->run, server->folder, place->of_redis);
	/* Far below what a pipe takes at once. */
	if (write(ends[1], conf.at, conf.len) == (ssize_t)conf.len) {
		spec.in = ends[0];
		pid = proc_start(&spec);
	}
	close(ends[0]);
	close(ends[1]);
	buf_fini(&conf);
	return (pid);
}

void
private_redis_url(const struct private_place *place, char *out, size_t size)
{
	snprintf(out, size, "unix://:%s@/proc/self/fd/%d/redis/redis.sock",
	    place->of_redis, place->run);
}

/*
 * A ping: AUTH and PING in one write; +OK and +PONG, in whatever pieces,
 * are the answer that pleases.
 */
struct redis_ping {
	unsigned	magic;
#define REDIS_PING_MAGIC 0x72706e67
	int		fd;
	bool		has_asked;
	char		question[96];
	size_t		len;
	char		said[128];
};

static void *
of_ping_start(struct private_server *server)
{
	struct redis_ping *ping = object_create(struct redis_ping,
	    REDIS_PING_MAGIC);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(ping->question, sizeof ping->question,
	    "AUTH %s\r\nPING\r\n", server->place->of_redis);
	snprintf(address.sun_path, sizeof address.sun_path,
	    "/proc/self/fd/%d/redis/redis.sock", server->place->run);
	ping->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (ping->fd >= 0 && connect(ping->fd,
	    (struct sockaddr *)&address, sizeof address) != 0) {
		snprintf(ping->said, sizeof ping->said, "%s",
		    strerror(errno));
		close(ping->fd);
		ping->fd = -1;
	}
	return (ping);
}

static enum ping_answer
of_ping_poll(void *context)
{
	struct redis_ping *ping = object_cast(struct redis_ping,
	    REDIS_PING_MAGIC, context);
	size_t asked = strlen(ping->question);
	ssize_t n;

	if (ping->fd < 0)
		return (PING_NOBODY);
	if (!ping->has_asked) {
		n = send(ping->fd, ping->question, asked, MSG_NOSIGNAL);
		if (n != (ssize_t)asked)
			return (PING_NOBODY);
		ping->has_asked = true;
	}
	n = recv(ping->fd, ping->said + ping->len,
	    sizeof ping->said - 1 - ping->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return (PING_WAITING);
	if (n <= 0)
		return (PING_NOBODY);
	ping->len += (size_t)n;
	ping->said[ping->len] = '\0';
	if (strncmp(ping->said, "-LOADING", 8) == 0)
		return (PING_BEGINNING);
	if (ping->said[0] == '-')
		return (PING_REFUSED);
	return (strstr(ping->said, "+PONG\r\n") != NULL ? PING_OK :
	    PING_WAITING);
}

static const char *
of_ping_why(const void *context)
{
	const struct redis_ping *ping = context;

	return (ping->said);
}

static void
of_ping_stop(void *context)
{
	struct redis_ping *ping = object_cast(struct redis_ping,
	    REDIS_PING_MAGIC, context);

	if (ping->fd >= 0)
		close(ping->fd);
	object_free(&ping);
}

const struct private_acts private_redis = {
	.title = "Redis", .program = "redis-server", .part = PART_REDIS,
	.stop_signal = SIGTERM, .hurry_signal = SIGKILL,
	.prepare = prepare, .tidy = tidy, .spawn = spawn,
	.ping_start = of_ping_start, .ping_poll = of_ping_poll,
	.ping_why = of_ping_why, .ping_stop = of_ping_stop,
	.ping_abandon = of_ping_stop,
};
