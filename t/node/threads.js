// SPDX-License-Identifier: MIT
//
// What pages of threads do, with the official client and our SessionMonitor,
// as TAP: threads.js FOLDER ADDRESS OTHER, where FOLDER has node_modules and
// OTHER is another host's. The tenant's responder says an analysis for each
// word of a question. It writes "kill" and waits for a line where somebody is
// to kill a worker of the first host.

'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { asks, numbers, official, run, test, until } = require('./tap.js');
const [folder, address, other] = process.argv.slice(2);
const { io } = official(folder);
const SessionMonitor = require(path.join(__dirname,
	'../../src/web/clients/session_monitor.js'));

const ways = {
	'polling': ['polling'],
	'websocket': ['websocket'],
	'as the page': ['polling', 'websocket'],
};

const connect = (transports, at) => io(at, { transports, forceNew: true,
	path: '/socket.io', reconnectionAttempts: 5, reconnectionDelay: 50,
	timeout: 10000 });

const ask = async (thread_id, words, at = address) => {
	const answer = await fetch(`${at}/havefun`, { method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ user_input: words.join(' '), thread_id,
			use_websocket: true }) });

	assert.strictEqual(answer.status, 200);
	return answer.text();
};

const words_of = (count) => numbers(count).map(String);

// A page: what it was told, in order.
const page = (thread_id, transports, options = {}, at = address) => {
	const socket = connect(transports, at);
	const monitor = new SessionMonitor(socket, { thread_id,
		pingInterval: 50, ...options });
	const told = { connected: [], session_registered: [], words: [],
		system_ping: [] };

	for (const name of ['connected', 'session_registered', 'system_ping'])
		socket.on(name, (payload) => told[name].push(payload));
	socket.on('analysis_update', (payload) =>
		told.words.push(payload.content));
	monitor.start();
	return { socket, monitor, told };
};

for (const [way, transports] of Object.entries(ways)) {
	test(`${way}: registers, pings, is told each word once`, async () => {
		const thread = `npm ${way}`;
		const one = page(thread, transports);
		const two = page(thread, transports);
		const words = words_of(50);

		for (const { told, monitor } of [one, two]) {
			await until('registered', () =>
				told.session_registered.length === 1);
			await until('a pong', () => monitor.lastPong !== null);
		}
		assert.strictEqual(one.told.connected[0].session_id,
			one.socket.id);
		assert.strictEqual(one.told.session_registered[0].thread_id,
			thread);
		await ask(thread, words);
		for (const { told } of [one, two]) {
			await until('words', () => told.words.length >= 50);
			assert.deepStrictEqual(told.words, words);
		}
		one.socket.disconnect();
		two.socket.disconnect();
		await until('nobody', () => one.monitor.timer === null);
	});

	test(`${way}: what waited comes once`, async () => {
		const thread = `npm waits ${way}`;

		await ask(thread, ['a', 'b', 'c']);
		const one = page(thread, transports);

		await until('words', () => one.told.words.length >= 3);
		assert.deepStrictEqual(one.told.words, ['a', 'b', 'c']);
		assert.deepStrictEqual(
			one.told.session_registered[0].missed_messages,
			{ available: true, count: 3 });
		one.socket.disconnect();
	});
}

test('a page whose worker is killed again and again', async () => {
	const thread = 'npm killed';
	const one = page(thread, ['polling', 'websocket']);
	const words = words_of(300);

	await until('registered', () =>
		one.told.session_registered.length === 1);
	const answered = ask(thread, words).catch(() => 'its worker was killed');

	for (let times = 1; times <= 3; times++) {
		const before = one.told.words.length;

		await until('some', () => one.told.words.length > before + 20);
		await asks('kill');
	}
	await answered;
	await until('all', () => one.told.words.includes('299') ||
		one.told.words.length >= 300);
	assert.strictEqual(one.told.words.join(' '), words.join(' '));
	one.socket.disconnect();
});

// What one host is asked the other one's page is told, whose workers die.
test('a page of another host, whose workers are killed', async () => {
	const thread = 'npm hosts';
	const one = page(thread, ['websocket', 'polling']);
	const words = words_of(400);

	await until('registered', () =>
		one.told.session_registered.length === 1);
	const answered = ask(thread, words, other);

	for (let times = 1; times <= 2; times++) {
		const before = one.told.words.length;

		await until('some', () => one.told.words.length > before + 20);
		await asks('kill');
	}
	await answered;
	await until('all', () => one.told.words.length >= 400);
	assert.strictEqual(one.told.words.join(' '), words.join(' '));
	one.socket.disconnect();
	await until('it is gone', () => one.monitor.timer === null);

	await ask(thread, ['x', 'y'], address);
	const two = page(thread, ['polling'], {}, other);

	await until('what waited', () => two.told.words.length >= 2);
	assert.deepStrictEqual(two.told.words, ['x', 'y']);
	two.socket.disconnect();
});

run();
