/* SPDX-License-Identifier: MIT */
/*
 * The master's side of the control socket.
 */
#include "role/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "plat/channel.h"
#include "role/server.h"

#define LINES_MOST	(CONTROL_POLLS - 1)
#define LINE_SIZE	512
#define LINE_LIFE_MS	5000

struct control_line {
	int	 fd;			/* -1: free */
	int64_t	 until_ms;
	size_t	 len;
	char	 at[LINE_SIZE];
};

struct control {
	unsigned		magic;
#define CONTROL_MAGIC 0x6374726c
	int			listener;
	struct control_line	lines[LINES_MOST];
};

bool
control_open(struct server *server, struct buf *problems)
{
	struct control *control = object_create(struct control,
	    CONTROL_MAGIC);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int bound;

	/* We hold the folder's lock: what is left there is nobody's. */
	unlinkat(server->state_dir, "control", 0);
	snprintf(address.sun_path, sizeof address.sun_path,
	    "/proc/self/fd/%d/control", server->state_dir);
	control->listener = socket(AF_UNIX,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	bound = bind(control->listener, (struct sockaddr *)&address,
	    sizeof address);
	umask(mask);
	if (bound != 0 || listen(control->listener, LINES_MOST) != 0) {
		buf_printf(problems, "the control socket in state_dir cannot "
		    "be made: %s; is the folder writable?\n",
		    strerror(errno));
		close(control->listener);
		object_free(&control);
		return (false);
	}
	for (unsigned i = 0; i < LINES_MOST; i++)
		control->lines[i].fd = -1;
	server->control = control;
	return (true);
}

void
control_close_in_child(struct server *server)
{
	if (server->control == NULL)
		return;
	close(server->control->listener);
	for (unsigned i = 0; i < LINES_MOST; i++)
		if (server->control->lines[i].fd >= 0)
			close(server->control->lines[i].fd);
	object_free(&server->control);
}

void
control_close(struct server *server)
{
	unlinkat(server->state_dir, "control", 0);
	control_close_in_child(server);
}

static void
line_cut(struct control_line *line)
{
	close(line->fd);
	line->fd = -1;
}

/* The answer, and maybe a descriptor with its first byte. */
static void
line_answer(struct control_line *line, text answer, int fd)
{
	/* Answers are far smaller than what the kernel takes at once. */
	if (!channel_send_bytes(line->fd, answer.at, answer.len, fd))
		log_debug("control answer not taken",
		    F("why", strerror(errno)));
	line_cut(line);
}

static void
refuse(struct json_out *json, const char *why)
{
	json_key(json, "ok");
	json_bool(json, false);
	json_key(json, "error");
	json_text_of(json, why);
}

static void
accept_command(struct json_out *json)
{
	json_key(json, "ok");
	json_bool(json, true);
}

static void
command_log_words(struct server *server, text rest, struct json_out *json)
{
	enum log_level level;
	text word;

	text_next_word(&rest, &word);
	if (text_is(word, TEXT("reopen"))) {
		if (!server_reopen_log(server)) {
			refuse(json, "log_file cannot be opened; the former "
			    "one stays in use");
			return;
		}
		accept_command(json);
		return;
	}
	if (!text_is(word, TEXT("level"))) {
		refuse(json, "log takes level or reopen");
		return;
	}
	if (text_next_word(&rest, &word)) {
		if (!log_level_named(word, &level)) {
			refuse(json, "levels are error, warn, info and debug");
			return;
		}
		atomic_store(&server->segment->log_level, level);
		log_info("log level set", F("level", log_level_name(level)));
	}
	accept_command(json);
	json_key(json, "level");
	json_text_of(json, log_level_name(atomic_load(
	    &server->segment->log_level)));
}

#ifdef WITH_FAULTS
static void
list_faults(const struct server *server, struct json_out *json)
{
	json_key(json, "faults");
	json_array_begin(json);
	for (unsigned i = 0; i < FAULTS; i++) {
		json_object_begin(json);
		json_key(json, "name");
		json_text_of(json, fault_rows[i].name);
		json_key(json, "times");
		json_int(json, atomic_load(&server->segment->faults.times[i]));
		json_object_end(json);
	}
	json_array_end(json);
}

static void
command_fault_words(struct server *server, text rest, struct json_out *json)
{
	text verb, name, number;
	int64_t times = 1;
	bool is_arm, is_all;

	text_next_word(&rest, &verb);
	is_all = !text_next_word(&rest, &name);
	if (text_is(verb, TEXT("list"))) {
		accept_command(json);
		list_faults(server, json);
		return;
	}
	is_arm = text_is(verb, TEXT("arm"));
	if ((!is_arm && !text_is(verb, TEXT("clear"))) ||
	    (is_arm && is_all)) {
		refuse(json, "fault takes list, arm NAME [TIMES] or clear "
		    "[NAME]");
		return;
	}
	if (is_arm && text_next_word(&rest, &number) &&
	    !text_to_int64(number, 1, 1000000, &times)) {
		refuse(json, "TIMES is a number from 1 to 1000000");
		return;
	}
	for (unsigned i = 0; i < FAULTS; i++)
		if (is_all || text_is(name, text_of(fault_rows[i].name))) {
			atomic_store(&server->segment->faults.times[i],
			    is_arm ? (unsigned)times : 0);
			if (!is_all) {
				accept_command(json);
				return;
			}
		}
	if (is_all)
		accept_command(json);
	else
		refuse(json, "there is no such fault point; see "
		    "`partyline -x faults`");
}
#else
static void
command_fault_words(struct server *server, text rest, struct json_out *json)
{
	(void)server;
	(void)rest;
	refuse(json, "this server was built without --enable-faults");
}
#endif

static void
line_obey(struct server *server, struct control_line *line, text words)
{
	struct json_out json;
	struct buf answer;
	char path[64];
	int fd = -1;
	text word;

	COUNT(control_commands);
	if (FAULT(control_lost)) {
		line_cut(line);
		return;
	}
	buf_init(&answer, BUF_NO_LIMIT);
	json_out_init(&json, &answer);
	json_object_begin(&json);
	text_next_word(&words, &word);
	if (text_is(word, TEXT("segment"))) {
		snprintf(path, sizeof path, "/proc/self/fd/%d",
		    server->segment_fd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			accept_command(&json);
		else
			refuse(&json, "the segment cannot be opened");
	} else if (text_is(word, TEXT("log")))
		command_log_words(server, words, &json);
	else if (text_is(word, TEXT("fault")))
		command_fault_words(server, words, &json);
	else if (text_is(word, TEXT("ping"))) {
		accept_command(&json);
		json_key(&json, "pid");
		json_int(&json, getpid());
	} else
		refuse(&json, "unknown command; there are segment, log, fault "
		    "and ping");
	json_object_end(&json);
	buf_add_char(&answer, '\n');
	line_answer(line, buf_text(&answer), fd);
	if (fd >= 0)
		close(fd);
	buf_fini(&answer);
}

static void
line_read(struct server *server, struct control_line *line)
{
	ssize_t got = read(line->fd, line->at + line->len,
	    sizeof line->at - line->len);
	text words, rest;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		line_cut(line);
		return;
	}
	line->len += (size_t)got;
	if (text_cut(text_from(line->at, line->len), '\n', &words, &rest))
		line_obey(server, line, words);
	else if (line->len == sizeof line->at)
		line_answer(line, TEXT("{\"ok\":false,\"error\":\"the line is "
		    "too long\"}\n"), -1);
}

static void
control_accept(struct control *control)
{
	for (unsigned i = 0; i < LINES_MOST; i++) {
		struct control_line *line = &control->lines[i];

		if (line->fd >= 0)
			continue;
		line->fd = accept4(control->listener, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (line->fd < 0)
			return;
		line->len = 0;
		line->until_ms = clock_ms() + LINE_LIFE_MS;
	}
}

unsigned
control_poll(struct server *server, struct pollfd *at, unsigned most)
{
	struct control *control = server->control;
	unsigned count = 0, busy = 0;

	if (control == NULL)
		return (0);
	must(most >= CONTROL_POLLS);
	for (unsigned i = 0; i < LINES_MOST; i++) {
		struct control_line *line = &control->lines[i];

		if (line->fd >= 0 && clock_ms() >= line->until_ms)
			line_cut(line);
		if (line->fd < 0)
			continue;
		busy++;
		at[count++] = (struct pollfd){ .fd = line->fd,
		    .events = POLLIN };
	}
	/* With all lines busy, who comes waits in the socket's queue. */
	if (busy < LINES_MOST)
		at[count++] = (struct pollfd){ .fd = control->listener,
		    .events = POLLIN };
	return (count);
}

void
control_polled(struct server *server, const struct pollfd *at, unsigned count)
{
	struct control *control = server->control;

	for (unsigned i = 0; i < count && control != NULL; i++) {
		if (at[i].revents == 0)
			continue;
		if (at[i].fd == control->listener) {
			control_accept(control);
			continue;
		}
		for (unsigned j = 0; j < LINES_MOST; j++)
			if (control->lines[j].fd == at[i].fd)
				line_read(server, &control->lines[j]);
	}
}
