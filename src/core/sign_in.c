/* SPDX-License-Identifier: MIT */
/*
 * Logins under way, and what they end in.
 */
#include "core/sign_in.h"

#include <utlist.h>

#include "base/conf.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/stamp.h"
#include "core/act.h"
#include "core/json.h"
#include "core/key.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/crew.h"
#include "plat/digest.h"
#include "plat/loop.h"

#define TOKEN_LIFE_S	86400

enum stage { STAGE_WAITS, STAGE_FINDS, STAGE_PROVES };

struct login {
	unsigned	 magic;
#define LOGIN_MAGIC 0x6c6f6769
	struct sign_in	*sign_in;
	struct login	*prev, *next;
	struct op	*op;
	enum stage	 stage;
	struct limit_login limit;
	struct timer	 timer;
	struct crew_job	 job;
	/* What the thread reads and writes. */
	text		 key;
	text		 hash;		/* at NULL: nobody has the key */
	bool		 is_right;
	/* Whom the key belongs to. */
	text		 name;
	enum rank	 rank;
};

struct sign_in {
	unsigned	 magic;
#define SIGN_IN_MAGIC 0x7369676e
	struct service	*service;
	struct crew	*crew;
	struct login	*logins;
	struct arena	 secrets;
	text		 server_secret;
	bool		 is_closing;
};

struct sign_in *
sign_in_create(struct service *service)
{
	struct sign_in *sign_in = object_create(struct sign_in,
	    SIGN_IN_MAGIC);

	sign_in->service = service;
	arena_init(&sign_in->secrets);
	sign_in->crew = crew_create(service->loop,
	    (unsigned)service->conf->sign_in_threads,
	    (unsigned)service->conf->sign_in_queue);
	if (sign_in->crew == NULL)
		log_error("nobody can sign in: there are no descriptors left");
	return (sign_in);
}

static void
login_free(struct login *login)
{
	struct sign_in *sign_in = login->sign_in;

	timer_stop(loop_timers(sign_in->service->loop), &login->timer);
	DL_DELETE(sign_in->logins, login);
	object_free(&login);
}

/* It could not be tried: that is no failure of who asked. */
static void
login_give_up(struct login *login, enum err err)
{
	struct op *op = login->op;

	if (login->stage != STAGE_WAITS || !login->limit.has_to_ask_again)
		limit_login_end(&login->limit, true, clock_ms() / 1000);
	login_free(login);
	op_fail(op, err);
}

void
sign_in_close(struct sign_in *sign_in)
{
	struct login *login, *next;

	object_check(sign_in, SIGN_IN_MAGIC);
	sign_in->is_closing = true;
	crew_destroy(&sign_in->crew);
	DL_FOREACH_SAFE(sign_in->logins, login, next)
		if (login->stage != STAGE_FINDS)
			login_give_up(login, ERR_database_away);
}

void
sign_in_destroy(struct sign_in **given)
{
	struct sign_in *sign_in = *given;

	*given = NULL;
	if (sign_in == NULL)
		return;
	object_check(sign_in, SIGN_IN_MAGIC);
	must(sign_in->logins == NULL && sign_in->crew == NULL);
	arena_fini(&sign_in->secrets);
	object_free(&sign_in);
}

static bool
write_token(struct login *login, struct buf *out)
{
	int64_t now_ms = stamp_now();
	char id[TOKEN_ID_MADE + 1];
	struct token token = { .rank = login->rank, .name = login->name,
	    .tenant = login->op->tenant->id, .timestamp_ms = now_ms,
	    .iat = now_ms / 1000, .exp = now_ms / 1000 + TOKEN_LIFE_S };

	token_make_id(id);
	token.jti = text_of(id);
	return (who_make_token(login->sign_in->service->who, &token, out));
}

static void
reply_token(struct login *login)
{
	struct op *op = login->op;
	struct json_out json;
	struct buf body, token;

	buf_init(&token, BUF_NO_LIMIT);
	if (!write_token(login, &token)) {
		buf_fini(&token);
		log_error("an admin's name is not fit for a token",
		    F("name", login->name));
		login_free(login);
		op_fail(op, ERR_internal);
		return;
	}
	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	json_object_begin(&json);
	json_key(&json, "token");
	json_text(&json, buf_text(&token));
	json_key(&json, "message");
	json_text_of(&json, "Authentication successful");
	json_key(&json, "expiresIn");
	json_text_of(&json, "24h");
	json_key(&json, "name");
	json_text(&json, login->name);
	json_object_end(&json);
	login_free(login);
	COUNT(logins);
	op_reply(op, 200, op_keep(op, buf_text(&body)));
	buf_fini(&token);
	buf_fini(&body);
}

