// SPDX-License-Identifier: MIT
//
// The live door of a peer over ws: a client signs in and subscribes by
// message, and what is told to a session goes to all of its subscribers. The
// frame is made once and each socket written to once, over a Set, as the
// manual of ws does it. Nothing is numbered and nothing kept.
//
//	const tell = require('./live.js')(server);
//	tell(String(session.id), { type, timestamp, data });
'use strict';

const { WebSocketServer } = require('ws');
const { mayWrite } = require('./common.js');

const rooms = new Map();

function onConnection(socket) {
	let signedIn = false;
	const joined = new Set();
	socket.on('message', (bytes) => {
		const message = JSON.parse(bytes);
		if (message.type === 'auth') {
			signedIn = mayWrite(`Bearer ${message.token}`);
			socket.send(JSON.stringify({ type: signedIn ?
			    'auth_success' : 'auth_error' }));
		} else if (message.type === 'subscribe' && signedIn) {
			const id = String(message.sessionId);
			if (!rooms.has(id))
				rooms.set(id, new Set());
			rooms.get(id).add(socket);
			joined.add(id);
			socket.send(JSON.stringify({ type: 'subscribed',
			    sessionId: message.sessionId }));
		}
	});
	socket.on('error', () => {});
	socket.on('close', () => {
		for (const id of joined)
			rooms.get(id).delete(socket);
	});
}

module.exports = (server) => {
	const live = new WebSocketServer({ server, path: '/api/sessions/live',
	    perMessageDeflate: false });
	live.on('connection', onConnection);
	return (id, event) => {
		const text = Buffer.from(JSON.stringify(event));
		for (const socket of rooms.get(id) ?? [])
			socket.send(text, { binary: false });
	};
};
