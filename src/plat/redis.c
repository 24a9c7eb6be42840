/* SPDX-License-Identifier: MIT */
/*
 * hiredis on our loop. It frees its context by itself when a connection is
 * lost, inside any of its calls: cleanup is the one place where we hear of
 * that, and what follows from it waits for a timer, so that nothing of ours
 * runs on a context that is half gone.
 */
#include "plat/redis.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/redis_url.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "plat/crew.h"

#define ADDRESSES 8
#define ADDRESS_SIZE 64
#define WHY_SIZE 200

enum redis_state { REDIS_RESTING, REDIS_LOOKING_UP, REDIS_GREETING, REDIS_UP,
    REDIS_BROKEN, REDIS_STATES };

static const char *const state_names[REDIS_STATES] = { "resting",
    "looking up", "greeting", "up", "broken" };

struct redis {
	unsigned		 magic;
#define REDIS_MAGIC 0x72656469
	enum redis_state	 state;
	struct loop		*loop;
	const struct redis_acts	*acts;
	void			*context;
	struct redis_url	 url;
	redisAsyncContext	*hiredis;	/* NULL: none, or just freed */
	struct loop_watch	*watch;
	struct timer		 timer;
	unsigned		 greetings_left;
	unsigned		 failures;	/* since it was up for long */
	int64_t			 up_ms;		/* 0: it is not */
	char			 why[WHY_SIZE];

	/* The thread's, from LOOKING_UP until it is done. */
	struct crew		*crew;
	struct crew_job		 job;
	int			 lookup_error;
	unsigned		 addresses_count;
	char			 addresses[ADDRESSES][ADDRESS_SIZE];
};

static void start(struct redis *redis);

static void
state_set(struct redis *redis, enum redis_state state)
{
	static const unsigned may_become[REDIS_STATES] = {
		[REDIS_RESTING] = 1u << REDIS_LOOKING_UP |
		    1u << REDIS_GREETING,
		[REDIS_LOOKING_UP] = 1u << REDIS_GREETING | 1u << REDIS_BROKEN,
		[REDIS_GREETING] = 1u << REDIS_UP | 1u << REDIS_BROKEN,
		[REDIS_UP] = 1u << REDIS_BROKEN,
		[REDIS_BROKEN] = 1u << REDIS_RESTING,
	};

	must(may_become[redis->state] & 1u << state);
	log_debug("redis connection changed",
	    F("was", state_names[redis->state]), F("is", state_names[state]));
	redis->state = state;
}

/* --- its end ----------------------------------------------------------- */

