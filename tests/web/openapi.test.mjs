// The description of the interface is true: it has every route and no other, and what a real hive answers, with containers and a
// proposal on its way, is what it says. An answer has no other key than its own; rows may grow, which is told but no failure.
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import {after, before, test} from 'node:test';
import {act, free_port, get, send, stream, until} from './harness.mjs';

const build = path.resolve(process.env.BUILD ?? 'build');
const {default: Ajv} = createRequire(`${build}/npm/web/`)('ajv/dist/2020');

const lines = (text) => text.trim().split('\n').map((line) => JSON.parse(line));
const routes = lines(execFileSync(`${build}/helpers/routes`, {encoding: 'utf8'}));
const described = JSON.parse(fs.readFileSync('src/web/openapi.json', 'utf8'));
const operation = (method, where) => described.paths[where]?.[method.toLowerCase()];

/** The same description, but an object has no key that is not in it; with rows, not even a row. */
const closed = (node, rows, site) => {
	if (Array.isArray(node))
		return node.map((each) => closed(each, rows, false));
	if (node === null || typeof node !== 'object')
		return node;
	const out = {};
	for (const [key, value] of Object.entries(node)) {
		if (key === 'properties')
			out[key] = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, closed(v, rows, rows)]));
		else
			out[key] = closed(value, rows, key === 'schema' || (rows && key === 'items'));
	}
	const is_object = node.$ref?.startsWith('#/components/schemas/') || node.allOf || node.properties;
	return site && is_object ? {allOf: [out], unevaluatedProperties: false} : out;
};
const judge = (rows) => {
	const it = new Ajv({strict: false, allErrors: true});
	it.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
	it.addSchema(closed(described, rows), 'api');
	return it;
};
const ajv = judge(false), strict = judge(true), grown = new Set();
const escape = (text) => encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));
const validator = (pointer, by = ajv) => by.compile({$ref: `api#/${pointer.map(escape).join('/')}`});
const refused = validator(['components', 'responses', 'Refused', 'content', 'application/json', 'schema']);

/** An answer is what the description says for its status. */
const check = (method, where, r) => {
	const type = Object.keys(operation(method, where).responses[200].content)[0];
	const pointer = ['paths', where, method.toLowerCase(), 'responses', '200', 'content', type, 'schema'];
	const json = r.headers['content-type'] === 'application/json';
	const valid = r.status === 200 ? validator(pointer) : refused;
	if (r.status === 200)
		assert.equal(r.headers['content-type'], type, where);
	assert.ok(valid(json ? r.json() : r.text), `${method} ${where}: ${JSON.stringify(valid.errors)} in ${r.text.slice(0, 2000)}`);
	const nothing_more = r.status === 200 && json && validator(pointer, strict);
	if (nothing_more && !nothing_more(r.json()))
		nothing_more.errors.forEach((e) => grown.add(`${where}: ${e.params.unevaluatedProperty ?? e.message}`));
	return json ? r.json() : r.text;
};

let hive;
const skep = (...words) => execFileSync(`${build}/skep`, ['--socket', `${hive.run}/operator.sock`, '--no-input', ...words], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});

const login = async () => {
	const {url} = JSON.parse(skep('dashboard', '--json'));
	const r = await send(hive, 'POST', '/api/v1/login', {'Content-Type': 'application/json', Origin: hive.origin},
		JSON.stringify({code: url.split('#')[1].split('&')[0]}));
	hive.login = check('POST', '/api/v1/login', r).login;
	hive.shown = {Cookie: r.headers['set-cookie'][0].split(';')[0], 'Skep-Key': hive.login.key};
};

const propose = (agent, what) => Number(JSON.parse(skep('exec', 'hm1nd', '--', 'bash', '-ec', `
	export HOME=/root GIT_AUTHOR_NAME=m GIT_AUTHOR_EMAIL=m@m GIT_COMMITTER_NAME=m GIT_COMMITTER_EMAIL=m@m
	cd /agents/${agent}; echo '${what}' > rootfs/note; git add -A; git commit -qm '${what}'
	/run/hive/bin/skep submit ${agent} $(git rev-parse HEAD) --json`)).id);

