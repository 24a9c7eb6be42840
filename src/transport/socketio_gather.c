/* SPDX-License-Identifier: MIT */
/*
 * Asking all who are meant, wherever they are, and gathering what they answer.
 *
 *	asker	 ASK_ALL ──> every worker:  sends it, says how many got it
 *		 <── MEANT, of each worker
 *		 <── ANSWER or NO_ANSWER, of each of their sockets
 *
 * All workers of this host are known, so that it is known when each has said
 * how many of its sockets are meant. A worker of another host says how many
 * of them are there; a host of which nothing is heard for a while has none.
 */
#include <stdio.h>

#include "base/count.h"
#include "base/secret.h"
#include "core/control.h"
#include "plat/loop.h"
#include "plat/segment.h"
#include "transport/socketio_inside.h"

#define HOSTS_MAX 64
/* Above those of what one socket is asked, below SOCKETIO_ID_MAX. */
#define ID_OF_ALL (UINT64_C(1) << 52)

/* What workers of one host have said; the first one is our own. */
struct gather_host {
	char		 name[sizeof ((struct segment *)NULL)->host];
	unsigned	 workers;
	unsigned	 told;
};

struct socketio_gather {
	unsigned	 magic;
#define SOCKETIO_GATHER_MAGIC 0x73696f67
	struct socketio	*socketio;
	uint64_t	 id;
	struct socketio_asker asker;
	struct timer	 late;
	struct timer	 settle;
	bool		 is_settled;
	unsigned	 others;	/* hosts that may say something */
	struct gather_host hosts[HOSTS_MAX];
	unsigned	 hosts_count;
	unsigned	 meant;
	unsigned	 answered;
	unsigned	 gone;
	UT_hash_handle	 hh;
};

/* In a worker that was asked: those that have yet to answer. */
struct asked {
	struct socketio	*socketio;
	int64_t		 asker;
	int64_t		 ask;
	int32_t		 tenant;
	unsigned	 left;
};

/* --- who asks ---------------------------------------------------------- */

static void
end_gather(struct socketio_gather *gather)
{
	struct socketio *socketio = gather->socketio;
	struct timers *timers = loop_timers(socketio->setup.service->loop);
	const struct socketio_asker asker = gather->asker;
	unsigned meant = gather->meant, answered = gather->answered;

	HASH_DELETE(hh, socketio->gathers, gather);
	timer_stop(timers, &gather->late);
	timer_stop(timers, &gather->settle);
	object_free(&gather);
	asker.on_end(asker.me, meant, answered);
}

/* Whether everybody has said how many are meant. */
static bool
is_told(const struct socketio_gather *gather)
{
	for (unsigned i = 0; i < gather->hosts_count; i++)
		if (gather->hosts[i].told < gather->hosts[i].workers)
			return (false);
	return (gather->is_settled ||
	    gather->hosts_count - 1 >= gather->others);
}

static void
look(struct socketio_gather *gather)
{
	if (is_told(gather) &&
	    gather->answered + gather->gone >= gather->meant)
		end_gather(gather);
}

static void
on_settled(struct socketio_gather *gather)
{
	gather->is_settled = true;
	look(gather);
}

static unsigned
count_workers(const struct segment *segment)
{
	unsigned count = 0;

	for (unsigned i = 0; i < segment->slots_count; i++) {
		const struct slot *slot = &segment->slots[i];

		count += atomic_load(&slot->role) == ROLE_WORKER &&
		    atomic_load(&slot->listens) != 0;
	}
	return (count);
}

/* NULL: there are too many. */
static struct gather_host *
find_host(struct socketio_gather *gather, text name)
{
	struct gather_host *host;

	for (unsigned i = 0; i < gather->hosts_count; i++)
		if (text_is(name, text_of(gather->hosts[i].name)))
			return (&gather->hosts[i]);
	if (gather->hosts_count == HOSTS_MAX ||
	    name.len >= sizeof host->name)
		return (NULL);
	host = &gather->hosts[gather->hosts_count++];
	*host = (struct gather_host){ .workers = 0 };
	memcpy(host->name, name.at, name.len);
	return (host);
}

static void
hear_meant(struct socketio_gather *gather, const struct socketio_news *news)
{
	struct gather_host *host = find_host(gather, news->argument);

	gather->meant += (unsigned)news->number;
	if (host == NULL)
		return;
	host->told++;
	/* Of ours it was known when it was asked. */
	if (host != &gather->hosts[0])
		host->workers = (unsigned)news->workers;
}

static void
hear_answer(struct socketio_gather *gather, const struct socketio_news *news)
{
	struct bytes *attachments[SOCKETIO_ATTACHMENTS_MOST];
	struct socketio_packet packet = { .kind = SOCKETIO_ACK,
	    .attachments = attachments, .id = gather->id, .nsp = news->nsp,
	    .rest = news->argument };

	for (; packet.count < news->attachments &&
	    packet.count < SOCKETIO_ATTACHMENTS_MOST; packet.count++) {
		text from = news->texts[news->rooms + news->except +
		    packet.count];
		struct bytes *bytes = bytes_create(from.len);

		if (from.len > 0)
			memcpy(bytes->at, from.at, from.len);
		attachments[packet.count] = bytes;
	}
	gather->answered++;
	gather->asker.on_answer(gather->asker.me, &packet);
	while (packet.count > 0)
		bytes_give(&attachments[--packet.count]);
}

