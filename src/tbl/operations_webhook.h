/* SPDX-License-Identifier: MIT */
/* Of tbl/operations.h, which says what is in a row: those of webhooks. */
OPERATION(webhook_create, POST, "/api/webhooks", FRONT, ADMIN, WRITE, NONE,
    "lobby", 201, webhook_created,
    "Sends events to an address from now on; its secret is shown to nobody.",
    INPUT(name, BODY, text, webhook_fields_missing, 1, 100,
	"What people call it.")
    INPUT(url, BODY, text, webhook_fields_missing, 1, 2048,
	"Where requests go: http or https, without a name and a password.")
    INPUT(secret, BODY, text, webhook_fields_missing, 1, 256,
	"What requests are signed with: whsec_ and base64, or any text.")
    INPUT_ELSE(events, BODY, events, webhook_fields_missing,
	webhook_events_invalid, 0, 100, "What is sent.")
    INPUT(enabled, BODY, boolean, none, 0, 0,
	"Whether anything is sent; true without it.")
    INPUT(ordered, BODY, boolean, none, 0, 0,
	"Whether an event waits until the one before has arrived; false "
	"without it."))
OPERATION(webhook_delete, DELETE, "/api/webhooks/{id}", FRONT, ADMIN, WRITE,
    NONE, "lobby", 200, webhook_deleted,
    "Sends nothing there any more, and removes it.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook."))
OPERATION(webhook_deliveries, GET, "/api/webhooks/{id}/deliveries", FRONT,
    ADMIN, READ, NONE, "", 200, webhook_deliveries,
    "What was sent there, or waits, or is dead; the newest first.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook.")
    INPUT_CHOICE(state, QUERY, none, "waiting|delivered|dead",
	"Only those.")
    INPUT(limit, QUERY, integer, none, 1, 500,
	"At most so many; 50 without it.")
    INPUT(before, QUERY, id, none, 1, 0,
	"Only those with a lower id than this one."))
OPERATION(webhook_get, GET, "/api/webhooks/{id}", FRONT, ADMIN, READ, NONE,
    "", 200, webhook,
    "One webhook.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook."))
OPERATION(webhook_list, GET, "/api/webhooks", FRONT, ADMIN, READ, NONE, "",
    200, webhooks,
    "Where events are sent.", )
OPERATION(webhook_logs, GET, "/api/webhooks/{id}/logs", FRONT, ADMIN, READ,
    NONE, "", 200, webhook_logs,
    "Each try to deliver something there; the newest first.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook.")
    INPUT(limit, QUERY, integer, none, 1, 500,
	"At most so many; 50 without it.")
    INPUT(before, QUERY, id, none, 1, 0,
	"Only those with a lower id than this one."))
OPERATION(webhook_redeliver, POST,
    "/api/webhooks/{id}/deliveries/{delivery}/redeliver", FRONT, ADMIN,
    WRITE, NONE, "lobby", 200, success,
    "Sends a delivery again, with the same webhook-id; one that is being "
    "sent is let be.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook.")
    INPUT(delivery, PATH, id, delivery_not_found, 1, 0, "The delivery."))
OPERATION(webhook_replay, POST, "/api/webhooks/{id}/replay", FRONT, ADMIN,
    WRITE, NONE, "lobby", 200, webhook_replayed,
    "Sends all of a range again, the oldest first, a thousand at a time.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook.")
    INPUT_CHOICE(state, BODY, none, "dead|all",
	"dead, without it: what did not arrive. all: what did as well.")
    INPUT(since, BODY, moment, none, 0, 0,
	"Only what happened then or later.")
    INPUT(until, BODY, moment, none, 0, 0,
	"Only what happened then or before.")
    INPUT(after, BODY, id, none, 1, 0,
	"Only those with a higher id: `last` of the answer before, where "
	"that said `more`."))
OPERATION(webhook_test, POST, "/api/webhooks/test/{id}", FRONT, ADMIN, WRITE,
    NONE, "lobby", 200, webhook_tested,
    "Sends webhook.test there, once, whether it is enabled or not.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook."))
OPERATION(webhook_update, PATCH, "/api/webhooks/{id}", FRONT, ADMIN, WRITE,
    NONE, "lobby", 200, webhook,
    "Changes what is given. A former secret signs as well for another day.",
    INPUT(id, PATH, id, webhook_not_found, 1, 0, "The webhook.")
    INPUT(name, BODY, text, none, 1, 100, "What people call it.")
    INPUT(url, BODY, text, none, 1, 2048, "Where requests go.")
    INPUT(secret, BODY, text, none, 1, 256,
	"What requests are signed with.")
    INPUT_ELSE(events, BODY, events, none, webhook_events_invalid, 0, 100,
	"What is sent.")
    INPUT(enabled, BODY, boolean, none, 0, 0,
	"Whether anything is sent. true goes on with what waits, too, where "
	"the server had given up.")
    INPUT(ordered, BODY, boolean, none, 0, 0,
	"Whether an event waits until the one before has arrived."))
