/* SPDX-License-Identifier: MIT */
/*
 * transport/sse: blocks, above all that no data can begin a line of its own.
 */
#include "transport/sse.h"

#include "tap.h"

static struct bytes *block;

static text
made(text name, text id, text data)
{
	bytes_give(&block);
	block = sse_block(name, id, data);
	return (text_from(block->at, block->len));
}

int
main(void)
{
	test("id, name and data");
	is_text(made(TEXT_NONE, TEXT("k3:1"), TEXT("{}")),
	    "id: k3:1\ndata: {}\n\n");
	is_text(made(TEXT_NONE, TEXT_NONE, TEXT("{}")), "data: {}\n\n");
	is_text(made(TEXT("resync"), TEXT("k3:1"), TEXT("{\"a\":1}")),
	    "event: resync\nid: k3:1\ndata: {\"a\":1}\n\n");

	test("data with breaks is several lines");
	is_text(made(TEXT_NONE, TEXT_NONE, TEXT("{\n\"a\":\r1\r\n,\"b\":2}")),
	    "data: {\ndata: \"a\":\ndata: 1\ndata: ,\"b\":2}\n\n");
	is_text(made(TEXT_NONE, TEXT_NONE, TEXT("\n\n{\n\nid: 7\n}\n")),
	    "data: {\ndata: id: 7\ndata: }\n\n");
	is_text(made(TEXT_NONE, TEXT_NONE, TEXT("\r\r")), "\n");
	bytes_give(&block);
	return (done());
}
