// SPDX-License-Identifier: MIT
//
// A client with the library ws that does what the lines of its input say, each
// [word, argument], and answers each with a line. t/50-live-clients.t drives
// it, and python.py with the same words.

'use strict';

const Socket = require('ws');
const lines = require('readline').createInterface({ input: process.stdin });

let socket, heard = [], at = 0, wake = () => {}, end;

// The first true value of the function, which is asked after each event.
async function wait(value) {
	for (;;) {
		const found = value();

		if (found !== undefined)
			return found;
		await new Promise((done) => { wake = done; });
	}
}

const words = {
	connect({ url, deflate, origin }) {
		heard = [];
		at = 0;
		end = undefined;
		socket = new Socket(url, { origin,
			perMessageDeflate: deflate ? { threshold: 0 } : false });
		socket.on('message', (data, isBinary) => {
			heard.push(JSON.parse(String(data)));
			wake();
		});
		socket.on('close', (code, reason) => {
			end = { code, reason: String(reason) };
			wake();
		});
		socket.on('error', () => {});
		return new Promise((done) => {
			socket.on('upgrade', ({ headers }) =>
				socket.on('open', () => done({ status: 101, agreed:
				headers['sec-websocket-extensions'] ?? '' })));
			socket.on('unexpected-response', (request, answer) => {
				done({ status: answer.statusCode });
				request.destroy();
			});
		});
	},

	say({ text, parts }) {
		const letters = [...text];
		const most = Math.ceil(letters.length / parts);

		for (let n = 1; n <= parts; n++)
			socket.send(letters.splice(0, most).join(''),
				{ fin: n === parts });
		return true;
	},

	hear: (type) => wait(() => {
		while (at < heard.length) {
			if (heard[at++].type === type)
				return heard[at - 1];
		}
		return end && null;
	}),

	ping(payload) {
		return new Promise((done) => {
			socket.once('pong', (data) => done(String(data)));
			socket.ping(payload);
		});
	},

	leave(code) {
		socket.close(code, 'enough');
		return wait(() => end);
	},

	closed: () => wait(() => end),

	is_open: () => socket.readyState === Socket.OPEN,
};

(async () => {
	for await (const line of lines) {
		const [word, argument] = JSON.parse(line);

		console.log(JSON.stringify(await words[word](argument)));
	}
	process.exit(0);
})();
