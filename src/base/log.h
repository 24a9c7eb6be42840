/* SPDX-License-Identifier: MIT */
/*
 * Log lines: one JSON object a line, fixed words first, then fields.
 *
 *	log_info("worker ready", F("ordinal", ordinal), F("pid", pid));
 *	{"time":"…Z","level":"info","role":"worker 2","message":"worker ready",
 *	 "ordinal":2,"pid":4711}
 *
 * Levels: error (someone must act), warn, info, debug. Fields of a level
 * that is off are not even computed.
 *
 * Holds always:
 *  1. No key, token, password or query string is ever a field.
 *  2. A line is one write(2) to a descriptor opened for appending, so lines
 *     of several processes do not mix.
 *  3. A full disk loses lines, counts them (log_lost) and stops nothing.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
	const char	*key;
	enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_BOOL } kind;
	text		 value;
	int64_t		 number;
};

#define F(key, value)							\
	_Generic((value),						\
	    char *: log_field_string, const char *: log_field_string,	\
	    text: log_field_text, bool: log_field_bool,			\
	    int: log_field_int, long: log_field_int,			\
	    long long: log_field_int, unsigned: log_field_int,		\
	    unsigned long: log_field_int,				\
	    unsigned long long: log_field_int)((key), (value))

#define log_at(level, message, ...)					\
	do {								\
		if (log_is_on(level))					\
			log_write((level), (message),			\
			    (struct log_field[]){ __VA_ARGS__		\
			    __VA_OPT__(,) { .key = NULL } });		\
	} while (0)
#define log_error(...)	log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)	log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)	log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_at(LOG_DEBUG, __VA_ARGS__)

/*
 * The level is a word that all processes of the server may share. fd is
 * kept by the caller; role is copied.
 */
void	log_use(int fd, const char *role, _Atomic unsigned *level);
void	log_use_fd(int fd);

/* From now on lines wait for log_flush (or 32 KiB, or an error line). */
void	log_gather(void);
void	log_flush(void);

bool	log_level_named(text name, enum log_level *level_out);
const char *log_level_name(enum log_level level);

bool	log_is_on(enum log_level level);
void	log_write(enum log_level level, const char *message,
	    const struct log_field *fields);

static inline struct log_field
log_field_text(const char *key, text value)
{
	return ((struct log_field){ key, LOG_FIELD_TEXT, value, 0 });
}

static inline struct log_field
log_field_string(const char *key, const char *value)
{
	return (log_field_text(key, text_of(value)));
}

static inline struct log_field
log_field_int(const char *key, int64_t number)
{
	return ((struct log_field){ key, LOG_FIELD_INT, TEXT_NONE, number });
}

static inline struct log_field
log_field_bool(const char *key, bool is_true)
{
	return ((struct log_field){ key, LOG_FIELD_BOOL, TEXT_NONE, is_true });
}

#endif
