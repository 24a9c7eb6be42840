/* SPDX-License-Identifier: MIT */
/*
 * One call, hashes for what it wants, and the call again.
 */
#include "core/admins_sync.h"

#include "base/log.h"
#include "core/admins.h"
#include "core/json.h"
#include "core/key.h"
#include "core/sign_in.h"
#include "plat/segment.h"

#define AGAIN_MS	1000	/* no database */
#define CREW_FULL_MS	50
#define WISHES_MOST	10	/* answers that want hashes: others sync, too */

enum sync_state {
	SYNC_WAITS,		/* for the secret, or for its timer */
	SYNC_ASKS,
	SYNC_HASHES,
	SYNC_ENDED
};

/* What is written about each admin of the configuration. */
struct entry {
	char	lookup[KEY_LOOKUP_SIZE];
	char	hash[KEY_HASH_SIZE];	/* "": not known */
	bool	is_wanted;
};

struct admins_sync {
	unsigned	 magic;
#define ADMINS_SYNC_MAGIC 0x73796e63
	struct service	*service;
	struct crew	*crew;
	const struct admins *admins;
	enum sync_state	 state;
	struct timer	 timer;
	struct crew_job	 job;
	struct entry	*entries;
	unsigned	 at;		/* whose key is hashed */
	unsigned	 wishes;
	bool		 has_begun;
	struct call_context context;
	char		 request_id[OP_ID_MADE + 1];
};

static void	ask(struct admins_sync *sync);
static void	hash_next(struct admins_sync *sync);

/* Every other state leads to every other. */
static void
sync_state_set(struct admins_sync *sync, enum sync_state state)
{
	must(sync->state != SYNC_ENDED);
	sync->state = state;
}

static bool
has_to_leave(const struct admins_sync *sync)
{
	const struct service *service = sync->service;

	return (service->is_closing || atomic_load(
	    &service->segment->slots[service->slot].is_draining) != 0);
}

static void
wait(struct admins_sync *sync, int64_t ms)
{
	sync_state_set(sync, SYNC_WAITS);
	timer_set(loop_timers(sync->service->loop), &sync->timer, ms);
}

static void
on_timer(struct admins_sync *sync)
{
	/* After hashes that are missing, or where there are none, the call. */
	hash_next(sync);
}

static void
finish(struct admins_sync *sync)
{
	sync_state_set(sync, SYNC_ENDED);
	atomic_store(&sync->service->segment->admins_are_in, 1);
}

static void
hash(struct admins_sync *sync)
{
	key_hash(sync->admins->at[sync->at].key,
	    sync->entries[sync->at].hash);
}

static void
on_hashed(struct admins_sync *sync)
{
	sync->entries[sync->at].is_wanted = false;
	hash_next(sync);
}

static void
hash_next(struct admins_sync *sync)
{
	if (has_to_leave(sync)) {
		sync_state_set(sync, SYNC_ENDED);
		return;
	}
	for (sync->at = 0; sync->at < sync->admins->count; sync->at++)
		if (sync->entries[sync->at].is_wanted)
			break;
	if (sync->at == sync->admins->count)
		ask(sync);
	else if (sync->crew != NULL && crew_do(sync->crew, &sync->job))
		sync_state_set(sync, SYNC_HASHES);
	else
		wait(sync, CREW_FULL_MS);
}

/* How many keys have to be hashed; -1: the answer is not understood. */
static int
read_wanted(struct admins_sync *sync, struct json_object *answer)
{
	struct json_object *place;
	int count = 0;
	int64_t n;

	for (size_t i = 0; (place = json_in_item(answer, "wanted", i)) !=
	    NULL; i++) {
		if (!json_in_as_int(place, &n) || n < 0 ||
		    n >= sync->admins->count)
			return (-1);
		sync->entries[n].is_wanted = true;
		count++;
	}
	return (count);
}

static void
log_done(const struct admins_sync *sync, struct json_object *answer)
{
	struct json_object *one;
	int64_t added = 0, revoked = 0;
	text name, why;

	for (size_t i = 0; (one = json_in_item(answer, "refused", i)) !=
	    NULL; i++)
		if (json_in_text(one, "name", &name) &&
		    json_in_text(one, "why", &why))
			log_error("an admin of the configuration is not taken "
			    "over", F("name", name), F("why", why));
	json_in_int(answer, "added", &added);
	json_in_int(answer, "revoked", &revoked);
	log_info("admins of the configuration are in",
	    F("admins", sync->admins->count), F("added", added),
	    F("revoked", revoked));
}

