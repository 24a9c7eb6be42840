/* SPDX-License-Identifier: MIT */
/*
 * Every option of the server, one row each, sorted by name.
 *
 * To add one:
 *  1. put its row in its place below;
 *  2. use it as conf->name;
 *  3. make -C build docs, which rewrites the sample file, the man page and
 *     docs/reference/options.md;
 *  4. name it in a test (t/99-every-row.t looks).
 *
 *	OPTION(name, kind, default, min, max, when, text)
 *	CHOICE(name, default, "a|b|c", when, text)
 *	URL(name, "scheme|scheme", max, when, text)
 *
 * kind	  in struct conf   as written
 * flag	  bool		   on, off
 * count  int64_t	   a whole number
 * bytes  int64_t	   a whole number, or one with KiB, MiB, GiB
 * span	  int64_t (ms)	   a whole number with ms, s, min, h or d
 * text	  const char *	   anything of min to max bytes
 * secret const char *	   the same, masked when printed; also given by
 *			   PARTYLINE_X_FILE
 * path	  const char *	   a file or folder
 * hosts  const char *	   at least min listening addresses, separated by
 *			   blanks: 127.0.0.1:5000, [::1]:5000, unix:/path
 * nets	  const char *	   networks, separated by blanks: 10.0.0.0/8, ::1
 *			   or the word unix
 * ports  const char *	   ports, separated by blanks: 443 8000-8999
 * url	  const char *	   scheme://..., of at most max bytes, its password
 *			   masked when printed; also PARTYLINE_X_FILE
 *
 * What is "" by default may be empty, whatever its min.
 *
 * when: RELOAD (HUP takes it over) or RESTART.
 */
OPTION(access_log, flag, "on", 0, 0, RELOAD,
    "Write one log line for each request.")
OPTION(admin_key, secret, "", 0, 256, RELOAD,
    "The key of the administrator called Admin. Without a database_url the "
    "first start makes one and prints it once.")
OPTION(admin_listen, hosts, "unix:admin.sock", 0, 0, RESTART,
    "Where operators reach /metrics and /status. A relative unix: path is "
    "below state_dir. Empty: nowhere.")
OPTION(admins_file, path, "", 0, 0, RELOAD,
    "A JSON file of administrators, [{\"name\":…,\"key\":…}].")
OPTION(beat_timeout, span, "10s", 100, 3600000, RELOAD,
    "A process that shows no sign of life for so long is killed and "
    "replaced; a private server, for three times so long.")
OPTION(body_memory, bytes, "64MiB", 65536, 1099511627776, RELOAD,
    "Bytes of requests that each worker holds while they arrive. Past it the "
    "largest is answered 503.")
OPTION(compress_min, bytes, "1KiB", 128, 1073741824, RELOAD,
    "JSON answers from this size on are compressed where the client accepts "
    "gzip.")
OPTION(connections, count, "16384", 1, 1000000, RELOAD,
    "Client connections of the whole host. Past it, new ones are answered "
    "503.")
OPTION(connections_per_address, count, "1024", 1, 1000000, RELOAD,
    "Client connections of one address (IPv6: one /64). Past it, new ones "
    "are answered 429. Addresses in trusted_proxies are not counted.")
OPTION(connections_per_caller, count, "1024", 1, 1000000, RELOAD,
    "Live connections, streams and waiting polls of one caller. Past it, a "
    "live one is closed with too_many_connections, others are answered 429.")
URL(database_url, "postgresql|postgres", 2048, RESTART,
    "PostgreSQL: postgresql://user:password@host/name. Empty: the server "
    "runs a private one in state_dir.")
OPTION(db_connections, count, "2", 1, 64, RELOAD,
    "Connections of each worker to PostgreSQL that carry writes.")
OPTION(db_depth, count, "32", 1, 1024, RELOAD,
    "Calls of SQL in flight on one connection. Further ones wait.")
OPTION(db_queue, count, "1024", 1, 1000000, RELOAD,
    "Calls of SQL of each kind (writes, reads, slow ones) that may wait in a "
    "worker. Past it, requests are answered 503.")
OPTION(db_read_connections, count, "2", 1, 64, RELOAD,
    "Connections of each worker to PostgreSQL that only read.")
OPTION(db_slow_connections, count, "1", 1, 64, RELOAD,
    "Connections of each worker to PostgreSQL for what takes long.")
OPTION(db_slow_timeout, span, "1min", 100, 3600000, RELOAD,
    "The same as db_timeout, for what takes long.")
