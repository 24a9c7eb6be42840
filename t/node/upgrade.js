// SPDX-License-Identifier: MIT
//
// What the official client hears and says while it changes from polling to a
// WebSocket, as TAP: upgrade.js FOLDER PLAN, where FOLDER has node_modules and
// PLAN is JSON: suites, a server with the applications for test suites, and
// live, one with two sessions and a token; each with url, log, and master, its
// process. Before its probe, between 3probe and 5, and after it, all go on.

'use strict';

const assert = require('node:assert');
const { isDeepStrictEqual } = require('node:util');
const { before_2probe, before_5 } = require('./change.js');
const { numbers, official, run, test, until } = require('./tap.js');
const { Road, workers } = require('./workers.js');
const [folder, plan] = process.argv.slice(2);
const { io } = official(folder);
const { suites, live } = JSON.parse(plan);

const MUCH = 30;

// Its session is with one worker, its WebSocket comes to another.
const connect = ({ url, master, log }, nsp, is_apart, options = {}) => {
	const [mine, other] = workers(master);
	const road = new Road(log, mine);
	const socket = io(url + nsp, { forceNew: true, agent: road,
		reconnection: false, transports: ['polling', 'websocket'],
		...options });

	socket.io.engine.once('handshake', () => {
		road.to = is_apart ? other : mine;
	});
	return socket;
};

// `goes_on` says how far both sides are, `burst` says more at once.
const change = async (socket, begin, goes_on, burst) => {
	const probe = await before_2probe(socket);
	const much = async (what, of) => {
		const before = of();

		await until(what, () => of().every((n, i) =>
			n >= before[i] + MUCH), 30000);
	};

	await until('it is in', () => socket.connected);
	await begin();
	await much('while it polls', () => goes_on().both);
	const is_paused = before_5(socket);

	probe();
	const say_5 = await is_paused;

	burst();
	await much('while nothing comes', () => goes_on().others);
	say_5();
	burst();
	await much('by WebSocket', () => goes_on().both);
	assert.strictEqual(socket.io.engine.transport.name, 'websocket');
};

for (const is_apart of [false, true]) {
	const where = is_apart ? 'to another worker' : 'at its worker';

	test(`${where}: what is told is heard once, in order`, async () => {
		const socket = connect(live, '/live', is_apart, {
			auth: { token: live.token } });
		const [session, other] = live.sessions;
		const heard = [], asked = [], acks = [];
		let last = 0, first = 0, is_over = false;

		const ask = () => {
			const n = asked.push(asked.length) - 1;

			socket.emit('unsubscribe', other, ({ success }) => {
				acks.push(success ? n : 'no');
				if (!is_over)
					ask();
			});
		};
		const write = async () => {
			const answer = await fetch(
				`${live.url}/api/sessions/${session}/events`, {
				method: 'POST', headers: {
					'Authorization': `Bearer ${live.token}`,
					'Content-Type': 'application/json' },
				body: '{"type":"custom.n","data":{}}' });

			last = Math.max(last, (await answer.json()).seq);
			if (!is_over)
				await write();
		};
		let writes;

		socket.on('custom.n', ({ seq }) => heard.push(seq));
		await change(socket, async () => {
			const said = await socket.emitWithAck('subscribe',
				session);

			first = said.seq + 1;
			writes = Promise.all([write(), write()]);
			ask();
			ask();
		}, () => ({ both: [heard.length, acks.length],
			others: [last] }), () => numbers(20).forEach(ask));
		is_over = true;
		await writes;
		await until('the rest', () => heard.at(-1) >= last &&
			acks.length === asked.length);
		assert.deepStrictEqual(heard, numbers(last - first + 1)
			.map((n) => first + n));
		assert.deepStrictEqual(acks, asked);
		socket.disconnect();
	});

	test(`${where}: texts, bytes and answers both ways`, async () => {
		const socket = connect(suites, '/', is_apart);
		const custom = socket.io.socket('/custom');
		const guest = io(`${suites.url}/custom`, { forceNew: true,
			transports: ['websocket'], reconnection: false });
		const said = [], heard = [], acks = [], answers = [];
		let answered = 0, is_over = false;
		const bytes_of = (n) => n % 3 === 0 ? `${n}` :
			Buffer.from([n % 256, 0, n % 7]);
		const is_same = (n, m, bytes) => n === m &&
			isDeepStrictEqual(bytes, bytes_of(n));

		const say = (goes_on = true) => {
			const n = said.push(said.length) - 1;

			socket.emit('message', n, bytes_of(n));
			socket.emit('message-with-ack', n, bytes_of(n),
				(m, bytes) => {
				acks.push(is_same(n, m, bytes) ? n : 'broken');
				if (goes_on && !is_over)
					say();
			});
		};
		const ask = () => guest.emit('ask-all', 30000, (meant, all) => {
			answers.push([meant, ...all.flat().sort()]);
			if (!is_over)
				ask();
		});

		socket.on('message-back', (n, bytes) => {
			heard.push(is_same(n, n, bytes) ? n : 'broken');
		});
		guest.on('asked', (answer) => answer('guest'));
		custom.on('asked', (answer) => answer(answered++));
		await change(socket, async () => {
			await until('all are in', () => custom.connected &&
				guest.connected);
			say();
			ask();
		}, () => ({ both: [acks.length, answers.length], others: [] }),
			() => numbers(40).forEach(() => say(false)));
		is_over = true;
		await until('the rest', () => heard.length >= said.length &&
			acks.length >= said.length &&
			answers.length >= answered);
		assert.deepStrictEqual(heard, said);
		assert.deepStrictEqual(acks, said);
		assert.deepStrictEqual(answers, numbers(answered).map((n) =>
			[2, n, 'guest']));
		socket.disconnect();
		custom.disconnect();
		guest.disconnect();
	});
}

run();
