-- SPDX-License-Identifier: MIT
--
-- The installation: which cluster this is, its hosts, its secrets, the
-- stream `control`, and what has had its time.

-- Every stream begins a new epoch. Says how many there are.
CREATE FUNCTION api.epoch_renew()
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	count bigint;
BEGIN
	PERFORM FROM partyline.installation FOR UPDATE;
	PERFORM FROM partyline.stream s
	ORDER BY s.tenant_id, s.name COLLATE "C" FOR UPDATE;
	UPDATE partyline.stream SET epoch = DEFAULT;
	GET DIAGNOSTICS count = ROW_COUNT;
	UPDATE partyline.installation SET renewed_at = now(),
	    system_identifier = (pg_control_system()).system_identifier,
	    timeline = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
	    stream_oid = 'partyline.stream'::regclass::oid;
	RETURN count;
END
$$;

-- By command: of all streams, or of a tenant's, in whose streams numbers may
-- have been given twice. Workers hear it in `control`, and compare at once.
CREATE FUNCTION api.epoch_begin(ctx api.ctx, wanted text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	tenant partyline.tenant;
	event api.answer;
	count bigint;
BEGIN
	PERFORM api.enter(ctx);
	IF wanted IS NULL THEN
		count := api.epoch_renew();
		event := api.emit_control(ctx, 'epoch.renewed', '{}');
	ELSE
		tenant := api.tenant_lock(wanted);
		event := api.emit_control(ctx, 'epoch.renewed',
		    '{"tenant":' || tenant.id || '}');
		PERFORM FROM partyline.stream s
		WHERE s.tenant_id = tenant.id
		ORDER BY s.name COLLATE "C" FOR UPDATE;
		UPDATE partyline.stream s SET epoch = DEFAULT
		WHERE s.tenant_id = tenant.id;
		GET DIAGNOSTICS count = ROW_COUNT;
	END IF;
	RETURN NEXT api.reply(200, '{"streams":' || count || '}');
	RETURN NEXT event;
END
$$;

-- The first call of every connection, before anything else goes down it:
-- where the database was put elsewhere or put back, all epochs are renewed.
-- The renewal takes the fleet role, which the login role has; a connection
-- that may only read fails here until another one has renewed. The answer:
-- whether it renewed, the schema's version, the api's hash.
CREATE FUNCTION api.connect(OUT renewed boolean, OUT version int,
    OUT sha256 text)
LANGUAGE plpgsql AS $$
DECLARE
	before text := current_setting('role');
	same boolean;
BEGIN
	renewed := false;
	FOR attempt IN 1 .. 2 LOOP
		SELECT i.system_identifier =
		    (pg_control_system()).system_identifier
		    AND i.timeline =
		    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
		    AND i.stream_oid = 'partyline.stream'::regclass::oid
		INTO STRICT same FROM partyline.installation i;
		EXIT WHEN same;
		PERFORM set_config('role', 'partyline_fleet', true);
		IF attempt = 1 THEN
			-- Another connection may be at it.
			PERFORM FROM partyline.installation FOR UPDATE;
		ELSE
			PERFORM api.epoch_renew();
			renewed := true;
		END IF;
	END LOOP;
	PERFORM set_config('role', before, true);
	SELECT max(v.version) INTO version FROM partyline.schema_version v;
	SELECT v.sha256 INTO sha256 FROM partyline.api_version v
	ORDER BY v.applied_at DESC LIMIT 1;
END
$$;

-- A host says that it lives, and whether its news reach the others.
CREATE FUNCTION api.host_beat(host_id text, is_degraded boolean)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO partyline.host AS h (id, heartbeat, degraded)
	VALUES (host_id, clock_timestamp(), is_degraded)
	ON CONFLICT (id) DO UPDATE
	SET heartbeat = excluded.heartbeat, degraded = excluded.degraded;
	DELETE FROM partyline.host h
	WHERE h.heartbeat < clock_timestamp() - interval '1 day';
	RETURN NEXT api.reply(200, NULL);
END
$$;

CREATE FUNCTION api.host_leave(host_id text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM partyline.host h WHERE h.id = host_id;
	RETURN NEXT api.reply(200, NULL);
END
$$;

-- What each worker asks every 500 ms: READ of `control` from a number on,
-- whose first row says as body, beside the lowest number held, which hosts
-- there are and how long ago they were heard.
CREATE FUNCTION api.control_read(first bigint, most int)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	ctx api.ctx;
	answer api.answer;
	hosts text;
BEGIN
	ctx.tenant := 0;
	SELECT string_agg('{"id":' || to_json(h.id)::text || ',"degraded":'
	    || h.degraded || ',"age_ms":' || (extract(epoch FROM
	    clock_timestamp() - h.heartbeat) * 1000)::bigint || '}', ','
	    ORDER BY h.id)
	INTO hosts FROM partyline.host h;
	FOR answer IN SELECT * FROM api.stream_read(ctx, 'control', first,
	    most) LOOP
		IF answer.status IS NOT NULL THEN
			answer.body := '{"lowest":' || answer.body
			    || ',"hosts":[' || coalesce(hosts, '') || ']}';
		END IF;
		RETURN NEXT answer;
	END LOOP;
END
$$;

-- All that are believed, newest first: of a kind the first one is in use.
CREATE FUNCTION api.secret_list()
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	body text;
BEGIN
	SELECT json_agg(json_build_object('kind', s.kind, 'id', s.id,
	    'value', s.value, 'retires_at', api.iso(date_trunc('milliseconds',
	    s.retires_at))) ORDER BY s.kind, s.created_at DESC, s.id)
	INTO body
	FROM partyline.secret s
	WHERE coalesce(s.retires_at > now(), true);
	RETURN NEXT api.reply(200, body);
END
$$;

-- A new key for tokens; what the others signed is believed for so long, or
-- as long as they had before.
CREATE FUNCTION api.secret_rotate(ctx api.ctx, life interval)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	new_id text := left(gen_random_uuid()::text, 8);
BEGIN
	PERFORM api.enter(ctx);
	PERFORM FROM partyline.secret s WHERE s.kind = 'jwt' FOR UPDATE;
	DELETE FROM partyline.secret s
	WHERE s.kind = 'jwt' AND s.retires_at <= now();
	UPDATE partyline.secret s
	SET retires_at = least(s.retires_at, now() + life)
	WHERE s.kind = 'jwt';
	INSERT INTO partyline.secret (kind, id, value, created_at)
	VALUES ('jwt', new_id, encode(sha256(convert_to(
	    concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()),
	    'UTF8')), 'hex'), clock_timestamp());
	RETURN NEXT api.reply(200, '{"id":"' || new_id || '"}');
	RETURN NEXT api.emit_control(ctx, 'secret.changed',
	    '{"kind":"jwt","id":"' || new_id || '"}');
END
$$;

-- Removes what has had its time, at most `most` rows of each; body says how
-- many there were.
CREATE FUNCTION api.expire(most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	total bigint := 0;
	count bigint;
BEGIN
	DELETE FROM partyline.idempotency WHERE ctid = ANY (ARRAY(
	    SELECT i.ctid FROM partyline.idempotency i
	    WHERE i.at <= now() - interval '24 hours' LIMIT most));
	GET DIAGNOSTICS count = ROW_COUNT;
	total := total + count;
	DELETE FROM partyline.ticket WHERE ctid = ANY (ARRAY(
	    SELECT t.ctid FROM partyline.ticket t
	    WHERE t.expires_at <= now() LIMIT most));
	GET DIAGNOSTICS count = ROW_COUNT;
	total := total + count;
	DELETE FROM partyline.token_revocation WHERE ctid = ANY (ARRAY(
	    SELECT r.ctid FROM partyline.token_revocation r
	    WHERE r.expires_at <= now() LIMIT most));
	GET DIAGNOSTICS count = ROW_COUNT;
	total := total + count;
	DELETE FROM partyline.recovery WHERE ctid = ANY (ARRAY(
	    SELECT r.ctid FROM partyline.recovery r
	    WHERE r.until <= now() LIMIT most));
	GET DIAGNOSTICS count = ROW_COUNT;
	total := total + count;
	DELETE FROM partyline.recovery WHERE ctid = ANY (ARRAY(
	    SELECT r.ctid FROM partyline.recovery_holder h
	    JOIN partyline.recovery r ON r.holder = h.name
	    WHERE h.until <= now() AND r.until IS NULL LIMIT most));
	GET DIAGNOSTICS count = ROW_COUNT;
	total := total + count;
	DELETE FROM partyline.recovery_holder WHERE name = ANY (ARRAY(
	    SELECT h.name FROM partyline.recovery_holder h
	    WHERE h.until <= now() AND NOT EXISTS (
		SELECT FROM partyline.recovery r
		WHERE r.holder = h.name AND r.until IS NULL) LIMIT most));
	GET DIAGNOSTICS count = ROW_COUNT;
	total := total + count;
	RETURN NEXT api.reply(200, total::text);
END
$$;