OPTION(db_timeout, span, "5s", 100, 3600000, RELOAD,
    "How long a call of SQL may wait for a connection, how long PostgreSQL "
    "may work on it, and how long connecting may take.")
OPTION(debug_key, secret, "", 8, 256, RELOAD,
    "What /debug/ has to be asked with, as api_key; an admin's token will do "
    "as well. Empty: it is not there.")
OPTION(debug_open, flag, "off", 0, 0, RELOAD,
    "Whether anybody may ask /debug/thread-sessions and /debug/all-sessions "
    "of the default tenant.")
OPTION(drain_spread, span, "10s", 0, 3600000, RELOAD,
    "Over how long live clients are asked to come back when their worker is "
    "replaced, so that they do not come all at once.")
OPTION(drain_timeout, span, "30s", 0, 3600000, RELOAD,
    "How long a process that is told to leave may finish its work.")
OPTION(engineio_close_wait, count, "30000", 1, 3600000, RELOAD,
    "Milliseconds that a session which the server closes stays for a request "
    "that can be told so.")
OPTION(engineio_cookie, text, "", 0, 64, RELOAD,
    "The name of a cookie that bears a session's id, for proxies that choose "
    "by it. Empty: none is set.")
OPTION(engineio_max_payload, bytes, "1000000", 256, 1073741824, RELOAD,
    "The largest body of a polling request and the largest message of a "
    "WebSocket, of Engine.IO. A larger one is answered 413, or closed with "
    "1009.")
OPTION(engineio_ping_interval, count, "25000", 10, 3600000, RELOAD,
    "Milliseconds from a pong, or the beginning, to the next ping of an "
    "Engine.IO session.")
OPTION(engineio_ping_timeout, count, "20000", 10, 3600000, RELOAD,
    "Milliseconds within which an Engine.IO client has to answer a ping.")
CHOICE(engineio_transports, "both", "both|polling|websocket", RELOAD,
    "How Engine.IO clients may connect.")
OPTION(engineio_upgrade_timeout, count, "10000", 10, 3600000, RELOAD,
    "Milliseconds within which an Engine.IO client has to finish its change "
    "from polling to WebSocket.")
OPTION(engineio_upgrades, flag, "on", 0, 0, RELOAD,
    "Whether Engine.IO clients that poll may change to WebSocket.")
OPTION(gap_max, count, "1000", 1, 100000, RELOAD,
    "A client that is further behind gets the present state (resync) instead "
    "of the events that led to it.")
OPTION(hold_max, count, "64", 1, 10000, RELOAD,
    "Events of one stream that are kept while an earlier one is missing.")
OPTION(host_number, count, "0", 0, 65535, RESTART,
    "What names of this host's Engine.IO sessions begin with, and peers of "
    "other hosts know it by. 0: a random one at each start.")
OPTION(jwt_secret, secret, "", 32, 4096, RELOAD,
    "The key that signs tokens. Empty: one is made and kept in the "
    "database.")
OPTION(keepalive_timeout, span, "75s", 100, 3600000, RELOAD,
    "How long a connection may stay idle between two requests.")
OPTION(listen, hosts, "127.0.0.1:5000", 1, 0, RESTART,
    "Where clients reach the server.")
OPTION(live_deflate_min, bytes, "256", 0, 1073741824, RELOAD,
    "Messages to live clients from this size on are compressed for those "
    "that take it.")
OPTION(live_message_max, bytes, "64KiB", 256, 1073741824, RELOAD,
    "The largest message of a live client.")
OPTION(live_messages, count, "600", 1, 1000000, RELOAD,
    "Messages that one live client may send in a minute. Past it, it is "
    "closed and told when to come back.")
OPTION(live_ping, span, "25s", 100, 3600000, RELOAD,
    "After how long without anything to say a live client is sent a sign of "
    "life.")
OPTION(live_sign_in, span, "30s", 100, 3600000, RELOAD,
    "How long a live client may stay without signing in.")
OPTION(live_silence, span, "60s", 100, 3600000, RELOAD,
    "A live client of whom nothing was heard for so long is closed.")
OPTION(live_subscriptions, count, "64", 1, 10000, RELOAD,
    "Sessions that one live client may follow.")
OPTION(log_file, path, "", 0, 0, RELOAD,
    "Where log lines go. Empty: standard output. USR1 opens it anew.")
OPTION(log_legacy, flag, "off", 0, 0, RELOAD,
    "Whether to log, beside ours, the lines that the server before this one "
    "had: [Sessions] Broadcasted ..., [WebSocket] Broadcasted ... to N "
    "client(s); each worker counts its own.")
