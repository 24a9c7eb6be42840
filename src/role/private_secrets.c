/* SPDX-License-Identifier: MIT */
/*
 * Secrets of the private servers: a file of lines, name=letters. Letters and
 * digits only, so that they need no quoting in SQL, URL or configuration.
 */
#include "role/private_secrets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "plat/folder.h"
#include "role/private_server.h"

struct secret_line {
	const char	*name;
	char		*at;
};

static void
secret_lines(struct private_place *place, struct secret_line lines[4])
{
	lines[0] = (struct secret_line){ "partyline", place->of_server };
	lines[1] = (struct secret_line){ "partyline_owner",
	    place->of_owner };
	lines[2] = (struct secret_line){ "postgres", place->of_superuser };
	lines[3] = (struct secret_line){ "redis", place->of_redis };
}

static bool
secrets_parse(struct private_place *place, text content)
{
	struct secret_line lines[4];
	unsigned found = 0;
	text line, name, value;

	secret_lines(place, lines);
	while (content.len > 0) {
		text_cut(content, '\n', &line, &content);
		text_cut(line, '=', &name, &value);
		for (unsigned i = 0; i < 4; i++)
			if (text_is(name, text_of(lines[i].name)) &&
			    value.len == PRIVATE_SECRET_SIZE - 1) {
				memcpy(lines[i].at, value.at, value.len);
				found |= 1u << i;
			}
	}
	return (found == 15);
}

bool
secrets_read(struct private_place *place)
{
	struct buf content;
	int error = 0;

	buf_init(&content, BUF_NO_LIMIT);
	if (!file_read(place->state_dir, "secrets", &content))
		error = errno;
	else if (!secrets_parse(place, buf_text(&content)))
		error = EBADMSG;
	buf_fini(&content);
	errno = error;
	return (error == 0);
}

bool
secrets_have(struct private_place *place)
{
	struct secret_line lines[4];

	if (secrets_read(place))
		return (true);
	if (errno != ENOENT && errno != EBADMSG)
		return (private_complain_of(place, "secrets"));
	place->has_new_secrets = true;
	secret_lines(place, lines);
	for (unsigned i = 0; i < 4; i++)
		secret_letters(lines[i].at, PRIVATE_SECRET_SIZE - 1);
	return (true);
}

bool
secrets_keep(struct private_place *place)
{
	struct secret_line lines[4];
	struct buf content;
	bool is_good;

	if (!place->has_new_secrets)
		return (true);
	secret_lines(place, lines);
	buf_init(&content, BUF_NO_LIMIT);
	for (unsigned i = 0; i < 4; i++)
		buf_printf(&content, "%s=%s\n", lines[i].name, lines[i].at);
	is_good = file_write(place->state_dir, "secrets", buf_text(&content));
	buf_fini(&content);
	return (is_good || private_complain_of(place, "secrets"));
}

static bool
key_read(const struct private_place *place, const char *name,
    char key_out[ADMIN_KEY_SIZE])
{
	struct buf content;
	text key;
	bool is_there;

	buf_init(&content, BUF_NO_LIMIT);
	is_there = file_read(place->state_dir, name, &content);
	key = text_trim(buf_text(&content));
	is_there = is_there && key.len == ADMIN_KEY_SIZE - 1;
	if (is_there)
		memcpy(key_out, key.at, key.len);
	buf_fini(&content);
	return (is_there);
}

bool
admin_key_have(struct private_place *place, char key_out[ADMIN_KEY_SIZE],
    bool *is_unseen_out)
{
	char line[ADMIN_KEY_SIZE + 1];

	*is_unseen_out = false;
	if (key_read(place, "admin_key", key_out))
		return (true);
	*is_unseen_out = true;
	if (key_read(place, "admin_key.new", key_out))
		return (true);
	secret_letters(key_out, ADMIN_KEY_SIZE - 1);
	snprintf(line, sizeof line, "%s\n", key_out);
	return (file_write(place->state_dir, "admin_key.new",
	    text_of(line)) || private_complain_of(place, "admin_key.new"));
}

void
admin_key_seen(struct private_place *place)
{
	if (renameat(place->state_dir, "admin_key.new", place->state_dir,
	    "admin_key") != 0)
		log_warn("the admin key will be shown again",
		    F("why", strerror(errno)));
}
