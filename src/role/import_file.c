/* SPDX-License-Identifier: MIT */
/*
 * What the tables of today's server are, and the way through them.
 */
#include "role/import_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/must.h"
#include "role/import_cell.h"

#define COLUMNS_MAX	32
#define ROWS_MAX	INT64_C(10000000)
#define ROWS_BYTES_MAX	((size_t)512 << 20)	/* of a table, as JSON */
#define ID_MOST		INT64_C(1000000000000)
#define COUNT_MOST	INT32_MAX

#define ID(name)	{ name, name, IMPORT_number, true, 1, ID_MOST, NULL, \
			    NULL }
#define TEXTS(name, as, needed, most)					\
			{ name, as, IMPORT_text, needed, 0, most, NULL, NULL }
#define NUMBER(name, least, most, otherwise)				\
			{ name, name, IMPORT_number, false, least, most, \
			    NULL, otherwise }
#define CHOICE(name, choices, otherwise)				\
			{ name, name, IMPORT_choice, false, 0, 0, choices, \
			    otherwise }
#define OTHER(name, as, kind, needed)					\
			{ name, as, IMPORT_##kind, needed, 0, 0, NULL, NULL }
#define END		{ .name = NULL }

/*
 * Who may play is taken as anybody where it is not known: that keeps the
 * game in the list.
 */
static const struct import_column games[] = {
	ID("id"),
	TEXTS("pack_name", "pack_name", true, 200),
	TEXTS("title", "title", true, 200),
	NUMBER("min_players", 1, 1000, "1"),
	NUMBER("max_players", 1, 1000, "100"),
	NUMBER("length_minutes", 1, 1440, NULL),
	OTHER("has_audience", "has_audience", flag, false),
	OTHER("family_friendly", "family_friendly", flag, false),
	TEXTS("game_type", "game_type", false, 100),
	TEXTS("secondary_type", "secondary_type", false, 100),
	NUMBER("play_count", 0, COUNT_MOST, NULL),
	NUMBER("upvotes", 0, COUNT_MOST, NULL),
	NUMBER("downvotes", 0, COUNT_MOST, NULL),
	OTHER("enabled", "enabled", flag, false),
	NUMBER("favor_bias", -1, 1, NULL),
	OTHER("ticker", "ticker", ticker, false),
	OTHER("created_at", "created_at", time, false),
	END
};

static const struct import_column packs[] = {
	ID("id"),
	TEXTS("name", "name", true, 200),
	NUMBER("favor_bias", -1, 1, NULL),
	OTHER("created_at", "created_at", time, false),
	END
};

static const struct import_column sessions[] = {
	ID("id"),
	OTHER("created_at", "created_at", time, false),
	OTHER("closed_at", "closed_at", time, false),
	OTHER("is_active", "is_active", flag, false),
	TEXTS("notes", "notes", false, 10000),
	OTHER("archived", "archived", flag, false),
	NUMBER("pending_game_id", 1, ID_MOST, NULL),
	CHOICE("pending_game_source", "dice manual poll", NULL),
	OTHER("poll_active", "poll_active", flag, false),
	OTHER("poll_started_at", "poll_started_at", time, false),
	OTHER("poll_ending_at", "poll_ending_at", time, false),
	NUMBER("poll_leading_game_id", 0, ID_MOST, NULL),
	TEXTS("poll_leading_label", "poll_leading_label", false, 200),
	NUMBER("poll_leading_votes", 0, COUNT_MOST, NULL),
	END
};

static const struct import_column session_games[] = {
	ID("id"), ID("session_id"), ID("game_id"),
	OTHER("played_at", "played_at", time, false),
	OTHER("manually_added", "manually_added", flag, false),
	CHOICE("status", "playing played skipped", "\"played\""),
	OTHER("room_code", "room_code", room, false),
	NUMBER("player_count", 0, 1000000, NULL),
	CHOICE("player_count_check_status",
	    "monitoring checking completed failed stopped", NULL),
	CHOICE("source", "dice manual poll", NULL),
	END
};

static const struct import_column live_votes[] = {
	ID("id"), ID("session_id"), ID("game_id"),
	TEXTS("username", "username", true, 100),
	OTHER("vote_type", "vote", vote, true),
	OTHER("timestamp", "voted_at", time, true),
	OTHER("created_at", "created_at", time, false),
	END
};

static const struct import_column chat_logs[] = {
	ID("id"), ID("session_id"),
	TEXTS("chatter_name", "username", true, 100),
	TEXTS("message", "message", true, 2000),
	OTHER("timestamp", "said_at", time, true),
	OTHER("parsed_vote", "vote", vote, false),
	OTHER("message_hash", "said_hash", hash, false),
	END
};

static const struct import_column webhooks[] = {
	ID("id"),
	TEXTS("name", "name", false, 100),
	TEXTS("url", "url", true, 2048),
	TEXTS("secret", "secret", false, 256),
	TEXTS("events", "wanted", false, 10000),
	OTHER("enabled", "enabled", flag, false),
	OTHER("created_at", "created_at", time, false),
	END
};

static const struct source {
	const char	*name;
	const struct import_column *columns;
	bool		 is_needed;
	/* Columns that tell nothing of their own, or the table's next id. */
	const char	*ignored;
} sources[IMPORT_TABLES] = {
	[IMPORT_GAMES] = { "games", games, true, "popularity_score" },
	[IMPORT_PACKS] = { "packs", packs, false, "" },
	[IMPORT_SESSIONS] = { "sessions", sessions, true, "" },
	[IMPORT_SESSION_GAMES] = { "session_games", session_games, false,
	    "" },
	[IMPORT_LIVE_VOTES] = { "live_votes", live_votes, false, "" },
	[IMPORT_CHAT_LOGS] = { "chat_logs", chat_logs, false, "" },
	[IMPORT_WEBHOOKS] = { "webhooks", webhooks, false, "" },
};

struct reading {
	struct import_file	*import;
	struct sqlite_file	*file;
	enum import_table	 table;
	const struct import_column *columns[COLUMNS_MAX];	/* there are */
	unsigned		 count;
	struct buf		*why;
};

const char *
import_table_name(enum import_table table)
{
	return (sources[table].name);
}

void
import_file_init(struct import_file *import)
{
	memset(import, 0, sizeof *import);
	for (unsigned i = 0; i < IMPORT_TABLES; i++)
		buf_init(&import->tables[i].rows, ROWS_BYTES_MAX);
	buf_init(&import->notes, ROWS_BYTES_MAX);
}

void
import_file_fini(struct import_file *import)
{
	for (unsigned i = 0; i < IMPORT_TABLES; i++)
		buf_fini(&import->tables[i].rows);
	buf_fini(&import->notes);
}

void
import_note(struct import_file *import, text table, int64_t id,
    const char *what, text why)
{
	struct json_out json;

	json_out_init(&json, &import->notes);
	json.needs_comma = import->notes.len > 0;
	json_object_begin(&json);
	json_key(&json, "table");
	json_text(&json, table);
	json_key(&json, "id");
	if (id < 0)
		json_nothing(&json);
	else
		json_int(&json, id);
	json_key(&json, "what");
	json_text_of(&json, what);
	json_key(&json, "why");
	json_text(&json, why);
	json_object_end(&json);
}

/* Rows. */

/*
 * Writes the row that the file is at. false: something was missing without
 * which it is nothing.
 */
static bool
read_row(struct reading *reading, struct json_out *json, struct buf *why)
{
	text table = text_of(sources[reading->table].name);
	struct cell cell;
	int64_t id = -1;

	json_object_begin(json);
	for (unsigned i = 0; i < reading->count; i++) {
		const struct import_column *column = reading->columns[i];
		enum import_result result;

		sqlite_file_cell(reading->file, i, &cell);
		json_key(json, column->as);
		result = import_cell(column, &cell, json, why);
		if (i == 0 && result == IMPORT_AS_IT_WAS)
			must(import_integer(&cell, &id));
		if (result == IMPORT_AS_IT_WAS)
			continue;
		import_note(reading->import, table, id,
		    result == IMPORT_MENDED ? "changed" : "left_out",
		    buf_text(why));
		if (result == IMPORT_IMPOSSIBLE)
			return (false);
	}
	json_object_end(json);
	if (id > reading->import->tables[reading->table].highest)
		reading->import->tables[reading->table].highest = id;
	return (true);
}

static bool
read_rows(struct reading *reading)
{
	struct buf *rows = &reading->import->tables[reading->table].rows;
	int64_t *count = &reading->import->tables[reading->table].count;
	struct json_out json;
	struct buf why;

	buf_init(&why, BUF_NO_LIMIT);
	json_out_init(&json, rows);
	json_array_begin(&json);
	while (!rows->has_failed && *count < ROWS_MAX &&
	    sqlite_file_next(reading->file)) {
		struct json_out before = json;
		size_t len = rows->len;

		++*count;
		if (!read_row(reading, &json, &why) && !rows->has_failed) {
			rows->len = len;
			rows->at[len] = '\0';
			json = before;
		}
	}
	json_array_end(&json);
	buf_fini(&why);
	if (rows->has_failed || reading->import->notes.has_failed ||
	    *count == ROWS_MAX) {
		buf_printf(reading->why, "table %s is too large",
		    sources[reading->table].name);
		return (false);
	}
	return (true);
}

/* Columns. */

static const struct import_column *
find_column(const struct source *source, text name)
{
	for (unsigned i = 0; source->columns[i].name != NULL; i++)
		if (text_is_like(name, text_of(source->columns[i].name)))
			return (&source->columns[i]);
	return (NULL);
}

/* What is in the table beside that. */
static bool
find_columns(struct reading *reading, bool *found)
{
	const struct source *source = &sources[reading->table];
	struct cell name;
	struct buf sql, why;

	buf_init(&sql, BUF_NO_LIMIT);
	buf_init(&why, BUF_NO_LIMIT);
	buf_printf(&sql, "SELECT name FROM pragma_table_info('%s')",
	    source->name);
	sqlite_file_select(reading->file, sql.at);
	while (sqlite_file_next(reading->file)) {
		const struct import_column *column;

		sqlite_file_cell(reading->file, 0, &name);
		column = find_column(source, name.bytes);
		if (column != NULL)
			found[column - source->columns] = true;
		else if (!text_is_like(name.bytes,
		    text_of(source->ignored))) {
			buf_clear(&why);
			buf_printf(&why, "its column %.*s is not known here",
			    TEXT_ARGS(name.bytes));
			import_note(reading->import, text_of(source->name),
			    -1, "not_carried", buf_text(&why));
		}
	}
	buf_fini(&why);
	buf_fini(&sql);
	return (sqlite_file_why(reading->file)[0] == '\0');
}

/* Those that are there, in the order of ours. */
static bool
choose_columns(struct reading *reading)
{
	const struct source *source = &sources[reading->table];
	bool found[COLUMNS_MAX] = { false };

	if (!find_columns(reading, found))
		return (false);
	reading->count = 0;
	for (unsigned i = 0; source->columns[i].name != NULL; i++) {
		if (found[i])
			reading->columns[reading->count++] =
			    &source->columns[i];
		else if (source->columns[i].is_needed) {
			buf_printf(reading->why, "its table %s has no column "
			    "%s", source->name, source->columns[i].name);
			return (false);
		}
	}
	return (true);
}

static bool
read_table(struct reading *reading)
{
	struct buf sql;

	if (!choose_columns(reading))
		return (false);
	buf_init(&sql, BUF_NO_LIMIT);
	for (unsigned i = 0; i < reading->count; i++)
		buf_printf(&sql, "%s \"%s\"", i == 0 ? "SELECT" : ",",
		    reading->columns[i]->name);
	buf_printf(&sql, " FROM \"%s\"", sources[reading->table].name);
	sqlite_file_select(reading->file, sql.at);
	buf_fini(&sql);
	return (read_rows(reading));
}

/* Tables. */

static bool
find_tables(struct reading *reading, bool *found)
{
	struct sqlite_file *file = reading->file;
	struct cell name;

	sqlite_file_select(file, "SELECT name FROM sqlite_schema WHERE "
	    "type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
	    "AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name");
	while (sqlite_file_next(file)) {
		bool is_known = false;

		sqlite_file_cell(file, 0, &name);
		for (unsigned i = 0; i < IMPORT_TABLES; i++)
			if (text_is_like(name.bytes,
			    text_of(sources[i].name)))
				is_known = found[i] = true;
		if (is_known)
			continue;
		import_note(reading->import, name.bytes, -1, "not_carried",
		    text_begins(name.bytes, TEXT("webhook")) ?
		    TEXT("what was sent before is not kept") :
		    TEXT("the table is not known here"));
	}
	return (sqlite_file_why(file)[0] == '\0');
}

/* An id that was given once is never given again, also of rows gone since. */
static bool
read_sequences(struct reading *reading)
{
	struct sqlite_file *file = reading->file;
	struct cell name, last;
	bool is_there;

	is_there = sqlite_file_select(file, "SELECT 1 FROM sqlite_schema "
	    "WHERE name = 'sqlite_sequence'") && sqlite_file_next(file);
	if (!is_there)
		return (sqlite_file_why(file)[0] == '\0');
	sqlite_file_select(file, "SELECT name, seq FROM sqlite_sequence");
	while (sqlite_file_next(file)) {
		sqlite_file_cell(file, 0, &name);
		sqlite_file_cell(file, 1, &last);
		for (unsigned i = 0; i < IMPORT_TABLES; i++)
			if (text_is_like(name.bytes, text_of(
			    sources[i].name)) &&
			    last.kind == CELL_INTEGER &&
			    last.integer <= ID_MOST && last.integer >
			    reading->import->tables[i].highest)
				reading->import->tables[i].highest =
				    last.integer;
	}
	return (sqlite_file_why(file)[0] == '\0');
}

static bool
read_all(struct reading *reading)
{
	bool found[IMPORT_TABLES] = { false };

	if (!find_tables(reading, found))
		return (false);
	for (unsigned i = 0; i < IMPORT_TABLES; i++) {
		reading->table = i;
		if (found[i]) {
			if (!read_table(reading))
				return (false);
			continue;
		}
		if (sources[i].is_needed) {
			buf_printf(reading->why, "it has no table %s, as "
			    "today's server makes it", sources[i].name);
			return (false);
		}
		buf_add_string(&reading->import->tables[i].rows, "[]");
		import_note(reading->import, text_of(sources[i].name), -1,
		    "not_carried", TEXT("the file has no such table"));
	}
	return (read_sequences(reading));
}

bool
import_file_read(struct import_file *import, struct sqlite_file *file,
    struct buf *why)
{
	struct reading reading = { .import = import, .file = file,
	    .why = why };
	bool is_good = read_all(&reading);

	if (sqlite_file_end(file))
		return (is_good);
	/* What the file itself has is the reason of all that followed. */
	buf_clear(why);
	buf_add_string(why, sqlite_file_why(file));
	return (false);
}
