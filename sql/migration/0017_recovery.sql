-- SPDX-License-Identifier: MIT
--
-- What a socket of Socket.IO followed, so that it can be put back there by
-- any worker of any host when its connection broke.

-- Processes that hold sockets, and until when those of one that says nothing
-- more may be put back.
CREATE TABLE partyline.recovery_holder (
	name		text PRIMARY KEY,	-- "host slot.generation"
	until		timestamptz NOT NULL
) WITH (fillfactor = 50);

-- hash: SHA-256 of the socket's private id. claim rises with each process
-- that takes it over. rooms: [{nth, stream, epoch, seq}], each from where on
-- it was followed. until: NULL as long as its holder has the socket.
CREATE TABLE partyline.recovery (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	hash		text NOT NULL,
	nsp		text NOT NULL,
	sid		text NOT NULL,
	caller		text NOT NULL,		-- empty: nobody
	holder		text NOT NULL,
	claim		bigint NOT NULL CHECK (claim >= 1),
	rooms		jsonb NOT NULL,
	data		text NOT NULL,		-- the application's own
	until		timestamptz,
	PRIMARY KEY (tenant_id, hash)
) WITH (fillfactor = 50);
CREATE INDEX recovery_until ON partyline.recovery (until)
    WHERE until IS NOT NULL;
CREATE INDEX recovery_of_holder ON partyline.recovery (holder)
    WHERE until IS NULL;

ALTER TABLE partyline.recovery ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.recovery FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.recovery
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);
CREATE POLICY fleet ON partyline.recovery TO partyline_fleet
USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.recovery
    TO partyline_server;
GRANT SELECT, INSERT ON partyline.recovery_holder TO partyline_server;
GRANT SELECT, DELETE ON partyline.recovery TO partyline_fleet;
GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.recovery_holder
    TO partyline_fleet;
