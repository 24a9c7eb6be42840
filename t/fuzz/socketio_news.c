/* SPDX-License-Identifier: MIT */
/*
 * What workers say to each other of Socket.IO: pieces and messages, each
 * written again to the same bytes.
 */
#include <stdint.h>

#include "base/must.h"
#include "transport/socketio_news.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Zeros in front of a number are the one freedom that there is. */
static void
read_message(text message)
{
	static struct socketio_news news, again;
	struct buf once, twice;
	unsigned count;

	if (!socketio_news_read(message, &news))
		return;
	count = news.rooms + news.except + news.attachments;
	must(count <= SOCKETIO_NEWS_TEXTS);
	for (unsigned i = 0; i < count; i++)
		must(news.texts[i].at >= message.at && news.texts[i].at +
		    news.texts[i].len <= message.at + message.len);
	buf_init(&once, BUF_NO_LIMIT);
	buf_init(&twice, BUF_NO_LIMIT);
	socketio_news_write(&news, &once);
	must(once.len <= message.len);
	must(socketio_news_read(buf_text(&once), &again));
	must(again.what == news.what && text_is(again.nsp, news.nsp));
	must(again.asker == news.asker && again.ask == news.ask &&
	    again.number == news.number && again.workers == news.workers);
	socketio_news_write(&again, &twice);
	must(text_is(buf_text(&once), buf_text(&twice)));
	buf_fini(&once);
	buf_fini(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text given = text_from((const char *)data, size);
	struct socketio_piece piece, again;
	struct buf buf;

	read_message(given);
	if (!socketio_piece_read(given, &piece))
		return (0);
	must(piece.piece < piece.pieces);
	buf_init(&buf, BUF_NO_LIMIT);
	socketio_piece_write(&piece, &buf);
	must(buf.len - piece.bytes.len <= SOCKETIO_PIECE_HEAD);
	must(socketio_piece_read(buf_text(&buf), &again));
	must(again.origin == piece.origin && again.number == piece.number &&
	    again.piece == piece.piece && again.pieces == piece.pieces &&
	    text_is(again.bytes, piece.bytes));
	buf_fini(&buf);
	read_message(piece.bytes);
	return (0);
}