/* Its words, on one line; what we know better is said before them. */
static void
keep_why(struct redis *redis, const char *why)
{
	const char *before = "";

	if (strncmp(why, "WRONGPASS", 9) == 0 ||
	    strncmp(why, "ERR invalid password", 20) == 0)
		before = "the password of redis_url is wrong: ";
	else if (strncmp(why, "NOAUTH", 6) == 0)
		before = "Redis wants a password in redis_url: ";
	else if (strncmp(why, "NOPERM", 6) == 0)
		before = "Redis forbids it to the user of redis_url: ";
	snprintf(redis->why, sizeof redis->why, "%s%s", before, why);
	for (char *at = redis->why; *at != '\0'; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
}

static void
break_for(struct redis *redis, const char *why)
{
	if (redis->state == REDIS_BROKEN || redis->state == REDIS_RESTING)
		return;
	keep_why(redis, why);
	state_set(redis, REDIS_BROKEN);
	timer_set(loop_timers(redis->loop), &redis->timer, 0);
}

static void
let_go(struct redis *redis)
{
	if (redis->hiredis != NULL)
		redisAsyncFree(redis->hiredis);
	must(redis->hiredis == NULL && redis->watch == NULL);
}

/* From three to five quarters of a span that doubles. */
static int64_t
pause_ms(const struct redis *redis)
{
	int64_t pause = REDIS_PAUSE_FIRST_MS;
	uint32_t chance;

	for (unsigned i = 0; i < redis->failures &&
	    pause < REDIS_PAUSE_MOST_MS; i++)
		pause *= 2;
	if (pause > REDIS_PAUSE_MOST_MS)
		pause = REDIS_PAUSE_MOST_MS;
	secret_fill(&chance, sizeof chance);
	return (pause * 3 / 4 + pause * (chance % 1024) / 2048);
}

static void
bury(struct redis *redis)
{
	let_go(redis);
	state_set(redis, REDIS_RESTING);
	/* One that is lost as soon as it is up does not count as good. */
	if (redis->up_ms != 0 &&
	    clock_ms() - redis->up_ms >= REDIS_PAUSE_MOST_MS)
		redis->failures = 0;
	redis->up_ms = 0;
	timer_set(loop_timers(redis->loop), &redis->timer, pause_ms(redis));
	redis->failures++;
	redis->acts->on_down(redis->context, redis->why);
}

static void
on_timer(struct redis *redis)
{
	object_check(redis, REDIS_MAGIC);
	switch (redis->state) {
	case REDIS_RESTING:
		start(redis);
		return;
	case REDIS_GREETING:
		break_for(redis, "Redis does not answer");
		return;
	case REDIS_BROKEN:
		bury(redis);
		return;
	default:
		must_never("no timer is set in the other states");
	}
}

/* --- hiredis's hooks --------------------------------------------------- */

static void
on_readable(struct redis *redis)
{
	/* Broken: the timer frees it before anything more is read. */
	if (redis->state != REDIS_BROKEN && redis->hiredis != NULL)
		redisAsyncHandleRead(redis->hiredis);
}

static void
on_writable(struct redis *redis)
{
	if (redis->state != REDIS_BROKEN && redis->hiredis != NULL)
		redisAsyncHandleWrite(redis->hiredis);
}

/* Reading is always on. */
static void
add_read(void *me)
{
	(void)me;
}

static void
add_write(void *me)
{
	struct redis *redis = object_cast(struct redis, REDIS_MAGIC, me);

	loop_once_writable(redis->watch, on_writable, redis);
}

/* The last that is heard of a context, whoever frees it. */
static void
cleanup(void *me)
{
	struct redis *redis = object_cast(struct redis, REDIS_MAGIC, me);
	const char *why = redis->hiredis->c.errstr;

	break_for(redis, why[0] != '\0' ? why : "the connection was lost");
	loop_forget(&redis->watch);
	redis->hiredis = NULL;
}

/* --- greeting ---------------------------------------------------------- */

static void
on_greeted(redisAsyncContext *hiredis, void *got, void *me)
{
	struct redis *redis = me;
	const redisReply *reply = got;

	(void)hiredis;
	if (reply == NULL || redis->state != REDIS_GREETING)
		return;
	if (reply->type == REDIS_REPLY_ERROR) {
		break_for(redis, reply->str);
		return;
	}
	if (--redis->greetings_left > 0)
		return;
	timer_stop(loop_timers(redis->loop), &redis->timer);
	state_set(redis, REDIS_UP);
	redis->up_ms = clock_ms();
	redis->acts->on_up(redis->context);
}

static void
say(struct redis *redis, int argc, const char **argv)
{
	if (redisAsyncCommandArgv(redis->hiredis, on_greeted, redis, argc,
	    argv, NULL) == REDIS_OK)
		redis->greetings_left++;
	else
		break_for(redis, "nothing can be said to Redis");
}

static void
greet(struct redis *redis)
{
	const struct redis_url *url = &redis->url;
	const char *both[] = { "AUTH", url->user, url->password };
	const char *one[] = { "AUTH", url->password };
	const char *ping[] = { "PING" };
	char number[16];
	const char *select[] = { "SELECT", number };

	redis->greetings_left = 0;
	if (url->user[0] != '\0')
		say(redis, 3, both);
	else if (url->password[0] != '\0')
		say(redis, 2, one);
	snprintf(number, sizeof number, "%u", url->db);
	if (url->db != 0)
		say(redis, 2, select);
	say(redis, 1, ping);
}

/* address: of a host; NULL: the socket. */
static void
connect_to(struct redis *redis, const char *address)
{
	redisAsyncContext *hiredis = address != NULL ?
	    redisAsyncConnect(address, redis->url.port) :
	    redisAsyncConnectUnix(redis->url.path);

	state_set(redis, REDIS_GREETING);
	must(hiredis != NULL);		/* but for memory */
	if (hiredis->err == 0)
		redis->watch = loop_watch_readable(redis->loop,
		    hiredis->c.fd, on_readable, redis);
	if (redis->watch == NULL) {
		break_for(redis, hiredis->err != 0 ? hiredis->errstr :
		    "no descriptor is left");
		redisAsyncFree(hiredis);
		return;
	}
	redis->hiredis = hiredis;
	hiredis->ev.data = redis;
	hiredis->ev.addRead = add_read;
	hiredis->ev.addWrite = add_write;
	hiredis->ev.cleanup = cleanup;
	timer_set(loop_timers(redis->loop), &redis->timer, REDIS_WAIT_MS);
	if (address != NULL)
		redisEnableKeepAlive(&hiredis->c);
	greet(redis);
}

/* --- names ------------------------------------------------------------- */

/* In the thread: touches nothing but what LOOKING_UP leaves to it. */
static void
look_up(struct redis *redis)
{
	struct addrinfo wanted = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_ADDRCONFIG }, *found = NULL;

	redis->addresses_count = 0;
	redis->lookup_error = getaddrinfo(redis->url.host, NULL, &wanted,
	    &found);
	if (redis->lookup_error != 0)
		return;
	for (const struct addrinfo *at = found; at != NULL &&
	    redis->addresses_count < ADDRESSES; at = at->ai_next)
		if (getnameinfo(at->ai_addr, at->ai_addrlen,
		    redis->addresses[redis->addresses_count], ADDRESS_SIZE,
		    NULL, 0, NI_NUMERICHOST) == 0)
			redis->addresses_count++;
	freeaddrinfo(found);
}

