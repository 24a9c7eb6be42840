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
#include "core/admins.h"
#include "core/admins_sync.h"
#include "core/control.h"
#include "core/json.h"
#include "core/key.h"
#include "core/keyring.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/crew.h"
#include "plat/loop.h"
#include "plat/segment.h"

#define TOKEN_LIFE_S	86400
#define FIND_AGAIN_MS	50
#define FINDS_MOST	40	/* so two seconds, then it is told */
#define RETIRE_GRACE_MS	1000	/* PostgreSQL's clock is not ours */

enum stage { STAGE_WAITS, STAGE_FINDS, STAGE_PROVES };

struct login {
	unsigned	 magic;
#define LOGIN_MAGIC 0x6c6f6769
	struct sign_in	*sign_in;
	struct login	*prev, *next;
	struct op	*op;
	enum stage	 stage;
	unsigned	 finds;
	struct limit_login limit;	/* counted where is_counted */
	bool		 is_counted;
	struct timer	 timer;
	struct crew_job	 job;
	/* What the thread reads and writes. */
	text		 key;
	text		 hash;		/* at NULL: nobody has the key */
	bool		 is_right;
	/* Whom the key belongs to, and when that was so. */
	text		 name;
	enum rank	 rank;
	int64_t		 moment_ms;
};

struct sign_in {
	unsigned	 magic;
#define SIGN_IN_MAGIC 0x7369676e
	struct service	*service;
	struct crew	*crew;
	struct login	*logins;
	struct keyring	 keyring;
	struct timer	 retirement;	/* of the key that retires next */
	struct admins_sync *sync;	/* NULL: another worker's task */
	bool		 is_closing;
};

static void
on_retirement(struct sign_in *sign_in)
{
	control_read_all(sign_in->service->control);
}

