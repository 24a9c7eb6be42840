-- SPDX-License-Identifier: MIT
--
-- Idempotency-Key: the answer of what took effect is kept with the effect,
-- for a day. scope names the operation and the place it is about. Anonymous
-- callers have none.
--
--	IF ctx.idempotency_key IS NOT NULL THEN
--		answer := api.repeated(ctx, 'session_create');
--		IF answer.status IS NOT NULL THEN
--			RETURN NEXT answer;
--			RETURN;
--		END IF;
--	END IF;
--	…
--	answer := api.reply(201, body);
--	IF ctx.idempotency_key IS NOT NULL THEN
--		PERFORM api.keep(ctx, 'session_create', answer);
--	END IF;
--	RETURN NEXT answer;
--
-- Most calls have no key: asking here first saves them what a call of a
-- function takes.

-- The kept answer, or one without a status: then the key is held until the
-- end of the transaction, and the caller does his work.
CREATE FUNCTION api.repeated(ctx api.ctx, wanted text)
RETURNS api.answer LANGUAGE plpgsql AS $$
DECLARE
	answer api.answer;
	hash text;
BEGIN
	IF ctx.caller IS NULL THEN
		RETURN answer;
	END IF;
	IF NOT pg_try_advisory_xact_lock(hashtextextended(
	    concat_ws(E'\n', ctx.tenant, ctx.caller, wanted,
	    ctx.idempotency_key), 0)) THEN
		RAISE 'idempotency_in_progress' USING ERRCODE = 'PT409';
	END IF;
	SELECT 0, i.status, i.body, i.request_hash
	INTO answer.element, answer.status, answer.body, hash
	FROM partyline.idempotency i
	WHERE i.tenant_id = ctx.tenant AND i.caller = ctx.caller
	    AND i.scope = wanted AND i.key = ctx.idempotency_key
	    AND i.at > now() - interval '24 hours';
	IF hash <> ctx.request_hash THEN
		RAISE 'idempotency_key_reused' USING ERRCODE = 'PT422';
	END IF;
	RETURN answer;
END
$$;

CREATE FUNCTION api.keep(ctx api.ctx, wanted text, answer api.answer)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF ctx.caller IS NULL THEN
		RETURN;
	END IF;
	-- One that is older than a day may still stand there.
	DELETE FROM partyline.idempotency i
	WHERE i.tenant_id = ctx.tenant AND i.caller = ctx.caller
	    AND i.scope = wanted AND i.key = ctx.idempotency_key;
	INSERT INTO partyline.idempotency
	    (tenant_id, caller, scope, key, request_hash, status, body)
	VALUES (ctx.tenant, ctx.caller, wanted, ctx.idempotency_key,
	    ctx.request_hash, answer.status, answer.body);
END
$$;
