// SPDX-License-Identifier: MIT
//
// What the peers of t/bench/rest have in common. Each is a server written the
// way its framework's own manual does it: the routes of sessions, nothing
// else. Where there was a choice the faster way was taken:
//
//  - a create is one plain insert, a close one plain update: no event, no
//    number, no Idempotency-Key, no rule of one active session;
//  - a list sends no X-Total-Count, so it counts nothing;
//  - a token is checked once and its verdict kept, as partyline does it.
//
// A peer listens on a port that the kernel picks and prints it.
'use strict';

const crypto = require('node:crypto');

// Two processes of one peer have the same.
const secret = process.env.BENCH_SECRET || crypto.randomBytes(32);
const verdicts = new Map();

const encode = (value) =>
	Buffer.from(JSON.stringify(value)).toString('base64url');

const sign = (text) =>
	crypto.createHmac('sha256', secret).update(text).digest('base64url');

// The answer to POST /api/auth/login: an HS256 token for a day.
function login(body) {
	if (!body || body.key !== process.env.ADMIN_KEY)
		return null;
	const now = Math.floor(Date.now() / 1000);
	const text = encode({ alg: 'HS256', typ: 'JWT' }) + '.' +
	    encode({ role: 'admin', name: 'Admin', iat: now,
		exp: now + 86400 });
	return { token: text + '.' + sign(text),
	    message: 'Authentication successful', expiresIn: '24h' };
}

// Until when the token of this header is good; 0: it is not.
function verdict(header) {
	const [, text, mark] =
	    /^Bearer ([\w-]+\.[\w-]+)\.([\w-]{43})$/.exec(header) || [];
	if (!text)
		return 0;
	const wanted = Buffer.from(sign(text));
	if (!crypto.timingSafeEqual(wanted, Buffer.from(mark)))
		return 0;
	return JSON.parse(Buffer.from(text.split('.')[1], 'base64url')).exp;
}

function mayWrite(header) {
	let exp = verdicts.get(header);
	if (exp === undefined) {
		exp = verdict(header || '');
		if (exp)
			verdicts.set(header, exp);
	}
	return exp > Date.now() / 1000;
}

const none = { session: null, message: 'No active session' };
const missing = { error: 'Session not found' };
const refused = { error: 'Invalid or expired token' };

module.exports = { login, mayWrite, none, missing, refused };
