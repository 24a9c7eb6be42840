-- SPDX-License-Identifier: MIT
--
-- Sockets of Socket.IO that can be recovered. A row is written before its
-- client is told that it follows something, and before it is told that it
-- does so no more; so whatever the client knows of, the row knows.
--
--	          keep			leave
--	nothing ──────> held ───────────────────> until … ──> expire
--			 │ its holder is silent ──────────────> expire
--			 └──> take: held by another, with one claim more
--
-- Where it goes on is the offset that the client shows: for each of its rooms
-- an epoch and a number, of what it was told last. Of a room that is not in
-- there it was told nothing, and the row says where that began.

-- This process lives, and its sockets may be put back for so long from now.
CREATE FUNCTION api.recovery_beat(me text, life_ms bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO partyline.recovery_holder AS h (name, until)
	VALUES (me, clock_timestamp() + life_ms * interval '1 millisecond')
	ON CONFLICT (name) DO UPDATE SET until = excluded.until;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- The rooms with their beginnings: where none is given, the stream's head.
-- What is no stream is left out. kept: false where another process has taken
-- it over.
CREATE FUNCTION api.recovery_keep(ctx api.ctx, wanted text, in_nsp text,
    its_sid text, me text, known bigint, life_ms bigint, follows text,
    its_data text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	found jsonb;
	number bigint;
BEGIN
	PERFORM api.enter(ctx);
	INSERT INTO partyline.recovery_holder (name, until)
	VALUES (me, clock_timestamp() + life_ms * interval '1 millisecond')
	ON CONFLICT (name) DO NOTHING;
	SELECT coalesce(jsonb_agg(jsonb_build_object('nth', w.nth,
	    'stream', w.stream, 'epoch', coalesce(w.epoch, s.epoch),
	    'seq', coalesce(w.seq, s.head)) ORDER BY w.nth), '[]')
	INTO found
	FROM jsonb_to_recordset(follows::jsonb) w (nth bigint, stream text,
	    epoch text, seq bigint)
	JOIN partyline.stream s ON s.tenant_id = ctx.tenant
	    AND s.name = w.stream;
	INSERT INTO partyline.recovery AS r (tenant_id, hash, nsp, sid, caller,
	    holder, claim, rooms, data)
	VALUES (ctx.tenant, wanted, in_nsp, its_sid, coalesce(ctx.caller, ''),
	    me, known, found, its_data)
	ON CONFLICT (tenant_id, hash) DO UPDATE SET rooms = excluded.rooms,
	    data = excluded.data, until = NULL
	WHERE r.claim = excluded.claim
	RETURNING r.claim INTO number;
	RETURN NEXT api.reply(200, jsonb_build_object('kept',
	    number IS NOT NULL, 'rooms', found)::text);
END
$$;

-- Its socket has gone, and may be put back for so long. life_ms is NULL: it
-- may not.
CREATE FUNCTION api.recovery_leave(ctx api.ctx, wanted text, known bigint,
    life_ms bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM api.enter(ctx);
	IF life_ms IS NULL THEN
		DELETE FROM partyline.recovery r
		WHERE r.tenant_id = ctx.tenant AND r.hash = wanted
		    AND r.claim = known;
	ELSE
		UPDATE partyline.recovery r SET until = clock_timestamp()
		    + life_ms * interval '1 millisecond'
		WHERE r.tenant_id = ctx.tenant AND r.hash = wanted
		    AND r.claim = known;
	END IF;
	RETURN NEXT api.reply(200, '{}');
END
$$;

-- Whether all that was missed is still there, and then from where on; it is
-- the caller's until he keeps it, or for so long. places: [{nth, epoch, seq}]
-- of the offset; NULL: there was none. What can be taken up no more goes, but
-- not for somebody who is not its owner.
CREATE FUNCTION api.recovery_take(ctx api.ctx, wanted text, in_nsp text,
    me text, life_ms bigint, places text)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	socket partyline.recovery;
	moment timestamptz := clock_timestamp();
	found jsonb;
	is_whole boolean;
BEGIN
	PERFORM api.enter(ctx);
	SELECT * INTO socket FROM partyline.recovery r
	WHERE r.tenant_id = ctx.tenant AND r.hash = wanted
	    AND r.nsp = in_nsp AND r.caller = coalesce(ctx.caller, '')
	FOR UPDATE;
	IF coalesce(socket.until, (SELECT h.until
	    FROM partyline.recovery_holder h WHERE h.name = socket.holder))
	    > moment THEN
		SELECT coalesce(jsonb_agg(jsonb_build_object('nth', w.nth,
		    'stream', w.stream, 'epoch', w.epoch, 'seq', w.seq)
		    ORDER BY w.nth), '[]'),
		    coalesce(bool_and(coalesce(s.epoch = w.epoch
			AND w.seq BETWEEN s.lowest - 1 AND s.head, false)),
			true)
		INTO found, is_whole
		FROM (SELECT k.nth, k.stream, coalesce(p.epoch, k.epoch)
			AS epoch, coalesce(p.seq, k.seq) AS seq
		    FROM jsonb_to_recordset(socket.rooms) k (nth bigint,
			stream text, epoch text, seq bigint)
		    LEFT JOIN jsonb_to_recordset(places::jsonb) p
			(nth bigint, epoch text, seq bigint) USING (nth)) w
		LEFT JOIN partyline.stream s ON s.tenant_id = ctx.tenant
		    AND s.name = w.stream;
	END IF;
	IF is_whole IS NOT TRUE THEN
		DELETE FROM partyline.recovery r
		WHERE r.tenant_id = ctx.tenant AND r.hash = socket.hash;
		RETURN NEXT api.reply(200, '{"recovered":false}');
		RETURN;
	END IF;
	UPDATE partyline.recovery r SET claim = socket.claim + 1, holder = me,
	    until = moment + life_ms * interval '1 millisecond'
	WHERE r.tenant_id = ctx.tenant AND r.hash = wanted;
	RETURN NEXT api.reply(200, json_build_object('recovered', true,
	    'claim', socket.claim + 1, 'sid', socket.sid,
	    'data', socket.data, 'rooms', found)::text);
END
$$;
