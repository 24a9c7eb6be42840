// SPDX-License-Identifier: MIT
//
// Tests in JavaScript, which say TAP to T::Script:
//
//	const { official, run, test, until, asks } = require('./tap.js');
//	const { io } = official(folder);	// the client, of a folder
//	test('it is let in', async () => {
//		await until('a sid', () => socket.id);
//		await asks('kill');	// T::Script does it, and says so
//	});
//	run();

'use strict';

const { createRequire } = require('node:module');
const readline = require('node:readline');

const slow = Number(process.env.T_SLOW || 1);
const tests = [];
let lines;

const official = (folder) =>
	createRequire(`${folder}/`)('socket.io-client');

const test = (name, act) => tests.push({ name, act });

const until = async (what, is, ms = 15000) => {
	for (const end = Date.now() + ms * slow; Date.now() < end;) {
		if (is())
			return;
		await new Promise((done) => setTimeout(done, 5));
	}
	throw new Error(`not in time: ${what}`);
};

const asks = async (word) => {
	lines ??= readline.createInterface({ input: process.stdin });
	const line = new Promise((done) => lines.once('line', done));

	console.log(word);
	if (await line !== 'done')
		throw new Error(`${word} is not done`);
};

// One that polls is closed first and says so then, by a POST.
const has_left = ({ io: { engine } }) => engine.readyState === 'closed' &&
	(engine.transport.name !== 'polling' || engine.transport.writable);

const numbers = (count) => Array.from({ length: count }, (_, i) => i);

// One after the other; `leave` is done at the end.
const run = async (leave = () => {}) => {
	let number = 0;

	for (const { name, act } of tests) {
		let failure;

		try {
			await act();
		} catch (error) {
			failure = error;
		}
		console.log(`${failure ? 'not ok' : 'ok'} ${++number} - ${name}`);
		if (failure)
			console.log(String(failure.stack).replace(/^/gm, '# '));
	}
	console.log(`1..${number}`);
	await leave();
	process.exit();
};

module.exports = { asks, has_left, numbers, official, run, slow, test, until };
