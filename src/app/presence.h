/* SPDX-License-Identifier: MIT */
/*
 * Which admins show which page: all processes of all hosts tell each other
 * what their own clients say, and each tells its clients who else is there.
 *
 *	clients ── enter, leave ──> pages ──> presence_update
 *	                             ^  │ announce, on change and every
 *	                             │  v presence_round
 *	                     ring, relay: the other processes
 *
 * Holds always:
 *  1. Who enters a page hears who is there; who stays hears of each change.
 *     A name counts once, however many clients and processes have it. Only
 *     admins are named; anybody who is signed in may look.
 *  2. Nothing is kept of a tenant of whom no client here shows a page: who
 *     shows the first one asks the others, and once more when news of other
 *     hosts come for sure.
 *  3. A process of this host that is gone is forgotten within
 *     PRESENCE_LOOK_MS, another one when nothing was heard of it for
 *     presence_silence.
 *  4. An announcement has at most PRESENCE_BYTES, and no more than a record
 *     of the ring; who is beyond that is not seen by other processes.
 *
 *	presence = presence_create(service);
 *	presence_enter(presence, &client->presence, ws, &caller, page);
 *	presence_leave(presence, &client->presence);	also where it is not
 *	presence_destroy(&presence);			when all have left
 */
#ifndef APP_PRESENCE_H
#define APP_PRESENCE_H

#include <stdbool.h>

#include "base/text.h"

#define PRESENCE_LOOK_MS	500
#define PRESENCE_SOON_MS	5	/* gathers what happens at once */
#define PRESENCE_ASK_MS		1000	/* its relay follows it by then */
#define PRESENCE_BYTES		16384

struct caller;
struct presence;
struct presence_page;
struct service;
struct ws;

/* A client's place, inside it; all zero to begin with. */
struct presence_member {
	struct presence_page	*page;		/* NULL: nowhere */
	struct presence_member	*prev, *next;
	struct ws		*ws;
	char			*name;		/* NULL: it only looks */
	bool			 is_owed;	/* it was told nothing yet */
};

struct presence	*presence_create(struct service *service);
/* What the others are to know is told before. */
void		 presence_destroy(struct presence **presence);

void	presence_enter(struct presence *presence,
	    struct presence_member *member, struct ws *ws,
	    const struct caller *caller, text page);
void	presence_leave(struct presence *presence,
	    struct presence_member *member);

#endif
