/* SPDX-License-Identifier: MIT */
/*
 * Lengths in front of all texts, so that they may be any bytes.
 */
#include "transport/socketio_news.h"

#include <inttypes.h>
#include <stdio.h>

static void
add_text(struct buf *buf, text t)
{
	buf_printf(buf, "%zu:", t.len);
	buf_add(buf, t);
}

static bool
is_of_asking(const struct socketio_news *news)
{
	return (news->what == SOCKETIO_ASK_ALL ||
	    news->what == SOCKETIO_MEANT || news->what == SOCKETIO_ANSWER ||
	    news->what == SOCKETIO_NO_ANSWER);
}

void
socketio_news_write(const struct socketio_news *news, struct buf *buf)
{
	unsigned count = news->rooms + news->except + news->attachments;

	buf_clear(buf);
	buf_add_char(buf, (char)news->what);
	if (is_of_asking(news))
		buf_printf(buf, "%" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRId64
		    ":", news->asker, news->ask, news->number, news->workers);
	add_text(buf, news->nsp);
	add_text(buf, news->argument);
	buf_printf(buf, "%u:%u:%u:", news->rooms, news->except,
	    news->attachments);
	for (unsigned i = 0; i < count; i++)
		add_text(buf, news->texts[i]);
}

static bool
take_number(text *rest, char end, int64_t most, int64_t *out)
{
	text digits, tail;

	if (!text_cut(*rest, end, &digits, &tail) ||
	    !text_to_int64(digits, 0, most, out))
		return (false);
	*rest = tail;
	return (true);
}

static bool
take_text(text *rest, text *out)
{
	int64_t len;

	if (!take_number(rest, ':', (int64_t)rest->len, &len) ||
	    (size_t)len > rest->len)
		return (false);
	*out = text_from(rest->at, (size_t)len);
	*rest = text_from(rest->at + len, rest->len - (size_t)len);
	return (true);
}

static bool
take_count(text *rest, unsigned *out)
{
	int64_t count;

	if (!take_number(rest, ':', SOCKETIO_NEWS_TEXTS, &count))
		return (false);
	*out = (unsigned)count;
	return (true);
}

static bool
take_asking(text *rest, struct socketio_news *news)
{
	int64_t *const to[] = { &news->asker, &news->ask, &news->number,
	    &news->workers };

	for (unsigned i = 0; i < sizeof to / sizeof to[0]; i++) {
		*to[i] = 0;
		if (is_of_asking(news) &&
		    !take_number(rest, ':', INT64_MAX, to[i]))
			return (false);
	}
	return (true);
}

bool
socketio_news_read(text message, struct socketio_news *news)
{
	text rest = message;
	unsigned count;

	if (rest.len == 0 || strchr("evjldctamrn", rest.at[0]) == NULL ||
	    rest.at[0] == '\0')
		return (false);
	news->tenant = 0;
	news->what = (enum socketio_what)rest.at[0];
	rest = text_from(rest.at + 1, rest.len - 1);
	if (!take_asking(&rest, news) || !take_text(&rest, &news->nsp) ||
	    !take_text(&rest, &news->argument) ||
	    !take_count(&rest, &news->rooms) ||
	    !take_count(&rest, &news->except) ||
	    !take_count(&rest, &news->attachments))
		return (false);
	count = news->rooms + news->except + news->attachments;
	if (count > SOCKETIO_NEWS_TEXTS)
		return (false);
	for (unsigned i = 0; i < count; i++)
		if (!take_text(&rest, &news->texts[i]))
			return (false);
	return (rest.len == 0);
}

void
socketio_piece_write(const struct socketio_piece *piece, struct buf *buf)
{
	buf_clear(buf);
	buf_printf(buf, "S1 %016" PRIx64 " %" PRIu64 " %" PRIu32 " %" PRIu32
	    "\n", piece->origin, piece->number, piece->piece, piece->pieces);
	buf_add(buf, piece->bytes);
}

static bool
take_origin(text *rest, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";
	text word, tail;

	if (!text_cut(*rest, ' ', &word, &tail) || word.len != 16)
		return (false);
	*out = 0;
	for (size_t i = 0; i < word.len; i++) {
		const char *digit = memchr(digits, word.at[i], 16);

		if (digit == NULL)
			return (false);
		*out = *out << 4 | (uint64_t)(digit - digits);
	}
	*rest = tail;
	return (true);
}

bool
socketio_piece_read(text given, struct socketio_piece *piece)
{
	int64_t number, place, pieces;
	text rest = given;

	if (!text_begins(rest, TEXT("S1 ")))
		return (false);
	rest = text_from(rest.at + 3, rest.len - 3);
	if (!take_origin(&rest, &piece->origin) ||
	    !take_number(&rest, ' ', INT64_MAX, &number) ||
	    !take_number(&rest, ' ', SOCKETIO_PIECES_MAX, &place) ||
	    !take_number(&rest, '\n', SOCKETIO_PIECES_MAX, &pieces) ||
	    place >= pieces)
		return (false);
	piece->number = (uint64_t)number;
	piece->piece = (uint32_t)place;
	piece->pieces = (uint32_t)pieces;
	piece->bytes = rest;
	return (true);
}
