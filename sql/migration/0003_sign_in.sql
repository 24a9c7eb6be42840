-- SPDX-License-Identifier: MIT
--
-- Who may sign in, which tokens are no longer believed, and the tickets that
-- open one stream once.

-- lookup: HMAC of tenant and key under the server's secret, which finds the
-- row; hash: scrypt of the key, which proves it. A revoked admin stays, so
-- that what he did keeps its name.
CREATE TABLE partyline.admin (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	name		text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	role		text NOT NULL
			CHECK (role IN ('admin', 'bot', 'viewer')),
	lookup		text NOT NULL,
	hash		text NOT NULL,
	came_from	text NOT NULL
			CHECK (came_from IN ('command', 'configuration')),
	created_at	timestamptz(3) NOT NULL,
	created_text	text NOT NULL,
	revoked_at	timestamptz(3),
	revoked_text	text,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX admin_name_taken ON partyline.admin (tenant_id, name)
    WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX admin_key_taken ON partyline.admin (tenant_id, lookup)
    WHERE revoked_at IS NULL;

-- kind `name`: every token of that name issued at or before `before`;
-- kind `token`: the one token whose jti is value.
CREATE TABLE partyline.token_revocation (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	kind		text NOT NULL CHECK (kind IN ('name', 'token')),
	value		text NOT NULL,
	before		timestamptz(3) NOT NULL,
	before_text	text NOT NULL,
	expires_at	timestamptz,
	PRIMARY KEY (tenant_id, kind, value)
);

-- hash: SHA-256 of the ticket.
CREATE TABLE partyline.ticket (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	hash		text NOT NULL,
	stream		text NOT NULL,
	caller		text NOT NULL,
	role		text NOT NULL,
	expires_at	timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX ticket_expires_at ON partyline.ticket (expires_at);

ALTER TABLE partyline.admin ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.admin FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.admin
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

ALTER TABLE partyline.token_revocation ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.token_revocation FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.token_revocation
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);
CREATE POLICY fleet ON partyline.token_revocation TO partyline_fleet
USING (true);

ALTER TABLE partyline.ticket ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.ticket FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.ticket
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);
CREATE POLICY fleet ON partyline.ticket TO partyline_fleet
USING (true);

GRANT SELECT ON partyline.admin, partyline.token_revocation
    TO partyline_server;
GRANT SELECT, INSERT, DELETE ON partyline.ticket TO partyline_server;
GRANT SELECT, INSERT, UPDATE ON partyline.admin TO partyline_fleet;
GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.token_revocation
    TO partyline_fleet;
GRANT SELECT, DELETE ON partyline.ticket TO partyline_fleet;
