/* SPDX-License-Identifier: MIT */
/*
 * What test suites of Socket.IO expect of a server: two namespaces that tell
 * a client what it came in with, and one of them answers what it gets. Served
 * where socketio_conformance is on.
 *
 *	/, /custom	<── auth(payload)
 *	/		message(...a)		<── message-back(...a)
 *			message-with-ack(...a)	<── the answer: ...a
 *	/custom		ask-all(ms)		──> asked, to all of them there
 *						<── the answer: how many they
 *						    are, and what they answer
 */
#ifndef APP_CONFORMANCE_H
#define APP_CONFORMANCE_H

#include "transport/socketio.h"

#define CONFORMANCE_APPS 2

extern const struct socketio_app conformance_apps[CONFORMANCE_APPS];

#endif
