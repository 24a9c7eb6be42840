-- SPDX-License-Identifier: MIT
--
-- Work that is to be done once in the whole installation, whichever host
-- does it; and how many events a tenant keeps.

-- Who holds a row's newest lease may do its work, until another one has
-- claimed it: `lease` rises with each claim. place: how far a round came.
CREATE TABLE partyline.work (
	name		text PRIMARY KEY,
	due_at		timestamptz NOT NULL DEFAULT now(),
	lease		bigint NOT NULL DEFAULT 0 CHECK (lease >= 0),
	leased_until	timestamptz,		-- NULL: nobody is at it
	leased_by	text,			-- the host that was last
	place_tenant	int NOT NULL DEFAULT -1,
	place_stream	text NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

INSERT INTO partyline.work (name) VALUES ('expire'), ('retention');

GRANT SELECT, UPDATE ON partyline.work TO partyline_fleet;

ALTER TABLE partyline.tenant
    ADD retention_events int CHECK (retention_events >= 1);

-- `control` need not go back for ever either: who is further behind reads
-- all lists anew.
ALTER TABLE partyline.tenant NO FORCE ROW LEVEL SECURITY;
UPDATE partyline.tenant SET retention_days = 30 WHERE id = 0;
ALTER TABLE partyline.tenant FORCE ROW LEVEL SECURITY;
