/* SPDX-License-Identifier: MIT */
/*
 * `partyline token`: making tokens without a key, looking into one, ending
 * one or all of a name, and the keys that sign them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/conf.h"
#include "base/json_out.h"
#include "base/stamp.h"
#include "core/json.h"
#include "core/who.h"
#include "role/command.h"
#include "role/command_people.h"

#define LIFE_USUAL "24h"

/* What is known of a token that somebody showed. */
struct shown {
	text			 compact;
	text			 header;	/* JSON; at NULL: unreadable */
	text			 claims;
	enum token_verdict	 verdict;
	bool			 is_known;	/* token is set */
	struct token		 token;
	text			 slug;		/* at NULL: no such tenant */
	bool			 is_revoked;
};

/* make */

static bool
read_moment(struct people *work, int64_t *out)
{
	struct command_db_answer answer;
	struct json_object *json;
	text moment;
	bool is_good;

	if (!people_call(work, "token_moment", NULL, 0, &answer))
		return (false);
	json = json_in_read(answer.body);
	is_good = json_in_text(json, "moment", &moment) &&
	    stamp_read(moment, out);
	json_in_free(&json);
	return (is_good || people_complain(work, EX_SOFTWARE,
	    "the database answers in an unknown form"));
}

static void
show_made(struct people *work, const struct token *token, text compact)
{
	char until[STAMP_SIZE];
	struct json_out json;

	if (!work->command->wants_json) {
		buf_add(&work->out, compact);
		buf_add_char(&work->out, '\n');
		return;
	}
	stamp_write(token->exp * 1000, until);
	json_out_init(&json, &work->out);
	json_object_begin(&json);
	json_key(&json, "token");
	json_text(&json, compact);
	json_key(&json, "name");
	json_text(&json, token->name);
	json_key(&json, "role");
	json_text_of(&json, rank_name(token->rank));
	json_key(&json, "tenant");
	json_text_of(&json, work->slug);
	json_key(&json, "id");
	json_text(&json, token->jti);
	json_key(&json, "good_until");
	json_text_of(&json, until);
	json_object_end(&json);
	buf_add_char(&work->out, '\n');
}

static void
token_make_one(struct people *work)
{
	struct token token = { .rank = RANK_NONE };
	char id[TOKEN_ID_MADE + 1];
	struct buf compact;
	int64_t life_ms;

	if (!people_read_name(work, &token.name) ||
	    !people_read_role(work, &token.rank) ||
	    !people_read_life(work, 1000, LIFE_USUAL, &life_ms) ||
	    !people_find_tenant(work) || !people_read_keyring(work) ||
	    !read_moment(work, &token.timestamp_ms))
		return;
	token_make_id(id);
	token.jti = text_of(id);
	token.tenant = work->tenant;
	token.iat = token.timestamp_ms / 1000;
	token.exp = token.iat + life_ms / 1000;
	buf_init(&compact, BUF_NO_LIMIT);
	if (token_make(&work->keyring.keys[0], &token, &compact))
		show_made(work, &token, buf_text(&compact));
	else
		people_complain(work, EX_SOFTWARE,
		    "that would be no token that anybody believes");
	buf_fini(&compact);
}

/* inspect */

/* Of the token's tenant. */
static bool
find_slug(struct people *work, struct shown *shown)
{
	struct command_db_answer answer;
	struct json_object *tenant;
	char digits[16];
	text input, slug;

	snprintf(digits, sizeof digits, "%" PRId32, shown->token.tenant);
	input = text_of(digits);
	if (!people_call_bare(work, "tenant_get", &input, 1, &answer))
		return (false);
	tenant = answer.count > 0 ? json_in_read(answer.body) : NULL;
	if (json_in_text(tenant, "slug", &slug))
		shown->slug = text_from(arena_copy(&work->arena, slug.at,
		    slug.len), slug.len);
	json_in_free(&tenant);
	return (true);
}

