-- SPDX-License-Identifier: MIT
--
-- POST /api/sessions/{id}/events, batched: each argument has one place for
-- each element; ids and numbers are given in the order of the places. An
-- element that is refused says so in its row and leaves the others alone.

CREATE FUNCTION api.session_event_create(ctx api.ctx, callers text[],
    request_ids text[], keys text[], hashes text[], ids bigint[],
    types text[], datas text[])
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	count int := cardinality(ids);
	-- By place: the answer; where it will come from; its number.
	statuses int[] := array_fill(NULL::int, ARRAY[count]);
	bodies text[] := array_fill(NULL::text, ARRAY[count]);
	refusals text[] := array_fill(NULL::text, ARRAY[count]);
	same_as int[] := array_fill(NULL::int, ARRAY[count]);
	seqs bigint[] := array_fill(NULL::bigint, ARRAY[count]);
	held text[] := '{}';	-- the keys held by earlier places
	held_at int[] := '{}';
	held_key text;
	earlier int;
	kept partyline.idempotency;
	wanted bigint;
	stream_name text;
	stream_epoch text;
	stream_head bigint;
	first bigint;
	places int[];		-- of the events of one stream, by number
	refusal text;
	archived boolean;
	more bigint;		-- bytes of the events of one stream
	moment timestamptz;
	moment_text text;
	answer api.answer;
BEGIN
	PERFORM api.enter(ctx);

	FOR n IN 1 .. count LOOP
		CONTINUE WHEN keys[n] IS NULL OR callers[n] IS NULL;
		held_key := concat_ws(E'\n', ctx.tenant, callers[n],
		    'session_event_create ' || ids[n], keys[n]);
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
		    AND i.scope = 'session_event_create ' || ids[n]
		    AND i.key = keys[n]
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

	-- Of no others: what is answered by now has to wait for nobody.
	FOR stream_name, wanted IN
	    SELECT DISTINCT ('session:' || w.id) COLLATE "C" AS name, w.id
	    FROM unnest(ids, statuses, same_as) w (id, status, same)
	    WHERE w.status IS NULL AND w.same IS NULL ORDER BY name
	LOOP
		SELECT s.epoch, s.head INTO stream_epoch, stream_head
		FROM partyline.stream s
		WHERE s.tenant_id = ctx.tenant AND s.name = stream_name
		FOR NO KEY UPDATE;
		refusal := CASE WHEN NOT FOUND THEN 'session_not_found' END;
		IF refusal IS NULL THEN
			-- Whoever archives it waits for the stream's row.
			SELECT s.archived INTO archived
			FROM partyline.session s
			WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
			refusal := CASE WHEN archived
			    THEN 'session_archived' END;
		END IF;
		first := stream_head + 1;
		places := '{}';
		FOR n IN 1 .. count LOOP
			CONTINUE WHEN ids[n] <> wanted
			    OR statuses[n] IS NOT NULL
			    OR same_as[n] IS NOT NULL;
			IF refusal IS NOT NULL THEN
				refusals[n] := refusal;
				statuses[n] := CASE refusal
				    WHEN 'session_not_found' THEN 404
				    ELSE 400 END;
				CONTINUE;
			END IF;
			stream_head := stream_head + 1;
			seqs[n] := stream_head;
			places := places || n;
			statuses[n] := 201;
			bodies[n] := format(
			    '{"stream":"%s","epoch":"%s","seq":%s}',
			    stream_name, stream_epoch, stream_head);
		END LOOP;
		CONTINUE WHEN cardinality(places) = 0;
		more := 0;
		moment := api.moment();
		moment_text := api.iso(moment);
		FOR answer IN
			INSERT INTO partyline.event AS e (tenant_id, stream,
			    seq, type, payload, at, request_id)
			SELECT ctx.tenant, stream_name, seqs[w.n], types[w.n],
			    api.envelope(api.envelope_opening(types[w.n],
			    stream_name), seqs[w.n], moment_text,
			    datas[w.n]), moment, request_ids[w.n]
			FROM unnest(places) WITH ORDINALITY AS w (n, nth)
			ORDER BY w.nth
			RETURNING places[e.seq - first + 1] - 1, NULL::int,
			    e.payload, e.stream, stream_epoch, e.seq,
			    NULL::text, NULL::text
		LOOP
			more := more + octet_length(answer.body);
			RETURN NEXT answer;
		END LOOP;
		UPDATE partyline.stream s
		SET head = stream_head, bytes = s.bytes + more
		WHERE s.tenant_id = ctx.tenant AND s.name = stream_name;
	END LOOP;

	IF cardinality(held_at) > 0 THEN
		DELETE FROM partyline.idempotency i
		USING unnest(held_at) AS w (n)
		WHERE i.tenant_id = ctx.tenant AND i.caller = callers[w.n]
		    AND i.scope = 'session_event_create ' || ids[w.n]
		    AND i.key = keys[w.n];
		INSERT INTO partyline.idempotency (tenant_id, caller, scope,
		    key, request_hash, status, body)
		SELECT ctx.tenant, callers[w.n],
		    'session_event_create ' || ids[w.n], keys[w.n],
		    hashes[w.n], statuses[w.n], bodies[w.n]
		FROM unnest(held_at) AS w (n) WHERE seqs[w.n] IS NOT NULL;
	END IF;

	FOR n IN 1 .. count LOOP
		earlier := coalesce(same_as[n], n);
		RETURN NEXT ROW(n - 1, statuses[earlier], bodies[earlier],
		    NULL, NULL, NULL, NULL, refusals[earlier])::api.answer;
	END LOOP;
END
$$;
