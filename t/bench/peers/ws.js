// SPDX-License-Identifier: MIT
//
// The peer of t/bench/live over ws: a client signs in and subscribes by
// message, a POST is told to all of its session. Nothing is numbered and
// nothing kept. The frame is made once and each socket written to once, over
// a Set, as the manual of ws does it.
'use strict';

const http = require('node:http');
const { WebSocketServer } = require('ws');
const { login, mayWrite } = require('./common.js');

const rooms = new Map();
const server = http.createServer(onRequest);
const live = new WebSocketServer({ server, path: '/api/sessions/live',
    perMessageDeflate: false });

function onRequest(request, response) {
	const parts = [];
	request.on('data', (part) => parts.push(part));
	request.on('end', () => {
		const body = JSON.parse(Buffer.concat(parts) || '{}');
		const answer = JSON.stringify(act(request, body));
		response.writeHead(201, { 'Content-Type': 'application/json',
		    'Content-Length': Buffer.byteLength(answer) });
		response.end(answer);
	});
}

function act(request, body) {
	if (request.url === '/api/auth/login')
		return login(body);
	if (request.url === '/bench/tidy') {
		global.gc();
		return {};
	}
	const id = /^\/api\/sessions\/(\d+)\/events$/.exec(request.url)?.[1];
	if (!id || !mayWrite(request.headers.authorization))
		return { error: 'refused' };
	const text = Buffer.from(JSON.stringify({ type: body.type,
	    timestamp: new Date().toISOString(), data: body.data }));
	for (const socket of rooms.get(id) ?? [])
		socket.send(text, { binary: false });
	return {};
}

live.on('connection', (socket) => {
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
});

server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
	console.log(`port ${server.address().port}`));
