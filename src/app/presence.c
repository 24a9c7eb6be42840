/* SPDX-License-Identifier: MIT */
/*
 * Clients and their pages, and what they are told.
 */
#include <stdlib.h>
#include <utlist.h>

#include "app/presence_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/stamp.h"
#include "core/feed.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/loop.h"
#include "transport/ws.h"

/* --- names ------------------------------------------------------------ */

void
presence_names_add(struct presence_names *names, text name)
{
	if (names->count == names->size) {
		names->size = names->size == 0 ? 16 : 2 * names->size;
		names->at = mem_resize(names->at,
		    names->size * sizeof *names->at);
	}
	names->at[names->count++] = name;
}

static int
compare(const void *a, const void *b)
{
	const text *one = a, *two = b;
	size_t len = one->len < two->len ? one->len : two->len;
	int order = len > 0 ? memcmp(one->at, two->at, len) : 0;

	return (order != 0 ? order : (one->len > two->len) -
	    (one->len < two->len));
}

void
presence_names_sort(struct presence_names *names)
{
	unsigned kept = 0;

	if (names->count == 0)
		return;
	qsort(names->at, names->count, sizeof *names->at, compare);
	for (unsigned i = 1; i < names->count; i++)
		if (!text_is(names->at[i], names->at[kept]))
			names->at[++kept] = names->at[i];
	names->count = kept + 1;
}

void
presence_names_fini(struct presence_names *names)
{
	mem_free(names->at);
}

void
presence_add_own(const struct presence_page *page,
    struct presence_names *names)
{
	const struct presence_member *member;

	DL_FOREACH(page->members, member)
		if (member->name != NULL)
			presence_names_add(names, text_of(member->name));
}

/* --- telling clients --------------------------------------------------- */

static void
write_list(const struct presence_page *page, struct buf *out)
{
	struct presence_names names = { .count = 0 };
	struct json_out json;

	presence_add_own(page, &names);
	presence_add_others(page, &names);
	presence_names_sort(&names);
	json_out_init(&json, out);
	json_array_begin(&json);
	for (unsigned i = 0; i < names.count; i++) {
		json_object_begin(&json);
		json_key(&json, "name");
		json_text(&json, names.at[i]);
		json_key(&json, "page");
		json_text(&json, presence_page_name(page));
		json_object_end(&json);
	}
	json_array_end(&json);
	presence_names_fini(&names);
}

static struct event *
make_update(text list)
{
	char moment[STAMP_SIZE];
	struct event *event;
	struct buf envelope;

	stamp_write(stamp_now(), moment);
	buf_init(&envelope, BUF_NO_LIMIT);
	buf_printf(&envelope, "{\"type\":\"presence_update\","
	    "\"timestamp\":\"%s\",\"admins\":%.*s}", moment,
	    TEXT_ARGS(list));
	event = event_create(TEXT(""), 0, buf_text(&envelope));
	buf_fini(&envelope);
	return (event);
}

static void
keep_told(struct presence_page *page, text list)
{
	char *at = mem_alloc(list.len);

	memcpy(at, list.at, list.len);
	mem_free((void *)(uintptr_t)page->told.at);
	page->told = text_from(at, list.len);
}

static void
tell_page(struct presence_page *page)
{
	struct presence_member *member;
	struct event *update = NULL;
	struct buf list;
	bool has_changed;

	buf_init(&list, BUF_NO_LIMIT);
	write_list(page, &list);
	has_changed = !text_is(page->told, buf_text(&list));
	DL_FOREACH(page->members, member) {
		if (!has_changed && !member->is_owed)
			continue;
		member->is_owed = false;
		if (update == NULL)
			update = make_update(buf_text(&list));
		ws_send_event(member->ws, update);
	}
	if (has_changed)
		keep_told(page, buf_text(&list));
	event_give(&update);
	buf_fini(&list);
}

/* --- houses ------------------------------------------------------------ */

static void
close_house(struct presence_house *house)
{
	struct presence *presence = house->presence;

	presence_forget_all(house);
	HASH_DEL(presence->houses, house);
	mem_free(house);
}

static void
tell_house(struct presence_house *house)
{
	struct presence_page *page;

	if (house->has_moved)
		presence_announce(house);
	if (house->has_news)
		DL_FOREACH(house->pages, page)
			tell_page(page);
	house->has_moved = house->has_news = false;
	if (house->pages == NULL)
		close_house(house);
}

