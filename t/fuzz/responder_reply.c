/* SPDX-License-Identifier: MIT */
/*
 * A responder that answers anything, in any form, and in pieces: the first
 * byte says which, the second where they are cut. What is told is the same as
 * without a cut, and can be put into events.
 */
#include "jobs/responder_reply.h"

#include "base/must.h"
#include "core/json.h"
#include "jobs/responder_item.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MOST 200000

struct told {
	struct buf		 all;
	struct item_batch	 batch;
};

static void
on_item(void *me, text object)
{
	struct told *told = me;
	struct item_turn turn = { .id = 7,
	    .is_lesson = object.len % 2 == 0,
	    .is_for_sockets = object.len % 3 == 0 };
	struct buf error;

	must(object.len >= 2 && object.len <= REPLY_ITEM_MAX);
	must(json_in_is_valid(object) && object.at[0] == '{');
	buf_add(&told->all, object);
	buf_add_char(&told->all, '\n');
	buf_init(&error, BUF_NO_LIMIT);
	item_take(&told->batch, &turn, object, &error);
	must(text_is_utf8(buf_text(&error)));
	buf_fini(&error);
}

static bool
read_all(enum reply_form form, text answer, size_t piece, struct told *told)
{
	struct reply reply;
	bool is_good = true;

	buf_init(&told->all, BUF_NO_LIMIT);
	item_batch_init(&told->batch);
	reply_init(&reply, form, MOST, on_item, told);
	while (is_good && answer.len > 0) {
		size_t now = piece < answer.len ? piece : answer.len;

		is_good = reply_read(&reply, text_from(answer.at, now));
		answer = text_from(answer.at + now, answer.len - now);
	}
	is_good = is_good && reply_end(&reply);
	must(is_good == (reply.problem == NULL));
	reply_fini(&reply);
	must(text_is_utf8(buf_text(&told->batch.datas)));
	return (is_good);
}

static void
forget(struct told *told)
{
	buf_fini(&told->all);
	item_batch_fini(&told->batch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct told whole, cut;
	enum reply_form form;
	bool is_good;
	text answer;

	if (len < 2)
		return (0);
	form = REPLY_EVENTS + data[0] % 3;
	answer = text_from((const char *)data + 2, len - 2);
	is_good = read_all(form, answer, answer.len + 1, &whole);
	must(read_all(form, answer, 1 + data[1] % 32, &cut) == is_good);
	must(text_is(buf_text(&whole.all), buf_text(&cut.all)));
	forget(&whole);
	forget(&cut);
	return (0);
}
