/* SPDX-License-Identifier: MIT */
/*
 * Seats: which socket is at which table is a row in the database, by which
 * its going is told once. Here it is taken, given back, and taken back where
 * others thought that this process is gone.
 *
 *	seat_ask ──> tabletop_join ──> a row, user-joined
 *	seat_give ─> tabletop_leave ─> no row, user-left ┐ until it is known
 *	      ^					 └───────┘ that it was done
 *	      └── or nobody: jobs/seats, when this process has died
 *
 * A socket's joins are counted: what is given back is that visit or an
 * earlier one, however late that is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "app/tabletop_inside.h"
#include "core/act.h"
#include "plat/loop.h"
#include "plat/segment.h"

#define AGAIN_MS 500
#define DIGITS 24
#define STREAM_SIZE 48

/* One that is to be given back. */
struct given {
	unsigned	 magic;
#define GIVEN_MAGIC 0x67697665
	struct given	*prev, *next;
	struct tabletop	*tabletop;
	struct timer	 again;
	int32_t		 tenant;
	int64_t		 session;
	int64_t		 visit;
	char		 sid[SOCKETIO_SID_LEN];
};

static text
stream_of(int32_t tenant, int64_t session, char out[STREAM_SIZE])
{
	snprintf(out, STREAM_SIZE, "%d table:%" PRId64, (int)tenant, session);
	return (text_of(out));
}

static text
digits_of(int64_t number, char out[DIGITS])
{
	snprintf(out, DIGITS, "%" PRId64, number);
	return (text_of(out));
}

/* --- taking ------------------------------------------------------------ */

void
seat_ask(struct ask *ask)
{
	struct service *service = ask->tabletop->service;
	char session[DIGITS], visit[DIGITS], process[2 * DIGITS];
	char stream[STREAM_SIZE];
	text inputs[6];

	snprintf(process, sizeof process, "%u.%" PRIu32, service->slot,
	    atomic_load(&service->segment->slots[service->slot].generation));
	inputs[0] = digits_of(ask->session, session);
	inputs[1] = ask->kept;
	inputs[2] = digits_of(ask->visit, visit);
	inputs[3] = ask->actor;
	inputs[4] = text_of(service->segment->host);
	inputs[5] = text_of(process);
	ask->player->at_work = ask;
	ask_send(ask, FUNCTION_tabletop_join, stream_of(ask->tenant,
	    ask->session, stream), inputs, 6);
}

/* --- giving back ------------------------------------------------------- */

static void	send_given(struct given *given);

static void
end_given(struct given *given)
{
	struct tabletop *tabletop = given->tabletop;

	DL_DELETE(tabletop->given, given);
	timer_stop(loop_timers(tabletop->service->loop), &given->again);
	object_free(&given);
}

static void
on_given(void *me, const struct db_answer *answer)
{
	struct given *given = object_cast(struct given, GIVEN_MAGIC, me);
	struct service *service = given->tabletop->service;

	act_tell(service, given->tenant, answer);
	if (service->is_closing || answer->result == DB_ROWS ||
	    answer->result == DB_REFUSED)
		end_given(given);
	else
		timer_set(loop_timers(service->loop), &given->again,
		    AGAIN_MS);
}

static void
send_given(struct given *given)
{
	const struct call_context context = { .tenant = given->tenant,
	    .request_id = TEXT("seat") };
	char session[DIGITS], visit[DIGITS], stream[STREAM_SIZE];
	const text inputs[] = { digits_of(given->session, session),
	    text_from(given->sid, sizeof given->sid),
	    digits_of(given->visit, visit) };

	service_ask(given->tabletop->service, FUNCTION_tabletop_leave,
	    &context, stream_of(given->tenant, given->session, stream),
	    inputs, 3, on_given, given);
}

void
seat_give(struct tabletop *tabletop, int32_t tenant, text sid,
    int64_t session, int64_t visit)
{
	struct given *given = object_create(struct given, GIVEN_MAGIC);

	must(sid.len == sizeof given->sid);
	given->tabletop = tabletop;
	given->tenant = tenant;
	given->session = session;
	given->visit = visit;
	memcpy(given->sid, sid.at, sid.len);
	timer_init(&given->again, send_given, given);
	DL_APPEND(tabletop->given, given);
	send_given(given);
}

bool
tabletop_has_finished(const struct tabletop *tabletop)
{
	return (tabletop->given == NULL);
}

void
seats_free(struct tabletop *tabletop)
{
	struct given *given, *next;

	DL_FOREACH_SAFE(tabletop->given, given, next)
		end_given(given);
}

/* --- taking back ------------------------------------------------------- */

static void
on_back(struct ask *ask, text body, enum err err,
    const struct db_answer *answer)
{
	struct player *player = ask->player;
	bool is_there = player != NULL && player->table.circle != NULL &&
	    player->table_visit == ask->visit;

	(void)body;
	if (player != NULL)
		player->at_work = NULL;
	if (!is_there && err == ERR_none)
		seat_give(ask->tabletop, ask->tenant, ask->kept,
		    ask->session, ask->visit);
	else if (is_there && answer->result == DB_REFUSED) {
		player_error(player, player->dialect, error_rows[err].words);
		player_leave(player, true);
		player_keep_place(player, NULL);
	} else if (is_there && err != ERR_none)
		player_break_off(player);
	ask_end(&ask);
	if (player != NULL)
		join_go_on(player);
}

void
seat_take_back(struct player *player)
{
	struct ask *ask;

	player->has_to_take_back = player->at_work != NULL;
	if (player->at_work != NULL || player->table.circle == NULL)
		return;
	ask = ask_create(player, NULL);
	ask->session = player->table.circle->id;
	ask->visit = player->table_visit;
	ask->kept = tabletop_copy(socketio_sid(player->socket));
	ask->actor = tabletop_copy(player->actor);
	ask->done = on_back;
	seat_ask(ask);
}
