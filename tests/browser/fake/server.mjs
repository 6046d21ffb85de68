// Serves the built dashboard as skep-web does, headers included, over a hive that exists only in memory: for what no
// real hive can show, such as 300 agents or a payload in every field. node server.mjs [PORT] serves a lively one.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sampleHive } from './hive.mjs';

const SECURITY = {
	'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	'X-Content-Type-Options': 'nosniff',
	'Referrer-Policy': 'no-referrer',
	'Cross-Origin-Opener-Policy': 'same-origin',
	'Cross-Origin-Resource-Policy': 'same-origin',
	'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
};
const KEY = 'a'.repeat(64);
const status = { bad_request: 400, unauthorized: 401, forbidden: 403, step_up: 403, not_found: 404, stale: 409, wrong_state: 409, needs_ack: 422, blocked: 422 };

function files(directory) {
	const table = new Map();
	for (const entry of JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')))
		table.set(entry.path, {
			...entry, data: readFileSync(join(directory, entry.file)),
			br: entry.encodings.includes('br') && readFileSync(join(directory, `${entry.file}.br`)),
			gzip: entry.encodings.includes('gzip') && readFileSync(join(directory, `${entry.file}.gz`)),
		});
	return table;
}

export class Failure extends Error {
	constructor(code, message, more = {}) {
		super(message);
		Object.assign(this, { code, more });
	}
}

async function body(request) {
	let text = '';
	for await (const chunk of request) text += chunk;
	return text ? JSON.parse(text) : {};
}

// How the reads and changes of the API are answered out of the hive in memory.
async function api(hive, request, path, query, response) {
	const [first, name, part] = path.split('/');
	if (request.method === 'POST') {
		const data = await body(request);
		if (first === 'login') {
			if (data.code !== 'good') throw new Failure('unauthorized', 'the code is wrong or was used', { hint: 'skep dashboard' });
			response.setHeader('Set-Cookie', 'skep_s=1; HttpOnly; SameSite=Strict; Path=/');
			return { login: { ...hive.login(), key: KEY } };
		}
		if (first === 'logout') return response.setHeader('Set-Cookie', 'skep_s=; Path=/; Max-Age=0'), {};
		if (request.headers['skep-key'] !== KEY) throw new Failure('forbidden', 'the key is missing or wrong');
		if (first === 'step-up') return { login: hive.login() };
		return hive.change(first, name, part, data);
	}
	if (!/skep_s=1/.test(request.headers.cookie || '') && !hive.open) throw new Failure('unauthorized', 'not logged in');
	return first === 'session' ? { login: hive.login() } : hive.read(first, name && decodeURIComponent(name), part, query);
}

function stream(response) {
	response.writeHead(200, { ...SECURITY, 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
	return (event, data, id) => response.write(`${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify({ version: 1, ok: true, ...data })}\n\n`);
}

export function serve(hive, { directory = resolve(fileURLToPath(new URL('../../../build/dashboard', import.meta.url))), port = 0 } = {}) {
	const table = files(directory);
	const sent = { bytes: 0, names: [], strange: [] };
	const total = [...table.values()].reduce((sum, entry) => sum + (entry.gzip || entry.data).length, 0);
	const server = createServer(async (request, response) => {
		const url = new URL(request.url, 'http://localhost');
		if (/pwned/i.test(url.pathname)) sent.strange.push(url.pathname);
		const known = table.get(url.pathname) || (/^\/(p\/\d+|a\/[a-z0-9-]+|deploys|audit|login)$/.test(url.pathname) && table.get('/'));
		if (known) {
			const encoding = ['br', 'gzip'].find((each) => known[each] && request.headers['accept-encoding']?.includes(each));
			const data = encoding ? known[encoding] : known.data;
			sent.bytes += data.length;
			sent.names.push(url.pathname);
			response.writeHead(200, {
				...SECURITY, 'Content-Type': known.type, 'Content-Length': data.length, ...(encoding ? { 'Content-Encoding': encoding } : {}),
				'Cache-Control': known.immutable ? 'public, max-age=31536000, immutable' : 'no-store',
			});
			return response.end(data);
		}
		if (url.pathname === '/events') {
			if (!/skep_s=1/.test(request.headers.cookie || '') && !hive.open) return response.writeHead(401).end('{"version":1,"ok":false,"code":"unauthorized"}');
			const send = stream(response);
			const stop = hive.subscribe(send);
			return request.on('close', stop);
		}
		const path = url.pathname.replace(/^\/api\/v1\//, '');
		if (path !== url.pathname && path.endsWith('/log')) return hive.log(path, stream(response), response);
		try {
			if (path === url.pathname) throw new Failure('not_found', 'no such page');
			const answer = JSON.stringify({ version: 1, ok: true, ...await api(hive, request, path, url.searchParams, response) });
			response.writeHead(200, { ...SECURITY, 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(answer);
		} catch (error) {
			const code = error.code && error.more ? error.code : 'internal';
			response.writeHead(status[code] || 500, { ...SECURITY, 'Content-Type': 'application/json' })
				.end(JSON.stringify({ version: 1, ok: false, error: error.message, code, ...error.more }));
		}
		return undefined;
	});
	return new Promise((done) => {
		server.listen(port, '127.0.0.1', () => done({ url: `http://127.0.0.1:${server.address().port}`, sent, total, close: () => { server.closeAllConnections(); server.close(); } }));
	});
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const hive = sampleHive({ open: true });
	console.log((await serve(hive, { port: Number(process.argv[2] || 0) })).url);
}
