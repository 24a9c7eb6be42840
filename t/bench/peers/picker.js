// SPDX-License-Identifier: MIT
//
// The peer of t/bench/picker: express.js with games, what a session plays,
// votes, picks and ws. It makes the checks that today's server makes, with
// statements that are prepared once. Run: node picker.js DATABASE-FILE
'use strict';

const { app, db, server, writer } = require('./express.js');
const tell = require('./live.js')(server);

db.exec(`
	CREATE TABLE IF NOT EXISTS game (
		id		INTEGER PRIMARY KEY AUTOINCREMENT,
		pack_name	TEXT NOT NULL,
		title		TEXT NOT NULL,
		min_players	INTEGER NOT NULL,
		max_players	INTEGER NOT NULL,
		length_minutes	INTEGER,
		has_audience	INTEGER NOT NULL DEFAULT 0,
		family_friendly	INTEGER NOT NULL DEFAULT 0,
		game_type	TEXT,
		secondary_type	TEXT,
		play_count	INTEGER NOT NULL DEFAULT 0,
		popularity_score INTEGER NOT NULL DEFAULT 0,
		upvotes		INTEGER NOT NULL DEFAULT 0,
		downvotes	INTEGER NOT NULL DEFAULT 0,
		enabled		INTEGER NOT NULL DEFAULT 1,
		favor_bias	INTEGER NOT NULL DEFAULT 0,
		created_at	TEXT NOT NULL);
	CREATE TABLE IF NOT EXISTS pack (
		name		TEXT PRIMARY KEY,
		favor_bias	INTEGER NOT NULL DEFAULT 0);
	CREATE TABLE IF NOT EXISTS session_game (
		id		INTEGER PRIMARY KEY AUTOINCREMENT,
		session_id	INTEGER NOT NULL REFERENCES session,
		game_id		INTEGER NOT NULL REFERENCES game,
		played_at	TEXT NOT NULL);
	CREATE INDEX IF NOT EXISTS session_game_order
	    ON session_game (session_id, played_at);
	CREATE TABLE IF NOT EXISTS live_vote (
		id		INTEGER PRIMARY KEY AUTOINCREMENT,
		session_id	INTEGER NOT NULL REFERENCES session,
		game_id		INTEGER NOT NULL REFERENCES game,
		username	TEXT NOT NULL,
		vote_type	INTEGER NOT NULL,
		timestamp	TEXT NOT NULL,
		created_at	TEXT NOT NULL);
	CREATE INDEX IF NOT EXISTS live_vote_repeat
	    ON live_vote (username, game_id, timestamp);
	CREATE INDEX IF NOT EXISTS live_vote_session
	    ON live_vote (session_id, game_id);
`);

// --- games -----------------------------------------------------------------

const packAdd = db.prepare('INSERT OR IGNORE INTO pack (name) VALUES (?)');
const gameAdd = db.prepare(`INSERT INTO game (pack_name, title, min_players,
	max_players, length_minutes, game_type, created_at)
	VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *`);
const gameGet = db.prepare('SELECT * FROM game WHERE id = ?');
const gameList = db.prepare('SELECT * FROM game ORDER BY pack_name, title');
const playedAdd = db.prepare(`INSERT INTO session_game (session_id, game_id,
	played_at) VALUES (?, ?, ?) RETURNING *`);
const playedCount = db.prepare(`UPDATE session
	SET games_played = games_played + 1 WHERE id = ?`);

app.get('/api/games', (req, res) => res.json(gameList.all()));
app.get('/api/games/:id', (req, res) => {
	const game = gameGet.get(req.params.id);
	res.status(game ? 200 : 404).json(game ||
	    { error: 'Game not found' });
});
app.post('/api/games', writer, (req, res) => {
	const game = req.body;
	packAdd.run(game.pack_name);
	res.status(201).json(gameAdd.get(game.pack_name, game.title,
	    game.min_players, game.max_players, game.length_minutes ?? null,
	    game.game_type ?? null, new Date().toISOString()));
});
app.post('/api/sessions/:id/games', writer, (req, res) => {
	playedCount.run(req.params.id);
	res.status(201).json(playedAdd.get(req.params.id, req.body.game_id,
	    new Date().toISOString()));
});

