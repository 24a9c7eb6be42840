/* SPDX-License-Identifier: MIT */
/*
 * Asking a PostgreSQL whether it is there. libpq's errors carry only the
 * SQLSTATE here, so that no language setting comes between.
 */
#include "store/ping.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct ping {
	unsigned	 magic;
#define PING_MAGIC 0x70696e67
	PGconn		*connection;
	PostgresPollingStatusType wants;
	char		 why[128];
};

struct ping *
ping_start(const char *url)
{
	struct ping *ping = object_create(struct ping, PING_MAGIC);

	ping->connection = PQconnectStart(url);
	if (ping->connection == NULL)
		must_never("memory is to be had");
	PQsetErrorVerbosity(ping->connection, PQERRORS_SQLSTATE);
	ping->wants = PGRES_POLLING_WRITING;
	return (ping);
}

static bool
is_ready(const struct ping *ping)
{
	struct pollfd line = { .fd = PQsocket(ping->connection),
	    .events = ping->wants == PGRES_POLLING_READING ? POLLIN :
	    POLLOUT };

	return (line.fd < 0 || poll(&line, 1, 0) != 0);
}

/* Codes by their meaning for us; appendix A of PostgreSQL's manual. */
static enum ping_answer
judge(const char *why)
{
	static const struct {
		const char		*code;
		enum ping_answer	 answer;
	} codes[] = {
		{ "57P03", PING_BEGINNING },	/* cannot_connect_now */
		{ "57P01", PING_BEGINNING },	/* admin_shutdown */
		{ "57P02", PING_BEGINNING },	/* crash_shutdown */
		{ "53300", PING_OK },		/* too_many_connections */
		{ "FATAL", PING_REFUSED },	/* whatever else it says */
	};

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strstr(why, codes[i].code) != NULL)
			return (codes[i].answer);
	return (PING_NOBODY);
}

/* What comes behind "connection to server on socket … failed: ". */
static void
keep_why(struct ping *ping)
{
	const char *said = PQerrorMessage(ping->connection);
	const char *reason = strstr(said, "failed: ");
	size_t len;

	if (reason != NULL)
		said = reason + strlen("failed: ");
	len = strcspn(said, "\n");
	if (len >= sizeof ping->why)
		len = sizeof ping->why - 1;
	memcpy(ping->why, said, len);
	ping->why[len] = '\0';
}

enum ping_answer
ping_poll(struct ping *ping)
{
	object_check(ping, PING_MAGIC);
	if (PQstatus(ping->connection) == CONNECTION_BAD)
		ping->wants = PGRES_POLLING_FAILED;
	while (ping->wants == PGRES_POLLING_READING ||
	    ping->wants == PGRES_POLLING_WRITING) {
		if (!is_ready(ping))
			return (PING_WAITING);
		ping->wants = PQconnectPoll(ping->connection);
	}
	if (ping->wants == PGRES_POLLING_OK)
		return (PING_OK);
	keep_why(ping);
	return (judge(ping->why));
}

const char *
ping_why(const struct ping *ping)
{
	return (ping->why);
}

void
ping_stop(struct ping **ping)
{
	if (*ping == NULL)
		return;
	PQfinish((*ping)->connection);
	object_free(ping);
}

void
ping_abandon(struct ping **ping)
{
	if (*ping == NULL)
		return;
	if (PQsocket((*ping)->connection) >= 0)
		close(PQsocket((*ping)->connection));
	*ping = NULL;
}
