/* SPDX-License-Identifier: MIT */
/*
 * Nothing but a fetcher, which asks for all URLs of its command line at once
 * and says how each ended (55-outgoing.t).
 *
 *	outgoing --set outgoing_allow=127.0.0.0/8 [--timeout MS] [--keep N]
 *	    [--stream] [--trust] [--twice] [--post BODY] URL...
 *
 * A line for each, with tabs between, in the order of their ends:
 *
 *	end URL WHY STATUS RETRY_AFTER CUT LEN WORDS
 *
 * ws: and wss: say hello, wait for an answer and close:
 *
 *	said URL MESSAGE		end URL WHY STATUS ...
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "base/conf.h"
#include "base/mem.h"
#include "jobs/dial.h"
#include "jobs/ground.h"
#include "jobs/guard.h"
#include "plat/loop.h"

struct task {
	const char	*url;
	struct dial	*dial;
	size_t		 streamed;
	unsigned	 left;		/* to be asked once more */
};

static struct ground ground = { .magic = GROUND_MAGIC };
static struct fetcher *fetcher;
static struct guard *guard;
static struct fetch_request request = { .method = "GET",
    .timeout_ms = 20000, .connect_timeout_ms = 20000, .max_answer = 2048 };
static unsigned at_work;
static bool asks_twice;

static void start(struct task *task);

static void
say_end(struct task *task, enum fetch_why why, int status,
    int64_t retry_after_s, bool is_cut, size_t len, const char *words)
{
	printf("end\t%s\t%s\t%d\t%" PRId64 "\t%d\t%zu\t%s\n", task->url,
	    fetch_why_name(why), status, retry_after_s, is_cut, len, words);
	at_work--;
	if (task->left-- > 1)
		start(task);
}

static void
on_end(void *me, const struct fetch_end *end)
{
	struct task *task = me;

	say_end(task, end->why, end->status, end->retry_after_s,
	    end->is_cut, end->body.len + task->streamed, end->words);
}

static void
on_body(void *me, text piece)
{
	((struct task *)me)->streamed += piece.len;
}

static void
on_open(void *me)
{
	dial_say(((struct task *)me)->dial, TEXT("hello"));
}

static void
on_text(void *me, text message)
{
	struct task *task = me;

	printf("said\t%s\t%.*s\n", task->url, TEXT_ARGS(message));
	dial_close(&task->dial);
	say_end(task, FETCH_ANSWERED, 101, 0, false, 0, "");
}

static void
on_close(void *me, const struct dial_end *end)
{
	say_end(me, end->why, end->status, end->retry_after_s, false,
	    end->body.len, end->words);
}

static void
start(struct task *task)
{
	at_work++;
	if (strncmp(task->url, "ws", 2) == 0) {
		task->dial = dial_open(fetcher, &(struct dial_request){
		    .url = task->url, .open_timeout_ms = request.timeout_ms,
		    .silence_ms = 10000, .message_max = 65536,
		    .guard = request.guard, .on_open = on_open,
		    .on_text = on_text, .on_close = on_close, .me = task });
		return;
	}
	request.url = task->url;
	request.me = task;
	request.on_end = on_end;
	request.on_body = on_body;
	fetch_start(fetcher, &request);
}

/* How many words it took. */
static int
take_option(struct conf *conf, char **words, bool *trusts_out)
{
	const char *name = words[0], *value = words[1];
	struct buf problems;

	if (strcmp(name, "--stream") == 0) {
		request.is_stream = true;
		return (1);
	}
	if (strcmp(name, "--trust") == 0) {
		*trusts_out = true;
		return (1);
	}
	if (strcmp(name, "--twice") == 0) {
		asks_twice = true;
		return (1);
	}
	if (value == NULL)
		exit(EX_USAGE);
	if (strcmp(name, "--timeout") == 0)
		request.timeout_ms = request.connect_timeout_ms = atoi(value);
	else if (strcmp(name, "--keep") == 0)
		request.max_answer = (size_t)atoi(value);
	else if (strcmp(name, "--post") == 0) {
		request.method = "POST";
		request.body = text_of(value);
	} else if (strcmp(name, "--set") == 0) {
		buf_init(&problems, BUF_NO_LIMIT);
		if (!conf_set(conf, text_of(value), &problems)) {
			fprintf(stderr, "%s", problems.at);
			exit(EX_CONFIG);
		}
		buf_fini(&problems);
	} else
		exit(EX_USAGE);
	return (2);
}

int
main(int argc, char **argv)
{
	struct conf *conf = conf_create();
	struct rusage usage;
	struct task *tasks;
	bool trusts = false;
	int at = 1;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (at < argc && argv[at][0] == '-')
		at += take_option(conf, argv + at, &trusts);
	ground.loop = loop_create();
	ground.conf = conf;
	guard = guard_create(conf);
	request.guard = trusts ? NULL : guard;
	fetcher = fetcher_create(&ground);
	tasks = mem_alloc((size_t)(argc - at + 1) * sizeof *tasks);
	for (int i = at; i < argc; i++) {
		tasks[i - at] = (struct task){ .url = argv[i],
		    .left = asks_twice ? 2 : 1 };
		start(&tasks[i - at]);
	}
	while (at_work > 0)
		loop_turn(ground.loop, 1000);
	getrusage(RUSAGE_SELF, &usage);
	printf("memory\t%ld\n", usage.ru_maxrss);
	fetcher_destroy(&fetcher);
	guard_destroy(&guard);
	loop_destroy(&ground.loop);
	conf_destroy(&conf);
	mem_free(tasks);
	return (0);
}
