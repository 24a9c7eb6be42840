/* SPDX-License-Identifier: MIT */
/*
 * What both private servers stand on: the user they run as, complaints that
 * say what to do, and the file of what the servers say themselves.
 */
#include "role/private_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"

#define LOG_MOST		(8 * 1024 * 1024)
#define LAST_WORDS_READ		4096
#define DISK_LEAST		(16 * 1024 * 1024)
#define ROOM_ADVICE		"make room on that disk, or set state_dir " \
				"to a folder on another"

/*
 * As root: whoever owns the folder that is there, so that a server may be
 * started by its user today and by root tomorrow; else the package's user.
 */
void
private_choose_user(struct private_server *server, int folder,
    const char *package)
{
	struct private_place *place = server->place;
	struct stat now;

	server->becomes = place->is_root ? &server->user : NULL;
	if (folder >= 0 && fstat(folder, &now) == 0 &&
	    (now.st_uid != 0 || !place->is_root))
		proc_user_of(now.st_uid, now.st_gid, &server->user);
	else if (!place->is_root)
		proc_user_of(geteuid(), getegid(), &server->user);
	else if (!proc_user_named(package, &server->user))
		server->user = place->fallback;
}

/* PGHOSTADDR and the like would change what our own URLs mean. */
void
private_forget_environment(void)
{
	for (char **at = environ; *at != NULL;) {
		char name[64];
		size_t len = strcspn(*at, "=");

		at++;
		if (strncmp(at[-1], "PG", 2) != 0 || len >= sizeof name)
			continue;
		memcpy(name, at[-1], len);
		name[len] = '\0';
		unsetenv(name);
		at = environ;
	}
}

static void
stop_signals(sigset_t *set_out)
{
	sigemptyset(set_out);
	sigaddset(set_out, SIGTERM);
	sigaddset(set_out, SIGINT);
	sigaddset(set_out, SIGQUIT);
}

void
private_hold_signals(void)
{
	sigset_t set;

	stop_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

bool
private_is_asked_to_stop(void)
{
	sigset_t set, waiting;

	stop_signals(&set);
	return (sigpending(&waiting) == 0 &&
	    sigandset(&waiting, &waiting, &set) == 0 &&
	    !sigisemptyset(&waiting));
}

bool
private_complain(struct private_place *place, int exit_code,
    const char *format, ...)
{
	char said[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof said, format, args);
	va_end(args);
	fprintf(stderr, "partyline: %s\n", said);
	place->exit_code = exit_code;
	return (false);
}

bool
private_complain_of(struct private_place *place, const char *what)
{
	const char *to_do = "look at the folder, or set state_dir to another";

	switch (errno) {
	case ENOSPC:
	case EDQUOT:
		to_do = ROOM_ADVICE;
		break;
	case EROFS:
		to_do = "set state_dir to a folder that can be written";
		break;
	case EACCES:
	case EPERM:
		to_do = "start the server as the user whom the folder belongs "
		    "to, or set state_dir to a folder of yours";
		break;
	}
	return (private_complain(place, EX_CANTCREAT, "%s/%s: %s; %s",
	    place->path, what, strerror(errno), to_do));
}

bool
private_open_log(struct private_server *server, const char *name)
{
	server->log = openat(server->place->state_dir, name,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (server->log < 0)
		return (private_complain_of(server->place, name));
	snprintf(server->log_advice, sizeof server->log_advice,
	    "%s/%s has all that it said", server->place->path, name);
	return (true);
}

void
private_begin_log(struct private_server *server)
{
	struct stat now;

	if (fstat(server->log, &now) == 0 && now.st_size > LOG_MOST &&
	    ftruncate(server->log, 0) == 0)
		log_warn("private server's log was full and is emptied",
		    F("server", server->acts->title),
		    F("bytes", now.st_size));
	server->log_from = lseek(server->log, 0, SEEK_END);
}

/* Whether that is what is wrong, whatever the words it was said in. */
static bool
is_disk_full(const struct private_place *place)
{
	struct statvfs disk;

	return (fstatvfs(place->state_dir, &disk) == 0 && (disk.f_favail ==
	    0 || disk.f_bavail * disk.f_frsize < DISK_LEAST));
}

bool
private_complain_of_program(struct private_server *server, const char *what)
{
	struct private_place *place = server->place;
	const char *said = server->last_words;

	if (private_is_asked_to_stop())
		return (false);
	return (private_complain(place, EX_UNAVAILABLE,
	    "the private %s %s: %s; %s", server->acts->title, what,
	    said[0] != '\0' ? said : "it does not say why",
	    is_disk_full(place) || strstr(said, strerror(ENOSPC)) != NULL ?
	    ROOM_ADVICE : server->log_advice));
}

/* A line that tells why beats one that only came later. */
static bool
tells_why(text line, text *reason_out)
{
	static const char *const signs[] = { "PANIC:", "FATAL:", "error:",
	    "ERROR:", "rror: " };

	/* That was the answer to a ping of ours. */
	if (memmem(line.at, line.len, "system is", 9) != NULL)
		return (false);
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		const char *at = memmem(line.at, line.len, signs[i],
		    strlen(signs[i]));

		if (at == NULL)
			continue;
		*reason_out = text_from(at, line.len - (size_t)(at -
		    line.at));
		return (true);
	}
	return (false);
}

const char *
private_last_words(struct private_server *server)
{
	char tail[LAST_WORDS_READ];
	int64_t end = lseek(server->log, 0, SEEK_END);
	int64_t from = end - LAST_WORDS_READ;
	text rest, line, best = TEXT_NONE, last = TEXT_NONE;
	ssize_t len;

	if (server->log_from > end)
		server->log_from = 0;
	if (from < server->log_from)
		from = server->log_from;
	len = pread(server->log, tail, sizeof tail, from);
	rest = text_from(tail, len > 0 ? (size_t)len : 0);
	while (rest.len > 0) {
		text_cut(rest, '\n', &line, &rest);
		line = text_trim(line);
		if (line.len > 0)
			last = line;
		tells_why(line, &best);
	}
	if (best.len == 0)
		best = last;
	snprintf(server->last_words, sizeof server->last_words, "%.*s",
	    TEXT_ARGS(best));
	return (server->last_words);
}
