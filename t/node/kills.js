// SPDX-License-Identifier: MIT
//
// What the official client makes of a worker that is killed at the worst of
// moments, as TAP: kills.js FOLDER ADDRESS LOG MASTER, where FOLDER has
// node_modules, LOG is the server's and MASTER its process, with two workers.
// The application is the one for test suites. It writes "kill PID" where
// somebody is to kill a worker, "waits" where he is to see that a GET waits at
// the server, and "stuck" that the server cannot get rid of what it says.

'use strict';

const assert = require('node:assert');
const { createCipheriv } = require('node:crypto');
const { once } = require('node:events');
const { before_2probe, before_5 } = require('./change.js');
const { asks, numbers, official, run, test, until } = require('./tap.js');
const { Road, workers } = require('./workers.js');
const [folder, address, log, master] = process.argv.slice(2);
const { io } = official(folder);

// Such as cannot be compressed.
const bytes_of = (n, size = 9) => createCipheriv('aes-128-ctr',
	Buffer.alloc(16), Buffer.alloc(16, `${n} `)).update(Buffer.alloc(size));
const is_whole = (n, all, size) => Number.isInteger(n) && all.length > 0 &&
	all.every((bytes) => bytes_of(n, size).equals(bytes));

// One whose session is with the worker `owner`; its other requests come to
// `elsewhere`, until a worker is killed.
const enter = (transports, owner, elsewhere) => {
	const road = new Road(log, owner);
	const socket = io(address, { transports, forceNew: true, agent: road,
		reconnectionDelay: 20, reconnectionDelayMax: 100 });
	const one = { socket, road, said: 0, sids: [], ends: [], faults: [],
		acks: [], heard: [], size: 9 };

	socket.io.engine.once('handshake', () => {
		road.to = elsewhere;
	});
	socket.on('connect', () => one.sids.push(socket.id));
	socket.on('disconnect', (why) => one.ends.push(why));
	socket.on('message-back', (n, ...all) => {
		if (!is_whole(n, all, one.size) || n <= one.heard.at(-1))
			one.faults.push(`heard ${n} ${all}`);
		one.heard.push(n);
	});
	return one;
};

// The next number, with attachments: as an event that comes back, or as a
// question, whose answer is for the connection that asked.
const say = (one, count = 2) => {
	one.socket.emit('message', one.said, ...numbers(count).map(() =>
		bytes_of(one.said, one.size)));
	return one.said++;
};

const ask = (one) => {
	const n = one.said++, sid = one.socket.id;

	one.socket.emit('message-with-ack', n, bytes_of(n), (m, ...all) => {
		if (m !== n || !is_whole(n, all) || one.socket.id !== sid)
			one.faults.push(`ack of ${n}: ${m} ${all}`);
		one.acks.push(n);
	});
	return n;
};

const talks = async (one) => {
	const said = numbers(20).map(() => say(one));
	const asked = numbers(20).map(() => ask(one));

	await until('answers', () => one.acks.includes(asked.at(-1)) &&
		one.heard.includes(said.at(-1)));
	assert.deepStrictEqual(one.faults, []);
	assert.deepStrictEqual(one.heard.slice(-20), said);
	assert.deepStrictEqual(one.acks.slice(-20), asked);
};

// The moments. Each comes back at it, with what goes on from there.

const before_the_probe = ({ socket }) => before_2probe(socket);

const before_the_change = async ({ socket }) => {
	const probe = await before_2probe(socket);

	await until('it is in', () => socket.connected);
	const is_paused = before_5(socket);

	probe();
	return is_paused;
};

const in_silence = async (one) => {
	await until('it is in', () => one.socket.connected);
	await talks(one);
	return () => {};
};

// The packet has gone to the server, its attachments have not.
const attachments_lack = async (one) => {
	await until('it is in', () => one.socket.connected);
	await talks(one);
	const { transport } = one.socket.io.engine;
	const write = transport.write;
	const held = [];
	const is_taken = new Promise((done) => {
		let is_begun = false;

		transport.write = function (packets) {
			const at = is_begun ? -1 : packets.findIndex(
				({ data }) => /^5\d+-/.test(data));

			if (!is_begun && at < 0)
				return write.call(this, packets);
			held.push(...packets.slice(at + 1));
			if (is_begun) {
				this.writable = false;
				return;
			}
			is_begun = true;
			write.call(this, packets.slice(0, at + 1));
			this.once('drain', done);
		};
	});

	one.lost = [say(one), ask(one), say(one)];
	await is_taken;
	if (transport.ws) {
		const is_read = once(transport.ws, 'pong');

		transport.ws.ping();
		await is_read;
	}
	return () => write.call(transport, held);
};

// Of what it hears, too, the end lacks: it reads no more, and is told much.
const half_is_heard = async (one) => {
	await until('it is in', () => one.socket.connected);
	const { ws } = one.socket.io.engine.transport;

	one.size = 900_000;
	ws.pause();
	one.lost = [say(one, 3), say(one, 2)];
	await asks('stuck');
	return () => ws.resume();
};

const lives = async (one, moment, dies) => {
	const go_on = await moment(one);
	const { transport } = one.socket.io.engine;

	await until('it is in', () => one.socket.connected);
	if (transport.name === 'polling' && transport.readyState === 'open')
		await asks('waits');
	const before = one.sids.length;

	one.road.to = undefined;
	await asks(`kill ${dies}`);
	go_on();
	return before;
};

// At once, but where it does not poll and so hears nothing of it.
const is_back = async (one, before, moment) => {
	await until('it is back', () => one.socket.connected &&
		one.sids.length > before);
	assert.strictEqual(new Set(one.sids).size, before + 1);
	assert.strictEqual(one.ends.includes('ping timeout'),
		moment === before_the_change);
	one.size = 9;
	await talks(one);
	for (const n of one.lost ?? [])
		assert(![...one.heard, ...one.acks].includes(n), `${n}`);
};

const leaves = async (one) => {
	const { engine } = one.socket.io;

	one.socket.disconnect();
	await until('it has left', () => engine.readyState === 'closed');
};

const both = ['polling', 'websocket'];
const moments = [
	['before its probe is answered', before_the_probe, both],
	['between 3probe and 5', before_the_change, both],
	['while a GET waits', in_silence, ['polling']],
	['within an event, polling', attachments_lack, ['polling']],
	['within an event, by WebSocket', attachments_lack, ['websocket']],
	['within an answer, by WebSocket', half_is_heard, ['websocket']],
];

const two = async () => {
	await until('two workers', () => workers(Number(master)).length === 2);
	return workers(Number(master));
};

for (const [name, moment, transports] of moments) {
	test(`${name}: its worker dies`, async () => {
		const [mine] = await two();
		const one = enter(transports, mine, mine);

		await is_back(one, await lives(one, moment, mine), moment);
		await leaves(one);
	});
	if (transports[0] === 'websocket')
		continue;
	test(`${name}: its worker dies, which others ask`, async () => {
		const [mine, other] = await two();
		const one = enter(transports, mine, other);

		await is_back(one, await lives(one, moment, mine), moment);
		await leaves(one);
	});
	test(`${name}: the one that asks its worker dies`, async () => {
		const [other, mine] = await two();
		const one = enter(transports, mine, other);
		const before = await lives(one, moment, other);

		// Then it has passed the WebSocket on.
		if (moment === before_the_change) {
			await until('the change', () =>
				one.socket.io.engine.transport.ws);
			await talks(one);
			assert.strictEqual(one.sids.length, before);
		} else {
			await is_back(one, before, moment);
		}
		await leaves(one);
	});
}

run();
