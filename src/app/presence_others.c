/* SPDX-License-Identifier: MIT */
/*
 * What other processes say, and what they are told.
 */
#include <utlist.h>

#include "app/presence_inside.h"
#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/stamp.h"
#include "core/event.h"
#include "core/json.h"

#define STREAM TEXT("presence")
#define END_LEN 2		/* of an announcement: ]} */

/* --- saying ------------------------------------------------------------ */

/* false: there is no room for all. */
static bool
write_page(const struct presence_page *page, size_t most,
    struct json_out *json)
{
	struct presence_names names = { .count = 0 };
	bool has_room = true;
	size_t before;

	presence_add_own(page, &names);
	presence_names_sort(&names);
	for (unsigned i = 0; i < names.count && has_room; i++) {
		before = json->buf->len;
		json_object_begin(json);
		json_key(json, "name");
		json_text(json, names.at[i]);
		json_key(json, "page");
		json_text(json, presence_page_name(page));
		json_object_end(json);
		has_room = json->buf->len + END_LEN <= most;
		if (!has_room)
			json->buf->len = before;
	}
	presence_names_fini(&names);
	return (has_room);
}

void
presence_announce(struct presence_house *house)
{
	struct service *service = house->presence->service;
	const struct segment *segment = service->segment;
	size_t most = (size_t)service->conf->ring_record_max;
	const struct presence_page *page;
	struct json_out json;
	struct buf payload;

	if (most > PRESENCE_BYTES)
		most = PRESENCE_BYTES;
	buf_init(&payload, BUF_NO_LIMIT);
	json_out_init(&json, &payload);
	json_object_begin(&json);
	json_key(&json, "host");
	json_text_of(&json, segment->host);
	json_key(&json, "slot");
	json_int(&json, service->slot);
	json_key(&json, "generation");
	json_int(&json, atomic_load(
	    &segment->slots[service->slot].generation));
	json_key(&json, "asks");
	json_bool(&json, house->asks);
	json_key(&json, "admins");
	json_array_begin(&json);
	DL_FOREACH(house->pages, page)
		if (!write_page(page, most, &json))
			break;
	json_array_end(&json);
	json_object_end(&json);
	event_say(service, house->tenant, STREAM, buf_text(&payload));
	COUNT(presence_said);
	house->asks = false;
	house->said_ms = clock_ms();
	buf_fini(&payload);
}

/* --- hearing ----------------------------------------------------------- */

static void
forget(struct presence_house *house, struct presence_other *other)
{
	DL_DELETE(house->others, other);
	json_in_free(&other->announced);
	mem_free(other);
	house->has_news = true;
}

static struct presence_other *
find(struct presence_house *house, text host, unsigned slot)
{
	struct presence_other *other;

	DL_FOREACH(house->others, other)
		if (other->slot == slot && text_is(text_of(other->host),
		    host))
			return (other);
	return (NULL);
}

/* It keeps the announcement. */
static bool
keep(struct presence_house *house, struct json_object *announced)
{
	int64_t slot, generation;
	struct presence_other *other;
	size_t count;
	text host;

	if (!json_in_text(announced, "host", &host) ||
	    host.len >= sizeof other->host ||
	    !json_in_int(announced, "slot", &slot) || slot < 0 ||
	    slot >= SEGMENT_SLOTS_MAX ||
	    !json_in_int(announced, "generation", &generation) ||
	    !json_in_as_array(json_in_member(announced, "admins"), &count))
		return (false);
	other = find(house, host, (unsigned)slot);
	if (other == NULL) {
		other = mem_alloc(sizeof *other);
		memcpy(other->host, host.at, host.len);
		other->slot = (unsigned)slot;
		DL_APPEND(house->others, other);
	}
	json_in_free(&other->announced);
	other->announced = announced;
	other->generation = (uint32_t)generation;
	other->heard_ms = clock_ms();
	return (true);
}

void
presence_hear(void *context, int32_t tenant, text payload)
{
	struct presence *presence = object_cast(struct presence,
	    PRESENCE_MAGIC, context);
	struct presence_house *house;
	struct json_object *announced;
	bool asks;

	HASH_FIND(hh, presence->houses, &tenant, sizeof tenant, house);
	if (house == NULL)
		return;
	announced = json_in_read(payload);
	if (announced == NULL)
		return;
	if (!json_in_bool(announced, "asks", &asks) ||
	    !keep(house, announced)) {
		json_in_free(&announced);
		return;
	}
	COUNT(presence_heard);
	house->has_moved |= asks;
	house->has_news = true;
	presence_soon(presence);
}

void
presence_add_others(const struct presence_page *page,
    struct presence_names *names)
{
	const struct presence_other *other;
	struct json_object *admin;
	text on, name;

	DL_FOREACH(page->house->others, other)
		for (size_t i = 0; (admin = json_in_item(other->announced,
		    "admins", i)) != NULL; i++)
			if (json_in_text(admin, "page", &on) &&
			    text_is(on, presence_page_name(page)) &&
			    json_in_text(admin, "name", &name))
				presence_names_add(names, name);
}

/* --- forgetting -------------------------------------------------------- */

/* A process of this host whose slot is void, or another one's by now. */
static bool
is_void(const struct segment *segment, const struct presence_other *other)
{
	const struct slot *slot = &segment->slots[other->slot];

	return (strcmp(segment->host, other->host) == 0 &&
	    (other->slot >= segment->slots_count ||
	    atomic_load(&slot->role) == ROLE_NONE ||
	    atomic_load(&slot->generation) != other->generation));
}

void
presence_forget_gone(struct presence_house *house, int64_t now_ms)
{
	const struct service *service = house->presence->service;
	struct presence_other *other, *next;

	DL_FOREACH_SAFE(house->others, other, next)
		if (now_ms - other->heard_ms >=
		    service->conf->presence_silence ||
		    is_void(service->segment, other))
			forget(house, other);
}

void
presence_forget_all(struct presence_house *house)
{
	while (house->others != NULL)
		forget(house, house->others);
}
