/* SPDX-License-Identifier: MIT */
/*
 * Logins, and users who are made: what goes through a thread, and what is
 * asked before and after that.
 *
 *	login	limit ──> find by name ──> scrypt ──> keep the login
 *	create			   scrypt ──> keep the user
 */
#include "core/users.h"

#include <stdio.h>
#include <utlist.h>

#include "base/base64.h"
#include "base/count.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/stamp.h"
#include "core/act.h"
#include "core/json.h"
#include "core/key.h"
#include "core/keyring.h"
#include "core/sign_in.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/crew.h"
#include "plat/loop.h"

#define ID_BYTES	33
#define ID_SIGNS	(ID_BYTES / 3 * 4)
#define LOGIN_LIFE_S	(14 * 86400)

struct user_job {
	unsigned	 magic;
#define USER_JOB_MAGIC 0x7573726a
	struct users	*users;
	struct user_job	*prev, *next;
	struct op	*op;
	bool		 is_asking;	/* SQL, which always answers */
	struct limit_login limit;	/* counted where is_counted */
	bool		 is_counted;
	struct timer	 timer;
	struct crew_job	 job;
	/* What the thread reads and writes. */
	text		 password;
	text		 hash;		/* at NULL: nobody has that name */
	char		 made[KEY_HASH_SIZE];
	bool		 is_right;
	char		 user[24];	/* his id */
	char		 id[ID_SIGNS + 1];
};

struct users {
	unsigned	 magic;
#define USERS_MAGIC 0x75736572
	struct service	*service;
	struct user_job	*jobs;
	bool		 is_closing;
};

struct users *
users_create(struct service *service)
{
	struct users *users = object_create(struct users, USERS_MAGIC);

	users->service = service;
	return (users);
}

/* It is over; its op is to be answered by whoever asks for it. */
static struct op *
job_end(struct user_job *job, bool was_right)
{
	struct op *op = job->op;

	if (job->is_counted)
		limit_login_end(&job->limit, was_right, clock_ms() / 1000);
	timer_stop(loop_timers(job->users->service->loop), &job->timer);
	DL_DELETE(job->users->jobs, job);
	explicit_bzero(job->id, sizeof job->id);
	object_free(&job);
	return (op);
}

void
users_close(struct users *users)
{
	struct user_job *job, *next;

	object_check(users, USERS_MAGIC);
	users->is_closing = true;
	DL_FOREACH_SAFE(users->jobs, job, next)
		if (!job->is_asking)
			op_fail(job_end(job, true), ERR_database_away);
}

void
users_destroy(struct users **given)
{
	struct users *users = *given;

	*given = NULL;
	if (users == NULL)
		return;
	object_check(users, USERS_MAGIC);
	must(users->jobs == NULL);
	object_free(&users);
}

/* --- cookies ----------------------------------------------------------- */

void
users_find_cookie(text header, text *value)
{
	text one, key, given;

	while (header.len > 0) {
		text_cut(header, ';', &one, &header);
		if (text_cut(text_trim(one), '=', &key, &given) &&
		    text_is(key, TEXT(USERS_COOKIE)))
			*value = given;
	}
}

/* A client may have written the colon as others do. */
static bool
cut_cookie(text value, text *id_out, text *sign_out)
{
	static const text heads[] = { TEXT("s:"), TEXT("s%3A"),
	    TEXT("s%3a") };

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		if (text_begins(value, heads[i]))
			return (text_cut(text_from(value.at + heads[i].len,
			    value.len - heads[i].len), '.', id_out,
			    sign_out) && id_out->len == ID_SIGNS);
	return (false);
}

bool
users_read_cookie(const struct service *service, int32_t tenant, text value,
    char hash_out[DIGEST_HEX_SIZE])
{
	const struct keyring *keyring = sign_in_keyring(service->sign_in);
	char sign[KEY_LOOKUP_SIZE];
	text id, given;

	if (!cut_cookie(value, &id, &given))
		return (false);
	for (unsigned i = 0; i < keyring->cookie_count; i++) {
		key_lookup(keyring->cookie_secrets[i], tenant, id, sign);
		if (secret_is(given, text_of(sign))) {
			digest_as_hex(id, hash_out, DIGEST_HEX_SIZE);
			return (true);
		}
	}
	return (false);
}

enum err
users_find(struct op *op)
{
	char hash[DIGEST_HEX_SIZE];
	struct caller *caller;
	struct buf id;

	if (op->login.at == NULL)
		return (ERR_login_required);
	if (!tenant_trusts_page(op->tenant, op->origin, op->host))
		return (ERR_origin_not_allowed);
	if (!users_read_cookie(op->ground->service, op->tenant->id,
	    op->login, hash))
		return (ERR_login_required);
	buf_init(&id, BUF_NO_LIMIT);
	buf_printf(&id, "login:%s", hash);
	caller = arena_alloc(&op->arena, sizeof *caller);
	*caller = (struct caller){ .rank = RANK_NONE,
	    .tenant = op->tenant->id, .name = TEXT("") };
	caller->id = op_keep(op, buf_text(&id));
	buf_fini(&id);
	op->caller = caller;
	return (ERR_none);
}

