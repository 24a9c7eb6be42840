/* SPDX-License-Identifier: MIT */
/*
 * What the operations of a worker stand on beside its memory: PostgreSQL,
 * and what the worker keeps of it: tenants, who is believed, answers.
 *
 *	control ──> tenants, who, cache	   read every CONTROL_MS
 *	act ──────> pool ──> events into the ring
 *
 * Holds always:
 *  1. It takes requests only once tenants, keys and revocations were read;
 *     until then they are answered 503.
 *  2. What it keeps is never older than what `control` told: where news may
 *     have been missed, all of it is read anew.
 *  3. Each call of SQL is answered before service_close returns; whoever
 *     asks after that is answered that the database is away.
 *
 *	service = service_create(&setup);
 *	... http_create with it ...
 *	service_close(service);
 *	... http_destroy: requests may come in until it is done ...
 *	service_destroy(&service);
 */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/function.h"
#include "core/op.h"
#include "plat/ring.h"

struct admins;

struct service_setup {
	struct loop		*loop;
	struct segment		*segment;
	unsigned		 slot;
	unsigned		 ordinal;	/* of the worker */
	const struct conf	*conf;
	const struct admins	*admins;	/* of the configuration */
};

struct service {
	unsigned		 magic;
#define SERVICE_MAGIC 0x73727663
	struct loop		*loop;
	struct segment		*segment;
	unsigned		 slot;
	unsigned		 ordinal;
	const struct conf	*conf;
	const struct admins	*admins;
	struct ring_writer	 ring;
	struct db_pool		*pool;
	struct tenant_book	*tenants;
	struct who_book		*who;
	struct cache		*cache;
	struct control		*control;
	struct feed		*feed;
	struct follows		*follows;
	struct lag		*lag;
	struct batches		*batches;
	struct sign_in		*sign_in;
	struct users		*users;
	bool			 is_ready;
	bool			 is_closing;

	/* Places in the pool's statements. */
	struct arena		 arena;
	unsigned		 of_operation[OPERATIONS];
	unsigned		 of_function[FUNCTIONS];
};

struct service	*service_create(const struct service_setup *setup);
void		 service_close(struct service *service);
/* After it was closed, and after the last op is gone. */
void		 service_destroy(struct service **service);
/*
 * For a worker that has no client left: whether nothing is on its way to
 * PostgreSQL and nobody has to be told any more that it goes.
 */
bool		 service_has_finished(struct service *service);
enum db_state	 service_state(const struct service *service);

/*
 * Calls a function of tbl/functions.h. context: NULL where the row says
 * WITHOUT. stream: as in struct db_call.
 */
void	service_ask(struct service *service, enum function function,
	    const struct call_context *context, text stream,
	    const text *inputs, unsigned count,
	    void (*on_answer)(void *, const struct db_answer *), void *me);

#endif
