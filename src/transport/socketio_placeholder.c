/* SPDX-License-Identifier: MIT */
/*
 * One walk over the text, with a level for each bracket that is open. An
 * object is judged where it ends.
 */
#include "transport/socketio_placeholder.h"

#include "core/carried.h"

#define NUM_DIGITS_MAX 4

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

static void
skip_blanks(struct placeholders *found)
{
	while (found->next < found->end && is_blank(*found->next))
		found->next++;
}

static text
take_string(struct placeholders *found)
{
	const char *begin = found->next++;

	for (; *found->next != '"'; found->next++)
		if (*found->next == '\\')
			found->next++;
	found->next++;
	return (text_from(begin, (size_t)(found->next - begin)));
}

static text
take_word(struct placeholders *found)
{
	const char *begin = found->next;

	while (found->next < found->end && !is_blank(*found->next) &&
	    strchr(",]}", *found->next) == NULL)
		found->next++;
	return (text_from(begin, (size_t)(found->next - begin)));
}

static void
look_at_num(struct placeholder_level *level, text value)
{
	int64_t num;

	/* Not 1.0 nor 1e0 nor -0: nobody writes so. */
	if (value.len == 0 || value.len > NUM_DIGITS_MAX ||
	    (value.len > 1 && value.at[0] == '0') ||
	    !text_to_int64(value, 0, 9999, &num) || value.at[0] == '-')
		return;
	level->has_num = true;
	level->num = (unsigned)num;
	level->digits = value;
}

/* In front of a member: its key, and its value where that is no bracket. */
static void
take_member(struct placeholders *found, struct placeholder_level *level)
{
	text key = take_string(found), value = TEXT_NONE;

	skip_blanks(found);
	found->next++;			/* the colon */
	skip_blanks(found);
	if (strchr("\"{[", *found->next) == NULL)
		value = take_word(found);
	level->members++;
	if (carried_is(key, TEXT("_placeholder")))
		level->is_marked |= text_is(value, TEXT("true"));
	else if (carried_is(key, TEXT("num")))
		look_at_num(level, value);
}

static bool
is_at_member(const struct placeholders *found)
{
	const char *before = found->next - 1;

	if (found->depth == 0 || *found->next != '"' ||
	    !found->levels[found->depth].is_object)
		return (false);
	/* A string in an object is a key, or it stands behind a colon. */
	while (is_blank(*before))
		before--;
	return (*before == '{' || *before == ',');
}

static enum placeholder
judge(struct placeholders *found, const struct placeholder_level *level)
{
	if (!level->is_object || !level->is_marked)
		return (PLACEHOLDER_NONE);
	if (level->members != 2 || !level->has_num)
		return (PLACEHOLDER_BAD);
	found->at = level->digits;
	found->num = level->num;
	return (PLACEHOLDER_FOUND);
}

static void
open_level(struct placeholders *found, bool is_object)
{
	found->next++;
	found->levels[++found->depth] =
	    (struct placeholder_level){ .is_object = is_object };
}

void
placeholders_begin(struct placeholders *found, text values)
{
	found->next = values.at;
	found->end = values.at + values.len;
	found->depth = 0;
}

enum placeholder
placeholders_next(struct placeholders *found)
{
	enum placeholder got = PLACEHOLDER_NONE;

	while (got == PLACEHOLDER_NONE && found->next < found->end) {
		if (is_at_member(found)) {
			take_member(found, &found->levels[found->depth]);
			continue;
		}
		switch (*found->next) {
		case '{':
		case '[':
			open_level(found, *found->next == '{');
			break;
		case '}':
		case ']':
			found->next++;
			got = judge(found, &found->levels[found->depth--]);
			break;
		case '"':
			take_string(found);
			break;
		default:
			found->next++;
		}
	}
	if (got == PLACEHOLDER_BAD)
		found->next = found->end;
	return (got);
}
