/* SPDX-License-Identifier: MIT */
/*
 * Each document is written into a buffer, whose memory it then keeps.
 */
#include "role/documents.h"

#include "base/buf.h"
#include "base/mem.h"
#include "role/asyncapi.h"
#include "role/client_files.h"
#include "role/docs_page.h"
#include "role/openapi.h"
#include "transport/documents.h"

static text
made(void (*write)(struct buf *out))
{
	struct buf out;
	size_t len;

	buf_init(&out, BUF_NO_LIMIT);
	write(&out);
	len = out.len;
	return (text_from(buf_take(&out), len));
}

/* As it is printed: a line. */
static void
write_openapi(struct buf *out)
{
	openapi_write(out);
	buf_add_char(out, '\n');
}

static void
write_asyncapi(struct buf *out)
{
	asyncapi_write(out);
	buf_add_char(out, '\n');
}

static struct constant
document(void (*write)(struct buf *out))
{
	return ((struct constant){ .body = made(write),
	    .is_document = true });
}

/* Their bodies are the program's. */
static struct document_file *
client_documents(void)
{
	struct document_file *files;
	unsigned count = 0;

	while (client_files[count].name != NULL)
		count++;
	files = mem_alloc((count + 1) * sizeof *files);
	for (unsigned i = 0; i < count; i++)
		files[i] = (struct document_file){ client_files[i].name,
		    { .body = client_files[i].body, .is_document = true } };
	return (files);
}

struct documents *
documents_create(void)
{
	struct documents *documents = object_create(struct documents,
	    DOCUMENTS_MAGIC);

	documents->openapi = document(write_openapi);
	documents->asyncapi = document(write_asyncapi);
	documents->page = document(docs_page_write);
	documents->policy = made(docs_page_write_policy);
	documents->files = client_documents();
	return (documents);
}

static void
forget(text body)
{
	mem_free((char *)(uintptr_t)body.at);
}

static void
forget_document(struct constant *constant)
{
	if (constant->packed != NULL)
		bytes_give(&constant->packed);
	forget(constant->body);
}

void
documents_destroy(struct documents **given)
{
	struct documents *documents = *given;

	*given = NULL;
	if (documents == NULL)
		return;
	object_check(documents, DOCUMENTS_MAGIC);
	forget_document(&documents->openapi);
	forget_document(&documents->asyncapi);
	forget_document(&documents->page);
	forget(documents->policy);
	for (struct document_file *file = documents->files;
	    file->name != NULL; file++)
		if (file->constant.packed != NULL)
			bytes_give(&file->constant.packed);
	mem_free(documents->files);
	object_free(&documents);
}