/* value: at NULL, to take it away. */
static void
set_cookie(struct op *op, text value)
{
	struct buf header;

	buf_init(&header, BUF_NO_LIMIT);
	buf_printf(&header, "{\"Set-Cookie\":\"" USERS_COOKIE "=%.*s; "
	    "Path=/%s%.*s; Max-Age=%d; HttpOnly; SameSite=Lax%s\"}",
	    TEXT_ARGS(value), op->slug.at != NULL ? "t/" : "",
	    TEXT_ARGS(op->slug), value.at != NULL ? LOGIN_LIFE_S : 0,
	    text_is(op->scheme, TEXT("https")) ? "; Secure" : "");
	op_add_headers(op, op_keep(op, buf_text(&header)));
	buf_fini(&header);
}

static void
set_login(struct op *op, const char *id)
{
	const struct keyring *keyring = sign_in_keyring(
	    op->ground->service->sign_in);
	char sign[KEY_LOOKUP_SIZE];
	struct buf value;

	key_lookup(keyring->cookie_secrets[0], op->tenant->id, text_of(id),
	    sign);
	buf_init(&value, BUF_NO_LIMIT);
	buf_printf(&value, "s:%s.%s", id, sign);
	set_cookie(op, buf_text(&value));
	buf_fini(&value);
}

/* --- what both do ------------------------------------------------------ */

static struct user_job *
job_create(struct op *op)
{
	struct users *users = op->ground->service->users;
	struct user_job *job;

	if (users->is_closing) {
		op_fail(op, ERR_database_away);
		return (NULL);
	}
	act_wait(op);
	op->client_address = op_keep(op, op->client_address);
	job = object_create(struct user_job, USER_JOB_MAGIC);
	job->users = users;
	job->op = op;
	job->password = op->inputs[1];
	DL_APPEND(users->jobs, job);
	return (job);
}

static void
job_do(struct user_job *job)
{
	struct crew *crew = sign_in_crew(job->users->service->sign_in);

	job->is_asking = false;
	if (job->users->is_closing)
		op_fail(job_end(job, true), ERR_database_away);
	else if (crew == NULL || !crew_do(crew, &job->job))
		op_fail(job_end(job, true), ERR_sign_in_busy);
}

static void
job_ask(struct user_job *job, enum function function, const text *inputs,
    unsigned count,
    void (*on_answer)(void *, const struct db_answer *))
{
	struct call_context context;

	job->is_asking = true;
	act_context(job->op, &context);
	service_ask(job->users->service, function, &context,
	    act_stream(job->op), inputs, count, on_answer, job);
}

/* --- login ------------------------------------------------------------- */

static void
on_kept(void *context, const struct db_answer *answer)
{
	struct user_job *job = object_cast(struct user_job, USER_JOB_MAGIC,
	    context);
	char id[sizeof job->id];
	struct call_row row;
	struct op *op;

	memcpy(id, job->id, sizeof id);
	op = job_end(job, true);
	act_tell(op->ground->service, op->tenant->id, answer);
	if (answer->result == DB_ROWS && act_answer_row(answer, &row)) {
		COUNT(logins);
		set_login(op, id);
		act_reply(op, &row);
	} else
		act_fail(op, answer);
	explicit_bzero(id, sizeof id);
}

static void
keep_login(struct user_job *job)
{
	char bytes[ID_BYTES], hash[DIGEST_HEX_SIZE];
	text inputs[3];

	secret_fill(bytes, sizeof bytes);
	base64_write_url(text_from(bytes, sizeof bytes), job->id);
	job->id[ID_SIGNS] = '\0';
	explicit_bzero(bytes, sizeof bytes);
	digest_as_hex(text_of(job->id), hash, sizeof hash);
	inputs[0] = text_of(job->user);
	inputs[1] = job->hash;
	inputs[2] = text_of(hash);
	job_ask(job, FUNCTION_tabletop_login_insert, inputs, 3, on_kept);
}

static void
prove(struct user_job *job)
{
	if (job->hash.at == NULL)
		job->is_right = key_check_nobody(job->password);
	else
		job->is_right = key_check(job->password, job->hash);
}

static void
on_proved(struct user_job *job)
{
	struct op *op = job->op;

	if (job->is_right) {
		keep_login(job);
		return;
	}
	COUNT(logins_refused);
	log_info("login refused", F("tenant", op->tenant->slug),
	    F("address", op->client_address),
	    F("requestId", op->request_id));
	op_fail(job_end(job, false), ERR_login_invalid);
}

