/* SPDX-License-Identifier: MIT */
/*
 * core/keyring: which key signs, which are believed, which retires next, and
 * lists that are none.
 */
#include "core/keyring.h"

#include "tap.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SERVER "{\"kind\":\"server\",\"id\":\"s\",\"value\":\"" B "\"}"
#define KEY(id, value, retires)						\
	"{\"kind\":\"jwt\",\"id\":\"" id "\",\"value\":\"" value	\
	"\",\"retires_at\":" retires "}"

static struct keyring keyring;

static bool
reads(const char *own, const char *list)
{
	keyring_fini(&keyring);
	keyring_init(&keyring);
	return (keyring_read(&keyring, own, text_of(list)));
}

static void
right_ones(void)
{
	test("the first key signs, others come behind it");
	ok(reads("", "[" KEY("new", A, "null") ","
	    KEY("old", B, "\"2033-01-02T00:00:00.000Z\"") ","
	    KEY("older", B, "\"2033-01-01T00:00:00.000Z\"") ","
	    "{\"kind\":\"cookie\",\"id\":\"c\",\"value\":\"x\"}," SERVER "]"));
	is(keyring.count, 3);
	is_text(keyring.keys[0].id, "new");
	is_text(keyring.keys[0].secret, A);
	is_text(keyring.keys[2].id, "older");
	is_text(keyring.server_secret, B);

	test("the one that retires next is known");
	is(keyring.retires_ms, 1988150400000);
	ok(reads("", "[" KEY("new", A, "null") "," SERVER "]"));
	is(keyring.retires_ms, 0);

	test("a key of the options comes before all");
	ok(reads("0123456789abcdef0123456789abcdef",
	    "[" KEY("new", A, "null") "," SERVER "]"));
	is(keyring.count, 2);
	is_text(keyring.keys[0].id, KEYRING_OWN);
	is_text(keyring.keys[1].id, "new");
}

static void
too_many(void)
{
	struct buf list;

	test("of too many the oldest are left out");
	buf_init(&list, BUF_NO_LIMIT);
	buf_add_string(&list, "[" SERVER);
	for (int i = 0; i < TOKEN_KEYS_MAX + 3; i++)
		buf_printf(&list, ",{\"kind\":\"jwt\",\"id\":\"k%d\","
		    "\"value\":\"" A "\"}", i);
	buf_add_char(&list, ']');
	ok(reads("", list.at));
	is(keyring.count, TOKEN_KEYS_MAX);
	is_text(keyring.keys[0].id, "k0");
	is_text(keyring.keys[TOKEN_KEYS_MAX - 1].id, "k7");
	buf_fini(&list);
}

static void
wrong_ones(void)
{
	static const char *const wrong[] = {
		"", "null", "{}", "[]", "[7]", "[" SERVER "]",
		"[" KEY("a", A, "null") "]",
		"[" SERVER "," KEY("a", "short", "null") "]",
		"[" SERVER "," KEY("", A, "null") "]",
		"[" SERVER "," KEY("a b", A, "null") "]",
		"[" SERVER "," KEY("a", A, "7") "]",
		"[" SERVER "," KEY("a", A, "\"tomorrow\"") "]",
		"[" SERVER ",{\"kind\":\"jwt\",\"id\":\"a\"}]",
		"[" SERVER ",{\"id\":\"a\",\"value\":\"" A "\"}]",
		"[{\"kind\":\"server\",\"id\":\"s\",\"value\":\"\"},"
		KEY("a", A, "null") "]",
	};

	test("what is no list of secrets is refused");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!ok(!reads("", wrong[i])))
			printf("# %s\n", wrong[i]);
	ok(!reads("short", "[" SERVER "]"));
}

int
main(void)
{
	keyring_init(&keyring);
	right_ones();
	too_many();
	wrong_ones();
	keyring_fini(&keyring);
	return (done());
}
