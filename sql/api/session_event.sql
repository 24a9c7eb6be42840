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
	nothing text[] := array_fill(NULL::text, ARRAY[cardinality(ids)]);
	scopes text[];
	batch api.batch;
	-- By place, as in batch.
	statuses int[];
	bodies text[];
	refusals text[];
	wanted bigint;
	stream_name text;
	refusal text;
	places int[];		-- of the events of one stream, by number
	answer api.answer;
BEGIN
	PERFORM api.enter(ctx);
	IF cardinality(array_remove(keys, NULL)) > 0 THEN
		SELECT array_agg('session_event_create ' || w.id
		    ORDER BY w.place) INTO scopes
		FROM unnest(ids) WITH ORDINALITY AS w (id, place);
		batch := api.batch_repeated(ctx, scopes, callers, keys,
		    hashes);
	END IF;
	statuses := coalesce(batch.statuses, nothing::int[]);
	bodies := coalesce(batch.bodies, nothing);
	refusals := coalesce(batch.refusals, nothing);

	-- Of no others: what is answered by now has to wait for nobody.
	FOR stream_name, wanted, places IN
	    SELECT ('session:' || w.id) COLLATE "C" AS name, w.id,
		array_agg(w.place ORDER BY w.place)
	    FROM unnest(ids, statuses, batch.same_as) WITH ORDINALITY
		AS w (id, status, same, place)
	    WHERE w.status IS NULL AND w.same IS NULL
	    GROUP BY w.id ORDER BY name
	LOOP
		PERFORM FROM partyline.stream s
		WHERE s.tenant_id = ctx.tenant AND s.name = stream_name
		FOR NO KEY UPDATE;
		-- Whoever archives the session waits for the stream's row.
		SELECT CASE WHEN s.archived THEN 'session_archived' END
		INTO refusal FROM partyline.session s
		WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
		IF NOT FOUND THEN
			refusal := 'session_not_found';
		END IF;
		IF refusal IS NOT NULL THEN
			FOR n IN 1 .. cardinality(places) LOOP
				refusals[places[n]] := refusal;
				statuses[places[n]] := CASE refusal
				    WHEN 'session_not_found' THEN 404
				    ELSE 400 END;
			END LOOP;
			CONTINUE;
		END IF;
		FOR answer IN
			SELECT * FROM api.batch_emit(ctx, stream_name, places,
			    (SELECT array_agg(request_ids[p]) FROM
				unnest(places) p),
			    (SELECT array_agg(types[p]) FROM
				unnest(places) p),
			    (SELECT array_agg(datas[p]) FROM
				unnest(places) p))
		LOOP
			statuses[answer.element + 1] := 201;
			bodies[answer.element + 1] := format(
			    '{"stream":"%s","epoch":"%s","seq":%s}',
			    stream_name, answer.epoch, answer.seq);
			RETURN NEXT answer;
		END LOOP;
	END LOOP;

	batch.statuses := statuses;
	batch.bodies := bodies;
	batch.refusals := refusals;
	IF batch.held IS NOT NULL THEN
		batch := api.batch_keep(ctx, scopes, callers, keys, hashes,
		    batch);
	END IF;
	RETURN QUERY SELECT * FROM api.batch_answers(batch);
END
$$;
