/* SPDX-License-Identifier: MIT */
/*
 * What a client can ask of the server, one row each, sorted by name.
 *
 * To add one: its row here; the function `operation_<name>` of its layer;
 * a subtest; make docs. Router, OPTIONS, 405 and the reference follow.
 *
 *	OPERATION(name, method, path, door, text)
 *
 * door: FRONT (listen, tls_listen) or ADMIN (admin_listen).
 */
OPERATION(health, GET, "/health", FRONT,
    "Whether the server is up, in the form that today's clients ask for.")
OPERATION(livez, GET, "/livez", FRONT,
    "200 while the process answers at all.")
OPERATION(metrics, GET, "/metrics", ADMIN,
    "All counters of all processes in Prometheus' text format.")
OPERATION(readyz, GET, "/readyz", FRONT,
    "200 when the server can do its work, 503 when it cannot; each part by "
    "name with its state.")
OPERATION(status, GET, "/status", ADMIN,
    "All counters, by process and in sum, as JSON.")
