/* SPDX-License-Identifier: MIT */
/*
 * transport/socketio_keep, _past and _track: what is asked to be kept and
 * when it is told so, whatever is answered, or ends, in between; offsets at
 * the end of what is sent; being put back, and by whom one is displaced.
 */
#include "socketio_world.h"

#include "plat/digest.h"

static struct client ann, bert;
static char pid[21], sid[21], mark[9];
static unsigned told;
static enum socketio_keeping how;

static void
on_kept(void *me, enum socketio_keeping kept)
{
	ok(me == &told);
	told++;
	how = kept;
}

static void
on_all_kept(void *me, bool is_kept)
{
	*(int *)me = is_kept ? 1 : -1;
}

static void
enter_kept(struct client *client, unsigned worker, const char *packet)
{
	come(client, worker);
	say(client, packet);
	client->socket = seen.last;
}

/* What CONNECT was answered: its sid and private id. */
static void
read_connect(struct client *client)
{
	char hex[DIGEST_HEX_SIZE];

	is(sscanf(client->engine.heard.at,
	    "0/kept,{\"sid\":\"%20[^\"]\",\"pid\":\"%20[^\"]\"} ", sid, pid),
	    2);
	digest_as_hex(text_of(pid), hex, sizeof hex);
	memcpy(mark, hex, 8);
	forget(client);
}

static struct socketio_track *
track(struct client *client, const char *stream, enum cursor_kind kind)
{
	return (socketio_track(client->socket, text_of(stream),
	    &(struct cursor){ .kind = kind, .seq = 7, .epoch = TEXT("k3") },
	    on_kept, &told));
}

/* The event that this socket is sent, with such an offset. */
static void
is_sent(struct client *client, const char *places)
{
	struct socketio_writer writer;
	char wanted[128];

	snprintf(wanted, sizeof wanted,
	    "2/kept,[\"x\",\"%s%s\"] ", mark, places);
	socketio_event(client->socket, TEXT("x"), &writer);
	socketio_send(client->socket, &writer);
	hears(client, wanted);
}

static bool
asks(enum function function, const char *part)
{
	return (asked.on_answer != NULL && asked.function == function &&
	    memmem(asked.inputs.at, asked.inputs.len, part, strlen(part)) !=
	    NULL);
}

static void
keeping(void)
{
	struct socketio_track *one, *two;
	int is_all = 0;

	test("what is followed is kept before it is told");
	enter_kept(&ann, 0, "0/kept,");
	is(seen.admitted, 1);
	read_connect(&ann);
	ok(socketio_is_kept(ann.socket));
	ok(asked.on_answer == NULL);
	is_sent(&ann, "");
	one = track(&ann, "lobby", CURSOR_NONE);
	ok(asks(FUNCTION_recovery_keep, "[{\"nth\":0,\"stream\":\"lobby\"}] "));
	is_sent(&ann, "");
	/* While that is asked there is more. */
	two = track(&ann, "session:1", CURSOR_PAIR);
	socketio_keep(ann.socket, on_all_kept, &is_all);
	answer_asked("{\"kept\":true,\"rooms\":[{\"nth\":0,"
	    "\"stream\":\"lobby\",\"epoch\":\"e\",\"seq\":4}]}");
	is(told, 1);
	is(how, SOCKETIO_KEPT);
	is(is_all, 0);
	is_sent(&ann, " 0:e:4 1:k3:7");
	ok(asks(FUNCTION_recovery_keep, "\"seq\":4},{\"nth\":1,"));
	/* It goes on before it is kept. */
	socketio_track_set(two, TEXT("k3"), 8);
	answer_asked("{\"kept\":true,\"rooms\":[{\"nth\":0,"
	    "\"stream\":\"lobby\",\"epoch\":\"e\",\"seq\":4},"
	    "{\"nth\":1,\"stream\":\"session:1\",\"epoch\":\"k3\","
	    "\"seq\":7}]}");
	is(told, 2);
	is(is_all, 1);
	is_sent(&ann, " 0:e:4 1:k3:8");
	socketio_track_set(one, TEXT("e"), 5);
	is_sent(&ann, " 0:e:5 1:k3:8");
	ok(asked.on_answer == NULL);
	socketio_track_end(&two);
	is_sent(&ann, " 0:e:5");
	ok(asks(FUNCTION_recovery_keep, "\"seq\":4}] "));
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	test("what is no stream, and what cannot be kept");
	two = track(&ann, "session:2", CURSOR_NUMBER);
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	is(how, SOCKETIO_NO_STREAM);
	socketio_track_end(&two);
	two = track(&ann, "session:3", CURSOR_NUMBER);
	answer_asked(NULL);
	is(how, SOCKETIO_NOT_KEPT);
	socketio_track_end(&two);
	ok(asked.on_answer == NULL);
	socketio_keep(ann.socket, on_all_kept, &is_all);
	while (asked.on_answer == NULL)
		loop_turn(loop, 1000);
	ok(asks(FUNCTION_recovery_keep,
	    "\"lobby\",\"epoch\":\"e\",\"seq\":4}]"));
	test("it goes while it is asked for");
	go(&ann);
	is(is_all, -1);
	is(seen.closed, 1);
	socketio_track_end(&one);
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	ok(asks(FUNCTION_recovery_leave, " 1 60000 "));
	answer_asked("{}");
	ok(asked.on_answer == NULL);
}

