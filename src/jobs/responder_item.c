/* SPDX-License-Identifier: MIT */
/*
 * Objects into events.
 */
#include "jobs/responder_item.h"

#include "base/json_out.h"
#include "base/must.h"
#include "core/json.h"
#include "store/call.h"

void
item_batch_init(struct item_batch *batch)
{
	buf_init(&batch->types, BUF_NO_LIMIT);
	buf_init(&batch->datas, BUF_NO_LIMIT);
	batch->count = 0;
}

void
item_batch_fini(struct item_batch *batch)
{
	buf_fini(&batch->types);
	buf_fini(&batch->datas);
}

void
item_batch_clear(struct item_batch *batch)
{
	buf_clear(&batch->types);
	buf_clear(&batch->datas);
	batch->count = 0;
}

void
item_batch_add(struct item_batch *batch, const char *type, text data)
{
	call_array_add(&batch->types, text_of(type));
	call_array_add(&batch->datas, data);
	batch->count++;
}

void
item_batch_end(struct item_batch *batch)
{
	call_array_end(&batch->types);
	call_array_end(&batch->datas);
}

/* What is for who asked. */
static void
say(struct item_batch *batch, const struct item_turn *turn, text item)
{
	struct json_out json;
	struct buf data;

	buf_init(&data, BUF_NO_LIMIT);
	json_out_init(&json, &data);
	json_object_begin(&json);
	json_key(&json, "turnId");
	json_int(&json, turn->id);
	json_key(&json, "item");
	json_raw(&json, item);
	json_object_end(&json);
	item_batch_add(batch, "turn.said", buf_text(&data));
	buf_fini(&data);
}

static bool
is_blank(text line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.at[i] > ' ')
			return (false);
	return (true);
}

static void
say_lines(struct item_batch *batch, const struct item_turn *turn,
    text message)
{
	text rest = message, line;
	struct json_out json;
	struct buf item;
	bool has_more;

	buf_init(&item, BUF_NO_LIMIT);
	do {
		has_more = text_cut(rest, '\n', &line, &rest);
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		if (is_blank(line))
			continue;
		buf_clear(&item);
		json_out_init(&json, &item);
		json_object_begin(&json);
		json_key(&json, "message");
		json_text(&json, line);
		json_object_end(&json);
		say(batch, turn, buf_text(&item));
	} while (has_more);
	buf_fini(&item);
}

/* An analysis, for who asked in a lesson. */
static void
say_lesson(struct item_batch *batch, const struct item_turn *turn,
    text object)
{
	text content = TEXT("\"\""), complete = TEXT("false");
	struct json_out json;
	struct buf item;

	json_in_raw(object, TEXT("content"), &content);
	json_in_raw(object, TEXT("complete"), &complete);
	buf_init(&item, BUF_NO_LIMIT);
	json_out_init(&json, &item);
	json_object_begin(&json);
	json_key(&json, "status");
	json_text_of(&json, "streaming");
	json_key(&json, "content");
	json_raw(&json, content);
	json_key(&json, "complete");
	json_raw(&json, complete);
	json_object_end(&json);
	say(batch, turn, buf_text(&item));
	buf_fini(&item);
}

/* Under which name sockets get it; NULL: they do not. */
static const char *
name_for_sockets(text type)
{
	static const struct {
		text		 type;
		const char	*name;
	} names[] = {
		{ TEXT("analysis"), "analysis_update" },
		{ TEXT("knowledge"), "knowledge" },
		{ TEXT("learning_intent"), "learning_intent" },
		{ TEXT("learning_knowledge"), "learning_knowledge" },
		{ TEXT("next_action"), "next_action" },
		{ TEXT("next_actions"), "next_action" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_is(type, names[i].type))
			return (names[i].name);
	return (NULL);
}

enum item_verdict
item_take(struct item_batch *batch, const struct item_turn *turn,
    text object, struct buf *error_out)
{
	struct json_object *json = json_in_read(object);
	enum item_verdict verdict = ITEM_TAKEN;
	const char *name = NULL;
	text type, words;

	must(json != NULL);
	if (json_in_text(json, "type", &type))
		name = name_for_sockets(type);
	if (name != NULL && turn->is_for_sockets)
		item_batch_add(batch, name, object);
	else if (name != NULL && turn->is_lesson &&
	    text_is(type, TEXT("analysis")))
		say_lesson(batch, turn, object);
	else if (name != NULL)
		say(batch, turn, object);
	else if (json_in_text(json, "error", &words)) {
		buf_add(error_out, words);
		verdict = ITEM_IS_ERROR;
	} else if (json_in_text(json, "message", &words) &&
	    json_in_member(json, "type") == NULL &&
	    json_in_member(json, "status") == NULL)
		say_lines(batch, turn, words);
	else
		say(batch, turn, object);
	json_in_free(&json);
	return (verdict);
}

void
item_take_end(struct item_batch *batch, const struct item_turn *turn,
    const char *outcome, text error)
{
	struct json_out json;
	struct buf data;

	buf_init(&data, BUF_NO_LIMIT);
	json_out_init(&json, &data);
	json_object_begin(&json);
	json_key(&json, "turnId");
	json_int(&json, turn->id);
	json_key(&json, "outcome");
	json_text_of(&json, outcome);
	if (error.at != NULL) {
		json_key(&json, "error");
		json_text(&json, error);
	}
	json_object_end(&json);
	item_batch_add(batch, "turn.ended", buf_text(&data));
	buf_fini(&data);
}
