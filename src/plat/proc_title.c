/* SPDX-License-Identifier: MIT */
/*
 * What ps shows. The kernel shows the memory in which the arguments were
 * passed, and the environment lies right behind it: once that has moved
 * away, the whole stretch is ours to write in.
 *
 *	argv[0]\0argv[1]\0...argv[n]\0NAME=value\0...NAME=value\0
 *	|<----------------------- area ---------------------->|
 */
#include "plat/proc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static char *area;
static size_t area_size;

/* How far the strings go on without a gap. */
static char *
end_of_strings(char **strings, char *end)
{
	for (; *strings != NULL; strings++)
		if (*strings == end)
			end += strlen(end) + 1;
	return (end);
}

void
proc_title_init(int argc, char **argv)
{
	char **copies, *end;
	size_t count = 0;

	if (argc < 1)
		return;
	area = argv[0];
	end = end_of_strings(environ, end_of_strings(argv, area));
	area_size = (size_t)(end - area);
	while (environ[count] != NULL)
		count++;
	copies = boot_alloc((count + 1) * sizeof *copies);
	for (size_t i = 0; i < count; i++)
		copies[i] = boot_copy_string(environ[i]);
	environ = copies;
	for (int i = 0; i < argc; i++)
		argv[i] = boot_copy_string(argv[i]);
}

void
proc_title(const char *title)
{
	if (area == NULL)
		return;
	memset(area, 0, area_size);
	snprintf(area, area_size, "partyline: %s", title);
}
