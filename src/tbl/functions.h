/* SPDX-License-Identifier: MIT */
/*
 * Functions of sql/api that are called beside those of the operations,
 * sorted by name.
 *
 *	FUNCTION(name, lane, context, inputs, text)
 *
 * lane:    READ, WRITE, SLOW or FLEET, as in store/db.h.
 * context: WITH or WITHOUT the parameters of api.ctx.
 * inputs:  how many parameters follow.
 */
FUNCTION(admin_find, READ, WITH, 1,
    "Whom a key belongs to, and the hash that proves it.")
FUNCTION(admin_sync, FLEET, WITH, 3,
    "Makes the admins that came from the configuration equal to it.")
FUNCTION(control_read, READ, WITHOUT, 2,
    "News of the installation, and the hosts that live.")
FUNCTION(host_beat, FLEET, WITHOUT, 2,
    "Says that this host lives.")
FUNCTION(host_leave, FLEET, WITHOUT, 1,
    "Says that this host has stopped.")
FUNCTION(monitor_leave, FLEET, WITHOUT, 1,
    "Gives back all monitors that a process holds.")
FUNCTION(monitor_look, FLEET, WITHOUT, 4,
    "Monitors of rooms to begin with, and to end.")
FUNCTION(monitor_report, FLEET, WITHOUT, 5,
    "What a monitor sees; events of what is new in it.")
FUNCTION(monitor_status, FLEET, WITHOUT, 3,
    "The event that tells how a room is.")
FUNCTION(recovery_beat, FLEET, WITHOUT, 2,
    "Says that sockets of this process may be put back where they were.")
FUNCTION(recovery_keep, WRITE, WITH, 8,
    "Keeps what a socket follows.")
FUNCTION(recovery_leave, WRITE, WITH, 3,
    "Says that a socket has gone, for a time or for good.")
FUNCTION(recovery_take, WRITE, WITH, 5,
    "Where a socket goes on that was here before.")
FUNCTION(revocation_list, FLEET, WITHOUT, 0,
    "All that is revoked.")
FUNCTION(secret_list, READ, WITHOUT, 0,
    "The keys that the hosts share.")
FUNCTION(stream_heads, FLEET, WITHOUT, 2,
    "Epochs and heads of many streams.")
FUNCTION(stream_read, READ, WITH, 3,
    "Epoch, lowest and head of a stream, and its events from a number on.")
FUNCTION(stream_state, WRITE, WITH, 3,
    "The state at a stream's head; renews an epoch that was put back.")
FUNCTION(tabletop_allowed, READ, WITH, 1,
    "Whether somebody may be in a session.")
FUNCTION(tabletop_chat_send, WRITE, WITH, 6,
    "Keeps what a user says, and tells it.")
FUNCTION(tabletop_join, WRITE, WITH, 6,
    "A session and who is there, to one who comes; the others are told.")
FUNCTION(tabletop_leave, WRITE, WITH, 3,
    "Somebody has left a session; the others are told.")
FUNCTION(tabletop_login_end, WRITE, WITH, 1,
    "Ends a login.")
FUNCTION(tabletop_login_insert, WRITE, WITH, 3,
    "Keeps a login of a user who has proved his password.")
FUNCTION(tabletop_token_create, WRITE, WITH, 4,
    "Puts a token into an encounter.")
FUNCTION(tabletop_token_delete, WRITE, WITH, 4,
    "Takes a token away.")
FUNCTION(tabletop_token_move, WRITE, WITH, 5,
    "Moves a token.")
FUNCTION(tabletop_token_update, WRITE, WITH, 5,
    "Changes what is said of a token.")
FUNCTION(tabletop_user_data, READ, WITH, 0,
    "Who has this login, and the sessions he plays in.")
FUNCTION(tabletop_user_find, READ, WITH, 1,
    "Who has a name, and the hash that proves his password.")
FUNCTION(tabletop_user_insert, WRITE, WITH, 3,
    "Makes a user.")
FUNCTION(tabletop_validate, READ, WITH, 5,
    "Whether a player may do something, without doing it.")
FUNCTION(tenant_get, FLEET, WITHOUT, 1,
    "One tenant with its settings.")
FUNCTION(tenant_list, FLEET, WITHOUT, 0,
    "All tenants with their settings.")
FUNCTION(tenant_usage, FLEET, WITHOUT, 1,
    "How many bytes tenants hold.")
FUNCTION(thread_enter, WRITE, WITH, 5,
    "Where a socket begins in a thread's stream, and what waits for it.")
FUNCTION(thread_expire, FLEET, WITHOUT, 1,
    "Removes threads in which nothing happened for long.")
FUNCTION(thread_told, WRITE, WITH, 4,
    "Up to where a thread's sockets were told.")
FUNCTION(thread_waiting, READ, WITH, 1,
    "Threads in which something waits for sockets.")
FUNCTION(ticket_create, WRITE, WITH, 2,
    "Makes a ticket for one stream.")
FUNCTION(ticket_use, WRITE, WITH, 2,
    "Takes a ticket for a stream; whose it was.")
FUNCTION(turn_cancel, WRITE, WITH, 1,
    "Ends a turn whose answer nobody wants any more.")
FUNCTION(turn_claim, FLEET, WITHOUT, 5,
    "Leases for turns of threads, with what is to be asked.")
FUNCTION(turn_create, WRITE, WITH, 8,
    "Stores a turn of a thread, and says where its stream stands.")
FUNCTION(turn_expire, FLEET, WITHOUT, 4,
    "Ends turns that waited for too long, or that nobody listens to.")
FUNCTION(turn_leave, FLEET, WITHOUT, 3,
    "Gives a turn back before anything was said.")
FUNCTION(turn_listen, WRITE, WITH, 1,
    "Says that somebody still wants a turn's answer.")
FUNCTION(turn_say, FLEET, WITHOUT, 8,
    "Tells what a responder said, and that it is still at it.")
FUNCTION(webhook_claim, FLEET, WITHOUT, 4,
    "Leases for deliveries of webhooks that are due, with what is to be sent.")
FUNCTION(webhook_done, FLEET, WITHOUT, 5,
    "What deliveries came to, and leases for more.")
FUNCTION(webhook_hold, FLEET, WITHOUT, 5,
    "Lets the lease of a delivery that waits begin anew.")
FUNCTION(webhook_leave, FLEET, WITHOUT, 4,
    "Gives a delivery back that was not sent.")
FUNCTION(webhook_leave_all, FLEET, WITHOUT, 1,
    "Gives back what a jobs process that died had on its way.")
FUNCTION(work_claim, FLEET, WITHOUT, 3,
    "A lease for work that some host does for all.")
FUNCTION(work_end_polls, FLEET, WITHOUT, 1,
    "Ends polls that are due; events of any tenants.")
FUNCTION(work_expire, FLEET, WITHOUT, 4,
    "Removes keys, tickets and revocations that have had their time.")
FUNCTION(work_leave, FLEET, WITHOUT, 2,
    "Gives a lease back before the work is done.")
FUNCTION(work_retain, FLEET, WITHOUT, 4,
    "Removes events that tenants keep no longer.")
FUNCTION(work_tabletop_seats, FLEET, WITHOUT, 5,
    "Tells of sockets at tables whose process is gone; events of any tenants.")
FUNCTION(work_webhook, FLEET, WITHOUT, 5,
    "Removes deliveries of webhooks and their log when they are old.")
