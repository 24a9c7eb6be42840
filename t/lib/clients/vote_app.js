// SPDX-License-Identifier: MIT
// The page on which viewers vote for the next game, as it was written for the
// server of before. t/45-picker-clients.t runs it.
//
//	vote_app.js URL KEY
//
// It tells what it understands, a line each.
'use strict';

const Socket = globalThis.WebSocket ?? require('ws');
const [url, key] = process.argv.slice(2);

const read = async (path, about) =>
	(await fetch(url + path, about)).json();

async function lead(socket, sessionId) {
	const played = await read(`/api/sessions/${sessionId}/games`);
	const games = await read('/api/games?enabled=true');
	const ids = new Set(played.map((one) => one.game_id));
	const game = games.find((one) => !ids.has(one.id));

	console.log('games', games.length, played.length);
	for (const votes of [1, 2, 3])
		socket.send(JSON.stringify({ type: 'poll.leading', sessionId,
			gameId: game.id, label: game.title, votes }));
}

function hear(socket, { type, sessionId, data, message }) {
	const subscribe = (id) => socket.send(JSON.stringify({
		type: 'subscribe', sessionId: id }));

	if (type === 'auth_success')
		read('/api/sessions/active').then((active) => active.id
			? subscribe(active.id)
			: console.log('nothing', active.message));
	if (type === 'session.started')
		subscribe(data.session.id);
	if (type === 'subscribed')
		console.log('subscribed', message);
	if (type === 'poll.start') {
		console.log('poll', sessionId, !isNaN(Date.parse(
			data.pollStartedAt)));
		lead(socket, sessionId);
	}
	if (type === 'poll.leading')
		console.log('leading', data.label, data.votes);
	if (type === 'voting.ended')
		console.log('winner', data.winnerLabel, data.winnerVotes);
}

async function connect() {
	try {
		const { token } = await read('/api/auth/login', {
			method: 'POST', body: JSON.stringify({ key }),
			headers: { 'Content-Type': 'application/json' } });
		const socket = new Socket(url.replace('http', 'ws')
			+ '/api/sessions/live');

		socket.onopen = () => socket.send(JSON.stringify({
			type: 'auth', token }));
		socket.onmessage = ({ data }) =>
			hear(socket, JSON.parse(data));
		socket.onerror = () => {};
		socket.onclose = () => {
			console.log('away');
			setTimeout(connect, 100);
		};
	} catch {
		setTimeout(connect, 100);
	}
}

connect();