static void
on_looked_up(struct redis *redis)
{
	object_check(redis, REDIS_MAGIC);
	if (redis->addresses_count > 0)
		connect_to(redis, redis->addresses[redis->failures %
		    redis->addresses_count]);
	else
		break_for(redis, redis->lookup_error != 0 ?
		    gai_strerror(redis->lookup_error) :
		    "the name of the host has no address");
}

static bool
is_address(const char *host)
{
	struct addrinfo wanted = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST }, *found = NULL;
	bool is = getaddrinfo(host, NULL, &wanted, &found) == 0;

	if (is)
		freeaddrinfo(found);
	return (is);
}

static void
start(struct redis *redis)
{
	if (redis->url.is_unix || is_address(redis->url.host)) {
		connect_to(redis, redis->url.is_unix ? NULL :
		    redis->url.host);
		return;
	}
	state_set(redis, REDIS_LOOKING_UP);
	if (redis->crew == NULL)
		redis->crew = crew_create(redis->loop, 1, 1);
	if (redis->crew == NULL || !crew_do(redis->crew, &redis->job))
		break_for(redis, "no thread can be had to look its name up");
}

/* --- what it is for ---------------------------------------------------- */

bool
redis_is_up(const struct redis *redis)
{
	return (redis->state == REDIS_UP);
}

void
redis_break(struct redis *redis, const char *why)
{
	object_check(redis, REDIS_MAGIC);
	/* While its name is looked up, that is the thread's. */
	if (redis->state != REDIS_LOOKING_UP)
		break_for(redis, why);
}

static void
on_published(redisAsyncContext *hiredis, void *got, void *me)
{
	struct redis *redis = me;
	const redisReply *reply = got;

	(void)hiredis;
	if (reply == NULL || redis->state != REDIS_UP)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		break_for(redis, reply->str);
	else
		redis->acts->on_published(redis->context);
}

void
redis_publish(struct redis *redis, text channel, text message)
{
	const char *words[] = { "PUBLISH", channel.at, message.at };
	size_t lens[] = { 7, channel.len, message.len };

	must(redis->state == REDIS_UP);
	if (redisAsyncCommandArgv(redis->hiredis, on_published, redis, 3,
	    words, lens) != REDIS_OK)
		break_for(redis, "nothing can be published");
}

/* Acknowledgements and messages alike. */
static void
on_told(redisAsyncContext *hiredis, void *got, void *me)
{
	struct redis *redis = me;
	const redisReply *reply = got;
	const redisReply *const *parts;
	text kind, channel;

	(void)hiredis;
	if (reply == NULL || redis->state != REDIS_UP ||
	    reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
		return;
	parts = (const redisReply *const *)reply->element;
	if (parts[0]->type != REDIS_REPLY_STRING ||
	    parts[1]->type != REDIS_REPLY_STRING)
		return;
	kind = text_from(parts[0]->str, parts[0]->len);
	channel = text_from(parts[1]->str, parts[1]->len);
	if (text_is(kind, TEXT("subscribe")))
		redis->acts->on_subscribed(redis->context, channel);
	else if (text_is(kind, TEXT("message")) &&
	    parts[2]->type == REDIS_REPLY_STRING)
		redis->acts->on_message(redis->context, channel,
		    text_from(parts[2]->str, parts[2]->len));
}

static void
tell_channel(struct redis *redis, text verb, redisCallbackFn *call,
    text channel)
{
	const char *words[] = { verb.at, channel.at };
	size_t lens[] = { verb.len, channel.len };

	must(redis->state == REDIS_UP);
	if (redisAsyncCommandArgv(redis->hiredis, call, redis, 2, words,
	    lens) != REDIS_OK)
		break_for(redis, "nothing can be subscribed to");
}

void
redis_subscribe(struct redis *redis, text channel)
{
	tell_channel(redis, TEXT("SUBSCRIBE"), on_told, channel);
}

void
redis_unsubscribe(struct redis *redis, text channel)
{
	tell_channel(redis, TEXT("UNSUBSCRIBE"), NULL, channel);
}

struct redis *
redis_create(const struct redis_setup *setup)
{
	struct redis *redis = object_create(struct redis, REDIS_MAGIC);
	const char *why;
	bool is_read = redis_url_read(text_of(setup->url), &redis->url, &why);

	must(is_read);
	redis->loop = setup->loop;
	redis->acts = setup->acts;
	redis->context = setup->context;
	timer_init(&redis->timer, on_timer, redis);
	crew_job_init(&redis->job, look_up, on_looked_up, redis);
	timer_set(loop_timers(redis->loop), &redis->timer, 0);
	return (redis);
}

void
redis_destroy(struct redis **given)
{
	struct redis *redis = *given;

	*given = NULL;
	if (redis == NULL)
		return;
	object_check(redis, REDIS_MAGIC);
	if (redis->crew != NULL)
		crew_destroy(&redis->crew);
	/* What is freed now is heard by nobody. */
	if (redis->state == REDIS_GREETING || redis->state == REDIS_UP)
		state_set(redis, REDIS_BROKEN);
	let_go(redis);
	timer_stop(loop_timers(redis->loop), &redis->timer);
	memset(&redis->url, 0, sizeof redis->url);
	object_free(&redis);
}
