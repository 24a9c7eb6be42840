// SPDX-License-Identifier: MIT
//
// An evening at the tables and in the threads, with the official client and
// our SessionMonitor: evening.js FOLDER PLAN, where FOLDER has node_modules
// and PLAN is JSON, as T::Evening makes it. It goes on until it is told
// "stop", and says in lines of JSON what everybody heard (heard), what was
// wrong at once (wrong) and how much there was (counts); the last is end.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { official } = require('./tap.js');
const [folder, plan_path] = process.argv.slice(2);
const { io } = official(folder);
const SessionMonitor = require(path.join(__dirname,
	'../../src/web/clients/session_monitor.js'));
const plan = JSON.parse(fs.readFileSync(plan_path));

const ways = [['websocket', 'polling'], ['polling', 'websocket'], ['polling']];
const counts = { answers: 0, cut: 0, connections: 0, turns: 0, words: 0,
	pongs: 0, turns_lost: 0 };
let is_over = false;

const tell = (line) => console.log(JSON.stringify(line));
const wrong = (words) => tell({ wrong: words });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
// Around the pace, so that nobody keeps step.
const breath = (times) => pause(plan.pace * times * (0.5 + Math.random()));
const host = (n) => plan.hosts[n % plan.hosts.length];

const until = async (is, ms) => {
	for (const end = Date.now() + ms; Date.now() < end;) {
		if (is())
			return true;
		await pause(20);
	}
	return false;
};

const connect = (n, cookie) => {
	const socket = io(host(n), { path: '/socket.io/', forceNew: true,
		transports: ways[n % ways.length],
		extraHeaders: cookie ? { Cookie: cookie } : {},
		reconnectionDelay: plan.delay, reconnectionDelayMax: 5000,
		reconnectionAttempts: 8 });

	socket.on('connect', () => counts.connections++);
	socket.on('connect_error', (error) => {
		if (!socket.active)
			wrong(`refused: ${error.message}`);
	});
	socket.io.on('reconnect_failed', () => wrong('it gave up'));
	return socket;
};

// GET, again where the worker was killed under it.
const get = async (n, where, cookie) => {
	for (let left = 20; left > 0; left--) {
		try {
			const answer = await fetch(host(n) + where,
				{ headers: { Cookie: cookie } });

			if (answer.status === 200)
				return await answer.json();
		} catch { /* it is cut */ }
		await pause(100);
	}
	throw new Error(`GET ${where} is not answered`);
};

// The answer's argument; undefined: the connection was cut, nobody knows.
const ask = async (who, name, ...args) => {
	const sid = who.socket.id;
	let answer;

	try {
		answer = await who.socket.timeout(plan.patience)
			.emitWithAck(name, ...args);
	} catch (error) {
		if (who.socket.id === sid)
			wrong(`${who.name}: ${name} has no answer: ` +
				error.message);
		else
			counts.cut++;
		return undefined;
	}
	counts.answers++;
	return answer;
};

// --- tables -----------------------------------------------------------------

const move_name = ({ tokenId, version }) => `move ${tokenId} ${version}`;
const change_name = ({ token }) => `change ${token.id} ${token.version}`;

class Player {
	constructor(n, table, user) {
		Object.assign(this, { n, table, name: user.name,
			cookie: user.cookie, join: user.join, said: 0 });
		this.socket = connect(n, user.cookie);
		this.socket.on('connect', () => this.come());
		this.socket.on('disconnect', () => this.close());
		this.socket.on('chat-message', ({ message }) =>
			this.hear(`chat ${message}`));
		this.socket.on('chat', (_, message) =>
			this.hear(`chat ${message}`));
		this.socket.on('token:moved', (told) =>
			this.hear(move_name(told)));
		this.socket.on('token:updated', (told) =>
			this.hear(change_name(told)));
		this.socket.on('error', (told) =>
			wrong(`${this.name}: ${JSON.stringify(told)}`));
	}

	// One connection: what it heard, and what was read behind its join.
	async come() {
		const { table } = this;
		const period = { heard: { player: this.name, table: table.id,
			join: this.join, sid: this.socket.id, is_in: false,
			known: [], events: [] } };

		this.period = period;
		const answer = this.join === 'join-session' ?
			await ask(this, this.join, table.id) :
			await ask(this, this.join, table.id, null);

		if (this.period !== period || !answer)
			return;
		if (!answer.success)
			wrong(`${this.name}: not let in: ${answer.error}`);
		period.heard.is_in = true;
		const tokens = await get(this.n, '/api/tabletop/encounters/' +
			`${table.encounter}/tokens`, this.cookie);
		const chat = await get(this.n, `/api/tabletop/sessions/` +
			`${table.id}/chat?limit=1`, this.cookie);

		for (const { id, version } of tokens)
			period.heard.known.push(`token ${id} ${version}`);
		for (const { message } of chat)
			period.heard.known.push(`chat ${message}`);
		period.is_ready = true;
	}

