-- SPDX-License-Identifier: MIT
--
-- Threads: conversations whose answers come from a tenant's responder. A
-- turn is a question that waits for its answer; it goes when it has it, and
-- the thread's stream keeps what was said.

ALTER TABLE partyline.tenant ADD responder_url text
    CHECK (responder_url ~* '^https?://[^\s/?#@]+(?:[/?][^\s#]*)?$'
    AND length(responder_url) <= 2000);

-- id: of its stream. name: what its clients call it.
CREATE TABLE partyline.thread (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	name		text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	created_at	timestamptz(3) NOT NULL,
	active_at	timestamptz(3) NOT NULL,	-- its last turn
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT thread_name UNIQUE (tenant_id, name)
);
CREATE INDEX thread_idle ON partyline.thread (active_at);

-- heard_at: the last sign of life of who wants the answer. attempt: how often
-- it was claimed. said: how much of the answer was told.
CREATE TABLE partyline.turn (
	tenant_id	int NOT NULL,
	id		bigint NOT NULL,
	thread_id	bigint NOT NULL,
	kind		text NOT NULL CHECK (kind IN ('havefun', 'learning')),
	user_id		text NOT NULL,
	user_input	text NOT NULL,
	graph_version_id text NOT NULL,
	use_websocket	boolean NOT NULL,
	request_id	text NOT NULL,
	created_at	timestamptz NOT NULL,
	heard_at	timestamptz NOT NULL,
	attempt		int NOT NULL DEFAULT 0,
	said		bigint NOT NULL DEFAULT 0,
	lease		bigint NOT NULL DEFAULT 0,
	leased_until	timestamptz,		-- NULL: nobody is at it
	leased_by	text,			-- the host that was last
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT turn_thread FOREIGN KEY (tenant_id, thread_id)
	    REFERENCES partyline.thread ON DELETE CASCADE
) WITH (fillfactor = 50);
CREATE INDEX turn_order ON partyline.turn (tenant_id, thread_id, id);

ALTER TABLE partyline.thread ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.thread FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.thread
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);
CREATE POLICY fleet ON partyline.thread TO partyline_fleet
USING (true);

ALTER TABLE partyline.turn ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.turn FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.turn
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);
CREATE POLICY fleet ON partyline.turn TO partyline_fleet
USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.thread, partyline.turn
    TO partyline_server;
GRANT SELECT, UPDATE, DELETE ON partyline.thread, partyline.turn
    TO partyline_fleet;
