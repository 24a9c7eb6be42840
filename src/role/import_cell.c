/* SPDX-License-Identifier: MIT */
/*
 * One reader for each kind: it writes, or says no. A reader that mends what
 * it was given says so as well.
 */
#include "role/import_cell.h"

#include <math.h>
#include <string.h>

#include "base/moment.h"
#include "base/stamp.h"

/* Numbers of seconds are below, numbers of milliseconds above. */
#define SECONDS_MOST	INT64_C(100000000000)
#define MOMENT_MOST	INT64_C(253402300799999)
#define NUMBER_MOST	9007199254740992.0	/* that a double can count to */

bool
import_integer(const struct cell *cell, int64_t *out)
{
	switch (cell->kind) {
	case CELL_INTEGER:
		*out = cell->integer;
		return (true);
	case CELL_REAL:
		if (cell->real != floor(cell->real) ||
		    fabs(cell->real) > NUMBER_MOST)
			return (false);
		*out = (int64_t)cell->real;
		return (true);
	case CELL_BYTES:
		return (text_to_int64(text_trim(cell->bytes), INT64_MIN,
		    INT64_MAX, out));
	case CELL_NOTHING:
		break;
	}
	return (false);
}

static text
as_word(const struct cell *cell)
{
	return (cell->kind == CELL_BYTES ? text_trim(cell->bytes) :
	    TEXT_NONE);
}

/* Which of words separated by blanks it is, from 1 on; 0: none. */
static unsigned
find_word(const char *words, text wanted)
{
	text rest = text_of(words), word;

	for (unsigned i = 1; text_next_word(&rest, &word); i++)
		if (text_is_like(word, wanted))
			return (i);
	return (0);
}

static bool
read_choice(const struct import_column *column, const struct cell *cell,
    struct json_out *json)
{
	text rest = text_of(column->choices), word;

	while (text_next_word(&rest, &word))
		if (text_is_like(word, as_word(cell))) {
			json_text(json, word);
			return (true);
		}
	return (false);
}

static bool
read_flag(const struct cell *cell, struct json_out *json)
{
	static const char words[] = "true yes on t y false no off f n";
	unsigned found = find_word(words, as_word(cell));
	int64_t number;

	if (found > 0)
		json_bool(json, found <= 5);
	else if (import_integer(cell, &number) && (number == 0 || number == 1))
		json_bool(json, number == 1);
	else
		return (false);
	return (true);
}

static bool
read_number(const struct import_column *column, const struct cell *cell,
    struct json_out *json)
{
	int64_t number;

	if (!import_integer(cell, &number) || number < column->least ||
	    number > column->most)
		return (false);
	json_int(json, number);
	return (true);
}

static bool
read_vote(const struct cell *cell, struct json_out *json)
{
	static const char ups[] = "up upvote + ++ thisgame++";
	static const char downs[] = "down downvote - -- thisgame--";
	int64_t number = 0;

	if (find_word(ups, as_word(cell)) > 0)
		number = 1;
	else if (find_word(downs, as_word(cell)) > 0)
		number = -1;
	else if (!import_integer(cell, &number) ||
	    (number != 1 && number != -1))
		return (false);
	json_int(json, number);
	return (true);
}

static bool
read_time(const struct cell *cell, struct json_out *json)
{
	char written[STAMP_SIZE];
	int64_t moment;

	if (!moment_read(as_word(cell), &moment)) {
		if (!import_integer(cell, &moment) || moment < 0)
			return (false);
		if (moment < SECONDS_MOST)
			moment *= 1000;
		if (moment > MOMENT_MOST)
			return (false);
	}
	stamp_write(moment, written);
	json_text_of(json, written);
	return (true);
}

/* So many of some signs, as capitals or as small letters. */
static bool
read_signs(const struct cell *cell, const char *signs, size_t least,
    size_t most, struct json_out *json)
{
	text given = as_word(cell);
	char written[64];

	if (given.len < least || given.len > most ||
	    given.len > sizeof written)
		return (false);
	for (size_t i = 0; i < given.len; i++) {
		char c = given.at[i];
		bool is_capital = strchr(signs, 'A') != NULL;

		if (is_capital && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!is_capital && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '\0' || strchr(signs, c) == NULL)
			return (false);
		written[i] = c;
	}
	json_text(json, text_from(written, given.len));
	return (true);
}

