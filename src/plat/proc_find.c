/* SPDX-License-Identifier: MIT */
/*
 * Finding the processes that work in a folder. A program's pid file may be
 * stale and its pid somebody else's by now; the folder it stands in and its
 * name are what the kernel says now.
 */
#include "plat/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* The first word of its title, without folders and what is behind a colon. */
static bool
has_name(int process, const char *program)
{
	char title[256], *name;
	ssize_t len;
	int fd = openat(process, "cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (false);
	len = read(fd, title, sizeof title - 1);
	close(fd);
	if (len <= 0)
		return (false);
	title[len] = '\0';
	title[strcspn(title, " :")] = '\0';
	name = strrchr(title, '/');
	return (strcmp(name != NULL ? name + 1 : title, program) == 0);
}

static pid_t
parent_of(int process)
{
	char stat[512], *end;
	text rest, state, parent;
	int64_t pid = 0;
	ssize_t len;
	int fd = openat(process, "stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return (0);
	len = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (len <= 0)
		return (0);
	stat[len] = '\0';
	/* pid (name) state parent: the name may hold anything. */
	end = strrchr(stat, ')');
	rest = text_of(end != NULL ? end + 1 : NULL);
	if (text_next_word(&rest, &state) && text_next_word(&rest, &parent))
		text_to_int64(parent, 0, INT32_MAX, &pid);
	return ((pid_t)pid);
}

unsigned
proc_find(int folder, const char *program,
    struct proc_found found_out[PROC_FOUND_MAX])
{
	struct stat ours, its;
	pid_t parents[PROC_FOUND_MAX];
	unsigned count = 0;
	const struct dirent *entry;
	DIR *all;

	if (fstat(folder, &ours) != 0 || (all = opendir("/proc")) == NULL)
		return (0);
	while (count < PROC_FOUND_MAX && (entry = readdir(all)) != NULL) {
		int64_t pid;
		int process;

		if (!text_to_int64(text_of(entry->d_name), 1, INT32_MAX,
		    &pid))
			continue;
		process = openat(dirfd(all), entry->d_name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		if (fstatat(process, "cwd", &its, 0) == 0 &&
		    its.st_dev == ours.st_dev && its.st_ino == ours.st_ino &&
		    has_name(process, program)) {
			parents[count] = parent_of(process);
			found_out[count++].pid = (pid_t)pid;
		}
		close(process);
	}
	closedir(all);
	for (unsigned i = 0; i < count; i++) {
		found_out[i].is_leader = true;
		for (unsigned j = 0; j < count; j++)
			if (found_out[j].pid == parents[i])
				found_out[i].is_leader = false;
	}
	return (count);
}
