-- SPDX-License-Identifier: MIT
--
-- Webhooks of today's server. What it sent before is not brought in.

-- One as it is to be stored, or why it cannot be.
CREATE FUNCTION api.import_webhook_fit(given json, OUT fit partyline.webhook,
    OUT why text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	fit := json_populate_record(NULL::partyline.webhook, given);
	fit.name := coalesce(nullif(fit.name, ''), 'Webhook ' || fit.id);
	fit.enabled := coalesce(fit.enabled, true);
	fit.ordered := false;
	fit.created_at := coalesce(fit.created_at, 'epoch');
	fit.created_text := api.iso(fit.created_at);
	IF coalesce(fit.secret, '') = '' THEN
		why := 'it has no secret';
		RETURN;
	END IF;
	BEGIN
		PERFORM api.webhook_check(fit.url, fit.secret);
	EXCEPTION WHEN SQLSTATE 'PT400' THEN
		why := 'its address or its secret cannot be';
		RETURN;
	END;
	BEGIN
		fit.events := ARRAY(SELECT e.name
		    FROM json_array_elements_text((given->>'wanted')::json)
			WITH ORDINALITY AS e (name, place)
		    WHERE e.name ~ '^[A-Za-z0-9._-]{1,64}$' ORDER BY e.place);
	EXCEPTION WHEN data_exception THEN
		why := 'its events are no list';
	END;
END
$$;

CREATE FUNCTION api.import_webhooks(ctx api.ctx, rows text)
RETURNS api.imported LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[] := '{}';
	notes text[] := '{}';
	added bigint := 0;
	updated bigint := 0;
	given json;
	fitted record;
	hook partyline.webhook;
	old partyline.webhook;
BEGIN
	FOR given IN SELECT j.value FROM json_array_elements(rows::json) j
	    ORDER BY (j.value->>'id')::bigint LOOP
		fitted := api.import_webhook_fit(given);
		hook := fitted.fit;
		SELECT * INTO old FROM partyline.webhook w
		WHERE w.tenant_id = ctx.tenant AND w.id = hook.id;
		IF fitted.why IS NOT NULL OR old.created_at
		    <> hook.created_at OR hook.id = ANY (ids) THEN
			notes := notes || api.import_note('webhooks', hook.id,
			    'left_out', coalesce(fitted.why,
			    'another webhook has its id'));
			CONTINUE;
		END IF;
		ids := ids || hook.id;
		IF old.id IS NULL THEN
			hook.tenant_id := ctx.tenant;
			INSERT INTO partyline.webhook SELECT hook.*;
			INSERT INTO partyline.webhook_queue
			    (tenant_id, webhook_id)
			VALUES (ctx.tenant, hook.id);
			added := added + 1;
		ELSIF (old.name, old.url, old.secret, old.events)
		    <> (hook.name, hook.url, hook.secret, hook.events) THEN
			UPDATE partyline.webhook w SET name = hook.name,
			    url = hook.url, secret = hook.secret,
			    events = hook.events
			WHERE w.tenant_id = ctx.tenant AND w.id = hook.id;
			updated := updated + 1;
		END IF;
	END LOOP;
	RETURN ROW(ids, added, updated,
	    nullif(array_to_string(notes, ','), ''))::api.imported;
END
$$;