static void
ends(void)
{
	struct socketio_track *one;

	test("who leaves is forgotten");
	enter_kept(&ann, 0, "0/kept,");
	one = track(&ann, "lobby", CURSOR_PAIR);
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	say(&ann, "1/kept,");
	socketio_track_end(&one);
	ok(asks(FUNCTION_recovery_leave, " 1 NULL "));
	test("until that is known");
	answer_asked(NULL);
	while (asked.on_answer == NULL)
		loop_turn(loop, 1000);
	ok(asks(FUNCTION_recovery_leave, " 1 NULL "));
	answer_asked("{}");
	go(&ann);
	test("who followed nothing leaves nothing");
	enter_kept(&ann, 0, "0/kept,");
	go(&ann);
	ok(asked.on_answer == NULL);
	test("who lost it to another is closed, and says nothing");
	enter_kept(&ann, 0, "0/kept,");
	one = track(&ann, "lobby", CURSOR_PAIR);
	told = 0;
	answer_asked("{\"kept\":false,\"rooms\":[]}");
	is(told, 0);
	is(seen.why, SOCKETIO_MOVED);
	ok(ann.engine.is_closed);
	socketio_track_end(&one);
	go(&ann);
	ok(asked.on_answer == NULL);
}

#define BACK "{\"recovered\":true,\"claim\":%d,\"sid\":\"%s\","	\
    "\"data\":\"d\",\"rooms\":[{\"nth\":3,\"stream\":\"lobby\","	\
    "\"epoch\":\"e\",\"seq\":9}]}"

static void
come_back(struct client *client, unsigned worker, const char *offset,
    const char *places, int claim)
{
	char packet[256], body[256];

	snprintf(packet, sizeof packet, "0/kept,{\"pid\":\"%s\"%s}", pid,
	    offset);
	enter_kept(client, worker, packet);
	ok(asks(FUNCTION_recovery_take, places));
	is(client->engine.heard.len, 0);
	snprintf(body, sizeof body, BACK, claim, sid);
	answer_asked(body);
}

static void
coming_back(void)
{
	struct socketio_track *one;
	struct client cleo;
	char wanted[128], offset[64];

	test("put back, in the place of the one that was");
	enter_kept(&ann, 0, "0/kept,");
	read_connect(&ann);
	seen.tracks_count = seen.recovered = 0;
	snprintf(offset, sizeof offset, ",\"offset\":\"%s 3:e:9\"", mark);
	come_back(&bert, 1, offset,
	    "[{\"nth\":3,\"epoch\":\"e\",\"seq\":9}]", 2);
	is(seen.recovered, 1);
	is(seen.tracks_count, 1);
	is_text(socketio_sid(bert.socket), sid);
	snprintf(wanted, sizeof wanted,
	    "0/kept,{\"sid\":\"%s\",\"pid\":\"%s\"} ", sid, pid);
	hears(&bert, wanted);
	is_sent(&bert, " 3:e:9");
	ok(ann.engine.is_closed);
	is(seen.why, SOCKETIO_MOVED);
	go(&ann);
	ok(asks(FUNCTION_recovery_keep, " 2 60000 [{\"nth\":3,"));
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	test("what it follows from now on was in no offset");
	one = track(&bert, "lobby", CURSOR_PAIR);
	is_sent(&bert, " 3:e:9 4294967296:k3:7");
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	socketio_track_end(&one);
	test("what was said to the others too late says nothing");
	workers[1].listener.hear(workers[1].listener.context, TENANT,
	    TEXT("S1 00000000000000ff 1 0 1\nt0:0:0:0:0:"));
	ok(!bert.engine.is_closed);
	test("at the same worker, without an offset");
	come_back(&cleo, 1, "", " NULL ", 3);
	ok(bert.engine.is_closed);
	ok(!cleo.engine.is_closed);
	is(seen.tracks_count, 2);
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	forget(&cleo);
	socketio_track_end(&seen.tracks[0]);
	test("the offset of an older one");
	come_back(&ann, 2, ",\"offset\":\"00000000 3:e:9\"", " NULL ", 4);
	answer_asked("{\"kept\":true,\"rooms\":[]}");
	ok(cleo.engine.is_closed);
	go(&bert);
	go(&cleo);
	forget(&ann);
	test("where the application cannot, it begins anew");
	seen.refuses_past = true;
	come_back(&bert, 0, "", " NULL ", 5);
	seen.refuses_past = false;
	ok(!ann.engine.is_closed);
	snprintf(wanted, sizeof wanted, "%s", pid);
	read_connect(&bert);
	ok(strcmp(wanted, pid) != 0);
	is_sent(&bert, "");
	go(&bert);
	socketio_track_end(&seen.tracks[1]);
	go(&ann);
	socketio_track_end(&seen.tracks[2]);
	ok(asks(FUNCTION_recovery_leave, " 4 60000 "));
	answer_asked("{}");
}

