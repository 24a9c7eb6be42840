// SPDX-License-Identifier: MIT
//
// A table for pages of any framework, over socket.io-client: where one sits,
// who else is there, what was said, and where the tokens are. It comes back by
// itself, and what happened meanwhile is there then.
//
//	import { useTabletop } from '/clients/tabletop.js';
//
//	const table = useTabletop({ io });
//	table.watch((state) => show(state.present, state.chat, state.tokens));
//	await table.join(17);
//	await table.say('hello');
//	await table.moveToken(encounterId, tokenId, { x: 3, y: 4 });
//	...
//	table.close();
//
// Holds always:
//  1. state is told to watchers after each change, once for all that came
//     together. What is said is in chat once, in order; a token is as its
//     highest version says.
//  2. Whatever is asked for ends: with the answer's members, or an Error.
//  3. What is said while the connection breaks is said once; a move is as
//     good as the last one. All else is refused then: whoever asked knows
//     best whether to ask again.

const CONNECT_MS = 5000;
const ANSWER_MS = 10000;
const PAGE = 200;
const OURS = 'idempotencyKey';

class Lost extends Error {}

export function useTabletop(options = {}) {
	const { io = globalThis.io, answerMs = ANSWER_MS,
		connectMs = CONNECT_MS, request = (address) =>
			fetch(address, { credentials: 'include' }) } = options;
	const base = options.url ? new URL(options.url.replace(/\/?$/, '/')) :
		new URL('../', import.meta.url);
	const socket = io(base.origin, { path: `${base.pathname}socket.io`,
		withCredentials: true, transports: ['websocket', 'polling'],
		reconnectionDelay: 1000, reconnectionDelayMax: 5000,
		...options.socket });
	const state = { isConnected: false, isJoined: false, me: null,
		session: null, present: [], chat: [], whispers: [],
		tokens: new Map(), encounters: [], error: null };
	const watchers = new Set();
	const gone = new Set();		// tokens; their ids are never used again
	const waiting = new Set();	// for the next time that it is joined
	let wanted = null, joining = null, isTold = true, isOver = false;

	const changed = () => {
		if (!isTold)
			return;
		isTold = false;
		queueMicrotask(() => {
			isTold = true;
			for (const act of watchers)
				act(state);
		});
	};

	// --- asking ----------------------------------------------------------

	// take: of the answer, before anything that comes behind it.
	const askFor = (take, name, ...args) => new Promise((done, fail) => {
		const end = (act, value) => {
			clearTimeout(late);
			socket.off('disconnect', onLost);
			act(value);
		};
		const onLost = () => end(fail, new Lost('The connection broke'));
		const late = setTimeout(() => end(fail, new Lost(
			`Server did not respond to ${name}`)), answerMs);

		if (!socket.connected)
			return onLost();
		socket.on('disconnect', onLost);
		socket.emit(name, ...args, (answer) => {
			if (!answer?.success)
				return end(fail,
					new Error(answer?.error ?? 'Unknown error'));
			take(answer);
			end(done, answer);
		});
	});

	const ask = (name, ...args) => askFor(() => {}, name, ...args);

	const read = async (path) => {
		const answer = await request(`${base.href}api/tabletop/${path}`);

		if (answer.status === 429 || answer.status >= 500)
			throw new Lost(`${path}: ${answer.status}`);
		if (!answer.ok)
			throw new Error((await answer.json()).error);
		return answer.json();
	};

	// Once it is joined, again; or never, where it is closed or left.
	const joined = () => state.isJoined ? Promise.resolve() :
		wanted === null || isOver ?
			Promise.reject(new Error('No session is joined')) :
			new Promise((done, fail) => waiting.add({ done, fail }));

	const settle = (way, value) => {
		for (const one of [...waiting]) {
			waiting.delete(one);
			one[way](value);
		}
	};

	// --- what there is ---------------------------------------------------

	const addChat = (said) => {
		const at = state.chat.findLastIndex((one) => one.id <= said.id);

		if (state.chat[at]?.id !== said.id)
			state.chat.splice(at + 1, 0, said);
		changed();
	};

	const addToken = (token) => {
		const old = state.tokens.get(token.id);

		if (gone.has(token.id) || (old && old.version > token.version))
			return;
		state.tokens.set(token.id, { ...old, ...token });
		changed();
	};

	const moveToken = ({ tokenId, position, version }) => {
		if (state.tokens.has(tokenId))
			addToken({ id: tokenId, position, version });
	};

	const removeToken = (id) => {
		gone.add(id);
		state.tokens.delete(id);
		changed();
	};

	// All that was said since, page by page from its end.
	const readChat = async (id) => {
		const last = state.chat.at(-1)?.id ?? 0;
		let before = '';

		for (;;) {
			const page = await read(`sessions/${id}/chat?limit=${PAGE}` +
				before);

			page.forEach(addChat);
			if (page.length < PAGE || page[0].id <= last)
				return;
			before = `&before=${page[0].id}`;
		}
	};

	const readTokens = async (id) => {
		const encounters = await read(`sessions/${id}/encounters`);
		const known = new Set(state.tokens.keys());

		state.encounters = encounters;
		for (const encounter of encounters)
			for (const token of
				await read(`encounters/${encounter.id}/tokens`)) {
				known.delete(token.id);
				addToken(token);
			}
		known.forEach(removeToken);
		changed();
	};

	// --- coming and going ------------------------------------------------

	const forget = (error) => {
		Object.assign(state, { isJoined: false, session: null,
			present: [], error });
		wanted = null;
		settle('fail', new Error(error ?? 'The session was left'));
		changed();
	};

	const enter = async () => {
		const { id, actor } = wanted, at = socket.id;

		await askFor(({ data: { present, ...session } }) => {
			if (session.id !== state.session?.id) {
				state.chat = [];
				state.tokens = new Map();
			}
			Object.assign(state, { session, present, error: null });
		}, 'join-session', id, actor);
		if (!state.me)
			state.me = (await ask('get-user-data')).data;
		await Promise.all([readChat(id), readTokens(id)]);
		if (socket.id !== at || wanted?.id !== id)
			throw new Lost('The connection broke');
		state.isJoined = true;
		settle('done');
		changed();
	};

	// One at a time; what it does not come through to is tried again when
	// there is a connection.
	const goIn = () => {
		joining = (joining ?? Promise.resolve()).catch(() => {})
			.then(() => wanted === null || state.isJoined ||
				!socket.connected ? undefined : enter())
			.catch((error) => {
				// fetch throws a TypeError where nobody is there.
				if (error instanceof Lost || error instanceof TypeError)
					setTimeout(() => socket.connected && !isOver &&
						!state.isJoined && wanted && goIn(), 100);
				else
					forget(error.message);
			});
		return joining;
	};

	const join = async (sessionId, actorId = null) => {
		const late = setTimeout(() => socket.connected ||
			settle('fail', new Error('The server is not there')),
			connectMs);

		wanted = { id: Number(sessionId), actor: actorId };
		state.isJoined = false;
		const done = joined();

		goIn();
		await done.finally(() => clearTimeout(late));
		return state.session;
	};

	const leave = () => {
		if (socket.connected && state.session)
			socket.emit('leave-session', state.session.id);
		forget(null);
	};

	// --- what one does ---------------------------------------------------

	// Until it is known to be done; has: whether it was, after all.
	const persist = async (act, has) => {
		for (;;) {
			await joined();
			const done = has?.();

			if (done)
				return done;
			try {
				return await act();
			} catch (error) {
				if (!(error instanceof Lost))
					throw error;
				if (socket.connected && state.isJoined)
					throw error;
			}
		}
	};

	const say = (message, more = {}) => {
		const ours = globalThis.crypto.randomUUID();

		return persist(async () => {
			const sessionId = state.session.id;
			const { data } = await ask('chat-message', { ...more,
				sessionId, message, [OURS]: ours });
			const said = { ...more, sessionId, message, [OURS]: ours,
				userId: state.me.id, name: state.me.name, ...data };

			addChat(said);
			return said;
		}, () => state.chat.find((one) => one[OURS] === ours));
	};

	const tell = (userId, message) => ask('chat-message', { message,
		recipient: { type: 'user', id: userId } });

	const of = (encounterId, more) => ({ sessionId: state.session?.id,
		encounterId, ...more });

	const move = (encounterId, tokenId, position) => persist(async () => {
		const answer = await ask('token:move', of(encounterId,
			{ tokenId, position }));

		moveToken(answer);
		return answer;
	});

	const createToken = async (encounterId, tokenData) => {
		const { token } = await ask('token:create', of(encounterId,
			{ tokenData }));

		addToken(token);
		return token;
	};

	const updateToken = async (encounterId, tokenId, updates) => {
		const { token } = await ask('token:update', of(encounterId,
			{ tokenId, updates }));

		addToken(token);
		return token;
	};

	const deleteToken = async (encounterId, tokenId) => {
		await ask('token:delete', of(encounterId, { tokenId }));
		removeToken(tokenId);
	};

	// --- what comes ------------------------------------------------------

	const here = (act) => (told) => {
		if (told?.sessionId === wanted?.id)
			act(told);
	};

	socket.on('connect', () => {
		state.isConnected = true;
		changed();
		goIn();
	});
	socket.on('disconnect', () => {
		Object.assign(state, { isConnected: false, isJoined: false });
		changed();
	});
	socket.on('connect_error', (error) => {
		state.error = error.message;
		changed();
		// Refused: nobody tries again by himself.
		if (socket.active === false)
			forget(error.message);
	});
	socket.on('error', (told) => forget(told?.message ?? String(told)));
	socket.on('user-joined', here(({ sessionId, ...one }) => {
		state.present = [...state.present.filter((other) =>
			other.socket !== one.socket), one];
		changed();
	}));
	socket.on('user-left', here(({ socket: sid }) => {
		state.present = state.present.filter((other) =>
			other.socket !== sid);
		changed();
	}));
	socket.on('chat-message', here(addChat));
	socket.on('chat-message', (told) => {
		if (told.sessionId !== null)
			return;
		state.whispers = [...state.whispers, told];
		changed();
	});
	socket.on('token:created', here(({ token }) => addToken(token)));
	socket.on('token:updated', here(({ token }) => addToken(token)));
	socket.on('token:moved', here(moveToken));
	socket.on('token:deleted', here(({ tokenId }) => removeToken(tokenId)));
	socket.on('encounter-created', here(({ encounter }) => {
		state.encounters = [...state.encounters.filter((one) =>
			one.id !== encounter.id), encounter];
		changed();
	}));
	socket.on('session-updated', here(({ session, resync }) => {
		const { present = state.present, ...rest } = session;

		Object.assign(state, { session: rest, present });
		changed();
		if (resync)
			Promise.all([readChat(session.id), readTokens(session.id)])
				.catch((error) => { state.error = error.message; });
	}));

	return {
		state, socket, join, leave, say, tell, createToken, updateToken,
		deleteToken, moveToken: move,
		watch(act) {
			watchers.add(act);
			act(state);
			return () => watchers.delete(act);
		},
		// Anything else that comes: dice, moves, what is said to one.
		on(name, act) {
			socket.on(name, act);
			return () => socket.off(name, act);
		},
		roll: (formula) => ask('roll', { formula,
			gameSessionId: state.session?.id }),
		validate: async (action, about = {}) => (await ask(
			'validate-action', { sessionId: state.session?.id, ...about,
				action })).data,
		userData: async () => (await ask('get-user-data')).data,
		close() {
			isOver = true;
			forget(null);
			socket.disconnect();
		},
	};
}
