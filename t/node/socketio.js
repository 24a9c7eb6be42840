// SPDX-License-Identifier: MIT
//
// What the official client makes of the server, as TAP: socketio.js FOLDER
// ADDRESS, where FOLDER has node_modules. The application is the one for test
// suites.

'use strict';

const assert = require('node:assert');
const { numbers, official, run, slow, test } = require('./tap.js');
const [folder, address] = process.argv.slice(2);
const { io } = official(folder);

const ways = {
	polling: { transports: ['polling'] },
	websocket: { transports: ['websocket'] },
	upgrade: { transports: ['polling', 'websocket'] },
};

const connect = (way, nsp = '/', options = {}) => io(address + nsp, {
	...ways[way], forceNew: true, reconnection: false,
	timeout: 20000 * slow, ...options });

const heard = (socket, name, ms = 10000 * slow) => new Promise((done, fail) => {
	const late = setTimeout(() => fail(new Error(`no ${name}`)), ms);

	socket.once(name, (...args) => {
		clearTimeout(late);
		done(args);
	});
});

for (const way of Object.keys(ways)) {
	test(`${way}: auth, namespaces, refusal`, async () => {
		const auth = { token: '123', list: [1, 'ä', null] };
		const socket = connect(way, '/', { auth });
		const custom = socket.io.socket('/custom', { auth: { b: 2 } });
		const nope = socket.io.socket('/nope');
		const told = await Promise.all([heard(socket, 'auth'),
			heard(custom.connect(), 'auth'),
			heard(nope.connect(), 'connect_error')]);

		assert.deepStrictEqual(told[0], [auth]);
		assert.deepStrictEqual(told[1], [{ b: 2 }]);
		assert.strictEqual(told[2][0].message, 'Invalid namespace');
		assert.notStrictEqual(socket.id, custom.id);
		custom.disconnect();
		assert.deepStrictEqual(await socket.timeout(10000 * slow)
			.emitWithAck('message-with-ack', 1), 1);
		socket.disconnect();
	});

	test(`${way}: arguments and attachments both ways`, async () => {
		const socket = connect(way);
		const bytes = Buffer.from(numbers(256));
		const given = [1, 'two', { three: [true, null, 0.5] }, bytes,
			{ deep: [{ x: bytes.subarray(0, 3) }, Buffer.alloc(0)] }];

		const back = heard(socket, 'message-back');

		socket.emit('message', ...given);
		assert.deepStrictEqual(await back, given);
		const acked = await new Promise((done) => {
			socket.emit('message-with-ack', ...given,
				(...args) => done(args));
		});

		assert.deepStrictEqual(acked, given);
		socket.disconnect();
	});

	test(`${way}: a thousand events in order, each once`, async () => {
		const socket = connect(way);
		const got = [];
		const all = new Promise((done) => {
			socket.on('message-back', (n, bytes) => {
				assert.strictEqual(bytes ? bytes[0] : n % 7,
					n % 7);
				if (got.push(n) === 1000)
					done();
			});
		});

		for (const n of numbers(1000)) {
			if (n % 7 === 0)
				socket.emit('message', n, Buffer.from([0, n % 256]));
			else
				socket.emit('message', n);
			if (n % 20 === 0)
				await new Promise((done) => setImmediate(done));
		}
		await all;
		assert.deepStrictEqual(got, numbers(1000));
		if (way === 'upgrade')
			assert.strictEqual(socket.io.engine.transport.name,
				'websocket');
		socket.disconnect();
	});

	test(`${way}: comes back by itself after a break`, async () => {
		const socket = connect(way, '/', { reconnection: true,
			reconnectionDelay: 10 });

		await heard(socket, 'auth');
		const first = socket.id;
		const gone = heard(socket, 'disconnect');
		const again = heard(socket, 'auth');

		socket.io.engine.close();
		assert.strictEqual((await gone)[0], 'forced close');
		await again;
		assert.notStrictEqual(socket.id, first);
		socket.disconnect();
	});

	test(`${way}: fifty at once`, async () => {
		const sockets = numbers(50).map(() => connect(way));
		const answers = await Promise.all(sockets.map((socket, n) =>
			socket.timeout(20000 * slow).emitWithAck('message-with-ack', n)));

		assert.deepStrictEqual(answers, numbers(50));
		sockets.forEach((socket) => socket.disconnect());
	});
}

run();
