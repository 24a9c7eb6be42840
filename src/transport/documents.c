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