/* As a worker would judge, whose token is good but for that. */
static bool
find_revocation(struct people *work, struct shown *shown)
{
	struct command_db_answer answer;
	struct who_book *book;
	const struct caller *caller;
	bool is_good;

	if (!people_call_bare(work, "revocation_list", NULL, 0, &answer))
		return (false);
	book = who_book_create(1);
	is_good = who_book_use_keys(book, work->keyring.keys,
	    work->keyring.count) &&
	    who_book_read_revocations(book, answer.body);
	/* Asked as of its last second, so that only this is in its way. */
	shown->is_revoked = is_good && who_find_token(book,
	    shown->token.tenant, shown->compact, shown->token.exp - 1,
	    &caller) != ERR_none;
	who_book_destroy(&book);
	return (is_good || people_complain(work, EX_SOFTWARE,
	    "the revocations in the database are not understood"));
}

static bool
look_at(struct people *work, const char *word, struct shown *shown)
{
	*shown = (struct shown){ .compact = text_trim(text_of(word)) };
	if (strcmp(word, "-") == 0 && !people_read_line(work, word,
	    TOKEN_MAX, &shown->compact))
		return (false);
	if (!people_read_keyring(work))
		return (false);
	if (!token_parts(shown->compact, &work->arena, &shown->header,
	    &shown->claims))
		shown->header = shown->claims = TEXT_NONE;
	shown->verdict = token_read(work->keyring.keys, work->keyring.count,
	    shown->compact, stamp_now() / 1000, &work->arena, &shown->token);
	shown->is_known = shown->verdict == TOKEN_GOOD ||
	    shown->verdict == TOKEN_EXPIRED ||
	    shown->verdict == TOKEN_NOT_YET;
	return (!shown->is_known || (find_slug(work, shown) &&
	    find_revocation(work, shown)));
}

static bool
is_believed(const struct shown *shown)
{
	return (shown->verdict == TOKEN_GOOD && !shown->is_revoked &&
	    shown->slug.at != NULL);
}

static void
add_foreign(struct buf *out, const char *label, text json)
{
	buf_printf(out, "%-8s ", label);
	if (json.at == NULL)
		buf_add_string(out, "cannot be read");
	people_add_foreign(out, json);
	buf_add_char(out, '\n');
}

static void
show_words(struct people *work, const struct shown *shown)
{
	char from[STAMP_SIZE], until[STAMP_SIZE];
	struct buf *out = &work->out;

	add_foreign(out, "header", shown->header);
	add_foreign(out, "claims", shown->claims);
	if (shown->is_known) {
		stamp_write(shown->token.timestamp_ms, from);
		stamp_write(shown->token.exp * 1000, until);
		buf_printf(out, "key      %.*s\n",
		    TEXT_ARGS(shown->token.kid));
		buf_printf(out, "tenant   %.*s\n", TEXT_ARGS(
		    shown->slug.at != NULL ? shown->slug :
		    TEXT("one that is not there")));
		buf_printf(out, "good     from %s until %s\n", from, until);
		buf_printf(out, "revoked  %s\n",
		    shown->is_revoked ? "yes" : "no");
	}
	buf_printf(out, "verdict  %s\n",
	    token_verdict_name(shown->verdict));
	buf_printf(out, "believed %s\n", is_believed(shown) ? "yes" : "no");
}

static void
show_json(struct people *work, const struct shown *shown)
{
	struct json_out json;

	json_out_init(&json, &work->out);
	json_object_begin(&json);
	json_key(&json, "header");
	json_raw(&json, shown->header.at != NULL ? shown->header :
	    TEXT("null"));
	json_key(&json, "claims");
	json_raw(&json, shown->claims.at != NULL ? shown->claims :
	    TEXT("null"));
	json_key(&json, "tenant");
	if (shown->slug.at != NULL)
		json_text(&json, shown->slug);
	else
		json_nothing(&json);
	json_key(&json, "verdict");
	json_text_of(&json, token_verdict_name(shown->verdict));
	json_key(&json, "revoked");
	json_bool(&json, shown->is_revoked);
	json_key(&json, "believed");
	json_bool(&json, is_believed(shown));
	json_object_end(&json);
	buf_add_char(&work->out, '\n');
}

static void
token_inspect(struct people *work)
{
	struct shown shown;

	if (!look_at(work, work->command->words_count > 1 ?
	    work->command->words[1] : "-", &shown))
		return;
	if (work->command->wants_json)
		show_json(work, &shown);
	else
		show_words(work, &shown);
	if (!is_believed(&shown))
		work->exit_code = EX_DATAERR;
}

/* revoke */

