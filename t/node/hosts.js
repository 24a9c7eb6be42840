// SPDX-License-Identifier: MIT
//
// What the official client does while hosts die, as TAP: hosts.js FOLDER
// ADDRESS, where FOLDER has node_modules and ADDRESS is a balancer before all
// hosts. The application is the one for test suites. It writes a word and
// waits for a line where somebody is to do something.

'use strict';

const assert = require('node:assert');
const { asks, has_left, numbers, official, run, test,
	until } = require('./tap.js');
const [folder, address] = process.argv.slice(2);
const { io } = official(folder);
const ways = [['polling'], ['websocket'], ['polling', 'websocket']];

// One that says a number after the other, with bytes, and hears each come
// back; after a break it goes on with the next.
const speaker = (transports) => {
	const socket = io(address, { transports, forceNew: true,
		reconnectionDelay: 20, reconnectionDelayMax: 100 });
	const told = { socket, acks: 0, breaks: 0, faults: [], heard: 0 };
	let said = 0, next = 0;

	const say = () => {
		const n = said++, here = socket.id;
		const bytes = Buffer.from([n % 256, 0, 255]);

		socket.emit('message', n, bytes);
		socket.emit('message-with-ack', n, bytes, (m, back) => {
			if (m !== n || !bytes.equals(back) || here !== socket.id)
				told.faults.push(`ack of ${n}: ${m}`);
			told.acks++;
			say();
		});
	};

	socket.on('message-back', (n, bytes) => {
		if (n !== next || bytes[0] !== n % 256)
			told.faults.push(`${n} in place of ${next}`);
		next = n + 1;
		told.heard++;
	});
	socket.on('connect', () => {
		next = said;
		say();
	});
	socket.on('disconnect', () => told.breaks++);
	return told;
};

const all = numbers(12).map((i) => speaker(ways[i % 3]));

const go_on = async (what) => {
	const acks = all.map((one) => one.acks);

	await until(what, () => all.every((one, i) =>
		one.acks >= acks[i] + 10 && one.heard > 0), 30000);
	assert.deepStrictEqual(all.flatMap((one) => one.faults), []);
};

test('all are answered', async () => {
	await go_on('first answers');
	assert.deepStrictEqual(all.map((one) => one.breaks),
		all.map(() => 0));
});

test('a host is killed: all come back and go on', async () => {
	await asks('kill');
	await until('a break', () => all.some((one) => one.breaks > 0));
	await go_on('answers of the other');
});

test('it begins again: all go on', async () => {
	await asks('begin');
	await go_on('answers of both');
});

test('a host is reloaded: all go on', async () => {
	await asks('reload');
	await go_on('answers');
});

// What they still say leaves before the process does.
run(async () => {
	all.forEach((one) => one.socket.disconnect());
	await until('all to have left', () =>
		all.every((one) => has_left(one.socket)));
});