struct sign_in *
sign_in_create(struct service *service)
{
	struct sign_in *sign_in = object_create(struct sign_in,
	    SIGN_IN_MAGIC);

	sign_in->service = service;
	keyring_init(&sign_in->keyring);
	timer_init(&sign_in->retirement, on_retirement, sign_in);
	sign_in->crew = crew_create(service->loop,
	    (unsigned)service->conf->sign_in_threads,
	    (unsigned)service->conf->sign_in_queue);
	if (sign_in->crew == NULL)
		log_error("nobody can sign in: there are no descriptors left");
	if (service->ordinal == 1)
		sign_in->sync = admins_sync_create(service, sign_in->crew);
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

/* Once for each that was counted. */
static void
uncount(struct login *login, bool was_right)
{
	if (login->is_counted)
		limit_login_end(&login->limit, was_right, clock_ms() / 1000);
	login->is_counted = false;
}

/* It could not be tried: that is no failure of who asked. */
static void
login_give_up(struct login *login, enum err err)
{
	struct op *op = login->op;

	uncount(login, true);
	login_free(login);
	op_fail(op, err);
}

void
sign_in_close(struct sign_in *sign_in)
{
	struct login *login, *next;

	object_check(sign_in, SIGN_IN_MAGIC);
	sign_in->is_closing = true;
	timer_stop(loop_timers(sign_in->service->loop),
	    &sign_in->retirement);
	crew_destroy(&sign_in->crew);
	admins_sync_stop(sign_in->sync);
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
	admins_sync_destroy(&sign_in->sync);
	keyring_fini(&sign_in->keyring);
	object_free(&sign_in);
}

const struct keyring *
sign_in_keyring(const struct sign_in *sign_in)
{
	return (&sign_in->keyring);
}

struct crew *
sign_in_crew(const struct sign_in *sign_in)
{
	return (sign_in->crew);
}

static bool
write_token(struct login *login, struct buf *out)
{
	int64_t iat = login->moment_ms / 1000;
	char id[TOKEN_ID_MADE + 1];
	struct token token = { .rank = login->rank, .name = login->name,
	    .tenant = login->op->tenant->id,
	    .timestamp_ms = login->moment_ms, .iat = iat,
	    .exp = iat + TOKEN_LIFE_S };

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

	uncount(login, login->is_right);
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
	text name, role, hash, moment;
	bool is_good = admin != NULL && json_in_text(admin, "name", &name) &&
	    json_in_text(admin, "role", &role) &&
	    json_in_text(admin, "hash", &hash) &&
	    json_in_text(admin, "moment", &moment) &&
	    stamp_read(moment, &login->moment_ms) &&
	    (login->rank = rank_of(role)) != RANK_NONE;

	if (is_good) {
		login->name = op_keep(op, name);
		login->hash = op_keep(op, hash);
	}
	json_in_free(&admin);
	return (is_good);
}

static void
wait(struct login *login, int64_t ms)
{
	login->stage = STAGE_WAITS;
	timer_set(loop_timers(login->sign_in->service->loop), &login->timer,
	    ms);
}

/*
 * Somebody is being revoked just now, or the admins of the configuration are
 * not yet in, of whom this may be one.
 */
static bool
is_too_early(const struct login *login, const struct db_answer *answer)
{
	const struct segment *segment = login->sign_in->service->segment;

	if (answer->result == DB_REFUSED)
		return (text_is(answer->message, TEXT("sign_in_busy")));
	return (answer->result == DB_ROWS && db_rows(answer) == 0 &&
	    login->op->tenant->id == ADMINS_TENANT &&
	    atomic_load(&segment->admins_are_in) == 0);
}

static void
on_found(void *context, const struct db_answer *answer)
{
	struct login *login = object_cast(struct login, LOGIN_MAGIC, context);
	struct sign_in *sign_in = login->sign_in;
	struct call_row row;

	if (!sign_in->is_closing && login->finds < FINDS_MOST &&
	    is_too_early(login, answer)) {
		wait(login, FIND_AGAIN_MS);
		return;
	}
	if (answer->result != DB_ROWS) {
		struct op *op = login->op;

		uncount(login, true);
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
	login->finds++;
	key_lookup(sign_in->keyring.server_secret, op->tenant->id,
	    login->key, lookup);
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
	login->is_counted = !login->limit.has_to_ask_again;
	if (login->limit.wait_ms > 0)
		wait(login, login->limit.wait_ms);
	else
		find(login);
}

static void
on_waited(struct login *login)
{
	if (login->is_counted)
		find(login);
	else
		begin(login);
}

void
operation_auth_login(struct op *op)
{
	struct sign_in *sign_in = op->ground->service->sign_in;
	struct login *login;

	if (sign_in->is_closing) {
		op_fail(op, ERR_database_away);
		return;
	}
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

/* The lists and the news. */

/* The list is read anew when a key of it retires. */
static void
plan_retirement(struct sign_in *sign_in)
{
	struct timers *timers = loop_timers(sign_in->service->loop);
	int64_t in_ms = sign_in->keyring.retires_ms - stamp_now();

	timer_stop(timers, &sign_in->retirement);
	if (sign_in->keyring.retires_ms != 0 && !sign_in->is_closing)
		timer_set(timers, &sign_in->retirement,
		    (in_ms > 0 ? in_ms : 0) + RETIRE_GRACE_MS);
}

bool
sign_in_use_secrets(struct sign_in *sign_in, text json)
{
	struct keyring keyring;

	keyring_init(&keyring);
	if (!keyring_read(&keyring, sign_in->service->conf->jwt_secret,
	    json) || !who_book_use_keys(sign_in->service->who, keyring.keys,
	    keyring.count)) {
		keyring_fini(&keyring);
		log_error("the list of secrets is not understood");
		return (false);
	}
	keyring_fini(&sign_in->keyring);
	sign_in->keyring = keyring;
	plan_retirement(sign_in);
	return (true);
}

bool
sign_in_use_revocations(struct sign_in *sign_in, text json)
{
	if (who_book_read_revocations(sign_in->service->who, json))
		return (true);
	log_error("the list of revocations is not understood");
	return (false);
}

bool
sign_in_heed(struct sign_in *sign_in, text type, struct json_object *data)
{
	if (!text_is(type, TEXT("admin.revoked")) &&
	    !text_is(type, TEXT("token.revoked")))
		return (true);
	return (who_book_read_news(sign_in->service->who, data));
}

void
sign_in_on_ready(struct sign_in *sign_in)
{
	if (sign_in->sync != NULL && !sign_in->is_closing)
		admins_sync_begin(sign_in->sync,
		    sign_in->keyring.server_secret);
}
