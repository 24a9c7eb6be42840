/* SPDX-License-Identifier: MIT */
/*
 * The files of src/web/clients/, as they were when the program was built.
 */
#ifndef ROLE_CLIENT_FILES_H
#define ROLE_CLIENT_FILES_H

#include "base/text.h"

struct client_file {
	const char	*name;
	text		 body;
};

extern const struct client_file client_files[];	/* the last has no name */

#endif
