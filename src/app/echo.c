/* SPDX-License-Identifier: MIT */
/*
 * The echo. A session is all there is to know of it.
 */
#include "app/echo.h"

static void *
on_open(struct engineio *engine, void *context,
    const struct engineio_facts *facts)
{
	(void)context;
	(void)facts;
	return (engine);
}

static void
on_message(void *application, text words, bool is_binary)
{
	struct engineio_message *message = engineio_message_create(&words, 1,
	    is_binary);

	engineio_send(application, message);
	engineio_message_give(&message);
}

static void
on_close(void *application, enum engineio_end why)
{
	(void)application;
	(void)why;
}

const struct engineio_acts echo_acts = { .on_open = on_open,
    .on_message = on_message, .on_close = on_close };
