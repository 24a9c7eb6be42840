/* SPDX-License-Identifier: MIT */
/*
 * Messages out.
 */
#include "app/live_inside.h"

void
message_begin(struct message *message, const char *type)
{
	buf_init(&message->buf, BUF_NO_LIMIT);
	json_out_init(&message->json, &message->buf);
	json_object_begin(&message->json);
	json_key(&message->json, "type");
	json_text_of(&message->json, type);
}

void
message_send_times(struct message *message, struct ws *ws, unsigned times)
{
	json_object_end(&message->json);
	while (times-- > 0)
		ws_send_text(ws, buf_text(&message->buf));
	buf_fini(&message->buf);
}

void
message_send(struct message *message, struct ws *ws)
{
	message_send_times(message, ws, 1);
}

void
message_number(struct message *message, const char *key, int64_t number)
{
	json_key(&message->json, key);
	json_int(&message->json, number);
}

void
message_text(struct message *message, const char *key, text t)
{
	json_key(&message->json, key);
	json_text(&message->json, t);
}

void
live_say(struct ws *ws, const char *type, const char *words)
{
	struct message message;

	message_begin(&message, type);
	message_text(&message, "message", text_of(words));
	message_send(&message, ws);
}

void
live_complain(struct client *client, const char *words, int64_t session)
{
	struct message message;

	message_begin(&message, "error");
	message_text(&message, "message", text_of(words));
	if (session != 0)
		message_number(&message, "sessionId", session);
	message_send(&message, client->ws);
}
