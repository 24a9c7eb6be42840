-- SPDX-License-Identifier: MIT
--
-- Who is at which table: a row for each socket that has joined, so that its
-- going is told once, whoever dies. Whoever has the socket removes its row;
-- where that process is gone, some host's jobs do.

-- socket: its sid. visit: which of its joins that was. host, process: who has
-- the socket, its start's id and "slot.generation".
CREATE TABLE partyline.tabletop_seat (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	socket		text NOT NULL,
	session_id	bigint NOT NULL,
	user_id		bigint NOT NULL,
	name		text NOT NULL,
	actor		text CHECK (length(actor) BETWEEN 1 AND 100),
	visit		bigint NOT NULL,
	host		text NOT NULL,
	process		text NOT NULL,
	since		timestamptz(3) NOT NULL,
	PRIMARY KEY (tenant_id, socket),
	FOREIGN KEY (tenant_id, session_id) REFERENCES
	    partyline.tabletop_session ON DELETE CASCADE,
	FOREIGN KEY (tenant_id, user_id) REFERENCES partyline.tabletop_user
	    ON DELETE CASCADE
);
CREATE INDEX tabletop_seat_session ON partyline.tabletop_seat
    (tenant_id, session_id);
CREATE INDEX tabletop_seat_user ON partyline.tabletop_seat
    (tenant_id, user_id);

ALTER TABLE partyline.tabletop_seat ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.tabletop_seat FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.tabletop_seat
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);
CREATE POLICY fleet ON partyline.tabletop_seat TO partyline_fleet
USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.tabletop_seat
    TO partyline_server;
GRANT SELECT, UPDATE, DELETE ON partyline.tabletop_seat TO partyline_fleet;
