/* SPDX-License-Identifier: MIT */
/*
 * What the database says of revocations, read into the book. A list that is
 * not understood to its end must not make a revoked token good again: all of
 * it is read before anything of the book is changed.
 */
#include "core/who.h"

#include "base/mem.h"
#include "base/stamp.h"
#include "core/json.h"

struct revoked {
	int32_t	tenant;
	bool	is_name;
	text	value;
	int64_t	before_ms;	/* of a name */
};

static bool
read_tenant(struct json_object *json, int32_t *out)
{
	int64_t tenant;

	if (!json_in_int(json, "tenant", &tenant) || tenant < 0 ||
	    tenant > INT32_MAX)
		return (false);
	*out = (int32_t)tenant;
	return (true);
}

static bool
read_before(struct json_object *json, int64_t *out)
{
	text before;

	return (json_in_text(json, "before", &before) &&
	    stamp_read(before, out));
}

/* {"tenant":…,"kind":"name"|"token","value":…,"before":…} */
static bool
read_row(struct json_object *row, struct revoked *out)
{
	text kind;

	if (!read_tenant(row, &out->tenant) ||
	    !json_in_text(row, "kind", &kind) ||
	    !json_in_text(row, "value", &out->value) ||
	    !read_before(row, &out->before_ms))
		return (false);
	out->is_name = text_is(kind, TEXT("name"));
	return (out->is_name || text_is(kind, TEXT("token")));
}

static void
revoke(struct who_book *book, const struct revoked *revoked)
{
	if (revoked->is_name)
		who_book_revoke_name(book, revoked->tenant, revoked->value,
		    revoked->before_ms);
	else
		who_book_revoke_token(book, revoked->tenant, revoked->value);
}

bool
who_book_read_revocations(struct who_book *book, text json)
{
	struct json_object *list = json_in_read(json);
	struct revoked *all = NULL;
	size_t count;
	bool is_good = list != NULL && json_in_as_array(list, &count);

	if (is_good)
		all = mem_alloc((count + 1) * sizeof *all);
	for (size_t i = 0; is_good && i < count; i++)
		is_good = read_row(json_in_element(list, i), &all[i]);
	if (is_good) {
		who_book_clear_revocations(book);
		for (size_t i = 0; i < count; i++)
			revoke(book, &all[i]);
	}
	mem_free(all);
	json_in_free(&list);
	return (is_good);
}

bool
who_book_read_news(struct who_book *book, struct json_object *news)
{
	struct revoked revoked = { .is_name = true };

	if (!read_tenant(news, &revoked.tenant))
		return (false);
	if (json_in_text(news, "token", &revoked.value))
		revoked.is_name = false;
	else if (!json_in_text(news, "name", &revoked.value) ||
	    !read_before(news, &revoked.before_ms))
		return (false);
	revoke(book, &revoked);
	return (true);
}