before(async () => {
	const dir = fs.mkdtempSync('/var/tmp/skep-openapi-');
	fs.chmodSync(dir, 0o755);
	const port = await free_port();
	hive = {dir, run: `${dir}/run`, port, host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}`};
	fs.writeFileSync(`${dir}/skep.json`, JSON.stringify({dashboard_port: port, proposals_per_hour: 1000, stop_timeout: 10}));
	hive.log = fs.openSync(`${dir}/log`, 'w');
	hive.daemon = spawn(`${build}/skepd`, ['--standalone', '--config', `${dir}/skep.json`, '--state', `${dir}/state`, '--runtime', hive.run],
		{stdio: ['ignore', hive.log, hive.log]});
	await until('the hive is up', async () => {
		try {
			skep('list');
			return (await get(hive, '/readyz')).status === 200;
		} catch {
			return false;
		}
	}, 60);
	skep('spawn', 'hm1nd');
	skep('spawn', 'alice');
	hive.first = propose('alice', 'first');
	await login();
});

after(async () => {
	const gone = new Promise((done) => hive.daemon.on('exit', done));
	hive.daemon.kill();
	await gone;
	fs.rmSync(hive.dir, {recursive: true, force: true});
});

test('every route is described, and nothing else', () => {
	const there = routes.filter((r) => r.described).map((r) => `${r.method} ${r.path}`).sort();
	const said = Object.entries(described.paths).flatMap(([where, methods]) => Object.keys(methods).map((m) => `${m.toUpperCase()} ${where}`)).sort();
	assert.deepEqual(said, there);
	const ids = Object.values(described.paths).flatMap((methods) => Object.values(methods).map((o) => o.operationId));
	assert.equal(new Set(ids).size, ids.length);
});

test('what a route takes and needs is what is said', () => {
	for (const route of routes.filter((r) => r.described)) {
		const o = operation(route.method, route.path), what = `${route.method} ${route.path}`;
		const parameters = (o.parameters ?? []).map((p) => p.$ref ? described.components.parameters[p.$ref.split('/').at(-1)] : p);
		assert.deepEqual(parameters.filter((p) => p.in === 'query').map((p) => p.name).sort(), route.params.sort(), what);
		assert.deepEqual(parameters.filter((p) => p.in === 'path').map((p) => p.name), [...route.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]), what);
		assert.equal(o.security.some((s) => 'session' in s) && !o.security.some((s) => 'token' in s), route.session, what);
		assert.equal(o.security.some((s) => 'key' in s), route.key, what);
		assert.equal('text/event-stream' in o.responses[200].content, route.streams, what);
		const body = o.requestBody?.content['application/json'].schema;
		assert.equal(Boolean(body), route.method === 'POST', what);
		// a key that the verb does not know would be a promise nobody keeps
		for (const key of Object.keys(body?.properties ?? {}))
			assert.ok(route.takes.split(' ').includes(key), `${what} takes no ${key}`);
	}
});

test('it is served as it is', async () => {
	const r = await get(hive, '/api/v1/openapi.json', hive.shown);
	assert.deepEqual(r.json(), described);
	check('GET', '/api/v1/openapi.json', r);
});

const read_all = async () => {
	const statuses = {};
	for (const route of routes.filter((r) => r.described && r.method === 'GET' && !r.streams)) {
		const target = route.path.replace('{name}', 'alice').replace('{id}', hive.first);
		const r = await get(hive, target, hive.shown);
		check('GET', route.path, r);
		statuses[route.path] = r.status;
	}
	return statuses;
};

test('a real hive answers what is described', async () => {
	const statuses = await read_all();
	const unanswered = Object.keys(statuses).filter((where) => statuses[where] !== 200);
	assert.deepEqual(unanswered, []);
	for (const [where, target] of [['/api/v1/usage', '/api/v1/usage?history=1&name=alice'], ['/api/v1/agents', '/api/v1/agents?name=alice,bob'],
		['/api/v1/proposals', '/api/v1/proposals?state=all&agent=alice&limit=5'], ['/api/v1/proposals/{id}/diff', `/api/v1/proposals/${hive.first}/diff?against=deployed`]]) {
		const r = await get(hive, target, hive.shown);
		check('GET', where, r);
		assert.equal(r.status, 200, r.text);
	}
});

test('what is asked for in vain is refused as described', async () => {
	for (const route of routes.filter((r) => r.described && r.method === 'GET' && !r.streams && /\{/.test(r.path))) {
		const r = await get(hive, route.path.replace('{name}', 'nobody').replace('{id}', '999'), hive.shown);
		check('GET', route.path, r);
		assert.equal(r.status, 404, `${route.path}: ${r.text}`);
	}
	for (const route of routes.filter((r) => r.session && !r.streams))
		check(route.method, route.path, await send(hive, route.method, route.path.replace('{name}', 'alice').replace('{id}', '1'),
			route.method === 'POST' ? {'Content-Type': 'application/json', Origin: hive.origin} : {}, route.method === 'POST' ? '{}' : undefined));
});

test('what changes something answers as described', async (t) => {
	const done = async (where, body = {}, id = hive.first) => {
		const r = await act(hive, where.replace('{name}', 'alice').replace('{id}', id), body, hive.shown);
		const answer = check('POST', where, r);
		assert.equal(r.status, 200, r.text);
		return answer;
	};
	const events = await stream(hive, '/events', hive.shown);
	const row = (await get(hive, `/api/v1/proposals/${hive.first}`, hive.shown)).json().proposal;
	await done('/api/v1/proposals/{id}/seen');
	await done('/api/v1/proposals/{id}/approve', {commit: row.commit, tree: row.tree, base: row.base, flags_ack: row.flags.map((f) => f.name)});
	const log = await stream(hive, `/api/v1/proposals/${hive.first}/log?follow=1`, hive.shown);
	await until('the log ends', () => log.events.at(-1)?.event === 'end', 90);
	assert.equal(log.events.at(-1).data.proposal.state, 'deployed');
	const journal = await stream(hive, '/api/v1/agents/alice/log?lines=5', hive.shown);
	await until('the journal ends', () => journal.events.at(-1)?.event === 'end');
	assert.equal(journal.events[0].event, 'reset');
	assert.ok(journal.events.some((e) => e.event === 'log' && e.data.log.length > 0));
	for (const verb of ['pause', 'resume'])
		await done(`/api/v1/agents/{name}/${verb}`);
	await done('/api/v1/agents/{name}/settings', {settings: {'label.team': 'red'}});
	const second = propose('alice', 'second');
	await done('/api/v1/proposals/{id}/deny', {note: 'no'}, second);
	await done('/api/v1/proposals/{id}/cancel', {note: 'never mind'}, propose('alice', 'third'));
	await until('all of it was told', () => events.events.some((e) => e.data.agent_statuses?.some((a) => a.labels?.team === 'red')));
	for (const event of events.events)
		for (const [key, schema] of [['agent_statuses', 'AgentRow'], ['approvals', 'ProposalRow']])
			for (const each of event.data[key] ?? []) {
				const valid = ajv.getSchema(`api#/components/schemas/${schema}`);
				assert.ok(valid(each), JSON.stringify([valid.errors, each]));
			}
	events.close();
	await read_all();
	grown.forEach((key) => t.diagnostic(`not described: ${key}`));
	await done('/api/v1/logout');
	assert.equal((await get(hive, '/api/v1/session', hive.shown)).status, 401);
});
