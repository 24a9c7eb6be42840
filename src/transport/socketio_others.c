/* SPDX-License-Identifier: MIT */
/*
 * What is said to other workers and hosts, through this process's ring, and
 * what they say: put together where it comes in pieces.
 *
 * Pieces of one origin come in order, by whatever way; where one is missing
 * what it belongs to is dropped, as any record that has no number may be.
 */
#include "base/conf.h"
#include "base/count.h"
#include "base/stamp.h"
#include "core/event.h"
#include "transport/socketio_inside.h"

#define PUZZLES_MAX 64			/* origins that are in the middle */
#define PUZZLE_BYTES_MAX (64 * 1024 * 1024)

struct socketio_puzzle {
	uint64_t	 origin;
	uint64_t	 number;
	uint32_t	 next;		/* piece */
	struct buf	 bytes;
	UT_hash_handle	 hh;
};

void
socketio_say(struct socketio *socketio, const struct socketio_news *news)
{
	struct service *service = socketio->setup.service;
	size_t room = (size_t)service->conf->ring_record_max -
	    SOCKETIO_PIECE_HEAD;
	struct socketio_piece piece = { .origin = socketio->origin,
	    .number = socketio->said++ };
	struct buf whole, buf;

	buf_init(&whole, BUF_NO_LIMIT);
	buf_init(&buf, BUF_NO_LIMIT);
	socketio_news_write(news, &whole);
	piece.pieces = (uint32_t)((whole.len + room - 1) / room);
	for (; piece.piece < piece.pieces; piece.piece++) {
		size_t at = piece.piece * room;

		piece.bytes = text_from(whole.at + at,
		    whole.len - at < room ? whole.len - at : room);
		socketio_piece_write(&piece, &buf);
		event_say(service, news->tenant, SOCKETIO_STREAM,
		    buf_text(&buf));
	}
	buf_fini(&whole);
	buf_fini(&buf);
}

static void
hear_whole(struct socketio *socketio, int32_t tenant, text message)
{
	struct socketio_news news;

	if (!socketio_news_read(message, &news))
		return;
	COUNT(socketio_heard);
	news.tenant = tenant;
	socketio_do(socketio, &news);
}

static void
drop(struct socketio *socketio, struct socketio_puzzle *puzzle)
{
	HASH_DELETE(hh, socketio->puzzles, puzzle);
	buf_fini(&puzzle->bytes);
	mem_free(puzzle);
}

static struct socketio_puzzle *
begin(struct socketio *socketio, const struct socketio_piece *piece)
{
	struct socketio_puzzle *puzzle;

	/* Of those that died in the middle: the one that began first. */
	if (HASH_COUNT(socketio->puzzles) >= PUZZLES_MAX)
		drop(socketio, socketio->puzzles);
	puzzle = mem_alloc(sizeof *puzzle);
	puzzle->origin = piece->origin;
	puzzle->number = piece->number;
	buf_init(&puzzle->bytes, PUZZLE_BYTES_MAX);
	HASH_ADD(hh, socketio->puzzles, origin, sizeof puzzle->origin,
	    puzzle);
	return (puzzle);
}

static void
hear_piece(struct socketio *socketio, int32_t tenant,
    const struct socketio_piece *piece)
{
	struct socketio_puzzle *puzzle;

	HASH_FIND(hh, socketio->puzzles, &piece->origin, sizeof piece->origin,
	    puzzle);
	if (puzzle != NULL && (puzzle->number != piece->number ||
	    puzzle->next != piece->piece)) {
		drop(socketio, puzzle);
		puzzle = NULL;
	}
	if (puzzle == NULL && piece->piece > 0)
		return;
	if (puzzle == NULL)
		puzzle = begin(socketio, piece);
	buf_add(&puzzle->bytes, piece->bytes);
	if (++puzzle->next < piece->pieces)
		return;
	if (!puzzle->bytes.has_failed)
		hear_whole(socketio, tenant, buf_text(&puzzle->bytes));
	drop(socketio, puzzle);
}

void
socketio_hear(void *context, int32_t tenant, text payload)
{
	struct socketio *socketio = object_cast(struct socketio,
	    SOCKETIO_MAGIC, context);
	struct socketio_piece piece;

	if (!socketio_piece_read(payload, &piece))
		return;
	if (piece.pieces == 1)
		hear_whole(socketio, tenant, piece.bytes);
	else
		hear_piece(socketio, tenant, &piece);
}

void
socketio_forget_puzzles(struct socketio *socketio)
{
	while (socketio->puzzles != NULL)
		drop(socketio, socketio->puzzles);
}