static void
on_late(struct socketio_gather *gather)
{
	end_gather(gather);
}

static struct socketio_gather *
create(struct socketio *socketio, int64_t timeout_ms,
    const struct socketio_asker *asker)
{
	const struct service *service = socketio->setup.service;
	struct timers *timers = loop_timers(service->loop);
	struct socketio_gather *gather = object_create(
	    struct socketio_gather, SOCKETIO_GATHER_MAGIC);

	gather->socketio = socketio;
	gather->asker = *asker;
	secret_fill(&gather->id, sizeof gather->id);
	gather->id = ID_OF_ALL | (gather->id & (ID_OF_ALL - 1));
	gather->others = control_others(service->control);
	find_host(gather, text_of(service->segment->host))->workers =
	    count_workers(service->segment);
	HASH_ADD(hh, socketio->gathers, id, sizeof gather->id, gather);
	timer_init(&gather->late, on_late, gather);
	timer_init(&gather->settle, on_settled, gather);
	timer_set(timers, &gather->late, timeout_ms);
	timer_set(timers, &gather->settle, SOCKETIO_SETTLE_MS);
	return (gather);
}

void
socketio_ask_all(struct socketio *socketio,
    const struct socketio_target *target, struct socketio_writer *writer,
    int64_t timeout_ms, const struct socketio_asker *asker)
{
	struct socketio_news news = { .what = SOCKETIO_ASK_ALL,
	    .asker = (int64_t)socketio->origin, .number = timeout_ms };
	struct socketio_gather *gather = create(socketio, timeout_ms, asker);

	if (target->is_local) {
		gather->hosts[0].workers = 1;
		gather->others = 0;
	}
	writer->id = gather->id;
	news.ask = (int64_t)gather->id;
	news.argument = socketio_written(writer);
	news.attachments = writer->count;
	for (unsigned i = 0; i < writer->count; i++)
		news.texts[i] = text_from(writer->attachments[i]->at,
		    writer->attachments[i]->len);
	COUNT(socketio_broadcasts);
	if (writer->has_failed)
		end_gather(gather);
	else
		socketio_tell(socketio, target, &news);
	socketio_write_end(writer);
}

void
socketio_gather_end_all(struct socketio *socketio)
{
	while (socketio->gathers != NULL)
		end_gather(socketio->gathers);
}

/* --- who is asked ------------------------------------------------------ */

/* To the asker, be it here. */
static void
reply(struct socketio *socketio, int64_t asker,
    const struct socketio_news *news)
{
	if ((uint64_t)asker == socketio->origin)
		socketio_gather_hear(socketio, news);
	else
		socketio_say(socketio, news);
}

static void
on_answer(void *me, const struct socketio_packet *packet)
{
	struct asked *asked = me;
	struct socketio_news news = { .what = packet != NULL ?
	    SOCKETIO_ANSWER : SOCKETIO_NO_ANSWER, .tenant = asked->tenant,
	    .nsp = TEXT("/"), .argument = TEXT(""), .asker = asked->asker,
	    .ask = asked->ask };
	struct socketio *socketio = asked->socketio;

	if (packet != NULL) {
		news.nsp = packet->nsp;
		news.argument = packet->rest;
		news.attachments = packet->count;
		for (unsigned i = 0; i < packet->count; i++)
			news.texts[i] = text_from(packet->attachments[i]->at,
			    packet->attachments[i]->len);
	}
	if (--asked->left == 0)
		mem_free(asked);
	reply(socketio, news.asker, &news);
}

/* First how many there are, then each: none answers before that is told. */
static void
hear_ask(struct socketio *socketio, const struct socketio_news *news)
{
	const struct segment *segment = socketio->setup.service->segment;
	struct socketio_news meant = { .what = SOCKETIO_MEANT,
	    .tenant = news->tenant, .nsp = news->nsp,
	    .argument = text_of(segment->host), .asker = news->asker,
	    .ask = news->ask, .workers = count_workers(segment) };
	struct socketio_socket **found;
	struct socketio_parts parts;
	struct asked *asked;

	meant.number = socketio_meant(socketio, news, &found);
	if (meant.number > 0) {
		asked = mem_alloc(sizeof *asked);
		*asked = (struct asked){ socketio, news->asker, news->ask,
		    news->tenant, (unsigned)meant.number };
		socketio_parts_read(news, &parts);
		for (unsigned i = 0; i < meant.number; i++) {
			socketio_expect(found[i], (uint64_t)news->ask,
			    news->number, on_answer, asked);
			socketio_put(found[i]->engine, &parts, false);
		}
		socketio_parts_end(&parts);
	}
	mem_free(found);
	reply(socketio, news->asker, &meant);
}

void
socketio_gather_hear(struct socketio *socketio,
    const struct socketio_news *news)
{
	struct socketio_gather *gather;
	uint64_t id = (uint64_t)news->ask;

	if (news->what == SOCKETIO_ASK_ALL) {
		hear_ask(socketio, news);
		return;
	}
	if ((uint64_t)news->asker != socketio->origin)
		return;
	HASH_FIND(hh, socketio->gathers, &id, sizeof id, gather);
	if (gather == NULL)
		return;
	if (news->what == SOCKETIO_MEANT)
		hear_meant(gather, news);
	else if (news->what == SOCKETIO_ANSWER)
		hear_answer(gather, news);
	else
		gather->gone++;
	look(gather);
}
