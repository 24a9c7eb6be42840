// SPDX-License-Identifier: MIT
//
// Pages that follow fifty sessions each with the official client, as TAP:
// rooms.js FOLDER PLAN, where FOLDER has node_modules and PLAN is JSON: hosts,
// each with url, log, and master, its process; a token; and the sessions. It
// writes "kill" and waits for a line where somebody is to kill a worker of each
// host.

'use strict';

const assert = require('node:assert');
const { asks, has_left, numbers, official, run, test,
	until } = require('./tap.js');
const { Road, workers } = require('./workers.js');
const [folder, plan] = process.argv.slice(2);
const { io } = official(folder);
const { hosts, token, sessions } = JSON.parse(plan);

const ways = [['polling'], ['websocket'], ['polling', 'websocket']];
const heads = new Map(sessions.map((id) => [id, 0]));
let written = 0;

// From where it stopped; what it has heard of each is 1, 2, 3 and so on.
const follow = (one, id) => {
	const since = one.rooms.get(id).length;

	one.socket.emit('subscribe', id, { since }, (said) => {
		if (!said.success || said.resync)
			one.faults.push(`${id} since ${since}: ${
				JSON.stringify(said)}`);
		one.followed++;
	});
};

// One that begins with a certain worker of a host.
const page = (host, worker, transports) => {
	const road = new Road(host.log, worker);
	const socket = io(`${host.url}/live`, { transports, forceNew: true,
		agent: road, auth: { token }, reconnectionDelay: 20,
		reconnectionDelayMax: 100 });
	const one = { socket, comings: 0, faults: [], followed: 0,
		rooms: new Map(sessions.map((id) => [id, []])) };

	socket.io.engine.once('handshake', () => {
		road.to = undefined;
	});
	socket.on('connect', () => {
		one.comings++;
		one.rooms.forEach((heard, id) => follow(one, id));
	});
	socket.onAny((type, { stream, seq }) => {
		if (!/^session:/.test(stream) || !seq)
			return;
		const heard = one.rooms.get(Number(stream.slice(8)));

		if (!heard)
			one.faults.push(`${seq} of ${stream}, which it left`);
		else if (heard.push(seq) !== seq)
			one.faults.push(`${seq} of ${stream} as the ${
				heard.length}th`);
	});
	return one;
};

const pages = numbers(8).map((n) => {
	const host = hosts[n % 2];
	const all = workers(host.master);

	return page(host, all[(n >> 1) % all.length], ways[n % 3]);
});

// One event, at either host; once, also where its worker is killed.
const write = async (id) => {
	const n = written++;

	let said;

	for (let tries = 0; tries < 100; tries++) {
		const { url } = hosts[(n + tries) % 2];

		try {
			const answer = await fetch(
				`${url}/api/sessions/${id}/events`, {
				method: 'POST', headers: {
					'Authorization': `Bearer ${token}`,
					'Content-Type': 'application/json',
					'Idempotency-Key': `rooms-${n}` },
				body: JSON.stringify({ type: 'custom.n',
					data: { n } }) });

			said = await answer.json();
			if (said.seq) {
				heads.set(id, Math.max(said.seq,
					heads.get(id)));
				return;
			}
		} catch { /* it was cut */ }
		await new Promise((done) => setTimeout(done, 20));
	}
	throw new Error(`${id} takes no event: ${JSON.stringify(said)}`);
};

// So many in each session, some at a time.
const fill = async (count) => {
	const left = numbers(count).flatMap(() => sessions);

	await Promise.all(numbers(6).map(async () => {
		while (left.length > 0)
			await write(left.shift());
	}));
};

const all_have = async (what, rooms) => {
	await until(what, () => pages.every((one) => one.rooms.size === rooms &&
		[...one.rooms].every(([id, heard]) =>
			heard.length >= heads.get(id))), 30000);
	assert.deepStrictEqual(pages.flatMap((one) => one.faults), []);
	for (const one of pages)
		one.rooms.forEach((heard, id) => assert.deepStrictEqual(heard,
			numbers(heads.get(id)).map((n) => n + 1)));
};

test('fifty at once: each event of each, once and in order', async () => {
	assert.strictEqual(sessions.length, 50);
	await until('they follow', () =>
		pages.every((one) => one.followed === 50));
	await fill(4);
	await all_have('all events', 50);
});

const kept = new Map();

test('nothing of those that it left, while others hear it', async () => {
	const is_filled = fill(4);

	await Promise.all(pages.flatMap((one, n) => sessions.filter((id, i) =>
		(i + n) % 5 === 0).map(async (id) => {
		const said = await one.socket.emitWithAck('unsubscribe', id);

		assert(said.success);
		kept.set(`${n} ${id}`, one.rooms.get(id));
		one.rooms.delete(id);
	})));
	await is_filled;
	await fill(1);
	await all_have('all that they follow', 40);
});

test('all that was missed, for who comes back', async () => {
	const is_filled = fill(2);

	pages.forEach((one, n) => sessions.forEach((id) => {
		const heard = kept.get(`${n} ${id}`);

		if (heard) {
			one.rooms.set(id, heard);
			follow(one, id);
		}
	}));
	await is_filled;
	await all_have('all events', 50);
});

test('workers are killed meanwhile', async () => {
	const is_filled = fill(4), before = written;

	await until('some', () => written > before + 20);
	await asks('kill');
	await is_filled;
	await all_have('all events', 50);
	assert(pages.some((one) => one.comings > 1));
	assert.strictEqual(new Set(heads.values()).size, 1);
});

run(async () => {
	pages.forEach((one) => one.socket.disconnect());
	await until('all to have left', () => pages.every((one) =>
		has_left(one.socket)));
});
