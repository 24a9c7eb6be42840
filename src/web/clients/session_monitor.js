// SPDX-License-Identifier: MIT
//
// Keeps a thread's session on a Socket.IO connection: registers whenever it
// connects, and shows signs of life.
//
//	const monitor = new SessionMonitor(io(), { thread_id: 't1' });
//	monitor.start();
//	...
//	monitor.stop();			// the socket stays connected
//
// It is a plain script or a module: SessionMonitor is global either way, and
// what `require` gives.

(function (global) {
	'use strict';

	class SessionMonitor {
		constructor(socket, options = {}) {
			this.socket = socket;
			this.thread_id = options.thread_id || null;
			this.pingInterval = options.pingInterval || 30000;
			this.reconnectAttempts = options.reconnectAttempts || 5;
			this.debug = options.debug || false;
			this.active = false;
			this.timer = null;
			this.lastPong = null;

			socket.on('connect', () => this.registerIfActive());
			socket.on('disconnect', () => this.stopPings());
			socket.on('session_registered', (told) => {
				this.log('registered', told);
				if (this.active)
					this.startPings();
			});
			socket.on('system_ping', (told) => this.answer(told));
		}

		start(thread_id) {
			if (thread_id)
				this.thread_id = thread_id;
			if (!this.thread_id) {
				console.error('SessionMonitor: no thread_id');
				return;
			}
			this.active = true;
			if (this.socket.connected)
				this.registerIfActive();
		}

		stop() {
			this.active = false;
			this.stopPings();
		}

		registerIfActive() {
			if (!this.active)
				return;
			this.log('registering', this.thread_id);
			this.socket.emit('register_session',
				{ thread_id: this.thread_id });
		}

		startPings() {
			this.stopPings();
			this.timer = setInterval(() => this.sendPing(),
				this.pingInterval);
		}

		stopPings() {
			clearInterval(this.timer);
			this.timer = null;
		}

		sendPing() {
			if (!this.socket.connected)
				return;
			this.socket.emit('ping', {
				thread_id: this.thread_id,
				timestamp: new Date().toISOString(),
			}, (answer) => {
				if (answer && answer.pong)
					this.lastPong = Date.now();
				else
					this.log('a ping without a pong', answer);
			});
		}

		answer(told) {
			if (!this.active)
				return;
			this.socket.emit('system_ping_response', {
				thread_id: this.thread_id,
				timestamp: new Date().toISOString(),
				received_at: told && told.timestamp,
			});
			this.sendPing();
		}

		log(...words) {
			if (this.debug)
				console.log('[SessionMonitor]', ...words);
		}
	}

	global.SessionMonitor = SessionMonitor;
	if (typeof module !== 'undefined' && module.exports)
		module.exports = SessionMonitor;
})(typeof globalThis !== 'undefined' ? globalThis : this);
