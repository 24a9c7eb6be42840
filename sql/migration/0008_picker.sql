-- SPDX-License-Identifier: MIT
--
-- The picker: the catalog of games, what a session played, how people
-- voted, and what they said in chat. Rows go with their pack or session,
-- and these with their tenant.
--
-- Whoever changes several locks them in this order: session, session_game
-- by id, pack by id, game by id, counter, stream.

CREATE TABLE partyline.pack (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	name		text NOT NULL,
	favor_bias	int NOT NULL DEFAULT 0
			CHECK (favor_bias IN (-1, 0, 1)),
	created_at	timestamptz(3) NOT NULL,
	created_text	text NOT NULL,
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT pack_name UNIQUE (tenant_id, name)
);

-- A pack is there as long as it has a game. Votes count in the game's own
-- row, so it is rewritten often and leaves room beside itself.
CREATE TABLE partyline.game (
	tenant_id	int NOT NULL,
	id		bigint NOT NULL,
	pack_name	text NOT NULL,
	title		text NOT NULL,
	min_players	int NOT NULL CHECK (min_players >= 1),
	max_players	int NOT NULL,
	length_minutes	int CHECK (length_minutes >= 1),
	has_audience	boolean NOT NULL DEFAULT false,
	family_friendly	boolean NOT NULL DEFAULT false,
	game_type	text,
	secondary_type	text,
	ticker		text,
	play_count	int NOT NULL DEFAULT 0 CHECK (play_count >= 0),
	upvotes		int NOT NULL DEFAULT 0 CHECK (upvotes >= 0),
	downvotes	int NOT NULL DEFAULT 0 CHECK (downvotes >= 0),
	enabled		boolean NOT NULL DEFAULT true,
	favor_bias	int NOT NULL DEFAULT 0
			CHECK (favor_bias IN (-1, 0, 1)),
	created_at	timestamptz(3) NOT NULL,
	created_text	text NOT NULL,
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT game_exists UNIQUE (tenant_id, pack_name, title),
	CONSTRAINT game_pack FOREIGN KEY (tenant_id, pack_name)
	    REFERENCES partyline.pack (tenant_id, name) ON UPDATE CASCADE
	    ON DELETE CASCADE,
	CONSTRAINT game_players CHECK (max_players >= min_players)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX game_ticker_taken
    ON partyline.game (tenant_id, upper(ticker)) WHERE ticker IS NOT NULL;

-- What a session played, in the order of played_at and id. At most one of
-- its games is playing.
CREATE TABLE partyline.session_game (
	tenant_id	int NOT NULL,
	id		bigint NOT NULL,
	session_id	bigint NOT NULL,
	game_id		bigint NOT NULL,
	played_at	timestamptz(3) NOT NULL,
	played_text	text NOT NULL,
	manually_added	boolean NOT NULL DEFAULT false,
	source		text NOT NULL CHECK (source IN ('dice', 'manual',
			    'poll')),
	status		text NOT NULL DEFAULT 'playing'
			CHECK (status IN ('playing', 'played', 'skipped')),
	room_code	text CHECK (room_code ~ '^[A-Z0-9]{4}$'),
	player_count	int CHECK (player_count >= 0),
	-- What the room's monitor is told to do, or came to.
	player_count_check_status text CHECK (player_count_check_status IN
			    ('monitoring', 'checking', 'completed', 'failed',
			    'stopped')),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT session_game_session FOREIGN KEY (tenant_id, session_id)
	    REFERENCES partyline.session ON DELETE CASCADE,
	CONSTRAINT game_in_use FOREIGN KEY (tenant_id, game_id)
	    REFERENCES partyline.game
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX session_game_playing
    ON partyline.session_game (tenant_id, session_id)
    WHERE status = 'playing';
CREATE INDEX session_game_order
    ON partyline.session_game (tenant_id, session_id, played_at, id);
CREATE INDEX session_game_game ON partyline.session_game (tenant_id, game_id);

-- Votes as they came, live. vote: 1 or -1.
CREATE TABLE partyline.live_vote (
	tenant_id	int NOT NULL,
	id		bigint NOT NULL,
	session_id	bigint NOT NULL,
	game_id		bigint NOT NULL,
	username	text NOT NULL,
	vote		smallint NOT NULL CHECK (vote IN (-1, 1)),
	voted_at	timestamptz(3) NOT NULL,
	voted_text	text NOT NULL,
	created_at	timestamptz(3) NOT NULL,
	created_text	text NOT NULL,
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT live_vote_session FOREIGN KEY (tenant_id, session_id)
	    REFERENCES partyline.session ON DELETE CASCADE,
	CONSTRAINT game_in_use FOREIGN KEY (tenant_id, game_id)
	    REFERENCES partyline.game
);
-- Who voted for a game around a moment; what a session's games got.
CREATE INDEX live_vote_repeat
    ON partyline.live_vote (tenant_id, game_id, username, voted_at);
CREATE INDEX live_vote_session
    ON partyline.live_vote (tenant_id, session_id, game_id);
CREATE INDEX live_vote_newest
    ON partyline.live_vote (tenant_id, voted_at DESC, id DESC);

-- Lines of chat, each once in a session: hash tells the same line.
CREATE TABLE partyline.chat_log (
	tenant_id	int NOT NULL,
	id		bigint NOT NULL,
	session_id	bigint NOT NULL,
	username	text NOT NULL,
	message		text NOT NULL,
	said_at		timestamptz(3) NOT NULL,
	said_text	text NOT NULL,
	vote		smallint CHECK (vote IN (-1, 1)),
	game_id		bigint,			-- that the vote counted for
	hash		bytea NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT chat_log_once UNIQUE (tenant_id, session_id, hash),
	CONSTRAINT chat_log_session FOREIGN KEY (tenant_id, session_id)
	    REFERENCES partyline.session ON DELETE CASCADE
);
CREATE INDEX chat_log_order
    ON partyline.chat_log (tenant_id, session_id, said_at, id);

-- A poll runs from poll_started_at on; it ends by itself at poll_ending_at.
-- A leading game 0 is what people call something else. pending: the game
-- that the admins are about to add.
ALTER TABLE partyline.session
    ADD pending_game_id bigint,
    ADD pending_game_source text
	CHECK (pending_game_source IN ('dice', 'manual', 'poll')),
    ADD poll_started_at timestamptz(3),
    ADD poll_started_text text,
    ADD poll_ending_at timestamptz(3),
    ADD poll_ending_text text,
    ADD poll_leading_game_id bigint,
    ADD poll_leading_label text,
    ADD poll_leading_votes bigint,
    ADD CONSTRAINT session_pending_whole
	CHECK ((pending_game_id IS NULL) = (pending_game_source IS NULL)),
    ADD CONSTRAINT session_poll_is_active
	CHECK (poll_started_at IS NULL OR is_active),
    ADD CONSTRAINT session_poll_ends_once
	CHECK (poll_ending_at IS NULL OR poll_started_at IS NOT NULL);
CREATE INDEX session_poll_ending ON partyline.session (poll_ending_at)
    WHERE poll_ending_at IS NOT NULL;

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['pack', 'game', 'session_game',
	    'live_vote', 'chat_log'] LOOP
		EXECUTE format('ALTER TABLE partyline.%I '
		    'ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE partyline.%I '
		    'FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY tenant ON partyline.%I USING '
		    '(tenant_id = nullif(current_setting(''partyline.tenant'','
		    ' true), '''')::int)', name);
		EXECUTE format('GRANT SELECT, INSERT, DELETE '
		    'ON partyline.%I TO partyline_server', name);
	END LOOP;
END
$$;
-- What was said stays said.
GRANT UPDATE ON partyline.pack, partyline.game, partyline.session_game
    TO partyline_server;
