-- SPDX-License-Identifier: MIT
--
-- Idempotency-Key in batches: what api.repeated and api.keep are for single
-- calls. A key belongs to a caller and a scope, both given by place.
--
--	IF cardinality(array_remove(keys, NULL)) > 0 THEN
--		batch := api.batch_repeated(ctx, scopes, callers, keys, hashes);
--	END IF;
--	… who has neither status nor same_as is to be worked on …
--	batch.statuses := statuses;	-- and bodies, and refusals
--	IF batch.held IS NOT NULL THEN
--		batch := api.batch_keep(ctx, scopes, callers, keys, hashes,
--		    batch);
--	END IF;
--	RETURN QUERY SELECT * FROM api.batch_answers(batch);
--
-- Without any key all of batch is NULL, and so is each of its elements.

-- By place but for held, which has the places whose keys are held until the
-- end of the transaction. same_as: the earlier place whose answer it is.
CREATE TYPE api.batch AS (
	statuses	int[],
	bodies		text[],
	refusals	text[],
	same_as		int[],
	held		int[]
);

CREATE FUNCTION api.batch_repeated(ctx api.ctx, scopes text[],
    callers text[], keys text[], hashes text[])
RETURNS api.batch LANGUAGE plpgsql AS $$
DECLARE
	count int := cardinality(keys);
	statuses int[] := array_fill(NULL::int, ARRAY[count]);
	bodies text[] := array_fill(NULL::text, ARRAY[count]);
	refusals text[] := bodies;
	same_as int[] := statuses;
	held text[] := '{}';	-- the keys held by earlier places
	held_at int[] := '{}';
	held_key text;
	earlier int;
	kept partyline.idempotency;
BEGIN
	FOR n IN 1 .. count LOOP
		CONTINUE WHEN keys[n] IS NULL OR callers[n] IS NULL;
		held_key := concat_ws(E'\n', ctx.tenant, callers[n],
		    scopes[n], keys[n]);
		earlier := held_at[array_position(held, held_key)];
		IF earlier IS NOT NULL THEN
			IF hashes[earlier] = hashes[n] THEN
				same_as[n] := earlier;
			ELSE
				refusals[n] := 'idempotency_key_reused';
				statuses[n] := 422;
			END IF;
			CONTINUE;
		END IF;
		IF NOT pg_try_advisory_xact_lock(
		    hashtextextended(held_key, 0)) THEN
			refusals[n] := 'idempotency_in_progress';
			statuses[n] := 409;
			CONTINUE;
		END IF;
		SELECT * INTO kept FROM partyline.idempotency i
		WHERE i.tenant_id = ctx.tenant AND i.caller = callers[n]
		    AND i.scope = scopes[n] AND i.key = keys[n]
		    AND i.at > now() - interval '24 hours';
		IF NOT FOUND THEN
			held := held || held_key;
			held_at := held_at || n;
		ELSIF kept.request_hash = hashes[n] THEN
			statuses[n] := kept.status;
			bodies[n] := kept.body;
		ELSE
			refusals[n] := 'idempotency_key_reused';
			statuses[n] := 422;
		END IF;
	END LOOP;
	RETURN ROW(statuses, bodies, refusals, same_as, held_at)::api.batch;
END
$$;

-- Keeps what took effect, and gives those their answers that have an earlier
-- place's.
CREATE FUNCTION api.batch_keep(ctx api.ctx, scopes text[], callers text[],
    keys text[], hashes text[], batch api.batch)
RETURNS api.batch LANGUAGE plpgsql AS $$
DECLARE
	statuses int[] := batch.statuses;
	bodies text[] := batch.bodies;
	refusals text[] := batch.refusals;
	same int;
