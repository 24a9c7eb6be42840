/* SPDX-License-Identifier: MIT */
/*
 * What a private place keeps to itself: the passwords of its servers and the
 * generated admin key, as letters in files that only their owner reads.
 *
 * Holds always:
 *  1. The file of passwords never has others than the servers have: it is
 *     written after they were set. Killed in between, they are set anew.
 *  2. A key in admin_key has been shown; before, it is in admin_key.new.
 */
#ifndef ROLE_PRIVATE_SECRETS_H
#define ROLE_PRIVATE_SECRETS_H

#include <stdbool.h>

#define ADMIN_KEY_SIZE 25

struct private_place;

/* Reads them. false: errno; EBADMSG where they are not all there. */
bool	secrets_read(struct private_place *place);
/* Reads them, or makes new ones (has_new_secrets); false: complained. */
bool	secrets_have(struct private_place *place);
/* Writes new ones, once PostgreSQL has them. */
bool	secrets_keep(struct private_place *place);

bool	admin_key_have(struct private_place *place,
	    char key_out[ADMIN_KEY_SIZE], bool *is_unseen_out);
void	admin_key_seen(struct private_place *place);

#endif
