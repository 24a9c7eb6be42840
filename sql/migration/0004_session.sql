-- SPDX-License-Identifier: MIT
--
-- Sessions of the picker. At most one of a tenant is active.

CREATE TABLE partyline.session (
	tenant_id	int NOT NULL REFERENCES partyline.tenant
			ON DELETE CASCADE,
	id		bigint NOT NULL,
	notes		text,
	is_active	boolean NOT NULL DEFAULT true,
	archived	boolean NOT NULL DEFAULT false,
	games_played	int NOT NULL DEFAULT 0 CHECK (games_played >= 0),
	created_at	timestamptz(3) NOT NULL,
	created_text	text NOT NULL,
	closed_at	timestamptz(3),
	closed_text	text,
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT session_closed_or_active
	    CHECK (is_active = (closed_at IS NULL)
	    AND is_active = (closed_text IS NULL)),
	CONSTRAINT session_archived_is_closed CHECK (NOT (archived AND is_active))
);
CREATE UNIQUE INDEX active_session_exists ON partyline.session (tenant_id)
    WHERE is_active;
CREATE INDEX session_newest
    ON partyline.session (tenant_id, created_at DESC, id DESC);

ALTER TABLE partyline.session ENABLE ROW LEVEL SECURITY;
ALTER TABLE partyline.session FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON partyline.session
USING (tenant_id = nullif(current_setting('partyline.tenant', true), '')::int);

GRANT SELECT, INSERT, UPDATE, DELETE ON partyline.session
    TO partyline_server;
