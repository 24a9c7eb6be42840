/* SPDX-License-Identifier: MIT */
/*
 * What the files of app/presence share.
 *
 *	presence.c	 clients and their pages, and what they are told
 *	presence_others.c what other processes say, and what they are told
 *
 * An announcement is all that a process has of a tenant:
 *
 *	{"host":"…","slot":3,"generation":7,"asks":true,
 *	 "admins":[{"name":"Ann","page":"/history"}]}
 */
#ifndef APP_PRESENCE_INSIDE_H
#define APP_PRESENCE_INSIDE_H

#include <uthash.h>

#include "app/presence.h"
#include "core/service.h"
#include "plat/segment.h"
#include "plat/timer.h"

struct json_object;

/* Another process, as it announced itself last. */
struct presence_other {
	struct presence_other	*prev, *next;
	char			 host[sizeof ((struct segment *)0)->host];
	unsigned		 slot;
	uint32_t		 generation;
	int64_t			 heard_ms;
	struct json_object	*announced;
};

struct presence_house;

struct presence_page {
	struct presence_page	*prev, *next;
	struct presence_house	*house;
	struct presence_member	*members;
	text			 told;		/* the list, as it was last */
	size_t			 name_len;
	char			 name[];
};

/* A tenant of whom clients here show pages. */
struct presence_house {
	struct presence		*presence;
	int32_t			 tenant;
	struct presence_page	*pages;
	struct presence_other	*others;
	bool			 has_moved;	/* the others are to know */
	bool			 has_news;	/* the clients are to know */
	bool			 asks;		/* in what it says next */
	bool			 has_asked_late;
	int64_t			 since_ms;
	int64_t			 said_ms;
	UT_hash_handle		 hh;
};

struct presence {
	unsigned		 magic;
#define PRESENCE_MAGIC 0x70726e63
	struct service		*service;
	struct presence_house	*houses;
	struct timer		 soon;
	struct timer		 look;
};

struct presence_names {
	text		*at;
	unsigned	 count;
	unsigned	 size;
};

/* presence.c */
static inline text
presence_page_name(const struct presence_page *page)
{
	return (text_from(page->name, page->name_len));
}

void	presence_names_add(struct presence_names *names, text name);
/* By name, each once. */
void	presence_names_sort(struct presence_names *names);
void	presence_names_fini(struct presence_names *names);
/* Those of this process that are on the page. */
void	presence_add_own(const struct presence_page *page,
	    struct presence_names *names);
/* Something is to be told. */
void	presence_soon(struct presence *presence);

/* presence_others.c */
/* Those of other processes; they last until these say something else. */
void	presence_add_others(const struct presence_page *page,
	    struct presence_names *names);
void	presence_announce(struct presence_house *house);
/* For the feed. */
void	presence_hear(void *context, int32_t tenant, text payload);
/* Forgets who is gone. */
void	presence_forget_gone(struct presence_house *house, int64_t now_ms);
void	presence_forget_all(struct presence_house *house);

#endif