// --- a pick ------------------------------------------------------------------

const factor = (favor, most, least) => [least, 1, most][favor + 1];
const enabled = db.prepare(`SELECT count(*) AS n FROM game
	WHERE enabled = 1`);
const pool = db.prepare(`SELECT game.*, pack.favor_bias AS pack_bias
	FROM game JOIN pack ON pack.name = game.pack_name
	WHERE enabled = 1 AND min_players <= $players
	AND max_players >= $players`);

app.post('/api/pick', (req, res) => {
	const games = pool.all({ players: Number(req.body.playerCount) });
	if (games.length === 0)
		return res.status(404).json({ error:
		    'No games match the current filters' });
	const weights = games.map((game) => factor(game.favor_bias, 3, 0.2) *
	    factor(game.pack_bias, 2, 0.3));
	let rest = Math.random() * weights.reduce((a, b) => a + b);
	let nth = 0;
	while (nth < games.length - 1 && (rest -= weights[nth]) >= 0)
		nth++;
	const { pack_bias, ...game } = games[nth];
	res.json({ game, poolSize: games.length,
	    totalEnabled: enabled.get().n });
});

// --- votes -------------------------------------------------------------------

const active = db.prepare('SELECT * FROM session WHERE is_active = 1');
const played = db.prepare(`SELECT p.game_id, p.played_at, g.title
	FROM session_game p JOIN game g ON g.id = p.game_id
	WHERE p.session_id = ? ORDER BY p.played_at`);
const former = db.prepare(`SELECT timestamp FROM live_vote
	WHERE username = ? AND game_id = ? ORDER BY timestamp DESC LIMIT 1`);
const count = db.prepare(`UPDATE game SET upvotes = upvotes + ?,
	downvotes = downvotes + ?, popularity_score = popularity_score + ?
	WHERE id = ? RETURNING *`);
const store = db.prepare(`INSERT INTO live_vote (session_id, game_id,
	username, vote_type, timestamp, created_at)
	VALUES (?, ?, ?, ?, ?, ?)`);
const keep = db.transaction((session, wanted, vote) => {
	const isUp = vote.vote === 'up';
	const game = count.get(isUp ? 1 : 0, isUp ? 0 : 1, isUp ? 1 : -1,
	    wanted);
	store.run(session.id, wanted, vote.username, isUp ? 1 : -1,
	    vote.timestamp, new Date().toISOString());
	return game;
});

app.post('/api/votes/live', writer, (req, res) => {
	const { username, vote, timestamp } = req.body;
	const refuse = (status, error) => res.status(status).json({ error });
	if (!username || !vote || !timestamp)
		return refuse(400, 'Missing required fields: '
		    + 'username, vote, timestamp');
	if (vote !== 'up' && vote !== 'down')
		return refuse(400, 'vote must be either "up" or "down"');
	const time = new Date(timestamp).getTime();
	if (Number.isNaN(time))
		return refuse(400, 'Invalid timestamp format');
	const session = active.get();
	if (!session)
		return refuse(404, 'No active session found');
	const match = played.all(session.id)
	    .findLast((row) => new Date(row.played_at).getTime() <= time);
	if (!match)
		return refuse(404, 'Vote timestamp does not match any game');
	const last = former.get(username, match.game_id);
	if (last && Math.abs(time - new Date(last.timestamp)) < 1000)
		return refuse(409, 'Duplicate vote detected');
	const game = keep(session, match.game_id, req.body);
	const { upvotes, downvotes, popularity_score } = game;
	const told = { username, type: vote, timestamp };
	tell(String(session.id), { type: 'vote.received',
	    timestamp: new Date().toISOString(), data: {
		sessionId: session.id,
		game: { id: game.id, title: game.title,
		    pack_name: game.pack_name },
		vote: told, totals: { upvotes, downvotes, popularity_score },
	    } });
	return res.json({ success: true,
	    message: 'Vote recorded successfully',
	    session: { id: session.id, games_played: session.games_played },
	    game: { id: game.id, title: game.title, upvotes, downvotes,
		popularity_score }, vote: told });
});
