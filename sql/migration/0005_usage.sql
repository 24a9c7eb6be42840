-- SPDX-License-Identifier: MIT
--
-- What a stream takes, kept with its head: the bytes of the payloads that
-- are held, and what its noun adds. A tenant's storage is then a sum over
-- his streams instead of all that he ever wrote.

ALTER TABLE partyline.stream
    ADD bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0);

-- Row-level security is forced on the owner too: he sees no tenant's rows.
ALTER TABLE partyline.stream NO FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.event NO FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.session NO FORCE ROW LEVEL SECURITY;
UPDATE partyline.stream s SET bytes = coalesce((
	SELECT sum(octet_length(e.payload)) FROM partyline.event e
	WHERE e.tenant_id = s.tenant_id AND e.stream = s.name), 0)
    + coalesce((
	SELECT octet_length(n.notes) FROM partyline.session n
	WHERE n.tenant_id = s.tenant_id AND s.name = 'session:' || n.id), 0);
ALTER TABLE partyline.stream FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.event FORCE ROW LEVEL SECURITY;
ALTER TABLE partyline.session FORCE ROW LEVEL SECURITY;
