-- SPDX-License-Identifier: MIT
--
-- What a tenant's catalog begins with: public facts, which `partyline
-- migrate` loads from sql/seed/*.csv, a table for each file. They belong to
-- nobody; a tenant gets copies of his own, once.

CREATE TABLE partyline.seed_games (
	pack_name	text NOT NULL,
	title		text NOT NULL,
	min_players	int NOT NULL,
	max_players	int NOT NULL,
	length_minutes	int,
	has_audience	boolean,
	family_friendly	boolean,
	game_type	text,
	secondary_type	text,
	PRIMARY KEY (pack_name, title)
);
CREATE TABLE partyline.seed_tickers (
	ticker		text PRIMARY KEY,
	pack_name	text NOT NULL,
	title		text NOT NULL,
	UNIQUE (pack_name, title)
);

-- The tenants whose catalog was not filled yet. Who is not here is never
-- filled again, whatever he did with his catalog.
CREATE TABLE partyline.catalog_due (
	tenant_id	int PRIMARY KEY REFERENCES partyline.tenant
			ON DELETE CASCADE
);

-- Row-level security is forced on the owner too: he sees no tenant's rows.
ALTER TABLE partyline.tenant NO FORCE ROW LEVEL SECURITY;
INSERT INTO partyline.catalog_due (tenant_id)
SELECT id FROM partyline.tenant WHERE id > 0;
ALTER TABLE partyline.tenant FORCE ROW LEVEL SECURITY;

-- bytes: what a game takes of its tenant's storage. What we put there
-- takes nothing.
ALTER TABLE partyline.game
    ADD bytes int NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    ADD CONSTRAINT game_ticker CHECK (ticker ~ '^[A-Z0-9]{2,4}$');

GRANT SELECT ON partyline.seed_games, partyline.seed_tickers
    TO partyline_server;
GRANT SELECT, INSERT, DELETE ON partyline.catalog_due TO partyline_server;
