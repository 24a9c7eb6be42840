-- SPDX-License-Identifier: MIT
--
-- Streams: numbered events without gaps. The row of a stream is its lock:
-- who bumped the head holds it until his commit, so numbers are in the order
-- of commits, and a rolled back one was never taken.

-- A noun's creation makes its stream; emit() never does. noun_bytes: what
-- the noun takes beside its events.
CREATE FUNCTION api.stream_create(ctx api.ctx, stream_name text,
    noun_bytes bigint DEFAULT 0)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO partyline.stream (tenant_id, name, bytes)
	VALUES (ctx.tenant, stream_name, noun_bytes);
END
$$;

-- The noun takes so much more, or less.
CREATE FUNCTION api.stream_weigh(ctx api.ctx, stream_name text, more bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.stream s SET bytes = s.bytes + more
	WHERE s.tenant_id = ctx.tenant AND s.name = stream_name;
END
$$;

-- With all its events. Who deletes a noun emits <noun>.deleted in `control`.
CREATE FUNCTION api.stream_remove(ctx api.ctx, stream_name text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = stream_name;
	DELETE FROM partyline.event e
	WHERE e.tenant_id = ctx.tenant AND e.stream = stream_name;
END
$$;

-- An envelope before its number. These three are STABLE, as format and
-- concat are: IMMUTABLE would keep them from being inlined.
CREATE FUNCTION api.envelope_opening(type text, stream text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('{"type":"%s","stream":"%s","seq":', type, stream)
$$;

CREATE FUNCTION api.envelope(opening text, seq bigint, moment text, data text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat(opening, seq, ',"timestamp":"', moment, '","data":',
	    data, '}')
$$;

-- Bytes of an envelope but for its number: the moment has 24, and there are
-- 24 more around it.
CREATE FUNCTION api.envelope_bytes(opening text, data text)
RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT octet_length(opening) + octet_length(data) + 48::bigint
$$;

-- Stores an event as the stream's next. data: a finished JSON object. The
-- answer is its row for whoever called.
CREATE FUNCTION api.emit(ctx api.ctx, stream_name text, type text, data text)
RETURNS api.answer LANGUAGE plpgsql AS $$
DECLARE
	event api.answer;
	moment timestamptz;
	opening text := api.envelope_opening(type, stream_name);
	more bigint := api.envelope_bytes(opening, data);
	is_hooked boolean;
BEGIN
	UPDATE partyline.stream s SET head = s.head + 1,
	    bytes = s.bytes + more + length((s.head + 1)::text)
	WHERE s.tenant_id = ctx.tenant AND s.name = stream_name
	RETURNING s.epoch, s.head, s.is_hooked
	INTO event.epoch, event.seq, is_hooked;
	IF NOT FOUND THEN
		RAISE 'internal' USING ERRCODE = 'PT500', DETAIL =
		    json_build_object('stream', stream_name);
	END IF;
	moment := api.moment();
	event.element := 0;
	event.stream := stream_name;
	event.body := api.envelope(opening, event.seq, api.iso(moment), data);
	INSERT INTO partyline.event
	    (tenant_id, stream, seq, type, payload, at, request_id)
	VALUES (ctx.tenant, stream_name, event.seq, type, event.body, moment,
	    ctx.request_id);
	IF is_hooked AND api.webhook_queue(ctx, type, stream_name, event.seq,
	    moment, data) THEN
		event.headers := '{}';
	END IF;
	RETURN event;
END
$$;

-- An event that is not stored and has no number: for whoever hears it now.
CREATE FUNCTION api.live(stream_name text, type text, data text)
RETURNS api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN ROW(0, NULL, format('{"type":"%s","stream":"%s",'
	    '"timestamp":"%s","data":%s}', type, stream_name,
	    api.iso(api.moment()), data), stream_name, NULL, NULL, NULL,
	    NULL)::api.answer;
END
$$;

-- Into the one stream of the installation, which is tenant 0's. It sorts
-- before all others: emit here first.
CREATE FUNCTION api.emit_control(ctx api.ctx, type text, data text)
RETURNS api.answer LANGUAGE plpgsql AS $$
DECLARE
	event api.answer;
	tenant text := current_setting('partyline.tenant', true);
BEGIN
	ctx.tenant := 0;
	PERFORM set_config('partyline.tenant', '0', true);
	event := api.emit(ctx, 'control', type, data);
	PERFORM set_config('partyline.tenant', tenant, true);
	RETURN event;
END
$$;

-- READ: no row where there is no such stream; else a row with status 200
-- (stream, epoch, seq = head, body = lowest number held), then at most `most`
-- events from number `first` on. STABLE is what makes it one snapshot.
CREATE FUNCTION api.stream_read(ctx api.ctx, stream_name text, first bigint,
    most int)
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	head api.answer;
BEGIN
	PERFORM api.enter(ctx);
	SELECT 0, 200, s.lowest::text, s.name, s.epoch, s.head
	INTO head.element, head.status, head.body, head.stream, head.epoch,
	    head.seq
	FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = stream_name;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	RETURN NEXT head;
	IF first > head.seq OR most < 1 THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT 0, NULL::int, e.payload, stream_name, head.epoch, e.seq,
	    NULL::text, NULL::text
	FROM partyline.event e
	WHERE e.tenant_id = ctx.tenant AND e.stream = stream_name
	    AND e.seq >= first
	ORDER BY e.seq LIMIT most;
END
$$;

-- What the nouns behind a stream are, as a GET gives them.
CREATE FUNCTION api.stream_noun(ctx api.ctx, stream_name text)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE
	    WHEN stream_name = 'lobby' THEN api.session_active_text(ctx)
	    WHEN stream_name LIKE 'session:%' THEN
		api.session_text(ctx, split_part(stream_name, ':', 2)::bigint)
	    WHEN stream_name LIKE 'thread:%' THEN
		api.thread_text(ctx, split_part(stream_name, ':', 2)::bigint)
	    WHEN stream_name LIKE 'table:%' THEN
		api.tabletop_session_state(ctx,
		    split_part(stream_name, ':', 2)::bigint)
	    ELSE 'null' END;
END
$$;

-- STATE: no row where there is no such stream; else one with epoch, seq =
-- head, and as body what `resync` carries: the lowest number held and the
-- state at exactly that head. Nobody can commit an event of the stream while
-- its row is locked, so what a statement sees after that is the state at the
-- head. A head below `top`, in the epoch the caller knows, was put back: the
-- epoch is renewed.
CREATE FUNCTION api.stream_state(ctx api.ctx, stream_name text,
    known_epoch text, top bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	lowest bigint;
BEGIN
	PERFORM api.enter(ctx);
	SELECT 0, 200, s.name, s.epoch, s.head, s.lowest
	INTO answer.element, answer.status, answer.stream, answer.epoch,
	    answer.seq, lowest
	FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = stream_name
	FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF answer.epoch = known_epoch AND answer.seq < top THEN
		UPDATE partyline.stream s SET epoch = DEFAULT
		WHERE s.tenant_id = ctx.tenant AND s.name = stream_name
		RETURNING s.epoch INTO answer.epoch;
	END IF;
	answer.body := '{"from":' || lowest || ',"state":'
	    || api.stream_noun(ctx, stream_name) || '}';
	RETURN NEXT answer;
END
$$;

-- SWEEP, of many streams of any tenants, for the fleet role: element is the
-- place in the arrays; seq the head; none for a stream that is no more.
CREATE FUNCTION api.stream_heads(tenants int[], names text[])
RETURNS SETOF api.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY
	SELECT w.place::int - 1, 200, NULL::text, s.name, s.epoch,
	    s.head::bigint, NULL::text, NULL::text
	FROM unnest(tenants, names) WITH ORDINALITY AS w (tenant, name, place)
	JOIN partyline.stream s
	    ON s.tenant_id = w.tenant AND s.name = w.name;
END
$$;

-- Forgets the events below a number: what is asked for below it gets
-- `resync`. Says how many there were. The lowest number never falls.
CREATE FUNCTION api.stream_forget(tenant int, stream_name text, below bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	first bigint;
	events bigint;
	weight bigint;
BEGIN
	UPDATE partyline.stream s
	SET lowest = greatest(s.lowest, least(below, s.head + 1))
	WHERE s.tenant_id = tenant AND s.name = stream_name
	RETURNING s.lowest INTO first;
	WITH gone AS (
		DELETE FROM partyline.event e
		WHERE e.tenant_id = tenant AND e.stream = stream_name
		    AND e.seq < first
		RETURNING octet_length(e.payload) AS n)
	SELECT count(*), sum(g.n) INTO events, weight FROM gone g;
	IF events > 0 THEN
		UPDATE partyline.stream s SET bytes = s.bytes - weight
		WHERE s.tenant_id = tenant AND s.name = stream_name;
	END IF;
	RETURN events;
END
$$;

-- The same for one stream of the caller's tenant; body is the lowest number
-- that is held.
CREATE FUNCTION api.stream_trim(ctx api.ctx, stream_name text, below bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	PERFORM api.stream_forget(ctx.tenant, stream_name, below);
	RETURN QUERY
	SELECT 0, 200, s.lowest::text, NULL::text, NULL::text, NULL::bigint,
	    NULL::text, NULL::text
	FROM partyline.stream s
	WHERE s.tenant_id = ctx.tenant AND s.name = stream_name;
END
$$;
