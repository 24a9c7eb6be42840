-- SPDX-License-Identifier: MIT
--
-- The tabletop: its users and their logins, sessions with their members,
-- encounters with their tokens, and what was said. The stream of a session
-- is table:<id>, that of a user user:<id>.

-- Who can log in at a tabletop. Nobody is removed: what he did keeps his name.
CREATE TABLE partyline.tabletop_user (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	name		text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	hash		text NOT NULL,		-- scrypt, as core/key makes it
	is_admin	boolean NOT NULL,
	created_at	timestamptz(3) NOT NULL,
	created_text	text NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX user_name_taken ON partyline.tabletop_user
    (tenant_id, name);

-- hash: SHA-256 of the id in the cookie connect.sid. Who is logged out has none.
CREATE TABLE partyline.tabletop_login (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	hash		text NOT NULL,
	user_id		bigint NOT NULL,
	created_at	timestamptz(3) NOT NULL,
	expires_at	timestamptz(3) NOT NULL,
	PRIMARY KEY (tenant_id, hash),
	FOREIGN KEY (tenant_id, user_id) REFERENCES partyline.tabletop_user
	    ON DELETE CASCADE
);
CREATE INDEX tabletop_login_user ON partyline.tabletop_login
    (tenant_id, user_id);

-- status 'active' and so on are the clients' own affair.
CREATE TABLE partyline.tabletop_session (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	name		text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	description	text CHECK (length(description) <= 10000),
	status		text NOT NULL DEFAULT 'active' CHECK
			(status IN ('active', 'paused', 'ended', 'scheduled')),
	game_master_id	bigint,			-- NULL: an admin made it
	created_by	bigint,
	created_text	text NOT NULL,
	updated_text	text NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

-- Participants; the game master is none by himself.
CREATE TABLE partyline.tabletop_member (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	session_id	bigint NOT NULL,
	user_id		bigint NOT NULL,
	PRIMARY KEY (tenant_id, session_id, user_id),
	FOREIGN KEY (tenant_id, session_id) REFERENCES
	    partyline.tabletop_session ON DELETE CASCADE,
	FOREIGN KEY (tenant_id, user_id) REFERENCES partyline.tabletop_user
	    ON DELETE CASCADE
);
CREATE INDEX tabletop_member_user ON partyline.tabletop_member
    (tenant_id, user_id);

CREATE TABLE partyline.tabletop_encounter (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	session_id	bigint NOT NULL,
	name		text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, session_id) REFERENCES
	    partyline.tabletop_session ON DELETE CASCADE
);
CREATE INDEX tabletop_encounter_session ON partyline.tabletop_encounter
    (tenant_id, session_id);

-- version counts each change of it.
CREATE TABLE partyline.tabletop_token (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	encounter_id	bigint NOT NULL,
	name		text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
	image_url	text,
	size		text NOT NULL CHECK (size IN ('tiny', 'small',
			    'medium', 'large', 'huge', 'gargantuan')),
	position	jsonb NOT NULL,		-- {x, y, elevation}
	actor_id	text,
	is_visible	boolean NOT NULL,
	is_player_controlled boolean NOT NULL,
	data		jsonb NOT NULL,
	conditions	jsonb NOT NULL DEFAULT '[]',
	version		int NOT NULL DEFAULT 1 CHECK (version >= 1),
	created_by	bigint,
	updated_by	bigint,
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, encounter_id) REFERENCES
	    partyline.tabletop_encounter ON DELETE CASCADE
);
CREATE INDEX tabletop_token_encounter ON partyline.tabletop_token
    (tenant_id, encounter_id);

CREATE TABLE partyline.tabletop_chat (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	session_id	bigint,			-- NULL: from user to user
	user_id		bigint NOT NULL,	-- who said it
	recipient_type	text NOT NULL
			CHECK (recipient_type IN ('session', 'user', 'actor')),
	recipient_id	text NOT NULL,
	body		jsonb NOT NULL,		-- as it was told
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, session_id) REFERENCES
	    partyline.tabletop_session ON DELETE CASCADE,
	FOREIGN KEY (tenant_id, user_id) REFERENCES partyline.tabletop_user
	    ON DELETE CASCADE
);
CREATE INDEX tabletop_chat_session ON partyline.tabletop_chat
    (tenant_id, session_id, id);
CREATE INDEX tabletop_chat_user ON partyline.tabletop_chat
    (tenant_id, user_id);

ALTER TABLE partyline.tabletop_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_user FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_user
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

ALTER TABLE partyline.tabletop_login ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_login FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_login
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

ALTER TABLE partyline.tabletop_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_session FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_session
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

ALTER TABLE partyline.tabletop_member ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_member FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_member
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

ALTER TABLE partyline.tabletop_encounter ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_encounter FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_encounter
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

ALTER TABLE partyline.tabletop_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_token FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_token
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

ALTER TABLE partyline.tabletop_chat ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_chat FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_chat
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

GRANT SELECT, INSERT ON partyline.tabletop_user,
    partyline.tabletop_encounter, partyline.tabletop_chat
    TO partyline_server;
GRANT SELECT, INSERT, DELETE ON partyline.tabletop_login,
    partyline.tabletop_member TO partyline_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.tabletop_session,
    partyline.tabletop_token TO partyline_server;
