// SPDX-License-Identifier: MIT
//
// Reads a JSON line { secret, headers, body } after the other, and says of
// each what the official library makes of it: "taken", or why not.
'use strict';

const { Webhook } = require('standardwebhooks');
const readline = require('readline');

readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const { secret, headers, body } = JSON.parse(line);
	try {
		new Webhook(secret).verify(body, headers);
		console.log('taken');
	} catch (error) {
		console.log(error.message);
	}
});