static void
refused(void)
{
	static const char *const packets[] = {
		"0/kept,{\"pid\":\"short\"}",
		"0/kept,{\"pid\":7}",
		"0/kept,{\"pid\":\"abcdefghijklmnopqrs\\u0041\"}",
		"0/kept,{\"pid\":\"abcdefghijklmnopqrst\",\"offset\":7}",
		"0/kept,{\"pid\":\"abcdefghijklmnopqrst\",\"offset\":\"\"}",
		("0/kept,{\"pid\":\"abcdefghijklmnopqrst\",\"offset\":"
		    "\"00000000 x\"}"),
	};

	test("what is no private id, and no offset");
	for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
		enter_kept(&ann, 0, packets[i]);
		ok(asked.on_answer == NULL);
		read_connect(&ann);
		go(&ann);
	}
	test("who is not known begins anew");
	for (int i = 0; i < 4; i++) {
		static const char *const bodies[] = {
			"{\"recovered\":false}", NULL, "{}",
			"{\"recovered\":true,\"claim\":2,\"sid\":"
			    "\"abcdefghijklmnopqrst\",\"data\":\"\","
			    "\"rooms\":[{\"nth\":0}]}" };

		enter_kept(&ann, 0,
		    "0/kept,{\"pid\":\"abcdefghijklmnopqrst\"}");
		answer_asked(bodies[i]);
		read_connect(&ann);
		ok(strcmp(pid, "abcdefghijklmnopqrst") != 0);
		go(&ann);
	}
	test("who goes meanwhile");
	enter_kept(&ann, 0, "0/kept,{\"pid\":\"abcdefghijklmnopqrst\"}");
	go(&ann);
	answer_asked("{\"recovered\":false}");
	ok(asked.on_answer == NULL);
}

static void
say_to_all(bool is_volatile)
{
	struct socketio_writer writer;

	socketio_event(ann.socket, TEXT("x"), &writer);
	json_int(&writer.json, 1);
	socketio_broadcast(workers[0].socketio, &(struct socketio_target){
	    .tenant = TENANT, .nsp = TEXT("/kept"),
	    .is_volatile = is_volatile }, &writer);
}

static void
rooms(void)
{
	char wanted[64];

	test("what is said to rooms has each one's offset");
	enter_kept(&ann, 0, "0/kept,");
	read_connect(&ann);
	snprintf(wanted, sizeof wanted, "2/kept,[\"x\",1,\"%s\"] ", mark);
	enter_kept(&bert, 1, "0/kept,");
	read_connect(&bert);
	say_to_all(false);
	hears(&ann, wanted);
	snprintf(wanted, sizeof wanted, "2/kept,[\"x\",1,\"%s\"] ", mark);
	hears(&bert, wanted);
	test("but not what is volatile");
	say_to_all(true);
	hears(&ann, "2/kept,[\"x\",1] ");
	hears(&bert, "2/kept,[\"x\",1] ");
	go(&ann);
	go(&bert);
}

static void
off(void)
{
	test("where that is off nobody is");
	conf.socketio_recovery = 0;
	enter_kept(&ann, 0, "0/kept,{\"pid\":\"abcdefghijklmnopqrst\"}");
	ok(!socketio_is_kept(ann.socket));
	ok(asked.on_answer == NULL);
	ok(memmem(ann.engine.heard.at, ann.engine.heard.len, "pid", 3) ==
	    NULL);
	go(&ann);
}

int
main(void)
{
	world_begin();
	conf.socketio_recovery = 60000;
	keeping();
	ends();
	coming_back();
	refused();
	rooms();
	off();
	loop_turn(loop, 0);
	world_end();
	return (done());
}
