// SPDX-License-Identifier: MIT
//
// Fastify 5 over PostgreSQL with pg: a pool, prepared statements, answers by
// schema. Run: node fastify.js SOCKET-FOLDER USER DATABASE
'use strict';

const fastify = require('fastify')({ logger: false });
const { Pool } = require('pg');
const { login, mayWrite, none, missing, refused } = require('./common.js');

const [host, user, database] = process.argv.slice(2);
const pool = new Pool({ host, user, database, idleTimeoutMillis: 0 });

const schema = `
	CREATE TABLE IF NOT EXISTS session (
		id		int GENERATED ALWAYS AS IDENTITY
				    PRIMARY KEY,
		notes		text,
		is_active	smallint NOT NULL DEFAULT 1,
		created_at	timestamptz(3) NOT NULL DEFAULT now(),
		closed_at	timestamptz(3),
		games_played	int NOT NULL DEFAULT 0);
	CREATE INDEX IF NOT EXISTS session_newest
	    ON session (created_at DESC, id DESC);
	CREATE INDEX IF NOT EXISTS session_active
	    ON session (id) WHERE is_active = 1;
`;
const columns = 'id, notes, is_active, created_at, closed_at, games_played';
const statements = {
	list: `SELECT ${columns} FROM session
		ORDER BY created_at DESC, id DESC LIMIT $1`,
	active: `SELECT ${columns} FROM session
		WHERE is_active = 1 ORDER BY id DESC LIMIT 1`,
	get: `SELECT ${columns} FROM session WHERE id = $1`,
	create: `INSERT INTO session (notes) VALUES ($1)
		RETURNING id, notes, is_active, created_at, closed_at`,
	close: `UPDATE session SET is_active = 0, closed_at = now(),
		notes = coalesce($1, notes) WHERE id = $2 AND is_active = 1
		RETURNING ${columns}`,
};

// Prepared by its name on each connection of the pool, then only bound.
async function rows(name, ...values) {
	const query = { name, text: statements[name], values };
	return (await pool.query(query)).rows;
}

const time = { type: 'string', format: 'date-time' };
const created = {
	id: { type: 'integer' },
	notes: { type: 'string', nullable: true },
	is_active: { type: 'integer' },
	created_at: time,
	closed_at: { ...time, nullable: true },
};
const session = { type: 'object',
    properties: { ...created, games_played: { type: 'integer' } } };
const answers = (status, body) =>
	({ schema: { response: { [status]: body } } });
const writes = (status, body) => ({
	...answers(status, body),
	onRequest: async (request, reply) => {
		if (!mayWrite(request.headers.authorization))
			return reply.code(403).send(refused);
	},
});

fastify.post('/api/auth/login', async (request, reply) => {
	const answer = login(request.body);
	return reply.code(answer ? 200 : 401).send(answer || refused);
});
fastify.get('/api/sessions', answers(200, { type: 'array', items: session }),
    async (request) => rows('list', Number(request.query.limit) || null));
fastify.get('/api/sessions/active', answers(200, { type: 'object',
    properties: { ...session.properties,
	session: { type: 'null' }, message: { type: 'string' } } }),
    async () => (await rows('active'))[0] || none);
fastify.get('/api/sessions/:id', answers(200, session),
    async (request, reply) => {
	const [found] = await rows('get', request.params.id);
	return found || reply.code(404).send(missing);
});
fastify.post('/api/sessions', writes(201, { type: 'object',
    properties: created }), async (request, reply) => {
	const [made] = await rows('create', request.body?.notes ?? null);
	return reply.code(201).send(made);
});
fastify.post('/api/sessions/:id/close', writes(200, session),
    async (request, reply) => {
	const [closed] = await rows('close', request.body?.notes ?? null,
	    request.params.id);
	return closed || reply.code(404).send(missing);
});

// For the bench: what it wrote is taken away between two rounds.
fastify.delete('/bench/sessions/:after', async (request) => {
	await pool.query('DELETE FROM session WHERE id > $1',
	    [request.params.after]);
	return {};
});

pool.query(schema)
    .then(() => fastify.listen({ port: 0, host: '127.0.0.1' }))
    .then(() => console.log(`port ${fastify.server.address().port}`));
