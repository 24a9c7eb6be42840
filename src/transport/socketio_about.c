/* SPDX-License-Identifier: MIT */
/*
 * What applications ask of sockets, and what they say of them.
 */
#include "transport/socketio_inside.h"

const char *
socketio_end_name(enum socketio_end why)
{
	static const char *const names[SOCKETIO_ENDS] = {
		[SOCKETIO_TRANSPORT_ERROR] = "transport error",
		[SOCKETIO_TRANSPORT_CLOSE] = "transport close",
		[SOCKETIO_FORCED_CLOSE] = "forced close",
		[SOCKETIO_PING_TIMEOUT] = "ping timeout",
		[SOCKETIO_PARSE_ERROR] = "parse error",
		[SOCKETIO_SHUTTING_DOWN] = "server shutting down",
		[SOCKETIO_CLIENT_LEFT] = "client namespace disconnect",
		[SOCKETIO_SERVER_LEFT] = "server namespace disconnect",
		[SOCKETIO_MOVED] = "transport close",
	};

	return (names[why]);
}

void
socketio_set_application(struct socketio_socket *socket, void *application)
{
	socket->application = application;
}

void *
socketio_application(const struct socketio_socket *socket)
{
	return (socket->application);
}

bool
socketio_is_joined(const struct socketio_socket *socket)
{
	return (socket->state == SOCKETIO_JOINED);
}

text
socketio_sid(const struct socketio_socket *socket)
{
	return (text_from(socket->sid, SOCKETIO_SID_LEN));
}

struct socketio *
socketio_of(const struct socketio_socket *socket)
{
	return (socket->socketio);
}

int32_t
socketio_tenant(const struct socketio_socket *socket)
{
	return (socket->tenant);
}

text
socketio_client_address(const struct socketio_client *client)
{
	return (text_from(client->facts, client->address_len));
}

text
socketio_address(const struct socketio_socket *socket)
{
	return (socket->client != NULL ?
	    socketio_client_address(socket->client) : TEXT_NONE);
}

text
socketio_query(const struct socketio_socket *socket)
{
	const struct socketio_client *client = socket->client;

	return (client != NULL ? text_from(client->facts +
	    client->address_len, client->query_len) : TEXT_NONE);
}

text
socketio_cookie(const struct socketio_socket *socket)
{
	const struct socketio_client *client = socket->client;

	if (client == NULL || !client->has_cookie)
		return (TEXT_NONE);
	return (text_from(client->facts + client->address_len +
	    client->query_len, client->cookie_len));
}

bool
socketio_began_by_websocket(const struct socketio_socket *socket)
{
	return (socket->client != NULL && socket->client->is_websocket);
}

struct bound_client *
socketio_bound(struct socketio_socket *socket)
{
	return (socket->client != NULL ? &socket->client->bound : NULL);
}

struct engineio *
socketio_engine(const struct socketio_socket *socket)
{
	return (socket->engine);
}

bool
socketio_is_kept(const struct socketio_socket *socket)
{
	return (socket->keep != NULL);
}
