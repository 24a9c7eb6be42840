/* SPDX-License-Identifier: MIT */
/*
 * Users of the tabletop: names and passwords become logins, and a login is a
 * cookie.
 *
 *	connect.sid=s:<id>.<HMAC-SHA256 of tenant and id>
 *		       │	in hex, under the cookie key of the keyring
 *		       └─> SHA-256: the row of the login in the database
 *
 * Holds always:
 *  1. A password is compared by scrypt alone, off the loop, and an unknown
 *     name costs the same time as a known one.
 *  2. A cookie that we did not sign, or signed for another tenant, never
 *     comes to the database. One that we signed is only a name of a login:
 *     whether that has ended, each function of SQL looks for itself.
 *  3. The id is nowhere but with its client.
 *  4. Who asks with the cookie comes from a page of this server, of the
 *     tenant's list, or from no page (users_find).
 */
#ifndef CORE_USERS_H
#define CORE_USERS_H

#include "core/op.h"
#include "plat/digest.h"

#define USERS_COOKIE "connect.sid"

struct users;

struct users	*users_create(struct service *service);
/* Who waits for a thread or a timer is answered: after sign_in_close. */
void		 users_close(struct users *users);
void		 users_destroy(struct users **users);

/* Whose login a cookie's value names: hash_out; false: it is none of ours. */
bool	users_read_cookie(const struct service *service, int32_t tenant,
	    text value, char hash_out[DIGEST_HEX_SIZE]);
/* The value of ours in a Cookie header, where it has one. */
void	users_find_cookie(text header, text *value);
/* Sets op->caller, login:<hash>, by op->login. */
enum err users_find(struct op *op);

void	operation_tabletop_login(struct op *op);
void	operation_tabletop_logout(struct op *op);
void	operation_tabletop_user_create(struct op *op);

#endif
