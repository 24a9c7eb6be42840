/* SPDX-License-Identifier: MIT */
/*
 * Reading and checking the admins of the configuration. Whatever is wrong is
 * told at once, by the place of its entry in the file.
 */
#include "core/admins.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "base/conf_kind.h"
#include "core/json.h"
#include "core/key.h"
#include "core/token.h"

#define FILE_MOST (1024 * 1024)
#define FORM "[{\"name\":…,\"key\":…}, …]"

struct reading {
	const struct conf	*conf;
	struct buf		*problems;
	struct admins		*admins;
	struct arena		 places;	/* of entries, for messages */
	const char		**place;	/* of each admin */
	bool			 is_good;
};

/* The message goes on behind what this writes, up to its newline. */
static struct buf *
begin(struct reading *reading, enum option option)
{
	reading->is_good = false;
	buf_printf(reading->problems, "%s: %s: ",
	    reading->conf->origin[option], option_rows[option].name);
	return (reading->problems);
}

static struct buf *
begin_file(struct reading *reading)
{
	struct buf *out = begin(reading, OPTION_admins_file);

	conf_quote(text_of(reading->conf->admins_file), out);
	buf_add_string(out, ": ");
	return (out);
}

static void
end(struct buf *out, const char *allowed)
{
	buf_printf(out, "; allowed: %s\n", allowed);
}

/* Whole, up to FILE_MOST; false: errno. */
static bool
read_file(const char *path, struct buf *out)
{
	char part[4096];
	ssize_t n = -1;
	int error, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (false);
	while ((n = read(fd, part, sizeof part)) > 0 && out->len <= FILE_MOST)
		buf_add(out, text_from(part, (size_t)n));
	error = errno;
	close(fd);
	errno = out->len > FILE_MOST ? EFBIG : error;
	return (n >= 0 && out->len <= FILE_MOST);
}

/* NULL: it was told why. */
static struct json_object *
read_list(struct reading *reading)
{
	struct json_object *list = NULL;
	struct buf content;
	size_t count;

	buf_init(&content, BUF_NO_LIMIT);
	if (!read_file(reading->conf->admins_file, &content)) {
		struct buf *out = begin_file(reading);

		buf_printf(out, "cannot be read: %s", strerror(errno));
		end(out, "a file of at most 1 MiB, " FORM);
	} else if ((list = json_in_read(buf_text(&content))) == NULL ||
	    !json_in_as_array(list, &count)) {
		struct buf *out = begin_file(reading);

		buf_add_string(out, list == NULL ? "is not JSON" :
		    "is not a list");
		end(out, FORM);
		json_in_free(&list);
	}
	if (content.at != NULL)
		explicit_bzero(content.at, content.len);
	buf_fini(&content);
	return (list);
}

static text
keep(struct admins *admins, text t)
{
	return (text_from(arena_copy(&admins->arena, t.at, t.len), t.len));
}

static void
add(struct reading *reading, text name, text key, const char *place)
{
	struct admins *admins = reading->admins;

	reading->place[admins->count] = place;
	admins->at[admins->count++] = (struct admin){ keep(admins, name),
	    keep(admins, key) };
}

/* What it has beside name and key; NULL: nothing. */
static const char *
unknown_member(struct json_object *entry)
{
	json_object_object_foreach(entry, name, value) {
		(void)value;
		if (strcmp(name, "name") != 0 && strcmp(name, "key") != 0)
			return (name);
	}
	return (NULL);
}

static void
refuse_entry(struct reading *reading, const char *place, const char *what,
    const char *allowed)
{
	struct buf *out = begin_file(reading);

	buf_printf(out, "%s: %s", place, what);
	end(out, allowed);
}

static void
read_entry(struct reading *reading, struct json_object *entry, size_t number)
{
	static const char name_form[] = "a name of 1 to 100 characters, none "
	    "of them a control", key_form[] = "a key of 1 to 256 characters";
	char *place = arena_alloc(&reading->places, 32);
	const char *unknown;
	text name, key;

	snprintf(place, 32, "entry %zu", number);
	if (!json_in_is_object(entry)) {
		refuse_entry(reading, place, "is no object", FORM);
		return;
	}
	unknown = unknown_member(entry);
	if (unknown != NULL) {
		struct buf *out = begin_file(reading);

		buf_printf(out, "%s: has ", place);
		conf_quote(text_of(unknown), out);
		buf_add_string(out, ", which means nothing here");
		end(out, "name and key");
		return;
	}
	if (!json_in_text(entry, "name", &name) || !token_name_is_fit(name))
		refuse_entry(reading, place, "has no name that is fit",
		    name_form);
	else if (!json_in_text(entry, "key", &key) || !key_is_fit(key))
		refuse_entry(reading, place, "has no key that is fit",
		    key_form);
	else
		add(reading, name, key, place);
}

/* Each pair that has the same name or key, told at the later one. */
static void
check_twice(struct reading *reading)
{
	const struct admins *admins = reading->admins;

	for (unsigned i = 0; i < admins->count; i++)
		for (unsigned j = 0; j < i; j++) {
			bool is_name = text_is(admins->at[i].name,
			    admins->at[j].name);
			struct buf *out;

			if (!is_name && !text_is(admins->at[i].key,
			    admins->at[j].key))
				continue;
			out = begin_file(reading);
			buf_printf(out, "%s: has the %s of %s",
			    reading->place[i], is_name ? "name" : "key",
			    reading->place[j]);
			end(out, "each name and each key once");
		}
}

static void
read_key(struct reading *reading)
{
	text key = text_of(reading->conf->admin_key);

	if (key.len == 0)
		return;
	if (key_is_fit(key))
		add(reading, TEXT(ADMINS_KEY_NAME), key, "admin_key");
	else
		end(begin(reading, OPTION_admin_key),
		    "UTF-8 of 1 to 256 characters");
}

static void
read_all(struct reading *reading)
{
	struct json_object *list = NULL;
	size_t count = 0;

	if (reading->conf->admins_file[0] != '\0' &&
	    (list = read_list(reading)) != NULL)
		json_in_as_array(list, &count);
	reading->admins->at = arena_alloc(&reading->admins->arena,
	    (count + 1) * sizeof *reading->admins->at);
	reading->place = arena_alloc(&reading->places,
	    (count + 1) * sizeof *reading->place);
	read_key(reading);
	for (size_t i = 0; i < count; i++)
		read_entry(reading, json_in_element(list, i), i + 1);
	check_twice(reading);
	json_in_free(&list);
}

struct admins *
admins_read(const struct conf *conf, struct buf *problems)
{
	struct reading reading = { .conf = conf, .problems = problems,
	    .admins = object_create(struct admins, ADMINS_MAGIC),
	    .is_good = true };

	arena_init(&reading.admins->arena);
	arena_init(&reading.places);
	read_all(&reading);
	arena_fini(&reading.places);
	if (!reading.is_good)
		admins_destroy(&reading.admins);
	return (reading.admins);
}

void
admins_destroy(struct admins **given)
{
	struct admins *admins = *given;

	*given = NULL;
	if (admins == NULL)
		return;
	object_check(admins, ADMINS_MAGIC);
	/* Nobody shall find a key in memory that is free. */
	for (unsigned i = 0; i < admins->count; i++)
		explicit_bzero((char *)(uintptr_t)admins->at[i].key.at,
		    admins->at[i].key.len);
	arena_fini(&admins->arena);
	object_free(&admins);
}

bool
admins_check(const struct conf *conf, struct buf *problems)
{
	struct admins *admins = admins_read(conf, problems);
	bool is_good = admins != NULL;

	admins_destroy(&admins);
	return (is_good);
}
