// SPDX-License-Identifier: MIT
//
// Clients each of whose requests come to the worker that a test wants:
//
//	const { Road, workers } = require('./workers.js');
//	const [one, two] = workers(master);	// process ids of a server's
//	const road = new Road(log, one);	// log: the path of its log
//	const socket = io(address, { agent: road });
//	road.to = two;		// from the next request on; undefined: any
//
// The kernel chooses who accepts a connection, so it takes some until one is
// with the right worker, which is whose log line has the request.

'use strict';

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { slow } = require('./tap.js');

const worker = /^partyline: worker (\d+)/;

const text_of = (path) => {
	try {
		return fs.readFileSync(path, 'latin1');
	} catch {
		return '';	// the process is gone
	}
};

// In the order in which they began.
const workers = (master) => fs.readdirSync('/proc').map((pid) => {
	const stat = text_of(`/proc/${pid}/stat`).replace(/^.*\) \S/s, '')
		.split(' ');

	return { pid: Number(pid), parent: Number(stat[1]),
		begun: Number(stat[19]) };
}).filter(({ pid, parent }) => parent === master &&
	worker.test(text_of(`/proc/${pid}/cmdline`)))
	.sort((a, b) => a.begun - b.begun).map(({ pid }) => pid);

const connected = (host, port) => new Promise((done, fail) => {
	const socket = net.connect({ host, port }, () => done(socket));

	socket.once('error', fail);
});

// false: it is cut.
const is_answered = (socket, id) => new Promise((done) => {
	let said = '';
	const end = (answer) => {
		socket.off('data', hear).off('close', end);
		done(answer === true);
	};
	const hear = (bytes) => {
		said += bytes.toString('latin1');
		const [head, body] = said.split('\r\n\r\n');
		const [, length] = /^content-length: *(\d+)/im.exec(head) ?? [];

		if (body !== undefined && body.length >= Number(length))
			end(true);
	};

	socket.on('data', hear).on('close', end);
	socket.write('GET /livez HTTP/1.1\r\nHost: test\r\n' +
		`X-Request-Id: ${id}\r\n\r\n`);
});

const since = (path, at) => {
	const file = fs.openSync(path);
	const bytes = Buffer.alloc(fs.fstatSync(file).size - at);

	fs.readSync(file, bytes, 0, bytes.length, at);
	fs.closeSync(file);
	return bytes.toString('latin1');
};

let asked = 0;

const is_with = async (socket, ordinal, log, end) => {
	const id = `road-${process.pid}-${++asked}`;
	const at = fs.statSync(log).size;
	let line;

	if (!await is_answered(socket, id))
		return false;
	while (!(line = since(log, at).split('\n').find((one) =>
		one.includes(`"${id}"`) && one.endsWith('}'))) &&
	    Date.now() < end)
		await new Promise((done) => setTimeout(done, 2));
	return line?.includes(`"worker ${ordinal}"`);
};

const reach = async ({ host, port }, pid, log) => {
	const [, ordinal] = worker.exec(text_of(`/proc/${pid}/cmdline`)) ?? [];
	const others = [];

	try {
		for (const end = Date.now() + 15000 * slow; Date.now() < end;) {
			const socket = await connected(host, port);

			if (await is_with(socket, ordinal, log, end))
				return socket;
			others.push(socket);
		}
	} finally {
		others.forEach((socket) => socket.destroy());
	}
	throw new Error(`no connection comes to worker ${pid}`);
};

class Road extends http.Agent {
	constructor(log, to) {
		super();
		this.log = log;
		this.to = to;
	}

	createConnection(options, done) {
		if (this.to === undefined)
			return super.createConnection(options, done);
		reach(options, this.to, this.log).then((socket) =>
			done(null, socket), done);
	}
}

module.exports = { Road, workers };
