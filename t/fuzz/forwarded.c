/* SPDX-License-Identifier: MIT */
/*
 * Forwarded headers: the client is the peer or an address that was written,
 * scheme and host are of the few forms we take; and nothing that stands to
 * the left can change what was read from the right.
 *
 * The input: the first byte chooses the form, a line feed separates lists.
 */
#include <stdint.h>

#include "base/must.h"
#include "transport/forwarded.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct networks trusted;
static struct address peer;

static void
check(const struct forwarded *got)
{
	must(got->client.kind != ADDRESS_UNIX);
	must(got->scheme.at == NULL || text_is(got->scheme, TEXT("http")) ||
	    text_is(got->scheme, TEXT("https")));
	must(got->host.at == NULL || got->host.len > 0);
	for (size_t i = 0; i < got->host.len; i++)
		must(got->host.at[i] > ' ' && got->host.at[i] != ',' &&
		    got->host.at[i] != '"');
}

/* A client that was found stays, whatever somebody wrote before. */
static void
try_prefix(text list)
{
	static const char before[] = "6.6.6.6, ";
	static char longer[65536];
	struct forwarded one, other;

	if (list.len > sizeof longer - sizeof before)
		return;
	memcpy(longer, before, sizeof before - 1);
	memcpy(longer + sizeof before - 1, list.at, list.len);
	forwarded_read(&(struct forwarded_lines){ .for_list = list },
	    &trusted, &peer, &one);
	forwarded_read(&(struct forwarded_lines){ .for_list =
	    text_from(longer, sizeof before - 1 + list.len) },
	    &trusted, &peer, &other);
	if (!networks_hold(&trusted, &one.client))
		must(address_is(&one.client, &other.client));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct forwarded_lines lines = { .forwarded = TEXT_NONE };
	struct forwarded got;
	text rest;

	if (size == 0)
		return (0);
	if (trusted.at == NULL) {
		networks_init(&trusted, TEXT("10.0.0.0/8 fd00::/8"));
		must(address_read_peer(TEXT("10.0.0.1"), &peer));
	}
	rest = text_from((const char *)data + 1, size - 1);
	if (data[0] == 'f')
		lines.forwarded = rest;
	else {
		text_cut(rest, '\n', &lines.for_list, &rest);
		text_cut(rest, '\n', &lines.proto_list, &lines.host_list);
		try_prefix(lines.for_list);
	}
	forwarded_read(&lines, &trusted, &peer, &got);
	check(&got);
	return (0);
}