static void
revoke_one(struct people *work)
{
	struct command_db_answer answer;
	char until[STAMP_SIZE];
	struct shown shown;

	if (!look_at(work, work->command->words[1], &shown))
		return;
	if (shown.verdict != TOKEN_GOOD && shown.verdict != TOKEN_NOT_YET) {
		people_complain(work, EX_DATAERR, "nobody believes that "
		    "token: %s", token_verdict_name(shown.verdict));
		return;
	}
	if (shown.slug.at == NULL || shown.token.jti.len == 0) {
		people_complain(work, EX_DATAERR, shown.slug.at == NULL ?
		    "nobody believes that token: its tenant is not there" :
		    "that token has no id (jti); end all of its name with "
		    "token revoke --name");
		return;
	}
	stamp_write(shown.token.exp * 1000, until);
	work->tenant = shown.token.tenant;
	if (people_call(work, "token_revoke", (const text[]){
	    shown.token.jti, text_of(until) }, 2, &answer))
		buf_printf(&work->out, work->command->wants_json ?
		    "{\"id\":\"%.*s\"}\n" : "token %.*s was revoked\n",
		    TEXT_ARGS(shown.token.jti));
}

static void
revoke_name(struct people *work)
{
	struct command_db_answer answer;
	text name;

	if (!people_read_name(work, &name) || !people_find_tenant(work) ||
	    !people_call(work, "token_revoke_name", &name, 1, &answer))
		return;
	if (work->command->wants_json)
		buf_printf(&work->out, "%.*s\n", TEXT_ARGS(answer.body));
	else
		buf_printf(&work->out, "all tokens of %.*s in tenant %s that "
		    "were made until now were revoked\n", TEXT_ARGS(name),
		    work->slug);
}

static void
token_revoke(struct people *work)
{
	bool has_word = work->command->words_count > 1;
	bool has_name = work->command->name != NULL;

	if (has_word == has_name)
		work->exit_code = command_misused(work->command,
		    "token revoke takes TOKEN or --name");
	else if (has_word && work->command->tenant != NULL)
		work->exit_code = command_misused(work->command,
		    "a token says of which tenant it is");
	else if (has_word)
		revoke_one(work);
	else
		revoke_name(work);
}

/* rotate */

static void
show_rotated(struct people *work, text body, int64_t life_ms)
{
	struct json_object *json = json_in_read(body);
	text id = TEXT_NONE;

	json_in_text(json, "id", &id);
	if (work->command->wants_json)
		buf_printf(&work->out, "%.*s\n", TEXT_ARGS(body));
	else if (life_ms == 0)
		buf_printf(&work->out, "key %.*s signs now; what others "
		    "signed is believed no longer\n", TEXT_ARGS(id));
	else
		buf_printf(&work->out, "key %.*s signs now; what others "
		    "signed is believed for %s\n", TEXT_ARGS(id),
		    work->command->life != NULL ? work->command->life :
		    LIFE_USUAL);
	json_in_free(&json);
	if (work->conf->jwt_secret[0] != '\0')
		fputs("partyline: jwt_secret is set, which signs before the "
		    "keys of the database\n", stderr);
}

static void
token_rotate(struct people *work)
{
	struct command_db_answer answer;
	char interval[40];
	int64_t life_ms;
	text input;

	if (!people_read_life(work, 0, LIFE_USUAL, &life_ms))
		return;
	snprintf(interval, sizeof interval, "%" PRId64 " milliseconds",
	    life_ms);
	input = text_of(interval);
	if (people_call(work, "secret_rotate", &input, 1, &answer))
		show_rotated(work, answer.body, life_ms);
}

int
command_token(struct command *command)
{
	static const struct people_verb verbs[] = {
		{ "make", token_make_one, 1, 1, "no more words", TAKES_NAME |
		    TAKES_ROLE | TAKES_LIFE | TAKES_TENANT,
		    TAKES_NAME | TAKES_ROLE },
		{ "inspect", token_inspect, 1, 2, "one TOKEN, or -", 0, 0 },
		{ "revoke", token_revoke, 1, 2, "one TOKEN, or -",
		    TAKES_NAME | TAKES_TENANT, 0 },
		{ "rotate", token_rotate, 1, 1, "no more words", TAKES_LIFE,
		    0 },
	};

	return (people_run(command, verbs, sizeof verbs / sizeof verbs[0]));
}