static void
heed(struct admins_sync *sync, text body)
{
	struct json_object *answer = json_in_read(body);
	int wanted = answer != NULL ? read_wanted(sync, answer) : -1;

	if (wanted > 0 && sync->wishes++ < WISHES_MOST) {
		int64_t revoked = 0;

		json_in_int(answer, "revoked", &revoked);
		if (revoked > 0)
			log_info("admins left the configuration",
			    F("revoked", revoked));
		hash_next(sync);
	} else {
		if (wanted == 0)
			log_done(sync, answer);
		else
			log_error("the admins of the configuration could not "
			    "be taken over");
		finish(sync);
	}
	json_in_free(&answer);
}

static void
on_answer(void *me, const struct db_answer *answer)
{
	struct admins_sync *sync = object_cast(struct admins_sync,
	    ADMINS_SYNC_MAGIC, me);
	struct call_row row;

	if (answer->result == DB_ROWS && db_rows(answer) > 0 &&
	    call_row_read(answer, 0, &row) && !row.is_event) {
		heed(sync, row.body);
		return;
	}
	if (answer->result == DB_REFUSED)
		log_error("the admins of the configuration were refused, "
		    "trying again", F("message", answer->message));
	if (has_to_leave(sync))
		sync_state_set(sync, SYNC_ENDED);
	else
		wait(sync, AGAIN_MS);
}

static void
ask(struct admins_sync *sync)
{
	enum { NAMES, LOOKUPS, HASHES, INPUTS };
	struct buf bufs[INPUTS];
	text inputs[INPUTS];

	sync_state_set(sync, SYNC_ASKS);
	for (unsigned i = 0; i < INPUTS; i++)
		buf_init(&bufs[i], BUF_NO_LIMIT);
	for (unsigned i = 0; i < sync->admins->count; i++) {
		const struct entry *entry = &sync->entries[i];

		call_array_add(&bufs[NAMES], sync->admins->at[i].name);
		call_array_add(&bufs[LOOKUPS], text_of(entry->lookup));
		call_array_add(&bufs[HASHES], entry->hash[0] != '\0' ?
		    text_of(entry->hash) : TEXT_NONE);
	}
	for (unsigned i = 0; i < INPUTS; i++) {
		call_array_end(&bufs[i]);
		inputs[i] = buf_text(&bufs[i]);
	}
	service_ask(sync->service, FUNCTION_admin_sync, &sync->context,
	    TEXT_NONE, inputs, INPUTS, on_answer, sync);
	for (unsigned i = 0; i < INPUTS; i++)
		buf_fini(&bufs[i]);
}

struct admins_sync *
admins_sync_create(struct service *service, struct crew *crew)
{
	struct admins_sync *sync = object_create(struct admins_sync,
	    ADMINS_SYNC_MAGIC);

	sync->service = service;
	sync->crew = crew;
	sync->admins = service->admins;
	sync->entries = mem_alloc((sync->admins->count + 1) *
	    sizeof *sync->entries);
	timer_init(&sync->timer, on_timer, sync);
	crew_job_init(&sync->job, hash, on_hashed, sync);
	atomic_store(&service->segment->admins_are_in, 0);
	return (sync);
}

void
admins_sync_begin(struct admins_sync *sync, text server_secret)
{
	object_check(sync, ADMINS_SYNC_MAGIC);
	/* Said again each time that the lists were read: once is enough. */
	if (sync->has_begun)
		return;
	sync->has_begun = true;
	op_make_id(sync->request_id);
	sync->context = (struct call_context){ .tenant = ADMINS_TENANT,
	    .caller = TEXT("configuration"), .role = TEXT("admin"),
	    .request_id = text_of(sync->request_id) };
	for (unsigned i = 0; i < sync->admins->count; i++)
		key_lookup(server_secret, ADMINS_TENANT,
		    sync->admins->at[i].key, sync->entries[i].lookup);
	hash_next(sync);
}

void
admins_sync_stop(struct admins_sync *sync)
{
	if (sync == NULL)
		return;
	object_check(sync, ADMINS_SYNC_MAGIC);
	timer_stop(loop_timers(sync->service->loop), &sync->timer);
	if (sync->state != SYNC_ASKS)
		sync->state = SYNC_ENDED;
}

void
admins_sync_destroy(struct admins_sync **given)
{
	struct admins_sync *sync = *given;

	*given = NULL;
	if (sync == NULL)
		return;
	object_check(sync, ADMINS_SYNC_MAGIC);
	must(sync->state == SYNC_ENDED);
	explicit_bzero(sync->entries, sync->admins->count *
	    sizeof *sync->entries);
	mem_free(sync->entries);
	object_free(&sync);
}