static void
prove(struct login *login)
{
	if (login->hash.at == NULL)
		login->is_right = key_check_nobody(login->key);
	else
		login->is_right = key_check(login->key, login->hash);
}

static void
on_proved(struct login *login)
{
	struct op *op = login->op;

	limit_login_end(&login->limit, login->is_right, clock_ms() / 1000);
	if (login->is_right) {
		reply_token(login);
		return;
	}
	login_free(login);
	COUNT(logins_refused);
	log_info("login refused", F("tenant", op->tenant->slug),
	    F("address", op->client_address),
	    F("requestId", op->request_id));
	op_fail(op, ERR_invalid_admin_key);
}

static bool
read_admin(struct login *login, text body)
{
	struct op *op = login->op;
	struct json_object *admin = json_in_read(body);
	text name, role, hash;
	bool is_good = admin != NULL && json_in_text(admin, "name", &name) &&
	    json_in_text(admin, "role", &role) &&
	    json_in_text(admin, "hash", &hash) &&
	    (login->rank = rank_of(role)) != RANK_NONE;

	if (is_good) {
		login->name = op_keep(op, name);
		login->hash = op_keep(op, hash);
	}
	json_in_free(&admin);
	return (is_good);
}

static void
on_found(void *context, const struct db_answer *answer)
{
	struct login *login = object_cast(struct login, LOGIN_MAGIC, context);
	struct sign_in *sign_in = login->sign_in;
	struct call_row row;

	if (answer->result != DB_ROWS) {
		struct op *op = login->op;

		limit_login_end(&login->limit, true, clock_ms() / 1000);
		login_free(login);
		act_fail(op, answer);
		return;
	}
	if (act_answer_row(answer, &row) && !read_admin(login, row.body)) {
		log_error("an admin's row is not understood");
		login_give_up(login, ERR_internal);
		return;
	}
	login->stage = STAGE_PROVES;
	if (sign_in->is_closing)
		login_give_up(login, ERR_database_away);
	else if (sign_in->crew == NULL || !crew_do(sign_in->crew,
	    &login->job))
		login_give_up(login, ERR_sign_in_busy);
}

static void
find(struct login *login)
{
	struct op *op = login->op;
	struct sign_in *sign_in = login->sign_in;
	char lookup[KEY_LOOKUP_SIZE];
	struct call_context context;
	text input;

	login->stage = STAGE_FINDS;
	key_lookup(sign_in->server_secret, op->tenant->id, login->key,
	    lookup);
	input = text_of(lookup);
	act_context(op, &context);
	service_ask(sign_in->service, FUNCTION_admin_find, &context,
	    TEXT_NONE, &input, 1, on_found, login);
}

static void
begin(struct login *login)
{
	struct op *op = login->op;
	struct sign_in *sign_in = login->sign_in;
	enum err err = limit_login(op->tenant, op->client_address,
	    sign_in->service->conf, clock_ms() / 1000, &login->limit);

	if (err != ERR_none) {
		op->limit = login->limit.state;
		op->answer.retry_after_s = login->limit.state.reset_s;
		login_free(login);
		op_fail(op, err);
		return;
	}
	login->stage = STAGE_WAITS;
	if (login->limit.wait_ms > 0)
		timer_set(loop_timers(sign_in->service->loop), &login->timer,
		    login->limit.wait_ms);
	else
		find(login);
}

static void
on_waited(struct login *login)
{
	if (login->limit.has_to_ask_again)
		begin(login);
	else
		find(login);
}

void
operation_auth_login(struct op *op)
{
	struct sign_in *sign_in = op->ground->service->sign_in;
	struct login *login;

	act_wait(op);
	op->client_address = op_keep(op, op->client_address);
	login = object_create(struct login, LOGIN_MAGIC);
	login->sign_in = sign_in;
	login->op = op;
	login->key = op->inputs[0];
	timer_init(&login->timer, on_waited, login);
	crew_job_init(&login->job, prove, on_proved, login);
	DL_APPEND(sign_in->logins, login);
	begin(login);
}

