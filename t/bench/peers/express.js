// SPDX-License-Identifier: MIT
//
// Express 4 over better-sqlite3: WAL, synchronous = NORMAL, so that a commit
// is not flushed to the disk. Run: node express.js DATABASE-FILE; picker.js adds
// to it what votes and picks need.
'use strict';

const express = require('express');
const Database = require('better-sqlite3');
const { login, mayWrite, none, missing, refused } = require('./common.js');

const db = new Database(process.argv[2]);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = NORMAL');
db.exec(`
	CREATE TABLE IF NOT EXISTS session (
		id		INTEGER PRIMARY KEY AUTOINCREMENT,
		notes		TEXT,
		is_active	INTEGER NOT NULL DEFAULT 1,
		created_at	TEXT NOT NULL,
		closed_at	TEXT,
		games_played	INTEGER NOT NULL DEFAULT 0);
	CREATE INDEX IF NOT EXISTS session_newest
	    ON session (created_at DESC, id DESC);
	CREATE INDEX IF NOT EXISTS session_active
	    ON session (id) WHERE is_active = 1;
`);

const columns = 'id, notes, is_active, created_at, closed_at, games_played';
const list = db.prepare(`SELECT ${columns} FROM session
	ORDER BY created_at DESC, id DESC LIMIT ?`);
const active = db.prepare(`SELECT ${columns} FROM session
	WHERE is_active = 1 ORDER BY id DESC LIMIT 1`);
const get = db.prepare(`SELECT ${columns} FROM session WHERE id = ?`);
const create = db.prepare(`INSERT INTO session (notes, created_at)
	VALUES (?, ?) RETURNING id, notes, is_active, created_at, closed_at`);
const close = db.prepare(`UPDATE session SET is_active = 0, closed_at = ?,
	notes = coalesce(?, notes) WHERE id = ? AND is_active = 1
	RETURNING ${columns}`);

const app = express();
app.use(express.json());

const writer = (req, res, next) =>
	mayWrite(req.headers.authorization) ? next()
	: res.status(403).json(refused);

app.post('/api/auth/login', (req, res) => {
	const answer = login(req.body);
	res.status(answer ? 200 : 401).json(answer || refused);
});
app.get('/api/sessions', (req, res) => {
	res.json(list.all(Number(req.query.limit) || -1));
});
app.get('/api/sessions/active', (req, res) => {
	res.json(active.get() || none);
});
app.get('/api/sessions/:id', (req, res) => {
	const session = get.get(req.params.id);
	res.status(session ? 200 : 404).json(session || missing);
});
app.post('/api/sessions', writer, (req, res) => {
	res.status(201).json(create.get(req.body.notes ?? null,
	    new Date().toISOString()));
});
app.post('/api/sessions/:id/close', writer, (req, res) => {
	const session = close.get(new Date().toISOString(),
	    req.body.notes ?? null, req.params.id);
	res.status(session ? 200 : 404).json(session || missing);
});

// For the bench: what it wrote is taken away between two rounds.
app.delete('/bench/sessions/:after', (req, res) => {
	db.prepare('DELETE FROM session WHERE id > ?').run(req.params.after);
	db.pragma('wal_checkpoint(TRUNCATE)');
	res.json({});
});

const server = app.listen(0, '127.0.0.1', () =>
	console.log(`port ${server.address().port}`));

module.exports = { app, db, server, writer };
