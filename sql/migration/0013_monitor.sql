-- SPDX-License-Identifier: MIT
--
-- Rooms of the game service that are watched: what a monitor knows is in its
-- row, so that any host can tell it, and go on where another one died.

-- Who watches. A holder is one jobs process; what it holds is anybody's when
-- it has not said for so long that it lives.
CREATE TABLE partyline.monitor_holder (
	name		text PRIMARY KEY,
	until		timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Of one row of session_game, by its id. It is over from ended_at on, and
-- begins anew when somebody asks again; `lease` rises with each who may
-- write here, and never falls. players, player_ids: who ever joined, in that
-- order; 0 where the id is not known. max_players: the catalog's, until the
-- room says. heard_count: how many the room has;
-- player_count: that, or what somebody said since by hand. shard: as whom
-- the room knows us.
CREATE TABLE partyline.monitor (
	tenant_id	int NOT NULL,
	id		bigint NOT NULL,
	session_id	bigint NOT NULL,
	game_id		bigint NOT NULL,
	room_code	text NOT NULL CHECK (room_code ~ '^[A-Z0-9]{4}$'),
	lease		bigint NOT NULL DEFAULT 1 CHECK (lease >= 1),
	leased_by	text,
	app_tag		text CHECK (length(app_tag) <= 200),
	max_players	int NOT NULL CHECK (max_players >= 0),
	players		text[] NOT NULL DEFAULT '{}',
	player_ids	bigint[] NOT NULL DEFAULT '{}',
	heard_count	int CHECK (heard_count >= 0),
	player_count	int CHECK (player_count >= 0),
	lobby_state	text CHECK (length(lobby_state) <= 200),
	game_state	text CHECK (length(game_state) <= 200),
	can_start	boolean NOT NULL DEFAULT false,
	is_starting	boolean NOT NULL DEFAULT false,
	is_connected	boolean NOT NULL DEFAULT false,	-- it ever was
	is_started	boolean NOT NULL DEFAULT false,
	is_finished	boolean NOT NULL DEFAULT false,
	shard_id	bigint,
	shard_secret	text,
	begun_at	timestamptz(3) NOT NULL,
	ended_at	timestamptz(3),
	reason		text CHECK (reason IN ('room_closed', 'room_not_found',
			    'connection_failed', 'role_rejected',
			    'manually_stopped')),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT monitor_session_game FOREIGN KEY (tenant_id, id)
	    REFERENCES partyline.session_game ON DELETE CASCADE,
	CONSTRAINT monitor_ends_once
	    CHECK ((ended_at IS NULL) = (reason IS NULL)),
	CONSTRAINT monitor_players_whole
	    CHECK (cardinality(players) = cardinality(player_ids))
) WITH (fillfactor = 50);
CREATE INDEX monitor_live ON partyline.monitor (tenant_id, session_id)
    WHERE ended_at IS NULL;
CREATE INDEX monitor_ended ON partyline.monitor (leased_by)
    WHERE ended_at IS NOT NULL AND leased_by IS NOT NULL;

ALTER TABLE partyline.monitor ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.monitor FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.monitor USING (tenant_id =
    nullif(current_setting('partyline.tenant', true), '')::int);
CREATE POLICY fleet ON partyline.monitor TO partyline_fleet USING (true);
GRANT SELECT, INSERT, UPDATE ON partyline.monitor TO partyline_server;
GRANT SELECT, UPDATE ON partyline.monitor TO partyline_fleet;
GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.monitor_holder
    TO partyline_fleet;

-- What a monitor sees is written down in the list of the session, too.
CREATE POLICY fleet ON partyline.session_game TO partyline_fleet
USING (true);
GRANT SELECT ON partyline.session_game TO partyline_fleet;
GRANT UPDATE (status, player_count, player_count_check_status)
    ON partyline.session_game TO partyline_fleet;

-- Those that were asked for while nobody could watch.
ALTER TABLE partyline.game NO FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.session_game NO FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.monitor NO FORCE ROW LEVEL SECURITY;
UPDATE partyline.session_game SET player_count_check_status = 'stopped'
WHERE player_count_check_status IN ('monitoring', 'checking')
    AND (status <> 'playing' OR room_code IS NULL);
INSERT INTO partyline.monitor (tenant_id, id, session_id, game_id, room_code,
    max_players, begun_at)
SELECT p.tenant_id, p.id, p.session_id, p.game_id, p.room_code, g.max_players,
    now()
FROM partyline.session_game p
JOIN partyline.game g ON g.tenant_id = p.tenant_id AND g.id = p.game_id
WHERE p.player_count_check_status IN ('monitoring', 'checking');
ALTER TABLE partyline.monitor FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.session_game FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.game FORCE ROW LEVEL SECURITY;