CHOICE(log_level, "info", "error|warn|info|debug", RELOAD,
    "The least important level that is logged.")
OPTION(login_failures, count, "10", 1, 300, RELOAD,
    "Logins of one address (IPv6: one /64) that may fail in a minute. Past "
    "it, they are answered 429. Past ten times as many in one tenant, its "
    "logins wait up to 2 s.")
OPTION(max_body, bytes, "1MiB", 1024, 1073741824, RELOAD,
    "The largest request body. A larger one is answered 413.")
OPTION(max_processes, count, "64", 8, 1024, RESTART,
    "Slots of the shared segment. workers is at most half of it less two.")
OPTION(messages_per_address, count, "60000", 1, 16777215, RELOAD,
    "Messages that all live clients of one address may send in a minute. "
    "Past it, who sends one is closed and told when to come back.")
OPTION(messages_per_caller, count, "60000", 1, 16777215, RELOAD,
    "The same of one caller, from when he signed in.")
OPTION(messages_per_tenant, count, "600000", 1, 16777215, RELOAD,
    "The same of one tenant.")
URL(migrate_url, "postgresql|postgres", 2048, RESTART,
    "PostgreSQL as the owner of the schema. Where it is set, the server "
    "migrates at its start.")
OPTION(monitor_beat, span, "20s", 100, 3600000, RELOAD,
    "How often clients are told how a room is that is watched, and the room "
    "is looked at anew.")
OPTION(monitor_retry, span, "2s", 10, 600000, RELOAD,
    "How long a monitor that lost its room waits before it tries again; then "
    "twice so long, and again. After the third try it gives up.")
OPTION(monitor_url, text, "https://ecast.jackboxgames.com/api/v2", 0, 2048, RELOAD,
    "The service that knows the rooms of games, http:// or https://. Empty: "
    "this host watches none.")
OPTION(monitors, count, "2000", 1, 100000, RELOAD,
    "Rooms that a host watches. More wait for another host.")
OPTION(outgoing_allow, nets, "", 0, 0, RELOAD,
    "Networks that outgoing requests (webhooks, responders) may reach although "
    "they are not public. For what IPv6 carries of IPv4 (NAT64) its network, "
    "64:ff9b::/96.")
OPTION(outgoing_at_once, count, "256", 1, 10000, RELOAD,
    "Outgoing requests of a host at work at once. Further ones wait.")
OPTION(outgoing_ca, path, "", 0, 0, RELOAD,
    "The certificates (PEM) that outgoing requests believe. Empty: those of "
    "the system.")
OPTION(outgoing_per_origin, count, "16", 1, 10000, RELOAD,
    "The same to one server: scheme, name and port.")
OPTION(outgoing_ports, ports, "80 443 1024-65535", 1, 0, RELOAD,
    "Ports that outgoing requests may reach.")
OPTION(peers, text, "", 0, 4096, RELOAD,
    "The other hosts as NUMBER=ADDRESS, the number being their host_number: "
    "where to send requests for Engine.IO sessions of theirs. Empty: "
    "nowhere.")
OPTION(postgres_bin, path, "", 0, 0, RESTART,
    "Where the programs of the private PostgreSQL are. Empty: the newest of "
    "/usr/lib/postgresql, or the one of the cluster that is there.")
OPTION(presence_round, span, "20s", 100, 3600000, RELOAD,
    "How often processes tell each other which pages their admins show, "
    "beside at each change.")
OPTION(presence_silence, span, "60s", 100, 3600000, RELOAD,
    "The admins of a process of whom nothing was heard for so long count as "
    "gone.")
OPTION(public_read, flag, "on", 0, 0, RELOAD,
    "Whether reads that need no token stay open in the default tenant.")
OPTION(read_cache, bytes, "16MiB", 0, 1099511627776, RELOAD,
    "Bytes of answers to public reads that each worker keeps as long as "
    "nothing changed. 0: none.")
OPTION(read_cache_ms, span, "0ms", 0, 5000, RELOAD,
    "How old an answer that was kept may be while other hosts serve the same "
    "database. 0: nothing is kept then.")
OPTION(redis_prefix, text, "partyline", 1, 64, RESTART,
    "What keys and channels in Redis begin with.")
URL(redis_url, "redis|unix", 2048, RESTART,
    "Redis: redis://:password@host:port, unix:///path or "
    "unix://:password@/path. Empty with a database_url: one host alone.")
