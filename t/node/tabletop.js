// SPDX-License-Identifier: MIT
//
// Players at tables of two hosts, with the official client and our module, as
// TAP: tabletop.js FOLDER SETTING, where FOLDER has node_modules and SETTING
// is JSON: the hosts' addresses, and each user's id, name and cookie; Ann
// leads the session, in which there is an encounter. It writes "kill" and
// waits for a line where somebody is to kill a worker.

'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { asks, official, run, test, until } = require('./tap.js');
const [folder, setting] = process.argv.slice(2);
const { io } = official(folder);
const { hosts, users, session, encounter } = JSON.parse(setting);

const ways = { polling: ['polling'], websocket: ['websocket'],
	'as the page': ['websocket', 'polling'] };
let useTabletop;

// A table as a page has it; what it was told is written down.
const sit = async (name, host, transports, id = session) => {
	const { cookie } = users[name];
	const table = useTabletop({ io, url: hosts[host],
		socket: { transports, forceNew: true, reconnectionDelay: 50,
			reconnectionDelayMax: 200, extraHeaders: { cookie } },
		request: (address) => fetch(address, { headers: { cookie } }),
		connectMs: 20000 });

	await table.join(id);
	return table;
};

const words = (table) => table.state.chat.map((one) => one.message);
const places = (table) => Object.fromEntries([...table.state.tokens]
	.map(([id, { position, version }]) => [id,
		`${position.x} ${position.y} ${version}`]));

for (const [way, transports] of Object.entries(ways))
	test(`${way}: who is there, chat, tokens, dice`, async () => {
		const ann = await sit('Ann', 0, transports);
		const bert = await sit('Bert', 1, transports);
		const told = [];

		await until('both', () => ann.state.present.length === 2);
		assert.deepStrictEqual(ann.state.present.map((one) => one.name),
			['Ann', 'Bert']);
		bert.on('roll-result', ({ result }) => told.push(result.total));
		await ann.say(`hello by ${way}`, { color: 'red' });
		await until('chat', () => bert.state.chat.at(-1)?.message ===
			`hello by ${way}`);
		assert.strictEqual(bert.state.chat.at(-1).color, 'red');
		assert.strictEqual(bert.state.chat.at(-1).name, 'Ann');
		await bert.tell(users.Ann.id, 'psst');
		await until('whisper', () =>
			ann.state.whispers.at(-1)?.message === 'psst');
		const token = await ann.createToken(encounter, { name: 'Orc',
			position: { x: 1, y: 1 } });

		await until('token', () => bert.state.tokens.has(token.id));
		await bert.moveToken(encounter, token.id, { x: 7, y: 8 });
		await ann.updateToken(encounter, token.id, { name: 'King' });
		for (const table of [ann, bert])
			await until('moved', () => {
				const { name, position, version } =
					table.state.tokens.get(token.id);

				return name === 'King' && position.x === 7 &&
					version === 3;
			});
		assert.deepStrictEqual(await bert.validate('token:delete', {
			encounterId: encounter, tokenId: token.id }),
		{ valid: false, errors: ['Access denied'] });
		await assert.rejects(bert.deleteToken(encounter, token.id),
			/^Error: Access denied$/);
		await ann.deleteToken(encounter, token.id);
		await until('deleted', () => !bert.state.tokens.has(token.id));
		await ann.roll('2d6');
		await until('dice', () => told.length === 1);
		assert.strictEqual((await bert.userData()).name, 'Bert');
		bert.close();
		await until('one', () => ann.state.present.length === 1);
		ann.close();
	});

test('refusals are errors, and are forgotten', async () => {
	const table = await sit('Bert', 0, ['websocket']);

	await assert.rejects(table.join(999),
		/^Error: Failed to get game session$/);
	assert.strictEqual(table.state.session, null);
	await assert.rejects(table.say('where?'), /No session is joined/);
	await table.join(session);
	table.leave();
	await assert.rejects(table.say('where?'), /No session is joined/);
	table.close();
	const nobody = useTabletop({ io, url: hosts[0], connectMs: 20000,
		socket: { forceNew: true, extraHeaders: { cookie: 'connect.sid=x' } } });

	await assert.rejects(nobody.join(session),
		/^Error: Authentication required$/);
	nobody.close();
});

test('workers are killed, and nobody notices', async () => {
	const tables = [await sit('Ann', 0, ['websocket', 'polling']),
		await sit('Bert', 0, ['polling']),
		await sit('Bert', 1, ['websocket']),
		await sit('Cleo', 1, ['polling', 'websocket'])];
	const begun = words(tables[0]).length;
	const tokens = [];
	let has = 0, stop = false;

	for (let i = 0; i < 3; i++)
		tokens.push(await tables[0].createToken(encounter,
			{ name: `Orc ${i}`, position: { x: 0, y: 0 } }));
	// Each says one thing after the other, and moves what is his.
	const talks = tables.map(async (table, who) => {
		for (let n = 0; !stop; n++) {
			await table.say(`${who}:${n}`);
			if (who > 0)
				await table.moveToken(encounter, tokens[who - 1].id,
					{ x: who, y: n });
			has++;
		}
	});

	for (let times = 0; times < 4; times++) {
		const before = has;

		await until('talk', () => has > before + 8);
		await asks('kill');
	}
	const last = has;

	await until('talk goes on', () => has > last + 8);
	stop = true;
	await Promise.all(talks);
	const seen = () => tables.map((table) => words(table).slice(begun));

	await until('the same is in all', () => {
		const [first, ...others] = seen().map(String);

		return first.length > 0 && others.every((one) => one === first);
	});
	const all = seen()[0];

	assert.strictEqual(new Set(all).size, all.length, 'nothing is there twice');
	for (let who = 0; who < tables.length; who++) {
		const his = all.filter((one) => one.startsWith(`${who}:`));

		assert.deepStrictEqual(his, his.map((_, n) => `${who}:${n}`));
	}
	await until('tokens are the same for all', () =>
		new Set(tables.map((table) =>
			JSON.stringify(Object.entries(places(table)).sort()))).size === 1);
	await until('four are there', () => tables.every((table) =>
		table.state.present.length === 4));
	assert.deepStrictEqual(
		[...new Set(tables[0].state.present.map((one) => one.socket))].sort(),
		tables.map((table) => table.socket.id).sort());
	tables.forEach((table) => table.close());
});

import(pathToFileURL(path.join(__dirname,
	'../../src/web/clients/tabletop.js')).href).then((module) => {
	({ useTabletop } = module);
	run();
});
