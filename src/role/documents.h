/* SPDX-License-Identifier: MIT */
/*
 * Making the documents that a worker serves: what `-x openapi` and
 * `-x asyncapi` print, byte by byte, and the page of both.
 *
 *	struct documents *documents = documents_create();
 *	setup.documents = documents;
 *	... http_create, http_destroy ...
 *	documents_destroy(&documents);
 */
#ifndef ROLE_DOCUMENTS_H
#define ROLE_DOCUMENTS_H

struct documents;

struct documents *documents_create(void);
/* After the last answer left. */
void	documents_destroy(struct documents **documents);

#endif
