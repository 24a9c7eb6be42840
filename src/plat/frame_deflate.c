/* SPDX-License-Identifier: MIT */
/*
 * Reading the offers:
 *
 *	permessage-deflate; server_max_window_bits=10, permessage-deflate
 *	\________________ one offer _________________/ \____ another ____/
 *			    \______ parameter _______/
 *
 * A value may be quoted, and is then read as if it were not.
 */
#include "plat/frame_deflate.h"

#include "plat/deflate_message.h"

#define WORD(x)		WORD_OF(x)
#define WORD_OF(x)	#x

enum parameter {
	SERVER_KEEPS_NONE, CLIENT_KEEPS_NONE, SERVER_WINDOW, CLIENT_WINDOW,
	PARAMETERS
};

static const struct {
	text	name;
	int	least;		/* of its value; 0: it has none */
	bool	may_be_bare;
} parameters[PARAMETERS] = {
	[SERVER_KEEPS_NONE] = { TEXT("server_no_context_takeover"), 0, true },
	[CLIENT_KEEPS_NONE] = { TEXT("client_no_context_takeover"), 0, true },
	[SERVER_WINDOW] = { TEXT("server_max_window_bits"),
	    DEFLATE_MESSAGE_BITS, false },
	[CLIENT_WINDOW] = { TEXT("client_max_window_bits"), 8, true },
};

static bool
is_of_token(char c)
{
	return ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL));
}

static void
skip_blanks(text *rest)
{
	while (rest->len > 0 && (*rest->at == ' ' || *rest->at == '\t')) {
		rest->at++;
		rest->len--;
	}
}

static bool
take(text *rest, char c)
{
	skip_blanks(rest);
	if (rest->len == 0 || *rest->at != c)
		return (false);
	rest->at++;
	rest->len--;
	return (true);
}

static bool
take_token(text *rest, text *token_out)
{
	skip_blanks(rest);
	*token_out = text_from(rest->at, 0);
	while (rest->len > 0 && is_of_token(*rest->at)) {
		rest->at++;
		rest->len--;
		token_out->len++;
	}
	return (token_out->len > 0);
}

/* What needs quoting is no token, so there is nothing to unquote. */
static bool
take_value(text *rest, text *value_out)
{
	skip_blanks(rest);
	if (rest->len == 0 || *rest->at != '"')
		return (take_token(rest, value_out));
	rest->at++;
	rest->len--;
	*value_out = text_from(rest->at, 0);
	while (rest->len > 0 && is_of_token(*rest->at)) {
		rest->at++;
		rest->len--;
		value_out->len++;
	}
	if (rest->len == 0 || *rest->at != '"')
		return (false);
	rest->at++;
	rest->len--;
	return (true);
}

static bool
is_window(text value, int least)
{
	int64_t bits;

	/* No zero in front, so one digit or two. */
	return (value.len > 0 && value.at[0] != '0' &&
	    value.len <= 2 && text_to_int64(value, least, 15, &bits));
}

static bool
can_keep(text name, bool has_value, text value, unsigned *seen)
{
	for (unsigned i = 0; i < PARAMETERS; i++) {
		if (!text_is(name, parameters[i].name))
			continue;
		if ((*seen & 1U << i) != 0)
			return (false);
		*seen |= 1U << i;
		if (!has_value)
			return (parameters[i].may_be_bare);
		return (parameters[i].least > 0 &&
		    is_window(value, parameters[i].least));
	}
	return (false);
}

/*
 * One offer, up to its comma; false: the header is no list of extensions
 * from here on. *good_out says whether we can keep it, *seen_out what it has.
 */
static bool
read_offer(text *rest, bool *good_out, unsigned *seen_out)
{
	text name, value = TEXT_NONE;

	*seen_out = 0;
	if (!take_token(rest, &name))
		return (false);
	*good_out = text_is(name, TEXT("permessage-deflate"));
	while (take(rest, ';')) {
		bool has_value;

		if (!take_token(rest, &name))
			return (false);
		has_value = take(rest, '=');
		if (has_value && !take_value(rest, &value))
			return (false);
		if (*good_out)
			*good_out = can_keep(name, has_value, value, seen_out);
	}
	skip_blanks(rest);
	return (rest->len == 0 || *rest->at == ',');
}

void
frame_deflate_offer(struct frame_deflate *deflate, text header)
{
	while (!deflate->is_on) {
		unsigned seen;
		bool is_good;

		/* A list may have empty places. */
		while (take(&header, ','))
			;
		if (header.len == 0 || !read_offer(&header, &is_good, &seen))
			return;
		deflate->is_on = is_good;
		deflate->has_window = is_good &&
		    (seen & 1U << SERVER_WINDOW) != 0;
	}
}

#define ANSWER "permessage-deflate; server_no_context_takeover; "	\
    "client_no_context_takeover"

text
frame_deflate_answer(const struct frame_deflate *deflate)
{
	return (deflate->has_window ? TEXT(ANSWER "; server_max_window_bits="
	    WORD(DEFLATE_MESSAGE_BITS)) : TEXT(ANSWER));
}
