/* SPDX-License-Identifier: MIT */
/*
 * Signing in: keys become tokens, and what the database says of both is fed
 * to the book of who is believed.
 *
 *	limit ──> find by HMAC ──> scrypt in a thread ──> token
 *
 * Holds always:
 *  1. A key is compared by scrypt alone, off the loop, and an unknown one
 *     costs the same time as a known one.
 *  2. A token bears the moment at which its admin was found, by PostgreSQL's
 *     clock: whoever is revoked while his key is proved gets a token that is
 *     revoked, too.
 *  3. Tokens are signed with the newest key; jwt_secret of the options comes
 *     before those of the database. All of them are believed, each until it
 *     retires.
 *  4. A list that is not understood changes nothing: what is revoked stays
 *     so.
 *  5. Neither key nor token is logged or kept.
 */
#ifndef CORE_SIGN_IN_H
#define CORE_SIGN_IN_H

#include <stdbool.h>

#include "core/service.h"

struct crew;
struct keyring;
struct sign_in;

struct sign_in	*sign_in_create(struct service *service);
/* Those who wait for a thread or a timer are answered: before the pool. */
void		 sign_in_close(struct sign_in *sign_in);
void		 sign_in_destroy(struct sign_in **sign_in);

/* Lists of api.secret_list and api.revocation_list; false: refused. */
bool	sign_in_use_secrets(struct sign_in *sign_in, text json);
bool	sign_in_use_revocations(struct sign_in *sign_in, text json);
/*
 * An event of `control`; those of other things are left alone. false: it is
 * one of ours and not understood, so that all has to be read anew.
 */
bool	sign_in_heed(struct sign_in *sign_in, text type,
	    struct json_object *data);
/* The lists are there; said again each time that they were read. */
void	sign_in_on_ready(struct sign_in *sign_in);

/* As it is now; and who works off the loop, NULL: nobody. */
const struct keyring *sign_in_keyring(const struct sign_in *sign_in);
struct crew *sign_in_crew(const struct sign_in *sign_in);

void	operation_auth_login(struct op *op);
void	operation_auth_verify(struct op *op);

#endif
