/* SPDX-License-Identifier: MIT */
/*
 * Everything the processes count, sorted by name within its kind.
 *
 * To add one: its row here; COUNT(name) where it happens; make docs.
 *
 *	COUNTER(name, text)	only rises; survives the death of a process
 *	GAUGE(name, text)	rises and falls; forgotten with the process
 *	HISTOGRAM(name, text)	microseconds, by powers of two
 *
 * /metrics says partyline_<name>, and _total behind a counter.
 */
COUNTER(bodies_refused, "Requests refused because body_memory was used up.")
COUNTER(connections_accepted, "Client connections accepted.")
COUNTER(connections_refused, "Client connections over a limit.")
COUNTER(connections_stalled, "Connections cut because the client took nothing of its answer.")
COUNTER(control_commands, "Commands that came over the control socket.")
COUNTER(crew_full, "Sign-ins refused because too many waited for a thread.")
COUNTER(db_late, "Calls of SQL that waited for a connection until their deadline.")
COUNTER(db_lost, "Connections to PostgreSQL that were lost.")
COUNTER(db_outcomes_unknown, "Writes that were sent and whose end was never heard.")
COUNTER(db_queries, "Calls of SQL sent to PostgreSQL.")
COUNTER(db_query_errors, "Calls of SQL that PostgreSQL refused or ended.")
COUNTER(db_queue_full, "Calls of SQL refused because too many waited.")
COUNTER(db_reconnects, "Connections to PostgreSQL made again.")
COUNTER(db_retries, "Calls of SQL sent once more, after a conflict or a lost read.")
COUNTER(faults_hit, "Armed fault points that were passed.")
COUNTER(log_bytes, "Bytes of log lines written.")
COUNTER(log_lost, "Log lines that could not be written.")
COUNTER(process_deaths, "Processes that died unasked.")
COUNTER(process_hangs, "Processes killed because they showed no sign of life.")
COUNTER(process_starts, "Processes started.")
COUNTER(reloads, "Reloads asked for by HUP.")
COUNTER(reloads_refused, "Reloads whose configuration was refused.")
COUNTER(requests, "Requests answered.")
COUNTER(requests_2xx, "Requests answered with success.")
COUNTER(requests_4xx, "Requests refused because of the client.")
COUNTER(requests_5xx, "Requests failed because of the server.")
COUNTER(requests_timed_out, "Requests that took too long to arrive.")
COUNTER(ring_laps, "Times that a reader of a ring was overtaken by its writer.")
COUNTER(ring_records, "Records written to the rings.")
COUNTER(ring_wakes, "Times that a process woke another.")
COUNTER(sweeps_posted, "Sweeps that the master posted for a dead process.")
COUNTER(token_reads, "Tokens read and checked because nothing was remembered of them.")
COUNTER(tokens_refused, "Tokens refused: forged, expired, revoked or of another tenant.")
GAUGE(beat_ms, "When the process last showed a sign of life, on the monotonic clock.")
GAUGE(connections_open, "Client connections open.")
GAUGE(db_connections_ready, "Connections to PostgreSQL that take calls.")
GAUGE(db_in_flight, "Calls of SQL sent and not ended.")
GAUGE(db_waiting, "Calls of SQL that wait for a connection.")
GAUGE(draining, "1 while the process finishes its work before it leaves.")
GAUGE(ordinals_adopted, "Listening sockets accepted from for another worker.")
GAUGE(started_ms, "When the process started, on the monotonic clock.")
GAUGE(token_verdicts, "Good tokens remembered.")
HISTOGRAM(db_query, "Time from sending a call of SQL to its commit.")
HISTOGRAM(loop_turn, "Work of one turn of a process's loop.")
HISTOGRAM(request, "Time from a request's arrival to its answer.")
