// SPDX-License-Identifier: MIT
//
// One page that follows a session with the official client and is put back
// where it was: recovery.js FOLDER ADDRESS TRANSPORT TOKEN SESSION, where
// FOLDER has node_modules. It prints each of its connections, as `up true` or
// `up false`, and the number of each event. A line on its input is the address
// that it goes to from then on.

'use strict';

const readline = require('node:readline');
const { official } = require('./tap.js');
const [folder, address, transport, token, session] = process.argv.slice(2);
const { io } = official(folder);

const print = (line) => process.stdout.write(`${line}\n`);
const socket = io(`${address}/live`, { auth: { token },
	transports: [transport], reconnectionDelay: 20,
	reconnectionDelayMax: 100, timeout: 5000 });

socket.on('connect', () => {
	print(`up ${socket.recovered}`);
	if (!socket.recovered)
		socket.emit('subscribe', session, { since: 0 }, (answer) =>
			print(`followed ${answer.success}`));
});
socket.onAny((name, event) => {
	if (event.stream === `session:${session}` && event.seq)
		print(`${event.seq} ${name}`);
	else if (name === 'resync' || name === 'error')
		print(name);
});
readline.createInterface({ input: process.stdin }).on('line', (line) => {
	socket.io.uri = line;
});
