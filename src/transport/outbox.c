/* SPDX-License-Identifier: MIT */
/*
 * A ring of pieces that grows and never shrinks but to nothing.
 */
#include "transport/outbox.h"

static struct outbox_piece *
piece_at(const struct outbox *outbox, unsigned i)
{
	return (&outbox->ring[(outbox->first + i) & (outbox->size - 1)]);
}

static size_t
weight_of(const struct bytes *bytes)
{
	return (bytes->len + OUTBOX_COST);
}

static void
grow(struct outbox *outbox)
{
	unsigned size = outbox->size == 0 ? 8 : 2 * outbox->size;
	struct outbox_piece *ring = mem_alloc(size * sizeof *ring);

	for (unsigned i = 0; i < outbox->count; i++)
		ring[i] = *piece_at(outbox, i);
	mem_free(outbox->ring);
	outbox->ring = ring;
	outbox->size = size;
	outbox->first = 0;
}

bool
outbox_put(struct outbox *outbox, struct bytes *bytes, size_t most,
    int64_t now_ms)
{
	size_t weight = weight_of(bytes);

	if (outbox->count > 0 && outbox->weight + weight > most)
		return (false);
	if (outbox->count == outbox->size)
		grow(outbox);
	*piece_at(outbox, outbox->count++) = (struct outbox_piece){
	    .bytes = bytes_share(bytes), .since_ms = now_ms };
	outbox->weight += weight;
	return (true);
}

unsigned
outbox_take(struct outbox *outbox, struct bytes **out, unsigned most)
{
	must(outbox->taken == 0);
	while (outbox->taken < most && outbox_waits(outbox)) {
		out[outbox->taken] = piece_at(outbox, outbox->taken)->bytes;
		outbox->taken++;
	}
	return (outbox->taken);
}

void
outbox_sent(struct outbox *outbox)
{
	for (; outbox->taken > 0; outbox->taken--) {
		struct outbox_piece *piece = piece_at(outbox, 0);

		outbox->weight -= weight_of(piece->bytes);
		bytes_give(&piece->bytes);
		outbox->first = (outbox->first + 1) & (outbox->size - 1);
		outbox->count--;
	}
	if (outbox->count > 0)
		return;
	/* Most are silent most of the time. */
	mem_free(outbox->ring);
	*outbox = (struct outbox){ .ring = NULL };
}

void
outbox_shed(struct outbox *outbox)
{
	while (outbox_waits(outbox)) {
		struct outbox_piece *piece = piece_at(outbox,
		    --outbox->count);

		outbox->weight -= weight_of(piece->bytes);
		bytes_give(&piece->bytes);
	}
}

void
outbox_empty(struct outbox *outbox)
{
	outbox_shed(outbox);
	outbox_sent(outbox);
}

int64_t
outbox_since_ms(const struct outbox *outbox)
{
	return (outbox->count > 0 ? piece_at(outbox, 0)->since_ms :
	    INT64_MAX);
}
