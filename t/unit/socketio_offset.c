/* SPDX-License-Identifier: MIT */
/*
 * transport/socketio_offset: what is an offset, and what is none.
 */
#include "transport/socketio_offset.h"

#include "tap.h"

static const struct {
	const char	*written;
	int		 places;	/* -1: none of it is told */
	bool		 is_bad;
} offsets[] = {
	{ "5f3a09c1", 0, false },
	{ "5f3a09c1 0:k3:41", 1, false },
	{ "5f3a09c1 0:k3:41 1:k3:0 9223372036854775805:x:9223372036854775806",
	    3, false },
	{ "5f3a09c1 007:k3:041", 1, false },
	{ "", -1, true },
	{ " ", -1, true },
	{ "5f3a09c", -1, true },
	{ "5f3a09c1a", -1, true },
	{ "5F3A09C1", -1, true },
	{ "5f3a09cg 0:k3:41", -1, true },
	{ " 5f3a09c1", -1, true },
	{ "5f3a09c1 ", 0, true },
	{ "5f3a09c1 0", 0, true },
	{ "5f3a09c1 0:41", 0, true },
	{ "5f3a09c1 0::41", 0, true },
	{ "5f3a09c1 :k3:41", 0, true },
	{ "5f3a09c1 -1:k3:41", 0, true },
	{ "5f3a09c1 +1:k3:41", 0, true },
	{ "5f3a09c1 0:k3:-41", 0, true },
	{ "5f3a09c1 0:k3:9223372036854775807", 0, true },
	{ "5f3a09c1 9223372036854775806:k3:41", 0, true },
	{ "5f3a09c1 0:k3:41  1:k3:41", 1, true },
	{ "5f3a09c1 0:k3:41 0:k3:42", 1, true },
	{ "5f3a09c1 0:k3:41 2:k3:42 1:k3:42", 2, true },
	{ "5f3a09c1 0:k3:41 x", 1, true },
};

static void
reads_them(void)
{
	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
		struct socketio_offset offset;
		struct socketio_place place;
		int count = 0;

		printf("# '%s'\n", offsets[i].written);
		if (!socketio_offset_begin(&offset,
		    text_of(offsets[i].written)))
			count = -1;
		while (socketio_offset_next(&offset, &place))
			count++;
		is(count, offsets[i].places);
		is(offset.is_bad, offsets[i].is_bad);
		ok(!socketio_offset_next(&offset, &place));
	}
}

static void
writes_what_it_reads(void)
{
	static const char given[] = "5f3a09c1 0:k3:41 12:d41d8cd98f00:7";
	struct socketio_offset offset;
	struct socketio_place place;
	struct buf out;

	buf_init(&out, BUF_NO_LIMIT);
	ok(socketio_offset_begin(&offset, text_of(given)));
	socketio_offset_write(offset.mark, &out);
	while (socketio_offset_next(&offset, &place))
		socketio_offset_add(&place, &out);
	ok(!offset.is_bad);
	ok(text_is(buf_text(&out), text_of(given)));
	is(place.nth, 12);
	ok(text_is(place.cursor.epoch, TEXT("d41d8cd98f00")));
	is(place.cursor.seq, 7);
	buf_fini(&out);
}

int
main(void)
{
	test("offsets of any kind");
	reads_them();
	test("written as they were read");
	writes_what_it_reads();
	return (done());
}
