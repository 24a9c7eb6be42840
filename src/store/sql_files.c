/* SPDX-License-Identifier: MIT */
/*
 * Reading a folder of SQL files.
 */
#include "store/sql_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/mem.h"
#include "plat/digest.h"

#define CONTENT_MOST (16u << 20)

unsigned
sql_file_version(text name)
{
	int64_t version;
	text digits, rest, ending = TEXT(".sql");

	if (!text_cut(name, '_', &digits, &rest) || digits.len != 4 ||
	    rest.len <= ending.len ||
	    !text_is(text_from(rest.at + rest.len - ending.len, ending.len),
	    ending))
		return (0);
	for (size_t i = 0; i < rest.len - ending.len; i++)
		if ((rest.at[i] < 'a' || rest.at[i] > 'z') &&
		    (rest.at[i] < '0' || rest.at[i] > '9') &&
		    rest.at[i] != '_')
			return (0);
	for (size_t i = 0; i < digits.len; i++)
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return (0);
	while (digits.len > 1 && digits.at[0] == '0')
		digits = text_from(digits.at + 1, digits.len - 1);
	if (!text_to_int64(digits, 1, 9999, &version))
		return (0);
	return ((unsigned)version);
}

unsigned
sql_file_line(const struct sql_file *file, unsigned character)
{
	unsigned line = 1, at = 0;

	for (size_t i = 0; i < file->content.len; i++) {
		unsigned char c = (unsigned char)file->content.at[i];

		/* Bytes that go on with a character are none. */
		if ((c & 0xc0) != 0x80 && ++at >= character)
			break;
		line += c == '\n';
	}
	return (line);
}

static bool
read_content(int folder, const char *name, struct buf *out)
{
	char piece[16384];
	ssize_t got;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (false);
	while ((got = read(fd, piece, sizeof piece)) > 0)
		buf_add(out, text_from(piece, (size_t)got));
	if (got == 0 && out->has_failed) {
		errno = EFBIG;
		got = -1;
	}
	close(fd);
	return (got == 0);
}

static int
by_name(const struct sql_file *a, const struct sql_file *b)
{
	return (strcmp(a->name, b->name));
}

static bool
is_ours(const char *name, const char *ending)
{
	size_t len = strlen(name), end = strlen(ending);

	return (name[0] != '.' && len > end &&
	    strcmp(name + len - end, ending) == 0);
}

static bool
read_file(struct sql_files *files, int folder, const char *name,
    struct buf *why)
{
	struct sql_file *file = mem_alloc(sizeof *file);

	LL_PREPEND(files->first, file);
	files->count++;
	file->name = mem_copy_string(name);
	file->version = sql_file_version(text_of(name));
	buf_init(&file->content, CONTENT_MOST);
	if (!read_content(folder, name, &file->content)) {
		buf_printf(why, "%s cannot be read: %s", name,
		    strerror(errno));
		return (false);
	}
	if (!text_is_utf8(buf_text(&file->content)) ||
	    text_has(buf_text(&file->content), '\0')) {
		buf_printf(why, "%s is not UTF-8", name);
		return (false);
	}
	digest_as_hex(buf_text(&file->content), file->sha256,
	    sizeof file->sha256);
	return (true);
}

static void
digest_all(struct sql_files *files)
{
	struct sql_file *file;
	struct buf all;

	buf_init(&all, BUF_NO_LIMIT);
	LL_FOREACH(files->first, file)
		buf_printf(&all, "%s %s\n", file->sha256, file->name);
	digest_as_hex(buf_text(&all), files->sha256, sizeof files->sha256);
	buf_fini(&all);
}

bool
sql_files_read(struct sql_files *files, const char *folder,
    const char *below, const char *ending, struct buf *why)
{
	const struct dirent *entry;
	struct buf path;
	DIR *list;
	bool is_good = true;

	*files = (struct sql_files){ .first = NULL };
	buf_init(&path, BUF_NO_LIMIT);
	buf_printf(&path, "%s/%s", folder, below);
	list = opendir(path.at);
	if (list == NULL) {
		buf_printf(why, "%s cannot be read: %s", path.at,
		    strerror(errno));
		buf_fini(&path);
		return (false);
	}
	buf_add_char(&path, '/');
	while (is_good && (entry = readdir(list)) != NULL) {
		struct buf what;

		if (!is_ours(entry->d_name, ending))
			continue;
		buf_init(&what, BUF_NO_LIMIT);
		is_good = read_file(files, dirfd(list), entry->d_name, &what);
		if (!is_good) {
			buf_add(why, buf_text(&path));
			buf_add(why, buf_text(&what));
		}
		buf_fini(&what);
	}
	closedir(list);
	buf_fini(&path);
	if (!is_good) {
		sql_files_fini(files);
		return (false);
	}
	LL_SORT(files->first, by_name);
	digest_all(files);
	return (true);
}

void
sql_files_fini(struct sql_files *files)
{
	struct sql_file *file, *next;

	LL_FOREACH_SAFE(files->first, file, next) {
		mem_free(file->name);
		buf_fini(&file->content);
		mem_free(file);
	}
	*files = (struct sql_files){ .first = NULL };
}
