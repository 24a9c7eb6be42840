/* SPDX-License-Identifier: MIT */
/*
 * What the server says of itself: two documents for programs and a page for
 * people, the same for every tenant and every client.
 *
 * Holds always:
 *  1. Each is made once in a process, before the first request; its tag and
 *     its compressed form when somebody first asks.
 *  2. The page may load what its policy names, and nothing else.
 */
#ifndef TRANSPORT_DOCUMENTS_H
#define TRANSPORT_DOCUMENTS_H

#include "core/op.h"

struct documents {
	unsigned	 magic;
#define DOCUMENTS_MAGIC 0x646f6373
	struct constant	 asyncapi;
	struct constant	 openapi;
	struct constant	 page;
	text		 policy;	/* Content-Security-Policy of page */
	struct document_file *files;	/* of clients; the last has no name */
};

struct document_file {
	const char	*name;
	struct constant	 constant;
};

#define DOCUMENTS_EXAMPLE "example.html"

void	operation_asyncapi(struct op *op);
void	operation_client_example(struct op *op);
void	operation_client_file(struct op *op);
void	operation_docs(struct op *op);
void	operation_openapi(struct op *op);

#endif