OPTION(request_timeout, span, "30s", 100, 3600000, RELOAD,
    "How long a request may take to arrive, and a second more for each 16 "
    "KiB of it. Slower ones are answered 408.")
OPTION(responder_answer, bytes, "1MiB", 1024, 1073741824, RELOAD,
    "Bytes that a responder may answer to one turn of a thread.")
OPTION(responder_calls, count, "64", 1, 10000, RELOAD,
    "Turns of threads that each host has put to responders at a time; the "
    "others wait.")
OPTION(responder_calls_per_tenant, count, "16", 1, 10000, RELOAD,
    "The same of one tenant, by all hosts.")
OPTION(responder_timeout, span, "2min", 100, 86400000, RELOAD,
    "How long a responder may take for one turn of a thread.")
OPTION(responder_wait, span, "1min", 100, 86400000, RELOAD,
    "A turn of a thread that waits for so long is told that the server is "
    "busy.")
OPTION(responder_waiting, count, "20", 1, 10000, RELOAD,
    "Turns of one thread that wait at a time. One more is told at once that "
    "the server is busy.")
OPTION(responder_waiting_per_tenant, count, "1000", 1, 100000, RELOAD,
    "The same of all threads of one tenant.")
OPTION(restart_max, span, "30s", 100, 3600000, RELOAD,
    "The longest pause before a process that keeps dying is started again.")
OPTION(ring_record_max, bytes, "32KiB", 1024, 1048576, RESTART,
    "The largest event that the ring carries whole; of a larger one it "
    "carries the number.")
OPTION(ring_size, bytes, "8MiB", 65536, 1073741824, RESTART,
    "Each process's outgoing ring, rounded up to a power of two.")
OPTION(sign_in_queue, count, "64", 0, 4096, RELOAD,
    "Sign-ins that may wait in a worker for a thread. Past it, they are "
    "answered 503.")
OPTION(sign_in_threads, count, "1", 1, 16, RELOAD,
    "Threads of each worker that check keys. Each takes 16 MiB while it "
    "does.")
OPTION(socket_queue, bytes, "256KiB", 4096, 1073741824, RELOAD,
    "Bytes that may wait for one live client. Past it, what is not kept "
    "anywhere is left out, and otherwise the client is closed and resumes.")
OPTION(socket_queue_age, span, "15s", 100, 3600000, RELOAD,
    "How long anything may wait for one live client, before it is closed "
    "and resumes.")
OPTION(socket_receive_buffer, bytes, "32KiB", 4096, 16777216, RELOAD,
    "The kernel's buffer for what one live client sends.")
OPTION(socket_send_buffer, bytes, "64KiB", 4096, 16777216, RELOAD,
    "The kernel's buffer for what is sent to one live client.")
OPTION(socketio_attachments, count, "10", 0, 64, RELOAD,
    "Binary messages that may belong to one event of Socket.IO.")
OPTION(socketio_conformance, flag, "off", 0, 0, RESTART,
    "Whether to serve what protocol test suites expect instead of the "
    "applications: at /engine.io/ an echo, at socketio_path namespaces that "
    "answer what they get.")
OPTION(socketio_connect_timeout, count, "45000", 10, 3600000, RELOAD,
    "Milliseconds within which a Socket.IO client has to come into a "
    "namespace.")
OPTION(socketio_messages, count, "6000", 1, 1000000, RELOAD,
    "Messages that one Socket.IO client may send in a minute. Past it, it is "
    "closed, as it is past messages_per_address and its like.")
OPTION(socketio_path, text, "/socket.io/", 3, 64, RESTART,
    "Where Socket.IO clients reach the server: a path that begins and ends "
    "with a slash.")
OPTION(socketio_recovery, count, "0", 0, 86400000, RELOAD,
    "Milliseconds within which a Socket.IO client whose connection broke may "
    "come back to where it was and is sent what it missed (connection state "
    "recovery), to any worker and host. 0: all begin anew, and no offsets are "
    "sent.")
OPTION(sql_dir, path, "", 0, 0, RESTART,
    "The folder of migration/ and api/, which migrate runs. Empty: the one "
    "beside the program, or the installed one.")
OPTION(state_dir, path, "./var", 1, 0, RESTART,
    "The folder of the lock, the control socket and the private servers.")
OPTION(storage_round, span, "1min", 100, 86400000, RELOAD,
    "How often what tenants with a max_storage hold is measured anew.")
OPTION(subscriptions_per_address, count, "16384", 1, 1000000, RELOAD,
    "Sessions that all clients of one address follow: live, by streams and "
    "by polls. Past it, one more is refused with too_many_subscriptions.")