	hear(what) {
		if (this.period)
			this.period.heard.events.push(what);
	}

	close() {
		if (this.period)
			tell(this.period);
		this.period = undefined;
	}

	is_ready() {
		return this.period !== undefined && this.period.is_ready;
	}

	say(message) {
		return ask(this, ...this.join === 'join-session' ?
			['chat-message', { sessionId: this.table.id, message }] :
			['chat', { recipient: { type: 'session',
				id: String(this.table.id) } }, message]);
	}

	act() {
		const { table } = this;
		const at = { sessionId: table.id, encounterId: table.encounter,
			tokenId: table.tokens[Math.floor(Math.random() *
				table.tokens.length)] };
		const dice = Math.random();

		if (dice < 0.45)
			return ask(this, 'token:move', { ...at, position: {
				x: Math.floor(Math.random() * 100), y: this.n,
				elevation: 0 } });
		if (dice < 0.8)
			return this.say(`${this.name} ${++this.said}`);
		if (dice < 0.9 && this.table.leader === this.name)
			return ask(this, 'token:update', { ...at, updates: {
				data: { hp: ++this.said } } });
		return ask(this, 'roll', { formula: '3d6+1',
			gameSessionId: table.id });
	}

	async play() {
		while (!is_over) {
			await breath(1);
			if (!this.is_ready())
				continue;
			const answer = await this.act();

			if (answer && !answer.success)
				wrong(`${this.name}: ${JSON.stringify(answer)}`);
		}
	}
}

// The last word of each table, which all others there have to hear.
const last_word = async (players) => {
	const [first, ...others] = players;
	const words = `the end of ${first.table.id}`;
	let answer;

	for (const player of players)
		if (!await until(() => player.is_ready(), 60000))
			wrong(`${player.name} never came back`);
	while (!answer)
		answer = await first.say(words);
	for (const player of others)
		if (!await until(() => player.period && player.period.heard
			.events.includes(`chat ${words}`), 30000))
			wrong(`${player.name} has not heard the last word`);
};

// --- threads ----------------------------------------------------------------

class Page {
	constructor(n) {
		this.n = n;
		this.name = this.thread = `thread-${n}`;
		this.told = [];
		this.socket = connect(n);
		this.monitor = new SessionMonitor(this.socket, {
			thread_id: this.thread, pingInterval: plan.pace });
		this.socket.on('analysis_update', ({ content }) =>
			this.told.push(content));
		this.monitor.start();
	}

	async ping() {
		while (!is_over) {
			await breath(1);
			if (!this.socket.connected)
				continue;
			const answer = await ask(this, 'ping',
				{ thread_id: this.thread });

			if (answer && !answer.pong)
				wrong(`${this.thread}: no pong`);
			counts.pongs += answer ? 1 : 0;
		}
	}

	// Whether the answer to the request came whole.
	async post(words) {
		try {
			const answer = await fetch(`${host(Math.random() < 0.5 ?
				0 : 1)}/havefun`, { method: 'POST', headers:
				{ 'Content-Type': 'application/json' },
				body: JSON.stringify({ thread_id: this.thread,
					user_input: words.join(' '),
					use_websocket: true }) });
			const text = await answer.text();

			if (answer.status !== 200 || text.includes('"error"'))
				wrong(`${this.thread}: ${answer.status} ${text}`);
			return true;
		} catch {
			return false;
		}
	}

	// Each word has to come once, in order; or none where the request was
	// cut so soon that nobody had it.
	async turn(number) {
		const words = Array.from({ length: 40 },
			(_, i) => `${number}-${i}`);
		const from = this.told.length;
		const has = () => this.told.length - from;
		const is_answered = await this.post(words);

		if (!is_answered && !await until(() => has() > 0, 10000)) {
			counts.turns_lost++;
			return;
		}
		await until(() => has() >= words.length, 30000);
		const told = this.told.slice(from).join(' ');

		if (told !== words.join(' '))
			wrong(`${this.thread}: turn ${number}: ${told}`);
		counts.turns++;
		counts.words += has();
	}

	async talk() {
		for (let number = 1; !is_over; number++) {
			await breath(2);
			await this.turn(number);
		}
	}
}

const run = async () => {
	const tables = plan.tables.map((table, t) => table.players.map(
		(user, n) => new Player(t + n, table, user)));
	const pages = Array.from({ length: plan.threads }, (_, n) =>
		new Page(n));
	const all = [...tables.flat().map((player) => player.play()),
		...pages.map((page) => page.talk()),
		...pages.map((page) => page.ping())];

	readline.createInterface({ input: process.stdin })
		.on('line', () => { is_over = true; });
	await Promise.all(all);
	await Promise.all(tables.map(last_word));
	for (const { socket } of [...tables.flat(), ...pages])
		socket.disconnect();
	tell({ counts });
	tell({ end: true });
	process.exit();
};

run().catch((error) => {
	wrong(String(error.stack));
	process.exit(1);
});
