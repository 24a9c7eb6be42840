// SPDX-License-Identifier: MIT
//
// Clients each of whose requests come to the worker that a test wants:
//
//	const { Road, workers } = require('./workers.js');
//	const [one, two] = workers(master);	// process ids of a server's
//	const road = new Road(one);
//	const socket = io(address, { agent: road });
//	road.to = two;		// from the next request on; undefined: any
//
// The kernel chooses who accepts a connection, so it takes some until one is
// with the right worker.

'use strict';

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { slow } = require('./tap.js');

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
	/^partyline: worker \d/.test(text_of(`/proc/${pid}/cmdline`)))
	.sort((a, b) => a.begun - b.begun).map(({ pid }) => pid);

// As /proc/net/tcp writes them.
const written = (address, port) => address.split('.').reverse()
	.map((part) => Number(part).toString(16).padStart(2, '0')).join('')
	.concat(':', port.toString(16).padStart(4, '0')).toUpperCase();

// The descriptor's name at the server, as soon as somebody accepts it.
const name_of = (socket) => {
	const here = written(socket.localAddress, socket.localPort);
	const there = written(socket.remoteAddress, socket.remotePort);
	const line = text_of('/proc/net/tcp').split('\n').map((row) =>
		row.trim().split(/\s+/)).find((row) =>
		row[1] === there && row[2] === here);

	return line && line[9] !== '0' ? `socket:[${line[9]}]` : undefined;
};

const has = (pid, name) => {
	const folder = `/proc/${pid}/fd`;

	try {
		return fs.readdirSync(folder).some((fd) => {
			try {
				return fs.readlinkSync(`${folder}/${fd}`) === name;
			} catch {
				return false;
			}
		});
	} catch {
		return false;
	}
};

const connected = (host, port) => new Promise((done, fail) => {
	const socket = net.connect({ host, port }, () => done(socket));

	socket.once('error', fail);
});

const reach = async ({ host, port }, pid) => {
	const others = [];

	try {
		for (const end = Date.now() + 15000 * slow; Date.now() < end;) {
			const socket = await connected(host, port);
			let name;

			while ((name = name_of(socket)) === undefined &&
			    Date.now() < end)
				await new Promise((done) => setTimeout(done, 2));
			if (has(pid, name))
				return socket;
			others.push(socket);
		}
	} finally {
		others.forEach((socket) => socket.destroy());
	}
	throw new Error(`no connection comes to worker ${pid}`);
};

class Road extends http.Agent {
	constructor(to) {
		super();
		this.to = to;
	}

	createConnection(options, done) {
		if (this.to === undefined)
			return super.createConnection(options, done);
		reach(options, this.to).then((socket) => done(null, socket), done);
	}
}

module.exports = { Road, workers };
