/* SPDX-License-Identifier: MIT */
/*
 * Reading the list of secrets.
 */
#include "core/keyring.h"

#include "base/stamp.h"
#include "core/json.h"

void
keyring_init(struct keyring *keyring)
{
	*keyring = (struct keyring){ .count = 0 };
	arena_init(&keyring->arena);
}

void
keyring_fini(struct keyring *keyring)
{
	arena_fini(&keyring->arena);
	*keyring = (struct keyring){ .count = 0 };
}

static text
keep(struct keyring *keyring, text t)
{
	return (text_from(arena_copy(&keyring->arena, t.at, t.len), t.len));
}

/* false: it has no place, or is not fit. */
static bool
add_key(struct keyring *keyring, text id, text value)
{
	struct token_key key = { keep(keyring, id), keep(keyring, value) };

	if (!token_key_is_fit(&key))
		return (false);
	if (keyring->count < TOKEN_KEYS_MAX)
		keyring->keys[keyring->count++] = key;
	return (true);
}

/* The list says null where it stays. */
static bool
read_retirement(struct keyring *keyring, struct json_object *secret)
{
	int64_t retires_ms;
	text moment;

	if (json_in_member(secret, "retires_at") == NULL)
		return (true);
	if (!json_in_text(secret, "retires_at", &moment) ||
	    !stamp_read(moment, &retires_ms))
		return (false);
	if (keyring->retires_ms == 0 || retires_ms < keyring->retires_ms)
		keyring->retires_ms = retires_ms;
	return (true);
}

static bool
read_secret(struct keyring *keyring, struct json_object *secret)
{
	text kind, id, value;

	if (!json_in_text(secret, "kind", &kind) ||
	    !json_in_text(secret, "id", &id) ||
	    !json_in_text(secret, "value", &value) ||
	    !read_retirement(keyring, secret))
		return (false);
	if (text_is(kind, TEXT("jwt")))
		return (add_key(keyring, id, value));
	if (text_is(kind, TEXT("cookie")) && value.len > 0 &&
	    keyring->cookie_count < KEYRING_COOKIES_MAX)
		keyring->cookie_secrets[keyring->cookie_count++] =
		    keep(keyring, value);
	if (text_is(kind, TEXT("server")) &&
	    keyring->server_secret.len == 0)
		keyring->server_secret = keep(keyring, value);
	return (true);
}

bool
keyring_read(struct keyring *keyring, const char *own, text json)
{
	struct json_object *list = json_in_read(json), *secret;
	bool is_good = list != NULL;

	must(keyring->count == 0);
	if (own[0] != '\0')
		is_good = is_good && add_key(keyring, TEXT(KEYRING_OWN),
		    text_of(own));
	for (size_t i = 0; is_good &&
	    (secret = json_in_element(list, i)) != NULL; i++)
		is_good = read_secret(keyring, secret);
	json_in_free(&list);
	return (is_good && keyring->server_secret.len > 0 &&
	    keyring->count > 0);
}
