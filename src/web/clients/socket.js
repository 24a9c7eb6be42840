// SPDX-License-Identifier: MIT
//
// A small client of Socket.IO over WebSocket, for pages that do not bring the
// official one: connects and comes back, events and answers to them, on one
// namespace, without attachments.
//
//	const socket = io('https://party.example', { path: '/socket.io' });
//	socket.on('knowledge', (told) => …);
//	socket.emit('ping', {}, (answer) => …);

(function (global) {
	'use strict';

	if (global.io)
		return;

	class Socket {
		constructor(address, options) {
			this.address = address;
			this.options = options;
			this.connected = false;
			this.listeners = new Map();
			this.answers = new Map();
			this.kept = [];
			this.next = 0;
			this.attempts = 0;
			this.stays = true;
			this.open();
		}

		on(name, act) {
			const acts = this.listeners.get(name) || [];

			this.listeners.set(name, [...acts, act]);
			return this;
		}

		emit(name, ...args) {
			const id = typeof args[args.length - 1] === 'function' ?
				this.next++ : '';

			if (id !== '')
				this.answers.set(id, args.pop());
			this.put(`42${id}${JSON.stringify([name, ...args])}`);
			return this;
		}

		disconnect() {
			this.stays = false;
			this.ws.close();
		}

		put(packet) {
			if (this.connected)
				this.ws.send(packet);
			else
				this.kept.push(packet);
		}

		tell(name, ...args) {
			for (const act of this.listeners.get(name) || [])
				act(...args);
		}

		open() {
			const path = (this.options.path || '/socket.io')
				.replace(/\/?$/, '/');
			const url = new URL(`${path}?EIO=4&transport=websocket`,
				this.address);

			url.protocol = url.protocol.replace('http', 'ws');
			this.ws = new WebSocket(url);
			this.ws.onmessage = (event) => this.hear(event.data);
			this.ws.onclose = () => this.end('transport close');
		}

		watch() {
			clearTimeout(this.silence);
			this.silence = setTimeout(() => this.ws.close(), this.patience);
		}

		hear(message) {
			if (message[0] === '0') {
				const told = JSON.parse(message.slice(1));

				this.patience = told.pingInterval + told.pingTimeout;
				this.ws.send('40');
			} else if (message[0] === '2')
				this.ws.send('3');
			else if (message[0] === '4')
				this.hearPacket(message[1], message.slice(2));
			this.watch();
		}

		hearPacket(type, rest) {
			const [, id, json] = /^(\d*)(.*)$/s.exec(rest);

			if (type === '0') {
				this.id = JSON.parse(json).sid;
				this.connected = true;
				this.attempts = 0;
				this.tell('connect');
				for (const packet of this.kept.splice(0))
					this.put(packet);
			} else if (type === '1') {
				this.stays = false;
				this.ws.close();
			} else if (type === '2')
				this.tell(...JSON.parse(json));
			else if (type === '3' && this.answers.has(Number(id))) {
				this.answers.get(Number(id))(...JSON.parse(json));
				this.answers.delete(Number(id));
			} else if (type === '4') {
				this.stays = false;
				this.tell('connect_error', JSON.parse(json));
			}
		}

		end(why) {
			const delay = Math.min(5000, (this.options.reconnectionDelay ||
				1000) * 2 ** this.attempts++);
			const most = this.options.reconnectionAttempts || Infinity;

			clearTimeout(this.silence);
			if (this.connected)
				this.tell('disconnect', why);
			this.connected = false;
			if (this.stays && this.attempts <= most)
				setTimeout(() => this.open(),
					delay * (0.5 + Math.random()));
		}
	}

	global.io = (address, options = {}) => new Socket(address, options);
})(globalThis);