OPTION(subscriptions_per_caller, count, "16384", 1, 1000000, RELOAD,
    "The same of one caller.")
OPTION(subscriptions_per_tenant, count, "65536", 1, 1000000, RELOAD,
    "The same of one tenant.")
OPTION(tabletop_edits, count, "20", 1, 1000000, RELOAD,
    "Tokens that one user of the tabletop makes, changes or takes away in a "
    "minute.")
OPTION(tabletop_messages, count, "600", 1, 1000000, RELOAD,
    "What one user of the tabletop says, throws and shows in a minute.")
OPTION(tabletop_moves, count, "30", 1, 1000000, RELOAD,
    "How often one user of the tabletop moves tokens in a minute.")
OPTION(tenant_places, count, "4096", 16, 65536, RESTART,
    "Tenants whose use can be counted, which those that have a limit need. "
    "One keeps its place until the server ends.")
OPTION(thread_drop_after, span, "1800s", 100, 86400000, RELOAD,
    "A thread's socket of which nothing was heard for so long gets nothing "
    "more until it registers again.")
OPTION(thread_ping_after, span, "900s", 100, 86400000, RELOAD,
    "A thread's socket of which nothing was heard for so long is sent "
    "system_ping by each sweep.")
OPTION(thread_queue, count, "50", 0, 10000, RELOAD,
    "Messages that wait for a thread without sockets. Of more, the oldest "
    "are dropped.")
OPTION(thread_sweep, span, "60s", 100, 3600000, RELOAD,
    "How often threads' sockets are looked at for those two.")
OPTION(tls_certificate, path, "", 0, 0, RELOAD,
    "The certificate chain of tls_listen, PEM.")
OPTION(tls_key, path, "", 0, 0, RELOAD,
    "The private key of tls_certificate, PEM.")
OPTION(tls_listen, hosts, "", 0, 0, RESTART,
    "Where clients reach the server over TLS (1.2 and later).")
OPTION(trusted_proxies, nets, "", 0, 0, RELOAD,
    "Networks whose Forwarded and X-Forwarded headers are believed.")
OPTION(user, text, "", 0, 64, RESTART,
    "Whom the processes run as when the server is started as root. Empty: "
    "partyline where that user exists, else nobody.")
OPTION(webhook_at_once, count, "1000", 1, 10000, RELOAD,
    "Webhooks of a host that are on their way at once. outgoing_at_once has "
    "its own bound below this one.")
OPTION(webhook_disable_after, span, "5d", 1000, 31536000000, RELOAD,
    "An endpoint of webhooks that failed for so long, without one success, is "
    "disabled.")
OPTION(webhook_log_life, span, "7d", 3600000, 31622400000, RELOAD,
    "How long what was sent to webhooks is kept, with the log of each try: "
    "so long it can be sent again.")
OPTION(webhook_pause_max, span, "10min", 10, 86400000, RELOAD,
    "The longest pause in which nothing is sent to an endpoint of webhooks "
    "that keeps failing. Else it lasts as long as the endpoint has been "
    "failing, at least the first wait of webhook_schedule.")
OPTION(webhook_per_endpoint, count, "8", 1, 1000, RELOAD,
    "The most of them to one endpoint. One that wants its order kept gets one "
    "after the other.")
OPTION(webhook_schedule, text, "5s 5min 30min 2h 5h 10h 14h 20h 24h", 0, 512,
    RELOAD,
    "The waits between tries to deliver a webhook, and up to a fifth more. "
    "After as many it is given up, and kept to be sent again.")
OPTION(webhook_timeout, span, "15s", 10, 600000, RELOAD,
    "How long an endpoint of webhooks may take to answer.")
OPTION(work_batch, count, "1000", 1, 100000, RELOAD,
    "Rows that one call of the work for the whole installation removes, and "
    "streams that it looks at.")
OPTION(work_lease, span, "30s", 100, 3600000, RELOAD,
    "How long work that a host has begun waits for it, before another one "
    "goes on with it.")
OPTION(work_round, span, "1min", 100, 86400000, RELOAD,
    "How long after its end such work is done again: events beyond the "
    "retention of their tenant are removed, and what has expired.")
OPTION(workers, count, "0", 0, 510, RELOAD,
    "Worker processes. 0: one for each core.")
OPTION(write_timeout, span, "30s", 100, 3600000, RELOAD,
    "A client that takes nothing of its answer for so long is cut off.")
