// SPDX-License-Identifier: MIT
//
// The peer of t/bench/live and t/bench/socketio over Socket.IO: the token
// comes with the namespace's CONNECT, a session is a room, a POST is emitted
// to it. Who has no token may ask `ping`. Without compression. Nothing is
// numbered and nothing kept. Run: node socketio.js [PORT-OF-REDIS]; with it
// the adapter connects several processes.
'use strict';

const http = require('node:http');
const { Server } = require('socket.io');
const { login, mayWrite } = require('./common.js');

const server = http.createServer(onRequest);
// Publishers may be silent for a while.
server.keepAliveTimeout = 600000;
const io = new Server(server, { serveClient: false,
    perMessageDeflate: false });

function onRequest(request, response) {
	if (request.url.startsWith('/socket.io/'))
		return;
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
	io.to(id).emit('event', { type: body.type,
	    timestamp: new Date().toISOString(), data: body.data });
	return {};
}

io.use((socket, next) => {
	const { token } = socket.handshake.auth;
	const isGood = token === undefined || mayWrite(`Bearer ${token}`);
	next(isGood ? undefined : new Error('refused'));
});
io.on('connection', (socket) => {
	socket.on('subscribe', (message) => {
		socket.join(String(message.sessionId));
		socket.emit('subscribed', message);
	});
	socket.on('ping', (message, ack) => {
		ack({ pong: true, timestamp: new Date().toISOString(),
		    session_id: socket.id, thread_id: message.thread_id,
		    transport: 'polling' });
	});
});

async function adapt(port) {
	const { createClient } = require('redis');
	const { createAdapter } = require('@socket.io/redis-adapter');
	const told = createClient({ url: `redis://127.0.0.1:${port}` });
	const heard = told.duplicate();
	await Promise.all([told.connect(), heard.connect()]);
	io.adapter(createAdapter(told, heard));
}

async function start([port]) {
	if (port)
		await adapt(port);
	server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
		console.log(`port ${server.address().port}`));
}

start(process.argv.slice(2));
