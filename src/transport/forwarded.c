/* SPDX-License-Identifier: MIT */
/*
 * The lists that proxies write, from right to left.
 */
#include "transport/forwarded.h"

static bool
is_host(text host)
{
	if (host.len == 0 || host.len > 261)
		return (false);
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];

		if (!(c >= '0' && c <= '9') &&
		    !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    (c == '\0' || strchr("-._:[]", c) == NULL))
			return (false);
	}
	return (true);
}

static text
scheme_of(text word)
{
	if (text_is_like(word, TEXT("https")))
		return (TEXT("https"));
	if (text_is_like(word, TEXT("http")))
		return (TEXT("http"));
	return (TEXT_NONE);
}

/* The last member of a list goes off its end; false: there was none. */
static bool
take_last(text *list, text *member_out)
{
	text head, tail;

	if (list->at == NULL)
		return (false);
	if (text_cut_last(*list, ',', &head, &tail)) {
		*member_out = text_trim(tail);
		*list = head;
	} else {
		*member_out = text_trim(*list);
		*list = TEXT_NONE;
	}
	return (true);
}

/* Scheme and host come with as many members as addresses were believed. */
static void
read_besides(const struct forwarded_lines *lines, unsigned believed,
    struct forwarded *out)
{
	text protos = lines->proto_list, hosts = lines->host_list, member;

	for (unsigned i = 0; (i == 0 || i < believed) &&
	    take_last(&protos, &member); i++)
		out->scheme = scheme_of(member);
	for (unsigned i = 0; (i == 0 || i < believed) &&
	    take_last(&hosts, &member); i++)
		out->host = is_host(member) ? member : TEXT_NONE;
}

static void
read_x_forwarded(const struct forwarded_lines *lines,
    const struct networks *trusted, struct forwarded *out)
{
	text list = lines->for_list, member;
	unsigned believed = 0;
	struct address address;

	while (networks_hold(trusted, &out->client) &&
	    take_last(&list, &member) &&
	    address_read_peer(member, &address)) {
		out->client = address;
		believed++;
	}
	read_besides(lines, believed, out);
}

/*
 * The parser of RFC 7239 goes from left to right, because of the quotes, and
 * keeps where the members begin; they are then used from the right.
 */
struct member {
	text	node;		/* without quotes */
	text	proto;
	text	host;
};
#define MEMBERS_MAX 32

static bool
is_token_sign(char c)
{
	return ((c >= '0' && c <= '9') ||
	    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL));
}

static text
take_token(text *rest)
{
	size_t len = 0;

	while (len < rest->len && is_token_sign(rest->at[len]))
		len++;
	*rest = text_from(rest->at + len, rest->len - len);
	return (text_from(rest->at - len, len));
}

/* No value we want has anything in it that must be escaped. */
static bool
take_quoted(text *rest, text *out)
{
	text tail = text_from(rest->at + 1, rest->len - 1);

	return (text_cut(tail, '"', out, rest) && !text_has(*out, '\\'));
}

static bool
take_sign(text *rest, char c)
{
	while (rest->len > 0 && (rest->at[0] == ' ' || rest->at[0] == '\t'))
		*rest = text_from(rest->at + 1, rest->len - 1);
	if (rest->len == 0 || rest->at[0] != c)
		return (false);
	*rest = text_from(rest->at + 1, rest->len - 1);
	return (true);
}

static bool
take_pair(text *rest, struct member *member)
{
	text name, value;

	/* Only before the name may there be blanks. */
	*rest = text_trim(*rest);
	name = take_token(rest);
	if (name.len == 0 || rest->len == 0 || rest->at[0] != '=')
		return (false);
	*rest = text_from(rest->at + 1, rest->len - 1);
	if (rest->len > 0 && rest->at[0] == '"') {
		if (!take_quoted(rest, &value))
			return (false);
	} else
		value = take_token(rest);
	if (text_is_like(name, TEXT("for")))
		member->node = value;
	else if (text_is_like(name, TEXT("proto")))
		member->proto = value;
	else if (text_is_like(name, TEXT("host")))
		member->host = value;
	return (value.len > 0);
}

static bool
take_member(text *rest, struct member *member)
{
	*member = (struct member){ .node = TEXT_NONE };
	do {
		if (!take_pair(rest, member))
			return (false);
	} while (take_sign(rest, ';'));
	return (true);
}

/*
 * The members in order, the last MEMBERS_MAX of them. What is malformed ends
 * trust in all before it; so on a mistake what was read so far is dropped,
 * and reading goes on behind the next comma.
 */
static unsigned
read_members(text list, struct member members[MEMBERS_MAX])
{
	unsigned count = 0;
	text rest = text_trim(list), ignored;

	while (rest.len > 0) {
		if (count == MEMBERS_MAX) {
			memmove(members, members + 1,
			    (MEMBERS_MAX - 1) * sizeof *members);
			count--;
		}
		if (take_member(&rest, &members[count]))
			count++;
		else
			count = 0;
		if (take_sign(&rest, ','))
			continue;
		if (rest.len > 0) {
			count = 0;
			text_cut(rest, ',', &ignored, &rest);
		}
	}
	return (count);
}

static void
read_forwarded(text list, const struct networks *trusted,
    struct forwarded *out)
{
	struct member members[MEMBERS_MAX];
	unsigned count = read_members(list, members);
	struct address address;

	while (count > 0 && networks_hold(trusted, &out->client)) {
		const struct member *member = &members[--count];

		out->scheme = scheme_of(member->proto);
		out->host = is_host(member->host) ? member->host : TEXT_NONE;
		if (!address_read_peer(member->node, &address))
			return;
		out->client = address;
	}
}

void
forwarded_read(const struct forwarded_lines *lines,
    const struct networks *trusted, const struct address *peer,
    struct forwarded *out)
{
	*out = (struct forwarded){ .client = *peer };
	if (!networks_hold(trusted, peer))
		return;
	if (lines->forwarded.at != NULL)
		read_forwarded(lines->forwarded, trusted, out);
	else
		read_x_forwarded(lines, trusted, out);
}
