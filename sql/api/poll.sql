-- SPDX-License-Identifier: MIT
--
-- Polls of a session: at most one runs, and it ends at once, when it is due,
-- or with the session. A game of 0 is what people call something else.

-- The session's row, locked, with a poll that runs; or the refusal.
CREATE FUNCTION api.poll_lock(ctx api.ctx, wanted bigint)
RETURNS partyline.session LANGUAGE plpgsql AS $$
DECLARE
	session partyline.session := api.session_lock(ctx, wanted);
BEGIN
	IF session.poll_started_at IS NULL THEN
		RAISE 'poll_not_running' USING ERRCODE = 'PT400';
	END IF;
	RETURN session;
END
$$;

-- Who won, as members behind others; nothing where nobody was in front.
CREATE FUNCTION api.poll_winner(game bigint, label text, votes bigint)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN game IS NULL THEN '' ELSE
	    format(',"winnerGameId":%s,"winnerLabel":%s,"winnerVotes":%s',
	    game, to_json(label), votes) END
$$;

CREATE FUNCTION api.poll_start(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	session partyline.session;
	moment timestamptz;
	moment_text text;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'poll_start ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	session := api.session_lock(ctx, wanted);
	IF NOT session.is_active THEN
		RAISE 'session_not_active' USING ERRCODE = 'PT400';
	END IF;
	IF session.poll_started_at IS NOT NULL THEN
		RAISE 'poll_running' USING ERRCODE = 'PT400', DETAIL =
		    format('{"pollStartedAt":"%s"}', session.poll_started_text);
	END IF;
	moment := api.moment();
	moment_text := api.iso(moment);
	UPDATE partyline.session s
	SET poll_started_at = moment, poll_started_text = moment_text
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	answer := api.reply(200,
	    format('{"success":true,"pollStartedAt":"%s"}', moment_text));
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'poll_start ' || wanted, answer);
	END IF;
	RETURN NEXT answer;
	-- What stands behind the data stands beside it in the envelope.
	RETURN NEXT api.emit(ctx, 'session:' || wanted, 'poll.start', format(
	    '{"sessionId":%1$s,"pollStartedAt":"%2$s"},"sessionId":%1$s',
	    wanted, moment_text));
END
$$;

-- Who is in front: told to those who are there, and to nobody later.
CREATE FUNCTION api.poll_lead(ctx api.ctx, wanted bigint, game bigint,
    label text, votes bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'poll_lead ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	UPDATE partyline.session s
	SET poll_leading_game_id = game, poll_leading_label = label,
	    poll_leading_votes = votes
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted
	    AND s.poll_started_at IS NOT NULL;
	IF NOT FOUND THEN
		-- There is none, or no session; or it began this moment.
		PERFORM api.session_lock(ctx, wanted);
		RAISE 'poll_not_running' USING ERRCODE = 'PT400';
	END IF;
	answer := api.reply(200, '{"success":true}');
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'poll_lead ' || wanted, answer);
	END IF;
	RETURN NEXT answer;
	RETURN NEXT api.live('session:' || wanted, 'poll.leading', format(
	    '{"sessionId":%s,"gameId":%s,"label":%s,"votes":%s}', wanted,
	    game, to_json(label), votes));
END
$$;

