-- SPDX-License-Identifier: MIT
--
-- What every function of the api stands on. The schema is made anew by each
-- migrate, so that a function which left the sources leaves the database.
--
-- An operation is
--
--	api.<name>(ctx api.ctx, …) RETURNS SETOF api.answer
--
-- opens with api.enter(ctx), raises its refusals as SQLSTATE PT<status> with
-- the error's name as the message and extras as a JSON object in DETAIL, and
-- takes its locks in this order: rows of nouns by id, counters, streams by
-- name. Everything runs with the rights of the caller.

SET LOCAL client_min_messages = warning;
DROP SCHEMA IF EXISTS api CASCADE;
CREATE SCHEMA api;
GRANT USAGE ON SCHEMA api TO partyline_server, partyline_fleet;

CREATE TYPE api.ctx AS (
	tenant		int,
	caller		text,		-- NULL: anonymous
	role		text,
	request_id	text,
	idempotency_key	text,
	request_hash	text,
	address		text
);

-- With a status: the answer of that element; body is final JSON. Where
-- refusal is set, it is the error's name and body its extras (only batched
-- operations refuse in a row). headers: a JSON object of further headers.
-- Without a status: an event that was stored; body is its envelope, and
-- headers is not NULL where a webhook waits for it.
CREATE TYPE api.answer AS (
	element		int,
	status		int,
	body		text,
	stream		text,
	epoch		text,
	seq		bigint,
	headers		text,
	refusal		text
);

-- The tenant for row-level security, and the request for PostgreSQL's log.
CREATE FUNCTION api.enter(ctx api.ctx)
RETURNS text LANGUAGE sql AS $$
	SELECT set_config('application_name',
	    left('partyline ' || ctx.request_id, 63), true)
	    || set_config('partyline.tenant', ctx.tenant::text, true)
$$;

-- One expression of one column, and so PostgreSQL inlines it, as EXPLAIN
-- VERBOSE shows. What is LANGUAGE sql and cannot be inlined is parsed anew in
-- every transaction (25 us): then plpgsql is cheaper.
CREATE FUNCTION api.reply(status int, body text)
RETURNS api.answer LANGUAGE sql IMMUTABLE AS $$
	SELECT ROW(0, status, body, NULL, NULL, NULL, NULL,
	    NULL)::api.answer
$$;

-- This moment as it is stored and shown: in whole milliseconds.
CREATE FUNCTION api.moment()
RETURNS timestamptz LANGUAGE sql AS $$
	SELECT date_trunc('milliseconds', clock_timestamp())
$$;

-- ISO 8601 of a moment in whole milliseconds.
CREATE FUNCTION api.iso(moment timestamptz)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT to_char(moment AT TIME ZONE 'UTC',
	    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- The last of the next public ids of a noun, so many. Its row stays locked
-- until the commit.
CREATE FUNCTION api.next_ids(ctx api.ctx, wanted text, many bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
BEGIN
	INSERT INTO partyline.counter AS c (tenant_id, noun, last)
	VALUES (ctx.tenant, wanted, many)
	ON CONFLICT (tenant_id, noun) DO UPDATE SET last = c.last + many
	RETURNING last INTO id;
	RETURN id;
END
$$;

CREATE FUNCTION api.next_id(ctx api.ctx, wanted text)
RETURNS bigint LANGUAGE sql AS $$
	SELECT api.next_ids(ctx, wanted, 1)
$$;
