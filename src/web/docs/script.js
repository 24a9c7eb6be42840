// SPDX-License-Identifier: MIT
// Examples and a search, for a page that can be read without them. All that
// is shown comes from the two documents beside the page.
(() => {
	'use strict';

	const home = location.pathname.replace(/\/docs\/?$/, '/');
	const said = document.getElementById('said');
	const origin = location.origin + home.replace(/\/$/, '');
	const cap = 6;

	const make = (name, about, ...inside) => {
		const element = document.createElement(name);

		for (const [key, value] of Object.entries(about))
			element.setAttribute(key, value);
		element.append(...inside);
		return element;
	};

	// What things of a name look like; else the schema alone decides.
	const known = {
		key: 'your key', title: 'Quiplash 3', username: 'ada',
		pack_name: 'Jackbox Party Pack 7', label: 'Quiplash 3',
		stream: 'session:17', notes: 'game night', name: 'ada',
		room_code: 'LSBN', roomCode: 'LSBN', message: 'thisgame++',
		ticker: 'QPL3', epoch: 'f4a91c0be2d7', requestId: 'k3v9',
		game_type: 'Writing', secondary_type: 'Party'
	};
	const forms = [
		[/\\d\{4\}-/, '2026-03-14T20:30:00.000Z'],
		[/custom/, 'custom.hello'], [/session/, 'session:17'],
		[/thread/, 'thread:17'], [/table/, 'table:17'],
		[/user/, 'user:4'],
		[/A-Z0-9.*\{4\}/, 'LSBN'], [/\[0-9\]\+/, '41']
	];

	const textFor = (schema, name) => {
		const form = schema.pattern === undefined ? undefined
			: forms.find(([sign]) => sign.test(schema.pattern));

		return form ? form[1]
			: schema.format === 'date-time' || /timestamp|_at$|At$/
				.test(name) ? '2026-03-14T20:30:00.000Z'
			: (known[name] ?? schema.default ?? '\u2026');
	};

	// A value that the schema allows; `root` is where a $ref leads.
	const sample = (schema, root, name = '', depth = 0) => {
		const go = (inner, called) =>
			sample(inner, root, called ?? name, depth + 1);

		if (depth > cap || typeof schema !== 'object')
			return null;
		if (schema.$ref)
			return go(schema.$ref.replace(/^#\//, '').split('/')
				.reduce((at, step) => at[step], root));
		if ('const' in schema)
			return schema.const;
		if (schema.enum)
			return schema.enum[0];
		for (const several of [schema.oneOf, schema.anyOf])
			if (several)
				return go(several[0]);
		const type = [].concat(schema.type ?? 'object')
			.find((one) => one !== 'null') ?? 'null';
		if (type === 'integer' || type === 'number')
			return Math.max(schema.minimum ?? 1, name === 'seq'
				? 42 : Math.min(1, schema.maximum ?? 1));
		if (type === 'boolean')
			return true;
		if (type === 'string')
			return textFor(schema, name);
		if (type === 'null')
			return null;
		if (type === 'array')
			return schema.items ? [go(schema.items)] : [];
		return Object.fromEntries(Object.entries(
			schema.properties ?? {}).map(([key, inner]) =>
			[key, go(inner, key)]));
	};

	const say = (words) => {
		said.textContent = words;
		clearTimeout(say.timer);
		say.timer = setTimeout(() => { said.textContent = ''; }, 2000);
	};

	// Where there is no clipboard (plain HTTP), the text is selected.
	const copy = async (pre) => {
		try {
			await navigator.clipboard.writeText(pre.textContent);
			say('Copied');
		} catch {
			getSelection().selectAllChildren(pre);
			say('Selected: copy it with your keyboard');
		}
	};

	const snippet = (title, about, text) => {
		const pre = make('pre', { tabindex: 0, 'aria-label':
			`${title} of ${about}` }, text);
		const button = make('button', { type: 'button', 'aria-label':
			`Copy: ${title} of ${about}` }, 'Copy');

		button.addEventListener('click', () => copy(pre));
		return make('div', { class: 'snippet' },
			make('h5', {}, title), button, pre);
	};

	const inJson = (value) => JSON.stringify(value, null, 2);
	const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

	// What a request of the operation is made of.
	const request = (path, method, operation, root) => {
		const parameters = operation.parameters ?? [];
		const value = ({ name, schema }) => encodeURIComponent(
			String(sample(schema, root, name)));
		const query = parameters.filter((one) => one.in === 'query'
			&& one.required).map((one) =>
			`${one.name}=${value(one)}`).join('&');
		const body = operation.requestBody?.content
			['application/json'].schema;

		return {
			method: method.toUpperCase(),
			target: path.replace(/\{(\w+)\}/g, (all, name) =>
				value(parameters.find((one) =>
				one.name === name))) + (query && '?' + query),
			token: operation.security.some((one) => one.bearer),
			key: parameters.some((one) =>
				one.$ref?.endsWith('/idempotency_key')),
			body: body && sample(body, root)
		};
	};

	const inCurl = ({ method, target, token, key, body }) => [
		`curl -s "$URL${target}"`,
		method !== (body ? 'POST' : 'GET') && `-X ${method}`,
		token && '-H "Authorization: Bearer $TOKEN"',
		key && "-H 'Idempotency-Key: tonight-1'",
		body && `--json ${quoted(JSON.stringify(body))}`
	].filter(Boolean).join(' \\\n    ');

	const inScript = ({ method, target, token, key, body }) => {
		const headers = [
			token && "'Authorization': `Bearer ${token}`",
			key && "'Idempotency-Key': crypto.randomUUID()",
			body && "'Content-Type': 'application/json'"
		].filter(Boolean).map((one) => `\t\t${one}`).join(',\n');

		return `const answer = await fetch(\`\${url}${target}\`, {\n`
			+ `\tmethod: '${method}'`
			+ (headers && `,\n\theaders: {\n${headers}\n\t}`)
			+ (body ? `,\n\tbody: JSON.stringify(${inJson(body)
				.replaceAll('\n', '\n\t')})` : '')
			+ '\n});\nconst body = await answer.json();';
	};

	const showOperations = (root) => {
		for (const [path, methods] of Object.entries(root.paths))
			for (const [method, operation] of
				Object.entries(methods)) {
				const name = operation.operationId;
				const place = document.querySelector(
					`#operation-${name} .examples`);
				const asked = request(path, method, operation,
					root);
				const [, good] = Object.entries(operation
					.responses).find(([status]) =>
					/^2/.test(status));
				const schema = good.content?.
					['application/json']?.schema;

				place.append(
					snippet('curl', name, inCurl(asked)),
					snippet('JavaScript', name,
						inScript(asked)));
				if (schema)
					place.append(snippet('Answer', name,
						inJson(sample(schema, root))));
			}
	};

	const showMessages = (root) => {
		for (const [key, message] of
			Object.entries(root.components.messages)) {
			const id = key.startsWith('event_') ? key.replace('_',
				'-') : `message-${key}`;

			document.querySelector(`#${id} .examples`).append(
				snippet('Example', message.name, inJson(
				sample(message.payload, root))));
		}
	};

	// --- search ---------------------------------------------------------

	const search = () => {
		const place = document.getElementById('search');
		const field = make('input', { type: 'search', id: 'words',
			autocomplete: 'off', 'aria-describedby': 'found' });
		const found = make('span', { id: 'found', role: 'status' });
		const all = [...document.querySelectorAll('article')];
		const parts = [...document.querySelectorAll('section.noun')];

		const look = () => {
			const words = field.value.toLowerCase().split(/\s+/)
				.filter(Boolean);
			let count = 0;

			for (const one of all) {
				one.hidden = !words.every((word) =>
					one.dataset.words.includes(word));
				count += !one.hidden;
			}
			for (const part of parts)
				part.hidden = ![...part.querySelectorAll(
					'article')].some((one) => !one.hidden);
			found.textContent = words.length
				? `${count} of ${all.length}` : '';
		};

		place.append(make('label', { for: 'words' },
			'Search operations, events and messages'), field,
			found);
		field.addEventListener('input', look);
		document.addEventListener('keydown', (event) => {
			if (event.key === '/' && !event.target.closest?.(
				'input')) {
				event.preventDefault();
				field.focus();
			}
		});
	};

	const read = async (name, show) => {
		const answer = await fetch(home + name);

		if (!answer.ok)
			throw new Error(`${name}: ${answer.status}`);
		show(await answer.json());
	};

	for (const link of document.querySelectorAll('a[href$=".json"]'))
		link.href = home + link.getAttribute('href');
	search();
	Promise.all([read('openapi.json', showOperations),
		read('asyncapi.json', showMessages)]).then(() => {
		document.getElementById('url').textContent = origin;
		document.documentElement.dataset.state = 'whole';
		document.getElementById(location.hash.slice(1))
			?.scrollIntoView();
	}, (error) => {
		document.documentElement.dataset.state = 'bare';
		say(`No examples: ${error.message}`);
	});
})();