-- No poll runs any more.
CREATE FUNCTION api.poll_clear(tenant int, wanted bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE partyline.session s
	SET poll_started_at = NULL, poll_started_text = NULL,
	    poll_ending_at = NULL, poll_ending_text = NULL,
	    poll_leading_game_id = NULL, poll_leading_label = NULL,
	    poll_leading_votes = NULL
	WHERE s.tenant_id = tenant AND s.id = wanted;
END
$$;

-- Tells the end. winner: of poll_winner, from before the poll was cleared.
CREATE FUNCTION api.poll_emit_end(ctx api.ctx, wanted bigint, winner text)
RETURNS api.answer LANGUAGE plpgsql AS $$
BEGIN
	RETURN api.emit(ctx, 'session:' || wanted, 'voting.ended',
	    format('{"sessionId":%s%s}', wanted, winner));
END
$$;

-- At once, or after so many seconds; then it can still be put off, sooner or
-- later.
CREATE FUNCTION api.poll_end(ctx api.ctx, wanted bigint, delay bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	session partyline.session;
	winner text;
	moment timestamptz;
	moment_text text;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'poll_end ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	session := api.poll_lock(ctx, wanted);
	IF delay > 0 THEN
		moment := api.moment() + delay * interval '1 second';
		moment_text := api.iso(moment);
		UPDATE partyline.session s
		SET poll_ending_at = moment, poll_ending_text = moment_text
		WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
		answer := api.reply(200, format(
		    '{"success":true,"endsAt":"%s","delay":%s}', moment_text,
		    delay));
	ELSE
		winner := api.poll_winner(session.poll_leading_game_id,
		    session.poll_leading_label, session.poll_leading_votes);
		PERFORM api.poll_clear(ctx.tenant, wanted);
		answer := api.reply(200, format('{"success":true%s}',
		    winner));
	END IF;
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'poll_end ' || wanted, answer);
	END IF;
	RETURN NEXT answer;
	IF delay > 0 THEN
		RETURN NEXT api.emit(ctx, 'session:' || wanted, 'poll.ending',
		    format('{"sessionId":%s,"endsAt":"%s","delay":%s}',
		    wanted, moment_text, delay));
	ELSE
		RETURN NEXT api.poll_emit_end(ctx, wanted, winner);
	END IF;
END
$$;

CREATE FUNCTION api.poll_end_cancel(ctx api.ctx, wanted bigint)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	session partyline.session;
BEGIN
	PERFORM api.enter(ctx);
	IF ctx.idempotency_key IS NOT NULL THEN
		answer := api.repeated(ctx, 'poll_end_cancel ' || wanted);
		IF answer.status IS NOT NULL THEN
			RETURN NEXT answer;
			RETURN;
		END IF;
	END IF;
	session := api.poll_lock(ctx, wanted);
	IF session.poll_ending_at IS NULL THEN
		RAISE 'poll_not_ending' USING ERRCODE = 'PT400';
	END IF;
	UPDATE partyline.session s
	SET poll_ending_at = NULL, poll_ending_text = NULL
	WHERE s.tenant_id = ctx.tenant AND s.id = wanted;
	answer := api.reply(200, '{"success":true}');
	IF ctx.idempotency_key IS NOT NULL THEN
		PERFORM api.keep(ctx, 'poll_end_cancel ' || wanted, answer);
	END IF;
	RETURN NEXT answer;
	RETURN NEXT api.emit(ctx, 'session:' || wanted,
	    'poll.ending.cancelled', format('{"sessionId":%s}', wanted));
END
$$;

-- Ends the polls that are due, of all tenants, at most so many. The lock of
-- the session's row is the lease: what another host is just ending is left
-- out, and if that one dies, its lock dies with it. How many there were, and
-- wait_ms, when the next will be due, NULL for never. element of an event is
-- its tenant.
CREATE FUNCTION api.work_end_polls(most int)
RETURNS SETOF api.answer LANGUAGE plpgsql AS $$
DECLARE
	due record;
	event api.answer;
	ended int := 0;
	wait_ms bigint;
	moment timestamptz := clock_timestamp();
BEGIN
	FOR due IN SELECT s.tenant_id, s.id,
	    api.poll_winner(s.poll_leading_game_id, s.poll_leading_label,
		s.poll_leading_votes) AS winner
	    FROM partyline.session s WHERE s.poll_ending_at <= moment
	    ORDER BY s.tenant_id, ('session:' || s.id) COLLATE "C"
	    LIMIT most FOR NO KEY UPDATE SKIP LOCKED LOOP
		PERFORM api.poll_clear(due.tenant_id, due.id);
		event := api.poll_emit_end(ROW(due.tenant_id, NULL, NULL,
		    'poll end', NULL, NULL, NULL)::api.ctx, due.id,
		    due.winner);
		event.element := due.tenant_id;
		RETURN NEXT event;
		ended := ended + 1;
	END LOOP;
	SELECT ceil(extract(epoch FROM min(s.poll_ending_at)
	    - clock_timestamp()) * 1000) INTO wait_ms
	FROM partyline.session s WHERE s.poll_ending_at IS NOT NULL;
	RETURN NEXT api.reply(200, format('{"rows":%s,"wait_ms":%s}', ended,
	    coalesce(wait_ms::text, 'null')));
END
$$;
