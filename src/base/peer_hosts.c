/* SPDX-License-Identifier: MIT */
/*
 * Reading NUMBER=ADDRESS, one after the other.
 */
#include "base/peer_hosts.h"

#include "base/conf_kind.h"

static bool
wrong(struct buf *why, text word, const char *what)
{
	conf_quote(word, why);
	buf_add_char(why, ' ');
	buf_add_string(why, what);
	return (false);
}

static bool
read_host(text word, struct peer_host *out, struct buf *why)
{
	text number, address;
	int64_t value;
	const char *what;

	if (!text_cut(word, '=', &number, &address))
		return (wrong(why, word, "has no = between number and "
		    "address"));
	if (!text_to_int64(number, 1, UINT16_MAX, &value))
		return (wrong(why, number, "is no number of a host"));
	if (!address_read(address, &out->address, &what))
		return (wrong(why, address, what));
	if (out->address.kind == ADDRESS_UNIX)
		return (wrong(why, address, "is not on another host"));
	out->number = (uint16_t)value;
	return (true);
}

const struct peer_host *
peer_hosts_find(const struct peer_hosts *hosts, uint16_t number)
{
	for (unsigned i = 0; i < hosts->count; i++)
		if (hosts->at[i].number == number)
			return (&hosts->at[i]);
	return (NULL);
}

static bool
has_address(const struct peer_hosts *hosts, const struct address *address)
{
	for (unsigned i = 0; i < hosts->count; i++)
		if (address_is(&hosts->at[i].address, address))
			return (true);
	return (false);
}

bool
peer_hosts_read(text written, struct peer_hosts *out, struct buf *why)
{
	struct peer_host host;
	text word;

	out->count = 0;
	while (text_next_word(&written, &word)) {
		if (out->count == PEER_HOSTS_MAX) {
			buf_printf(why, "has more than %d hosts",
			    PEER_HOSTS_MAX);
			return (false);
		}
		if (!read_host(word, &host, why))
			return (false);
		if (peer_hosts_find(out, host.number) != NULL)
			return (wrong(why, word, "has the number of another "
			    "one"));
		if (has_address(out, &host.address))
			return (wrong(why, word, "has the address of another "
			    "one"));
		out->at[out->count++] = host;
	}
	return (true);
}
