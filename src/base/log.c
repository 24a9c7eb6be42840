/* SPDX-License-Identifier: MIT */
/*
 * Writing log lines. They gather during a turn of a process's loop and go
 * out with one write.
 */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/count.h"
#include "base/fault.h"
#include "base/json_out.h"
#include "base/stamp.h"

#define GATHER_MOST (32 * 1024)

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static struct {
	int			 fd;
	char			 role[32];
	_Atomic unsigned	*level;
	bool			 gathers;
	unsigned		 waiting;	/* lines in out */
	struct buf		 out;
} line = { .fd = STDOUT_FILENO };

static _Atomic unsigned level_of_this_process = LOG_INFO;

void
log_use(int fd, const char *role, _Atomic unsigned *level)
{
	log_flush();
	line.fd = fd;
	line.level = level;
	snprintf(line.role, sizeof line.role, "%s", role);
}

void
log_use_fd(int fd)
{
	log_flush();
	line.fd = fd;
}

void
log_gather(void)
{
	line.gathers = true;
}

bool
log_level_named(text name, enum log_level *level_out)
{
	for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++)
		if (text_is(name, text_of(level_names[i]))) {
			*level_out = i;
			return (true);
		}
	return (false);
}

const char *
log_level_name(enum log_level level)
{
	return (level_names[level]);
}

bool
log_is_on(enum log_level level)
{
	_Atomic unsigned *most = line.level != NULL ? line.level :
	    &level_of_this_process;

	return (level <= atomic_load_explicit(most, memory_order_relaxed));
}

static void
write_field(struct json_out *json, const struct log_field *field)
{
	json_key(json, field->key);
	switch (field->kind) {
	case LOG_FIELD_TEXT:
		if (field->value.at == NULL)
			json_nothing(json);
		else
			json_text(json, field->value);
		break;
	case LOG_FIELD_INT:
		json_int(json, field->number);
		break;
	case LOG_FIELD_BOOL:
		json_bool(json, field->number != 0);
		break;
	}
}

void
log_write(enum log_level level, const char *message,
    const struct log_field *fields)
{
	struct json_out json;
	char time[STAMP_SIZE];

	if (line.out.at == NULL)
		buf_init(&line.out, BUF_NO_LIMIT);
	stamp_write(stamp_now(), time);
	json_out_init(&json, &line.out);
	json_object_begin(&json);
	json_key(&json, "time");
	json_text_of(&json, time);
	json_key(&json, "level");
	json_text_of(&json, level_names[level]);
	if (line.role[0] != '\0') {
		json_key(&json, "role");
		json_text_of(&json, line.role);
	}
	json_key(&json, "message");
	json_text_of(&json, message);
	for (; fields->key != NULL; fields++)
		write_field(&json, fields);
	json_object_end(&json);
	buf_add_char(&line.out, '\n');
	line.waiting++;
	if (!line.gathers || level == LOG_ERROR || line.out.len > GATHER_MOST)
		log_flush();
}

void
log_flush(void)
{
	size_t done = 0;

	while (done < line.out.len) {
		ssize_t n;

		if (FAULT(log_disk_full)) {
			errno = ENOSPC;
			n = -1;
		} else
			n = write(line.fd, line.out.at + done,
			    line.out.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			COUNT_BY(log_lost, line.waiting);
			break;
		}
		done += (size_t)n;
	}
	COUNT_BY(log_bytes, done);
	line.waiting = 0;
	if (line.out.at != NULL)
		buf_clear(&line.out);
}
