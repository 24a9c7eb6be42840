/* SPDX-License-Identifier: MIT */
/*
 * Points where a test can make something fail, sorted by name. Compiled in
 * with --enable-faults only, armed by `partyline fault arm NAME [TIMES]`.
 *
 * To add one: its row here, `if (FAULT(name)) …` where it happens, and a
 * subtest called by its name in t/70-faults.t, which loops over this table.
 *
 *	FAULT_POINT(name, text)
 */
FAULT_POINT(accept_no_files, "Accepting a connection fails as if no descriptors were left.")
FAULT_POINT(child_dies_at_start, "A process dies before it is ready.")
FAULT_POINT(child_hangs, "A process stops showing signs of life.")
FAULT_POINT(child_wont_drain, "A process told to drain goes on as if it had work left.")
FAULT_POINT(control_lost, "The control connection is lost before its answer.")
FAULT_POINT(db_connect_refused, "A connection to PostgreSQL is refused.")
FAULT_POINT(db_lost_after_send, "The connection to PostgreSQL is lost right after a call was sent.")
FAULT_POINT(db_lost_before_sync, "The connection to PostgreSQL is lost between a call's rows and its sync.")
FAULT_POINT(log_disk_full, "Writing a log line fails as if the disk were full.")
FAULT_POINT(monitor_dies_before_report, "A process dies when it has seen something in a room and has not reported it.")
FAULT_POINT(monitor_dies_before_telling, "A process dies when a monitor's report is committed and told to nobody.")
FAULT_POINT(monitor_dies_claimed, "A process dies when it has claimed a room and has not begun to watch it.")
FAULT_POINT(must_fails, "A check of the server's own state fails while it answers a request.")
FAULT_POINT(postgres_stop_hangs, "The private PostgreSQL does not react to its stop signal.")
FAULT_POINT(responder_dies_asking, "A process dies when it has claimed a turn of a thread and has asked nobody.")
FAULT_POINT(responder_dies_ending, "A process dies when a responder has said all and the end is not told.")
FAULT_POINT(responder_dies_saying, "A process dies when something that a responder said is committed and told.")
FAULT_POINT(ring_writer_dies, "A process dies in the middle of writing a ring record.")
FAULT_POINT(segment_refused, "The kernel refuses the shared segment.")
FAULT_POINT(webhook_dies_answered, "A jobs process dies when a webhook is answered and that is not recorded.")
FAULT_POINT(webhook_dies_claimed, "A jobs process dies when it has leases for webhooks and has sent none.")
FAULT_POINT(webhook_dies_recorded, "A jobs process dies when it hears that a webhook's end is recorded.")
FAULT_POINT(writer_dies_before_bump, "A worker dies when it knows that a write is committed and has told nobody.")
FAULT_POINT(writer_dies_before_reply, "A worker dies when a write's events are told and its client is not.")
FAULT_POINT(writer_dies_before_ring, "A worker dies when a write's cache version is bumped and its events are not told.")
