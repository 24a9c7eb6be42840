// SPDX-License-Identifier: MIT
//
// The official client held within its change from polling to a WebSocket:
//
//	const probe = await before_2probe(socket);	// of a new one
//	const is_paused = before_5(socket);
//	probe();		// now it says 2probe and hears 3probe
//	const change = await is_paused;	// it polls no more
//	change();		// and says 5

'use strict';

const before_2probe = ({ io: { engine } }) => new Promise((done) => {
	const create = engine.createTransport;

	engine.createTransport = function (name) {
		const transport = create.call(this, name);
		const send = transport.send;

		transport.send = function (packets) {
			transport.send = send;
			done(() => transport.send(packets));
		};
		return transport;
	};
});

const before_5 = ({ io: { engine } }) => new Promise((done) =>
	engine.once('upgrading', () => {
		const { transport } = engine;
		const pause = transport.pause;

		transport.pause = function (change) {
			pause.call(this, () => done(change));
		};
	}));

module.exports = { before_2probe, before_5 };
