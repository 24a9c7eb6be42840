// SPDX-License-Identifier: MIT
//
// The peer of t/bench/live over ws: a POST is told to all of its session.
'use strict';

const http = require('node:http');
const { login, mayWrite } = require('./common.js');

const server = http.createServer(onRequest);
const tell = require('./live.js')(server);

// Publishers may be silent for a while.
server.keepAliveTimeout = 600000;

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
	tell(id, { type: body.type, timestamp: new Date().toISOString(),
	    data: body.data });
	return {};
}

server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
	console.log(`port ${server.address().port}`));
