/* SPDX-License-Identifier: MIT */
/*
 * The page for people: src/web/docs/frame.html, in which each @word@ is
 * replaced by what the tables say. It can be read as it is; its script adds
 * examples and a search.
 *
 * Holds always:
 *  1. Whatever comes from a table is escaped on its way.
 *  2. Nothing outside this server is named; links are relative, so that the
 *     page is right below /t/{slug} as well.
 *  3. The policy allows the one style and the one script by their hashes.
 *
 *	docs_page_write(&out);
 *	docs_page_write_policy(&policy);
 */
#ifndef ROLE_DOCS_PAGE_H
#define ROLE_DOCS_PAGE_H

#include "base/buf.h"
#include "core/op.h"

void	docs_page_write(struct buf *out);
void	docs_page_write_policy(struct buf *out);

/* Its parts: role/docs_operation.c, role/docs_live.c. */
void	docs_write_contents(struct buf *out);
void	docs_write_operations(struct buf *out);
void	docs_write_events(struct buf *out);
void	docs_write_messages(struct buf *out);
void	docs_write_closes(struct buf *out);

/* Text for people, and for attributes. */
void	docs_add(struct buf *out, const char *words);
void	docs_add_text(struct buf *out, text words);
/* The schema in a fold, under the summary. */
void	docs_add_schema(struct buf *out, const char *summary,
	    const char *prefix, const char *name);

/* The files of the page, as they were when the program was built. */
extern const text docs_frame_html;
extern const text docs_script_js;
extern const text docs_style_css;

#endif
