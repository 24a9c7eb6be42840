/* SPDX-License-Identifier: MIT */
/*
 * Answering with documents that are there.
 */
#include "transport/documents.h"

static struct documents *
documents_of(struct op *op)
{
	return (object_cast(struct documents, DOCUMENTS_MAGIC,
	    op->ground->documents));
}

void
operation_asyncapi(struct op *op)
{
	op_reply_constant(op, 200, &documents_of(op)->asyncapi);
}

/* NULL: there is none of that name. */
static struct constant *
find_file(const struct documents *documents, text name)
{
	for (struct document_file *file = documents->files;
	    file->name != NULL; file++)
		if (text_is(text_of(file->name), name))
			return (&file->constant);
	return (NULL);
}

void
operation_client_example(struct op *op)
{
	struct constant *page = find_file(documents_of(op),
	    TEXT(DOCUMENTS_EXAMPLE));

	op->answer.constant = page;
	/* Its modules lie beside it, and it talks to this server alone. */
	op->answer.policy = TEXT("; script-src 'self'; style-src 'self'; "
	    "connect-src 'self' ws: wss:");
	op_reply_as(op, 200, TEXT("text/html; charset=utf-8"), page->body);
}

void
operation_client_file(struct op *op)
{
	struct constant *file = find_file(documents_of(op),
	    op_input(op, "name"));

	if (file == NULL) {
		op_fail(op, ERR_not_found);
		return;
	}
	op->answer.constant = file;
	op_reply_as(op, 200, TEXT("text/javascript; charset=utf-8"),
	    file->body);
}

void
operation_docs(struct op *op)
{
	struct documents *documents = documents_of(op);

	op->answer.constant = &documents->page;
	op->answer.policy = documents->policy;
	op_reply_as(op, 200, TEXT("text/html; charset=utf-8"),
	    documents->page.body);
}

void
operation_openapi(struct op *op)
{
	op_reply_constant(op, 200, &documents_of(op)->openapi);
}