static void
on_soon(struct presence *presence)
{
	struct presence_house *house, *next;

	HASH_ITER(hh, presence->houses, house, next)
		tell_house(house);
}

void
presence_soon(struct presence *presence)
{
	if (!timer_is_set(&presence->soon))
		timer_set(loop_timers(presence->service->loop),
		    &presence->soon, PRESENCE_SOON_MS);
}

static void
look_at(struct presence_house *house, int64_t now_ms)
{
	const struct conf *conf = house->presence->service->conf;

	presence_forget_gone(house, now_ms);
	if (!house->has_asked_late &&
	    now_ms - house->since_ms >= PRESENCE_ASK_MS)
		house->has_asked_late = house->asks = house->has_moved = true;
	if (now_ms - house->said_ms >= conf->presence_round)
		house->has_moved = true;
	if (house->has_moved || house->has_news)
		presence_soon(house->presence);
}

static void
on_look(struct presence *presence)
{
	struct presence_house *house, *next;
	int64_t now_ms = clock_ms();

	HASH_ITER(hh, presence->houses, house, next)
		look_at(house, now_ms);
	timer_set(loop_timers(presence->service->loop), &presence->look,
	    PRESENCE_LOOK_MS);
}

static struct presence_house *
open_house(struct presence *presence, int32_t tenant)
{
	struct presence_house *house;

	HASH_FIND(hh, presence->houses, &tenant, sizeof tenant, house);
	if (house != NULL)
		return (house);
	house = mem_alloc(sizeof *house);
	house->presence = presence;
	house->tenant = tenant;
	house->asks = true;
	house->since_ms = clock_ms();
	HASH_ADD(hh, presence->houses, tenant, sizeof house->tenant, house);
	return (house);
}

/* --- pages ------------------------------------------------------------- */

static struct presence_page *
open_page(struct presence_house *house, text name)
{
	struct presence_page *page;

	DL_FOREACH(house->pages, page)
		if (text_is(presence_page_name(page), name))
			return (page);
	page = mem_alloc(sizeof *page + name.len);
	page->house = house;
	page->name_len = name.len;
	memcpy(page->name, name.at, name.len);
	DL_APPEND(house->pages, page);
	return (page);
}

void
presence_leave(struct presence *presence, struct presence_member *member)
{
	struct presence_page *page = member->page;

	if (page == NULL)
		return;
	page->house->has_moved = page->house->has_news = true;
	presence_soon(presence);
	DL_DELETE(page->members, member);
	mem_free(member->name);
	*member = (struct presence_member){ .page = NULL };
	if (page->members != NULL)
		return;
	DL_DELETE(page->house->pages, page);
	mem_free((void *)(uintptr_t)page->told.at);
	mem_free(page);
}

void
presence_enter(struct presence *presence, struct presence_member *member,
    struct ws *ws, const struct caller *caller, text name)
{
	struct presence_house *house;

	presence_leave(presence, member);
	house = open_house(presence, ws_tenant(ws)->id);
	member->page = open_page(house, name);
	member->ws = ws;
	member->is_owed = true;
	if (caller->rank == RANK_ADMIN)
		member->name = mem_copy_text(caller->name);
	DL_APPEND(member->page->members, member);
	house->has_moved = house->has_news = true;
	presence_soon(presence);
}

/* --- its life ---------------------------------------------------------- */

struct presence *
presence_create(struct service *service)
{
	struct presence *presence = object_create(struct presence,
	    PRESENCE_MAGIC);

	presence->service = service;
	timer_init(&presence->soon, on_soon, presence);
	timer_init(&presence->look, on_look, presence);
	timer_set(loop_timers(service->loop), &presence->look,
	    PRESENCE_LOOK_MS);
	feed_listen(service->feed, &(struct feed_listener){
	    TEXT("presence"), presence_hear, presence });
	return (presence);
}

void
presence_destroy(struct presence **given)
{
	struct presence *presence = *given;

	*given = NULL;
	if (presence == NULL)
		return;
	object_check(presence, PRESENCE_MAGIC);
	on_soon(presence);
	must(presence->houses == NULL);
	feed_leave(presence->service->feed, TEXT("presence"));
	timer_stop(loop_timers(presence->service->loop), &presence->soon);
	timer_stop(loop_timers(presence->service->loop), &presence->look);
	object_free(&presence);
}
