/* SPDX-License-Identifier: MIT */
/*
 * Folders and small files below an open folder, never by a path from the
 * root: so it works below a folder that we may not enter by name.
 *
 * Holds always:
 *  1. A symbolic link is never followed where a folder of ours should be.
 *  2. A file written here is there as a whole or as it was before, also
 *     after a power cut.
 *  3. All return false or -1 with errno.
 */
#ifndef PLAT_FOLDER_H
#define PLAT_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"

struct proc_user;

/* Opens it, made where it is missing; owner NULL: whoever it belongs to. */
int	folder_open(int below, const char *name, mode_t mode,
	    const struct proc_user *owner);
bool	folder_remove(int below, const char *name);
bool	folder_is_empty(int folder);

bool	file_write(int below, const char *name, text content);
/* At most 64 KiB. */
bool	file_read(int below, const char *name, struct buf *out);

#endif
