/* SPDX-License-Identifier: MIT */
/*
 * What test suites of Engine.IO expect of a server: each message comes back,
 * text as text and bytes as bytes. Served where socketio_conformance is on.
 */
#ifndef APP_ECHO_H
#define APP_ECHO_H

#include "transport/engineio.h"

#define ECHO_PATH "/engine.io/"

extern const struct engineio_acts echo_acts;

#endif