/* Texts. */

/* The first so many characters of what is UTF-8. */
static text
first_characters(text t, size_t most)
{
	size_t count = 0, i = 0;

	for (; i < t.len; i++)
		if (((unsigned char)t.at[i] & 0xc0) != 0x80 &&
		    count++ == most)
			break;
	return (text_from(t.at, i));
}

/* false: as it was, and empty. */
static bool
read_text(const struct import_column *column, const struct cell *cell,
    struct json_out *json, struct buf *why)
{
	struct buf whole;
	text shown;

	buf_init(&whole, BUF_NO_LIMIT);
	if (cell->kind == CELL_INTEGER)
		buf_add_int(&whole, cell->integer);
	else if (cell->kind == CELL_REAL)
		buf_printf(&whole, "%.15g", cell->real);
	for (size_t i = 0; i < cell->bytes.len; i++)
		if (cell->bytes.at[i] != '\0')
			buf_add_char(&whole, cell->bytes.at[i]);
	if (whole.len < cell->bytes.len)
		buf_printf(why, "%s has NULs, which are left out",
		    column->name);
	else if (!text_is_utf8(buf_text(&whole)))
		buf_printf(why, "%s is not UTF-8: what is broken is shown "
		    "as U+FFFD", column->name);
	shown = first_characters(buf_text(&whole), (size_t)column->most);
	if (shown.len < whole.len)
		buf_printf(why, "%s%s is cut to %d characters",
		    why->len > 0 ? "; " : "", column->name,
		    (int)column->most);
	if (shown.len > 0 || !column->is_needed)
		json_text(json, shown);
	buf_fini(&whole);
	return (shown.len > 0 || !column->is_needed);
}

static bool
read_value(const struct import_column *column, const struct cell *cell,
    struct json_out *json, struct buf *why)
{
	static const char signs[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	switch (column->kind) {
	case IMPORT_choice:
		return (read_choice(column, cell, json));
	case IMPORT_flag:
		return (read_flag(cell, json));
	case IMPORT_hash:
		return (read_signs(cell, "0123456789abcdef", 64, 64, json));
	case IMPORT_number:
		return (read_number(column, cell, json));
	case IMPORT_room:
		return (read_signs(cell, signs, 4, 4, json));
	case IMPORT_text:
		return (read_text(column, cell, json, why));
	case IMPORT_ticker:
		return (read_signs(cell, signs, 2, 4, json));
	case IMPORT_time:
		return (read_time(cell, json));
	case IMPORT_vote:
		return (read_vote(cell, json));
	}
	return (false);
}

/* What stands in the place of what could not be read, in words. */
static void
say_otherwise(const struct import_column *column, const char *what,
    struct buf *why)
{
	buf_clear(why);
	buf_printf(why, "%s %s", column->name, what);
	if (column->otherwise != NULL)
		buf_printf(why, ": taken as %s", column->otherwise);
	else if (!column->is_needed)
		buf_add_string(why, ": left empty");
}

enum import_result
import_cell(const struct import_column *column, const struct cell *cell,
    struct json_out *json, struct buf *why)
{
	bool is_nothing = cell->kind == CELL_NOTHING ||
	    (column->kind != IMPORT_text && cell->kind == CELL_BYTES &&
	    text_trim(cell->bytes).len == 0);

	buf_clear(why);
	if (!is_nothing && read_value(column, cell, json, why))
		return (why->len == 0 ? IMPORT_AS_IT_WAS : IMPORT_MENDED);
	if (column->otherwise != NULL)
		json_raw(json, text_of(column->otherwise));
	else
		json_nothing(json);
	if (is_nothing && column->otherwise == NULL && !column->is_needed)
		return (IMPORT_AS_IT_WAS);
	say_otherwise(column, is_nothing ? "is missing" :
	    "has a value that cannot be", why);
	return (column->is_needed ? IMPORT_IMPOSSIBLE : IMPORT_MENDED);
}