BEGIN
	DELETE FROM partyline.idempotency i
	USING unnest(batch.held) AS w (n)
	WHERE i.tenant_id = ctx.tenant AND i.caller = callers[w.n]
	    AND i.scope = scopes[w.n] AND i.key = keys[w.n];
	INSERT INTO partyline.idempotency (tenant_id, caller, scope, key,
	    request_hash, status, body)
	SELECT ctx.tenant, callers[w.n], scopes[w.n], keys[w.n],
	    hashes[w.n], statuses[w.n], bodies[w.n]
	FROM unnest(batch.held) AS w (n) WHERE statuses[w.n] < 300;
	FOR n IN 1 .. cardinality(keys) LOOP
		same := batch.same_as[n];
		CONTINUE WHEN same IS NULL;
		statuses[n] := statuses[same];
		bodies[n] := bodies[same];
		refusals[n] := refusals[same];
	END LOOP;
	RETURN ROW(statuses, bodies, refusals, batch.same_as,
	    batch.held)::api.batch;
END
$$;

CREATE FUNCTION api.batch_answers(batch api.batch)
RETURNS SETOF api.answer LANGUAGE sql STABLE AS $$
	SELECT w.place::int - 1, w.status, w.body, NULL::text, NULL::text,
	    NULL::bigint, NULL::text, w.refusal
	FROM unnest(batch.statuses, batch.bodies, batch.refusals)
	    WITH ORDINALITY AS w (status, body, refusal, place)
$$;

-- What api.emit is for a single event: stores all of them as the stream's
-- next, in their order. places: of whom each event is. noun_bytes: what the
-- noun grew by beside its events.
CREATE FUNCTION api.batch_emit(ctx api.ctx, stream_name text, places int[],
    request_ids text[], types text[], datas text[],
    noun_bytes bigint DEFAULT 0)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	count int := cardinality(places);
	first bigint;
	stream_epoch text;
	moment timestamptz;
	moment_text text;
	hooks_wait boolean;
BEGIN
	UPDATE partyline.stream s SET head = s.head + count,
	    bytes = s.bytes + noun_bytes + (SELECT sum(api.envelope_bytes(
		api.envelope_opening(w.type, stream_name), w.data)
		+ length((s.head + w.nth)::text))
		FROM unnest(types, datas) WITH ORDINALITY
		    AS w (type, data, nth))
	WHERE s.tenant_id = ctx.tenant AND s.name = stream_name
	RETURNING s.epoch, s.head - count + 1, EXISTS (
	    SELECT FROM partyline.webhook w WHERE w.tenant_id = ctx.tenant
		AND w.enabled AND w.events && types)
	INTO stream_epoch, first, hooks_wait;
	IF NOT FOUND THEN
		RAISE 'internal' USING ERRCODE = 'PT500', DETAIL =
		    json_build_object('stream', stream_name);
	END IF;
	moment := api.moment();
	moment_text := api.iso(moment);
	IF hooks_wait THEN
		INSERT INTO partyline.webhook_outbox
		    (tenant_id, stream, seq, webhooks, event, payload, at)
		SELECT ctx.tenant, stream_name, first + w.nth - 1, h.ids,
		    w.type, api.webhook_payload(w.type, moment_text,
		    stream_name, first + w.nth - 1, w.data), moment
		FROM unnest(types, datas) WITH ORDINALITY
		    AS w (type, data, nth)
		JOIN (SELECT e.type, array_agg(k.id) AS ids
		    FROM partyline.webhook k, unnest(k.events) AS e (type)
		    WHERE k.tenant_id = ctx.tenant AND k.enabled
		    GROUP BY e.type) h ON h.type = w.type
		ORDER BY w.nth;
	END IF;
	RETURN QUERY
	INSERT INTO partyline.event AS e (tenant_id, stream, seq, type,
	    payload, at, request_id)
	SELECT ctx.tenant, stream_name, first + w.nth - 1, w.type,
	    api.envelope(api.envelope_opening(w.type, stream_name),
	    first + w.nth - 1, moment_text, w.data), moment, w.request_id
	FROM unnest(request_ids, types, datas) WITH ORDINALITY
	    AS w (request_id, type, data, nth)
	ORDER BY w.nth
	RETURNING places[e.seq - first + 1] - 1, NULL::int, e.payload,
	    e.stream, stream_epoch, e.seq,
	    CASE WHEN hooks_wait THEN '{}' END, NULL::text;
END
$$;