static bool
read_user(struct user_job *job, text body)
{
	struct json_object *user = json_in_read(body);
	int64_t id;
	text hash;
	bool is_good = user != NULL && json_in_int(user, "id", &id) &&
	    json_in_text(user, "hash", &hash);

	if (is_good) {
		snprintf(job->user, sizeof job->user, "%lld", (long long)id);
		job->hash = op_keep(job->op, hash);
	}
	json_in_free(&user);
	return (is_good);
}

static void
on_found(void *context, const struct db_answer *answer)
{
	struct user_job *job = object_cast(struct user_job, USER_JOB_MAGIC,
	    context);
	struct call_row row;

	if (answer->result != DB_ROWS) {
		act_fail(job_end(job, true), answer);
		return;
	}
	if (act_answer_row(answer, &row) && !read_user(job, row.body)) {
		log_error("a user's row is not understood");
		op_fail(job_end(job, true), ERR_internal);
		return;
	}
	job_do(job);
}

static void
find(struct user_job *job)
{
	job_ask(job, FUNCTION_tabletop_user_find, &job->op->inputs[0], 1,
	    on_found);
}

static void
begin(struct user_job *job)
{
	const struct service *service = job->users->service;
	enum err err = limit_login(job->op->tenant, job->op->client_address,
	    service->conf, clock_ms() / 1000, &job->limit);

	if (err != ERR_none) {
		struct limit_state state = job->limit.state;
		struct op *op = job_end(job, true);

		op->limit = state;
		op->answer.retry_after_s = state.reset_s;
		op_fail(op, err);
		return;
	}
	job->is_counted = !job->limit.has_to_ask_again;
	if (job->limit.wait_ms > 0)
		timer_set(loop_timers(service->loop), &job->timer,
		    job->limit.wait_ms);
	else
		find(job);
}

static void
on_waited(struct user_job *job)
{
	if (job->is_counted)
		find(job);
	else
		begin(job);
}

void
operation_tabletop_login(struct op *op)
{
	struct user_job *job = job_create(op);

	if (job == NULL)
		return;
	timer_init(&job->timer, on_waited, job);
	crew_job_init(&job->job, prove, on_proved, job);
	begin(job);
}

/* --- users who are made ------------------------------------------------ */

static void
hash(struct user_job *job)
{
	key_hash(job->password, job->made);
}

static void
on_made(void *context, const struct db_answer *answer)
{
	struct op *op = job_end(object_cast(struct user_job, USER_JOB_MAGIC,
	    context), true);
	struct call_row row;

	act_tell(op->ground->service, op->tenant->id, answer);
	if (answer->result == DB_ROWS && act_answer_row(answer, &row))
		act_reply(op, &row);
	else
		act_fail(op, answer);
}

static void
on_hashed(struct user_job *job)
{
	const text inputs[] = { job->op->inputs[0], text_of(job->made),
	    job->op->inputs[2] };

	job_ask(job, FUNCTION_tabletop_user_insert, inputs, 3, on_made);
}

/* A password has too few bits for its digest to be kept in the clear. */
static void
hash_body(struct op *op)
{
	const struct keyring *keyring = sign_in_keyring(
	    op->ground->service->sign_in);
	char hash[KEY_LOOKUP_SIZE];

	if (op->idempotency_key.at == NULL)
		return;
	key_lookup(keyring->server_secret, op->tenant->id, op->body, hash);
	op->body_hash = op_keep(op, text_of(hash));
}

void
operation_tabletop_user_create(struct op *op)
{
	struct user_job *job = job_create(op);

	if (job == NULL)
		return;
	hash_body(op);
	timer_init(&job->timer, on_waited, job);
	crew_job_init(&job->job, hash, on_hashed, job);
	job_do(job);
}

/* --- logout ------------------------------------------------------------ */

static void
on_logged_out(void *context, const struct db_answer *answer)
{
	struct op *op = context;
	struct call_row row;

	act_tell(op->ground->service, op->tenant->id, answer);
	if (answer->result == DB_ROWS && act_answer_row(answer, &row)) {
		set_cookie(op, TEXT_NONE);
		act_reply(op, &row);
	} else
		act_fail(op, answer);
}

void
operation_tabletop_logout(struct op *op)
{
	struct call_context context;
	text input = op->caller->id;
	size_t head = sizeof "login:" - 1;

	if (!text_begins(input, TEXT("login:"))) {
		op_reply_as(op, 204, TEXT_NONE, TEXT_NONE);
		return;
	}
	input = text_from(input.at + head, input.len - head);
	act_wait(op);
	act_context(op, &context);
	service_ask(op->ground->service, FUNCTION_tabletop_login_end,
	    &context, TEXT_NONE, &input, 1, on_logged_out, op);
}