void
operation_auth_verify(struct op *op)
{
	const struct caller *caller = op->caller;
	struct json_out json;
	struct buf body;

	buf_init(&body, BUF_NO_LIMIT);
	json_out_init(&json, &body);
	json_object_begin(&json);
	json_key(&json, "valid");
	json_bool(&json, true);
	json_key(&json, "user");
	json_object_begin(&json);
	json_key(&json, "role");
	json_text_of(&json, rank_name(caller->rank));
	json_key(&json, "timestamp");
	json_int(&json, caller->timestamp_ms);
	json_key(&json, "name");
	json_text(&json, caller->name);
	json_key(&json, "iat");
	json_int(&json, caller->iat);
	json_key(&json, "exp");
	json_int(&json, caller->exp);
	json_object_end(&json);
	json_object_end(&json);
	op_reply(op, 200, op_keep(op, buf_text(&body)));
	buf_fini(&body);
}

/* The one that comes first in the list is the newest of its kind. */
static bool
read_secret(struct sign_in *sign_in, struct json_object *secret,
    struct token_key *keys, unsigned *count)
{
	text kind, id, value;

	if (!json_in_text(secret, "kind", &kind) ||
	    !json_in_text(secret, "id", &id) ||
	    !json_in_text(secret, "value", &value))
		return (false);
	value = text_from(arena_copy(&sign_in->secrets, value.at, value.len),
	    value.len);
	if (text_is(kind, TEXT("server")) &&
	    sign_in->server_secret.at == NULL)
		sign_in->server_secret = value;
	else if (text_is(kind, TEXT("jwt")) &&
	    *count < TOKEN_KEYS_MAX)
		keys[(*count)++] = (struct token_key){
		    text_from(arena_copy(&sign_in->secrets, id.at, id.len),
		    id.len), value };
	return (true);
}

bool
sign_in_use_secrets(struct sign_in *sign_in, text json)
{
	const struct conf *conf = sign_in->service->conf;
	struct json_object *list = json_in_read(json), *secret;
	struct token_key keys[TOKEN_KEYS_MAX];
	unsigned count = 0;
	bool is_good = list != NULL;

	arena_fini(&sign_in->secrets);
	arena_init(&sign_in->secrets);
	sign_in->server_secret = TEXT_NONE;
	if (conf->jwt_secret[0] != '\0')
		keys[count++] = (struct token_key){
		    TEXT("conf"), text_of(conf->jwt_secret) };
	for (size_t i = 0; is_good &&
	    (secret = json_in_element(list, i)) != NULL; i++)
		is_good = read_secret(sign_in, secret, keys, &count);
	json_in_free(&list);
	return (is_good && sign_in->server_secret.at != NULL &&
	    who_book_use_keys(sign_in->service->who, keys, count));
}

/* {"tenant":…,"kind":"name"|"token","value":…,"before":…} */
static bool
read_revocation(struct sign_in *sign_in, struct json_object *row)
{
	struct who_book *who = sign_in->service->who;
	int64_t tenant, before_ms;
	text kind, value, before;

	if (!json_in_int(row, "tenant", &tenant) ||
	    !json_in_text(row, "kind", &kind) ||
	    !json_in_text(row, "value", &value) ||
	    !json_in_text(row, "before", &before) ||
	    !stamp_read(before, &before_ms))
		return (false);
	if (text_is(kind, TEXT("name")))
		who_book_revoke_name(who, (int32_t)tenant, value, before_ms);
	else
		who_book_revoke_token(who, (int32_t)tenant, value);
	return (true);
}

bool
sign_in_use_revocations(struct sign_in *sign_in, text json)
{
	struct json_object *list = json_in_read(json), *row;
	bool is_good = list != NULL;

	who_book_clear_revocations(sign_in->service->who);
	for (size_t i = 0; is_good &&
	    (row = json_in_element(list, i)) != NULL; i++)
		is_good = read_revocation(sign_in, row);
	json_in_free(&list);
	return (is_good);
}

void
sign_in_heed(struct sign_in *sign_in, text type, struct json_object *data)
{
	struct who_book *who = sign_in->service->who;
	int64_t tenant, before_ms;
	text value, before;

	if (!json_in_int(data, "tenant", &tenant))
		return;
	if (text_is(type, TEXT("admin.revoked")) &&
	    json_in_text(data, "name", &value) &&
	    json_in_text(data, "before", &before) &&
	    stamp_read(before, &before_ms))
		who_book_revoke_name(who, (int32_t)tenant, value, before_ms);
	else if (text_is(type, TEXT("token.revoked")) &&
	    json_in_text(data, "token", &value))
		who_book_revoke_token(who, (int32_t)tenant, value);
}

void
sign_in_on_ready(struct sign_in *sign_in)
{
	(void)sign_in;
}
