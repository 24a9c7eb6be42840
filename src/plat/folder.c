/* SPDX-License-Identifier: MIT */
/*
 * Folders and small files below an open folder.
 */
#include "plat/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plat/proc.h"

#define FILE_MOST	65536

static void
close_keeping_errno(int fd)
{
	int was = errno;

	close(fd);
	errno = was;
}

int
folder_open(int below, const char *name, mode_t mode,
    const struct proc_user *owner)
{
	struct stat now;
	int low, fd;

	if (mkdirat(below, name, 0700) != 0 && errno != EEXIST)
		return (-1);
	low = openat(below, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (low < 0)
		return (-1);
	/* Its number is told to others: it must not be an input or output. */
	fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
	close_keeping_errno(low);
	if (fd < 0)
		return (-1);
	if (fstat(fd, &now) != 0 ||
	    (owner != NULL && (now.st_uid != owner->uid ||
	    now.st_gid != owner->gid) &&
	    fchown(fd, owner->uid, owner->gid) != 0) ||
	    ((now.st_mode & 07777) != mode && fchmod(fd, mode) != 0)) {
		close_keeping_errno(fd);
		return (-1);
	}
	return (fd);
}

static DIR *
folder_list(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list;

	if (fd < 0)
		return (NULL);
	list = fdopendir(fd);
	if (list == NULL)
		close_keeping_errno(fd);
	return (list);
}

static bool
is_real_name(const char *name)
{
	return (strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

bool
folder_is_empty(int folder)
{
	DIR *list = folder_list(folder);
	const struct dirent *entry;
	bool is_empty = list != NULL;

	if (list == NULL)
		return (false);
	while (is_empty && (entry = readdir(list)) != NULL)
		is_empty = !is_real_name(entry->d_name);
	closedir(list);
	return (is_empty);
}

static bool
folder_clear(int folder)
{
	DIR *list = folder_list(folder);
	const struct dirent *entry;
	bool is_good = true;

	if (list == NULL)
		return (false);
	while (is_good && (entry = readdir(list)) != NULL)
		if (is_real_name(entry->d_name))
			is_good = folder_remove(folder, entry->d_name);
	closedir(list);
	return (is_good);
}

bool
folder_remove(int below, const char *name)
{
	bool is_good;
	int fd;

	if (unlinkat(below, name, 0) == 0 || errno == ENOENT)
		return (true);
	if (errno != EISDIR && errno != EPERM)
		return (false);
	fd = openat(below, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd < 0)
		return (false);
	is_good = folder_clear(fd);
	close_keeping_errno(fd);
	return (is_good && unlinkat(below, name, AT_REMOVEDIR) == 0);
}

bool
file_write(int below, const char *name, text content)
{
	char fresh[256];
	ssize_t written;
	int fd;

	snprintf(fresh, sizeof fresh, "%s.new", name);
	fd = openat(below, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd < 0)
		return (false);
	errno = ENOSPC;		/* what a short write means */
	written = write(fd, content.at, content.len);
	if (written != (ssize_t)content.len || fsync(fd) != 0) {
		close_keeping_errno(fd);
		return (false);
	}
	close(fd);
	return (renameat(below, fresh, below, name) == 0 &&
	    fsync(below) == 0);
}

bool
file_read(int below, const char *name, struct buf *out)
{
	char part[4096];
	ssize_t n;
	int fd = openat(below, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return (false);
	while ((n = read(fd, part, sizeof part)) > 0 && out->len < FILE_MOST)
		buf_add(out, text_from(part, (size_t)n));
	close_keeping_errno(fd);
	return (n >= 0);
}
