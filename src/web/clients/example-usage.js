// SPDX-License-Identifier: MIT
//
// What a page of a thread does with SessionMonitor. `io` is the official
// client's, where the page has loaded it before, or else socket.js's.

(function () {
	'use strict';

	const found = (id) => document.getElementById(id);
	const base = new URL('../', document.currentScript.src);
	let socket, monitor;

	const show = (kind, words) => {
		const line = document.createElement('li');

		line.className = kind;
		line.textContent = `${kind}: ${words}`;
		found('said').append(line);
	};

	const listen = () => {
		socket.on('connect', () => show('connect', socket.id));
		socket.on('disconnect', (why) => show('disconnect', why));
		socket.on('session_registered', (told) => {
			show('session_registered', told.thread_id);
			if (told.missed_messages)
				show('missed', told.missed_messages.count);
		});
		for (const name of ['analysis_update', 'knowledge', 'next_action',
			'learning_intent', 'learning_knowledge'])
			socket.on(name, (told) => show(name,
				typeof told.content === 'string' ? told.content :
					JSON.stringify(told.content)));
		socket.on('error', (told) => show('error', told.message));
	};

	const ask = async (words) => {
		const answer = await fetch(new URL('havefun', base), {
			method: 'POST',
			headers: { 'Content-Type': 'application/json' },
			body: JSON.stringify({
				user_input: words,
				thread_id: found('thread').value,
				use_websocket: true,
			}),
		});

		for (const line of (await answer.text()).split('\n'))
			if (line.startsWith('data: '))
				show('answer', line.slice(6));
			else if (!answer.ok && line !== '')
				show('error', line);
	};

	found('begin').addEventListener('submit', (event) => {
		event.preventDefault();
		if (!socket) {
			socket = window.io(base.origin, {
				transports: ['polling', 'websocket'],
				reconnectionAttempts: 5,
				reconnectionDelay: 1000,
				timeout: 10000,
				forceNew: true,
				path: `${base.pathname}socket.io`,
			});
			listen();
			monitor = new window.SessionMonitor(socket,
				{ pingInterval: 15000, debug: true });
		}
		monitor.start(found('thread').value);
	});
	found('ask').addEventListener('submit', (event) => {
		event.preventDefault();
		ask(found('words').value).catch((error) =>
			show('error', error.message));
	});
})();
