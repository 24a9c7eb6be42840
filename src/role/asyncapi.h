/* SPDX-License-Identifier: MIT */
/*
 * What is said over /api/sessions/live, as a document of AsyncAPI 3.0: all
 * of it from tbl/messages.h, tbl/events.h, tbl/closes.h and tbl/schema.
 *
 *	struct buf out;
 *
 *	buf_init(&out, BUF_NO_LIMIT);
 *	asyncapi_write(&out);
 */
#ifndef ROLE_ASYNCAPI_H
#define ROLE_ASYNCAPI_H

#include "base/buf.h"

/* What the doors beside the live one say that is no event. */
#define ASYNCAPI_BLOCKS 4
struct asyncapi_block {
	const char	*key;		/* in the document, and on the page */
	const char	*name;
	const char	*schema;
	const char	*text;
};
extern const struct asyncapi_block asyncapi_blocks[ASYNCAPI_BLOCKS];

void	asyncapi_write(struct buf *out);

#endif
