-- SPDX-License-Identifier: MIT
--
-- What holds for the whole installation: the roles, the schemas, which
-- cluster this is, the secrets that all hosts share.
--
-- Roles belong to the cluster, and several databases of it may be migrated
-- at once: whoever comes second finds them made. Login roles are granted
-- both WITH NOINHERIT and say SET ROLE.

DO $$
DECLARE
	wanted text;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('partyline roles'));
	FOREACH wanted IN ARRAY ARRAY['partyline_server', 'partyline_fleet'] LOOP
		CONTINUE WHEN to_regrole(wanted) IS NOT NULL;
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT '
			    'NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS',
			    wanted);
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;
		END;
	END LOOP;
	IF EXISTS (SELECT FROM pg_roles
	    WHERE rolname IN ('partyline_server', 'partyline_fleet')
	    AND (rolsuper OR rolbypassrls)) THEN
		RAISE EXCEPTION 'partyline_server and partyline_fleet must be '
		    'neither SUPERUSER nor BYPASSRLS';
	END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS partyline;
REVOKE ALL ON SCHEMA partyline FROM PUBLIC;
GRANT USAGE ON SCHEMA partyline TO partyline_server, partyline_fleet;

-- Who migrates writes these two, and may have made them before this ran.
CREATE TABLE IF NOT EXISTS partyline.schema_version (
	version		int PRIMARY KEY,
	name		text NOT NULL,
	sha256		text NOT NULL,
	applied_at	timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS partyline.api_version (
	sha256		text NOT NULL,
	applied_at	timestamptz NOT NULL DEFAULT now()
);

-- One row: the cluster that the epochs of the streams belong to. A
-- connection that finds itself elsewhere renews them (api.connect).
CREATE TABLE partyline.installation (
	is_only		boolean PRIMARY KEY DEFAULT true CHECK (is_only),
	system_identifier bigint NOT NULL,
	timeline	text NOT NULL,
	stream_oid	oid NOT NULL,
	renewed_at	timestamptz NOT NULL DEFAULT now()
);

-- `jwt` keys are named by their id; the newest signs, the others are still
-- believed until they retire.
CREATE TABLE partyline.secret (
	kind		text NOT NULL CHECK (kind IN ('cookie', 'jwt',
			    'server')),
	id		text NOT NULL,
	value		text NOT NULL CHECK (length(value) >= 64),
	created_at	timestamptz NOT NULL DEFAULT now(),
	retires_at	timestamptz,
	PRIMARY KEY (kind, id)
);

-- 256 bits each: three random UUIDs have 366.
INSERT INTO partyline.secret (kind, id, value)
SELECT kind, left(gen_random_uuid()::text, 8),
    encode(sha256(convert_to(concat(gen_random_uuid(), gen_random_uuid(),
    gen_random_uuid()), 'UTF8')), 'hex')
FROM unnest(ARRAY['cookie', 'jwt', 'server']) AS kind;

-- Each host that serves this installation.
CREATE TABLE partyline.host (
	id		text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
	heartbeat	timestamptz NOT NULL,
	degraded	boolean NOT NULL
) WITH (fillfactor = 50);

GRANT SELECT ON partyline.schema_version, partyline.api_version,
    partyline.installation, partyline.secret, partyline.host
    TO partyline_server, partyline_fleet;
GRANT UPDATE ON partyline.installation TO partyline_fleet;
GRANT INSERT, UPDATE, DELETE ON partyline.secret, partyline.host
    TO partyline_fleet;
