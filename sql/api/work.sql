-- SPDX-License-Identifier: MIT
--
-- Work that some host does for all: claimed with a lease, done in calls that
-- are short transactions, each of which says by its lease that it is still
-- the one to do it.
--
-- A call locks the row of its work first. So no two calls of a work ever
-- run side by side, and what a call did and how far it came is one commit:
-- whoever comes after a death goes on from there.

-- For so long, counted from now. The claim is refused while another one
-- holds a lease or before it is due; then, wait_ms says when to come again:
-- after a second at most while there is a lease, which may be given back.
CREATE FUNCTION api.work_claim(wanted text, host_id text, lease_ms int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz := clock_timestamp();
	number bigint;
	wait_ms bigint := 0;
BEGIN
	UPDATE partyline.work SET lease = lease + 1, leased_by = host_id,
	    leased_until = moment + lease_ms * interval '1 millisecond'
	WHERE name IN (SELECT w.name FROM partyline.work w
	    WHERE w.name = wanted AND w.due_at <= moment
		AND coalesce(w.leased_until <= moment, true)
	    FOR UPDATE SKIP LOCKED)
	RETURNING lease INTO number;
	IF number IS NULL THEN
		SELECT greatest(0, least(CASE WHEN w.leased_until > moment
		    THEN 1000 END, ceil(extract(epoch FROM
		    greatest(w.due_at, w.leased_until) - moment) * 1000)))
		INTO wait_ms FROM partyline.work w WHERE w.name = wanted;
	END IF;
	RETURN NEXT api.reply(200, json_build_object('lease', number,
	    'wait_ms', wait_ms)::text);
END
$$;

-- Gives a lease back in the middle of a round: whoever comes next goes on.
CREATE FUNCTION api.work_leave(wanted text, number bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.work w SET leased_until = NULL
	WHERE w.name = wanted AND w.lease = number;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- The row, for the rest of the transaction; the lease begins anew. Nothing,
-- where another one has claimed it since.
CREATE FUNCTION api.work_hold(wanted text, number bigint, lease_ms int)
RETURNS partyline.work LANGUAGE plpgsql AS $$
DECLARE
	work partyline.work;
BEGIN
	UPDATE partyline.work w SET leased_until = clock_timestamp()
	    + lease_ms * interval '1 millisecond'
	WHERE w.name = wanted AND w.lease = number
	    AND w.leased_until IS NOT NULL
	RETURNING * INTO work;
	RETURN work;
END
$$;

-- Its answer: how many rows went, and whether that was the round's last
-- call; then nobody holds a lease, and it is due again after so long.
CREATE FUNCTION api.work_end(wanted text, gone bigint, is_done boolean,
    again_ms int)
RETURNS api.answer LANGUAGE plpgsql AS $$
BEGIN
	IF is_done THEN
		UPDATE partyline.work w SET leased_until = NULL,
		    due_at = clock_timestamp()
			+ again_ms * interval '1 millisecond',
		    place_tenant = DEFAULT, place_stream = DEFAULT
		WHERE w.name = wanted;
	END IF;
	RETURN api.reply(200, '{"rows":' || gone || ',"done":' || is_done
	    || '}');
END
$$;

-- A call of `expire`: at most `most` rows of each kind. 409: the lease is
-- another one's.
CREATE FUNCTION api.work_expire(number bigint, lease_ms int, again_ms int,
    most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	work partyline.work := api.work_hold('expire', number, lease_ms);
	gone bigint;
BEGIN
	IF work.name IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	gone := (SELECT e.body FROM api.expire(most) e)::bigint;
	RETURN NEXT api.work_end(work.name, gone, gone = 0, again_ms);
END
$$;

-- A call of `webhook`: of what is older than that, at most `most` rows of
-- each kind. What still waits for an endpoint that is enabled is let be.
CREATE FUNCTION api.work_webhook(number bigint, lease_ms int, again_ms int,
    most int, life_ms bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	work partyline.work := api.work_hold('webhook', number, lease_ms);
	oldest timestamptz := clock_timestamp()
	    - life_ms * interval '1 millisecond';
	gone bigint;
	count bigint;
BEGIN
	IF work.name IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	DELETE FROM partyline.webhook_log WHERE ctid = ANY (ARRAY(
	    SELECT l.ctid FROM partyline.webhook_log l
	    WHERE l.created_at <= oldest LIMIT most));
	GET DIAGNOSTICS gone = ROW_COUNT;
	DELETE FROM partyline.webhook_delivery WHERE ctid = ANY (ARRAY(
	    SELECT d.ctid FROM partyline.webhook_delivery d
	    LEFT JOIN partyline.webhook w ON w.tenant_id = d.tenant_id
		AND w.id = d.webhook_id
	    WHERE d.queued_at <= oldest
		AND (d.state <> 'waiting' OR w.enabled IS NOT TRUE)
	    LIMIT most FOR UPDATE OF d SKIP LOCKED));
	GET DIAGNOSTICS count = ROW_COUNT;
	gone := gone + count;
	RETURN NEXT api.work_end(work.name, gone, gone = 0, again_ms);
END
$$;

-- The number below which a stream is to be forgotten, at most `most` events
-- from its lowest on. The stream's row is locked.
CREATE FUNCTION api.retention_below(s partyline.stream, t partyline.tenant,
    most int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	below bigint := s.lowest;
	young bigint;
BEGIN
	IF t.retention_events IS NOT NULL THEN
		below := greatest(below, s.head + 1 - t.retention_events);
	END IF;
	IF t.retention_days IS NOT NULL THEN
		SELECT coalesce(min(e.seq) FILTER (WHERE e.at >= now()
		    - make_interval(days => t.retention_days)),
		    max(e.seq) + 1, s.lowest)
		INTO young
		FROM (SELECT v.seq, v.at FROM partyline.event v
		    WHERE v.tenant_id = s.tenant_id AND v.stream = s.name
			AND v.seq >= s.lowest
		    ORDER BY v.seq LIMIT most) e;
		below := greatest(below, young);
	END IF;
	RETURN least(below, s.lowest + most);
END
$$;

-- A call of `retention`: of the next `most` streams, in the order of the
-- index, those that hold too much lose at most `most` events in all, the
-- oldest first. They are locked as every other writer does, by tenant and
-- name. Where there was more to do, the next call looks at them again.
CREATE FUNCTION api.work_retain(number bigint, lease_ms int, again_ms int,
    most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	work partyline.work := api.work_hold('retention', number, lease_ms);
	stream partyline.stream;
	heavy record;
	seen partyline.stream[];
	gone bigint := 0;
	count int;
BEGIN
	IF work.name IS NULL THEN
		RETURN NEXT api.reply(409, '{}');
		RETURN;
	END IF;
	seen := ARRAY(SELECT s FROM partyline.stream s
	    JOIN partyline.tenant t ON t.id = s.tenant_id
	    WHERE (s.tenant_id, s.name)
		> (work.place_tenant, work.place_stream)
	    AND (t.retention_days IS NOT NULL
		OR t.retention_events IS NOT NULL)
	    ORDER BY s.tenant_id, s.name LIMIT most);
	FOR heavy IN SELECT s.tenant_id, s.name, t AS tenant
	    FROM unnest(seen) s
	    JOIN partyline.tenant t ON t.id = s.tenant_id
	    WHERE api.retention_below(s, t, 1) > s.lowest
	    ORDER BY s.tenant_id, s.name COLLATE "C" LOOP
		SELECT * INTO stream FROM partyline.stream s
		WHERE s.tenant_id = heavy.tenant_id AND s.name = heavy.name
		FOR UPDATE;
		CONTINUE WHEN NOT FOUND;	-- removed since
		gone := gone + api.stream_forget(stream.tenant_id,
		    stream.name, api.retention_below(stream, heavy.tenant,
		    (most - gone)::int));
		EXIT WHEN gone >= most;
	END LOOP;
	count := cardinality(seen);
	IF gone < most AND count > 0 THEN
		UPDATE partyline.work w
		SET place_tenant = seen[count].tenant_id,
		    place_stream = seen[count].name
		WHERE w.name = work.name;
	END IF;
	RETURN NEXT api.work_end(work.name, gone,
	    gone < most AND count < most, again_ms);
END
$$;
