// What every answer carries, who is let in, and what reaches the controller.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {after, before, test} from 'node:test';
import {act, cookie, get, inside, page, raw, script, send, start, until} from './harness.mjs';
import {key, other, proposal, session} from './hive.mjs';

let web;
before(async () => web = await start());
after(() => web.stop());

const fixed = {
	'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
		+ "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	'x-content-type-options': 'nosniff',
	'referrer-policy': 'no-referrer',
	'cross-origin-opener-policy': 'same-origin',
	'cross-origin-resource-policy': 'same-origin',
	'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
};
const code = (r, status, word) => {
	assert.equal(r.status, status, r.text);
	assert.equal(r.json().code, word);
};

test('every answer has the headers, and none lets another origin in', async () => {
	const answers = [await get(web, '/'), await get(web, '/static/app.12.js'), await get(web, '/p/7'), await get(web, '/nothing'),
		await get(web, '/api/v1/status'), await inside(web, '/api/v1/status'), await inside(web, '/api/v1/agents/nobody'),
		await inside(web, '/metrics'), await get(web, '/livez'), await get(web, '/readyz'), await get(web, '/', {Host: 'evil.example'}),
		await act(web, '/api/v1/proposals/7/approve'), await act(web, '/api/v1/proposals/7/approve', {}, {Origin: 'http://evil'}),
		await act(web, '/api/v1/proposals/7/approve', 'x'), await send(web, 'HEAD', '/')];
	for (const r of answers) {
		for (const [name, value] of Object.entries(fixed))
			assert.equal(r.headers[name], value, name);
		assert.ok(!Object.keys(r.headers).some((name) => name.startsWith('access-control')));
		assert.ok(!('server' in r.headers));
		const wanted = r.headers['content-type'].startsWith('text/javascript') ? 'public, max-age=31536000, immutable' : 'no-store';
		assert.equal(r.headers['cache-control'], wanted);
	}
});

test('files come from the table alone', async () => {
	for (const target of ['/', '/login', '/p/7', '/a/alice', '/deploys', '/audit'])
		assert.equal((await get(web, target)).text, page);
	const plain = await get(web, '/static/app.12.js');
	assert.equal(plain.text, script);
	assert.equal(plain.headers['content-encoding'], undefined);
	for (const [accept, encoding] of [['gzip, deflate, br', 'br'], ['gzip', 'gzip'], ['br;q=0, gzip;q=0.5', 'gzip'], ['gzip;q=0', undefined],
		['identity', undefined], ['xbr', undefined]]) {
		const r = await get(web, '/static/app.12.js', {'Accept-Encoding': accept});
		assert.equal(r.headers['content-encoding'], encoding, accept);
		assert.equal(r.headers.vary, 'Accept-Encoding');
		const again = await get(web, '/static/app.12.js', {'Accept-Encoding': accept, 'If-None-Match': r.headers.etag});
		assert.equal(again.status, 304);
		assert.equal(again.text, '');
	}
	assert.equal((await get(web, '/static/app.12.js', {'If-None-Match': '"x"'})).status, 200);
	for (const target of ['/static/secret', '/static/manifest.json', '/static/index.html', '/static/app.12.js.br', '/static/../secret',
		'/static/', '/static/app.12.js/', '/index.html'])
		assert.equal((await get(web, target)).status, 404, target);
	const head = await send(web, 'HEAD', '/');
	assert.equal(head.headers['content-length'], String(page.length));
	assert.equal(head.text, '');
});

test('what evhttp lets through is refused', async () => {
	const host = `Host: ${web.host}\r\n`, post = `POST /api/v1/login HTTP/1.1\r\n${host}`;
	for (const [text, status] of [
		['GET / HTTP/1.1\r\n\r\n', 421],
		[`GET / HTTP/1.1\r\n${host}${host}\r\n`, 421],
		[`GET / HTTP/1.1\r\nHost: localhost.:${web.port}\r\n\r\n`, 421],
		['GET / HTTP/1.0\r\n\r\n', 421],
		[`GET http://${web.host}/ HTTP/1.1\r\n${host}\r\n`, 400],
		[`GET //evil.example/ HTTP/1.1\r\n${host}\r\n`, 400],
		[`GET /%00 HTTP/1.1\r\n${host}\r\n`, 400],
		[`GET / HTTP/1.1\r\n${host}: x\r\n\r\n`, 400],
		[`GET / HTTP/1.1\r\n${host}Transfer-Encoding: identity\r\n\r\n`, 400],
		[`${post}Content-Length: +2\r\n\r\n{}`, 400],
		[`${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`, 400],
		[`${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, 400],
		[`${post}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, 400],
		[`PUT / HTTP/1.1\r\n${host}\r\n`, 501],
		[`OPTIONS /api/v1/status HTTP/1.1\r\n${host}Origin: http://evil.example\r\n\r\n`, 501],
	])
		assert.equal((await raw(web, text)).status, status, JSON.stringify(text));
});

test('what follows a request that is not well formed is not a request', async () => {
	const hidden = `GET /livez HTTP/1.1\r\nHost: ${web.host}\r\n\r\n`;
	for (const headers of [`Content-Length: ${hidden.length}`, 'Transfer-Encoding: chunked', ': x']) {
		const r = await raw(web, `GET / HTTP/1.1\r\nHost: ${web.host}\r\n${headers}\r\n\r\n${hidden}`);
		assert.ok(r.status === 400 || r.status === 413, headers); // evhttp has its own word for a chunk that is none
		assert.equal(r.answers, 1, headers);
		assert.equal(r.how, 'closed', headers);
	}
	// and two that are, are two
	assert.equal((await raw(web, hidden + hidden)).answers, 2);
});

test('heads and bodies have an end', async () => {
	const r = await raw(web, `GET / HTTP/1.1\r\nHost: ${web.host}\r\nX: ${'x'.repeat(20000)}\r\n\r\n`);
	assert.ok(r.status === 400 || r.status === 413, r.text);
	assert.equal(r.how, 'closed');
	assert.equal((await raw(web, `GET /${'x'.repeat(3000)} HTTP/1.1\r\nHost: ${web.host}\r\n\r\n`)).status, 400);
	assert.equal((await act(web, '/api/v1/proposals/7/approve', {note: 'x'.repeat(70000)})).status, 413);
	const many = Array.from({length: 70}, (_, i) => `X-${i}: 1\r\n`).join('');
	assert.equal((await raw(web, `GET / HTTP/1.1\r\nHost: ${web.host}\r\n${many}\r\n`)).status, 400);
});

test('only a page of ours acts, and no other reads', async () => {
	const approve = '/api/v1/proposals/7/approve';
	const from = (fetch, origin) => ({'Sec-Fetch-Site': fetch, Origin: origin});
	const hosts = {[web.host]: web.origin, [`localhost:${web.port}`]: `http://localhost:${web.port}`, 'evil.example': 'http://evil.example'};
	let passed = 0;
	for (const [host, own] of Object.entries(hosts)) {
		for (const fetch of [undefined, 'same-origin', 'same-site', 'cross-site', 'none']) {
			for (const origin of [undefined, own, 'http://127.0.0.1:8123', 'null']) {
				for (const [shown, status] of [[key, 200], ['d'.repeat(64), 403], [undefined, 403]]) {
					const r = await act(web, approve, {}, {...from(fetch, origin), Host: host, 'Skep-Key': shown});
					const ours = (!origin || origin === own) && (fetch === 'same-origin' || (!fetch && origin));
					const wanted = host === 'evil.example' ? 421 : ours ? status : 403;
					assert.equal(r.status, wanted, `${host} ${fetch} ${origin} ${shown}`);
					passed += r.status === 200;
				}
			}
		}
	}
	assert.equal(passed, 6);
	for (const target of ['/api/v1/status', '/events', '/api/v1/proposals/7/log', '/api/v1/agents/agent0/log']) {
		for (const fetch of ['same-site', 'cross-site'])
			code(await get(web, target, {...cookie(), 'Sec-Fetch-Site': fetch}), 403, 'forbidden');
		code(await get(web, target, {...cookie(), Origin: 'http://127.0.0.1:8123'}), 403, 'forbidden');
	}
});

test('logging in gives a cookie that no script reads, and the key once', async () => {
	const r = await send(web, 'POST', '/api/v1/login', {'Content-Type': 'application/json', Origin: web.origin}, '{"code":"right"}');
	assert.equal(r.status, 200);
	assert.deepEqual(r.headers['set-cookie'], [`skep_s=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200`]);
	assert.equal(r.json().login.key, key);
	assert.ok(!r.text.includes(session));
	const bad = await send(web, 'POST', '/api/v1/login', {'Content-Type': 'application/json', Origin: web.origin}, '{"code":"wr0ng"}');
	code(bad, 401, 'unauthorized');
	assert.equal(bad.headers['set-cookie'], undefined);
	const out = await act(web, '/api/v1/logout');
	assert.deepEqual(out.headers['set-cookie'], ['skep_s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0']);
	for (const secret of ['right', 'wr0ng', session, key])
		assert.ok(!web.said.includes(secret));
});

test('under TLS the cookie is one that only TLS can set', async () => {
	const behind = await start({args: ['--origin', 'https://hive.example']});
	try {
		const headers = {Host: 'hive.example', 'Content-Type': 'application/json', Origin: 'https://hive.example'};
		const r = await send(behind, 'POST', '/api/v1/login', headers, '{"code":"right"}');
		assert.deepEqual(r.headers['set-cookie'], [`__Host-skep_s=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure`]);
		code(await get(behind, '/api/v1/status', {Host: 'hive.example', Cookie: `skep_s=${session}`}), 401, 'unauthorized');
		assert.equal((await get(behind, '/api/v1/status', {Host: 'hive.example', Cookie: `__Host-skep_s=${session}`})).status, 200);
		assert.equal((await send(behind, 'POST', '/api/v1/login', {...headers, Origin: 'http://hive.example'}, '{}')).status, 403);
	} finally {
		await behind.stop();
	}
});

test('answers are the controller\'s own, under a status that fits', async () => {
	web.hive.says.status = {version: 1, ok: true, status: {odd: 'ä\u202e', list: [1, 2.5, null]}};
	assert.equal((await inside(web, '/api/v1/status')).text, JSON.stringify(web.hive.says.status));
	for (const [word, status] of Object.entries({bad_request: 400, unauthorized: 401, forbidden: 403, step_up: 403, not_found: 404, exists: 409,
		wrong_state: 409, stale: 409, superseded: 409, expired: 409, idem_mismatch: 409, too_large: 413, needs_ack: 422, blocked: 422,
		rate_limited: 429, busy: 503, unavailable: 503, storage: 500, internal: 500, build_failed: 500, something: 500})) {
		web.hive.says.approve = {version: 1, ok: false, error: 'no', code: word, now: proposal};
		const r = await act(web, '/api/v1/proposals/7/approve');
		assert.equal(r.status, status, word);
		assert.deepEqual(r.json(), web.hive.says.approve);
	}
	web.hive.says = {};
});

test('a request to the controller is what path, query, body, cookie and key say', async () => {
	const asked = async (r) => {
		assert.equal((await r).status < 500, true);
		return web.hive.asked.at(-1);
	};
	const read = {session}, write = {session, key};
	const a = '/api/v1/agents/alice', p = '/api/v1/proposals/7';
	for (const [target, wanted] of [
		['/api/v1/agents?name=a,b&label=x%3D1', {cmd: 'agent_status', names: ['a', 'b'], labels: ['x=1']}],
		[a, {cmd: 'agent', name: 'alice'}],
		[`${a}/history?limit=5`, {cmd: 'history', name: 'alice', limit: 5}],
		[`${a}/record?before=9`, {cmd: 'agent_history', name: 'alice', before: 9}],
		[`${a}/diff?from=2&to=deployed`, {cmd: 'diff', name: 'alice', from: 2, to: 'deployed'}],
		['/api/v1/usage?history=1&name=a', {cmd: 'usage', names: ['a'], history: true}],
		['/api/v1/proposals?state=failed,denied&agent=a&before=9&limit=2', {cmd: 'pending', status: ['failed', 'denied'], agent: 'a', before: 9, limit: 2}],
		[p, {cmd: 'proposal', id: 7}],
		[`${p}/diff?against=3`, {cmd: 'diff', id: 7, against: 3}],
		[`${p}/diff?against=seen`, {cmd: 'diff', id: 7, against: 'seen'}],
		[`${p}/effect`, {cmd: 'effect', id: 7}],
		['/api/v1/deploys', {cmd: 'history'}],
		['/api/v1/audit?before=9', {cmd: 'audit', before: 9}],
		['/api/v1/audit/verify', {cmd: 'audit_verify'}],
		['/api/v1/doctor', {cmd: 'doctor'}],
		['/api/v1/drift', {cmd: 'drift'}],
		['/api/v1/session', {cmd: 'web_session'}],
	])
		assert.deepEqual(await asked(inside(web, target)), {...wanted, ...read}, target);
	for (const [target, body, wanted] of [
		['/api/v1/agents', {name: 'bob', memory_max: '1G'}, {cmd: 'spawn', name: 'bob', memory_max: '1G'}],
		[`${a}/start`, {}, {cmd: 'start', scope: {agent_names: ['alice']}}],
		[`${a}/stop`, {graceful: true}, {cmd: 'stop', scope: {agent_names: ['alice']}, graceful: true}],
		[`${a}/restart`, {}, {cmd: 'restart', name: 'alice'}],
		[`${a}/rebuild`, {}, {cmd: 'rebuild', name: 'alice'}],
		[`${a}/pause`, {paused: false}, {cmd: 'set_paused', name: 'alice', paused: true}],
		[`${a}/resume`, {}, {cmd: 'set_paused', name: 'alice', paused: false}],
		[`${a}/freeze`, {}, {cmd: 'freeze', name: 'alice'}],
		[`${a}/thaw`, {}, {cmd: 'thaw', name: 'alice'}],
		[`${a}/rollback`, {to: 2}, {cmd: 'rollback', name: 'alice', to: 2}],
		[`${a}/settings`, {settings: {memory_max: '1G'}}, {cmd: 'set', name: 'alice', settings: {memory_max: '1G'}}],
		[`${a}/destroy`, {purge: true, confirm: 'alice'}, {cmd: 'destroy', name: 'alice', purge: true, confirm: 'alice'}],
		[`${p}/approve`, {commit: 'x', flags_ack: []}, {cmd: 'approve', id: 7, commit: 'x', flags_ack: []}],
		[`${p}/deny`, {note: 'no'}, {cmd: 'deny', id: 7, note: 'no'}],
		[`${p}/cancel`, {}, {cmd: 'withdraw', id: 7}],
		[`${p}/seen`, {}, {cmd: 'seen', id: 7}],
		['/api/v1/step-up', {code: 'x'}, {cmd: 'web_step_up', code: 'x'}],
	])
		assert.deepEqual(await asked(act(web, target, body)), {...wanted, ...write}, target);
});

test('what is not for the body or the query to say is refused', async () => {
	const approve = '/api/v1/proposals/7/approve', before_that = web.hive.asked.length;
	for (const body of ['', 'x', '[]', '{"a":1,"a":2}', '{"a":1} x', '"\\u0000"', '{"cmd":"deny"}', '{"session":"x"}', '{"key":"x"}',
		'{"id":8}', '{"wait":true}'])
		code(await act(web, approve, body), 400, 'bad_request');
	for (const body of ['{"name":"bob"}', '{"scope":{}}'])
		code(await act(web, '/api/v1/agents/alice/start', body), 400, 'bad_request');
	for (const query of ['limit=x', 'limit=1&limit=2', 'surprise=1', 'agent=%zz', 'agent=%ff', 'agent=%4'])
		code(await inside(web, `/api/v1/proposals?${query}`), 400, 'bad_request');
	for (const type of ['text/plain', 'application/json; charset=utf-8', 'application/x-www-form-urlencoded', undefined])
		code(await act(web, approve, {}, {'Content-Type': type}), 415, 'bad_request');
	assert.equal(web.hive.asked.length, before_that);
});

test('only who is let in learns anything', async () => {
	const targets = ['/api/v1/status', '/api/v1/agents', '/api/v1/proposals/7/diff', '/api/v1/openapi.json', '/events',
		'/api/v1/agents/agent0/log', '/metrics', '/readyz?verbose=1'];
	for (const target of targets) {
		code(await get(web, target), 401, 'unauthorized');
		code(await get(web, target, cookie('e'.repeat(64))), 401, 'unauthorized');
		assert.equal((await get(web, target, {Cookie: `skep_s=${session}; skep_s=${other(1)}`})).status, 401);
	}
	for (const target of targets.filter((t) => !t.startsWith('/events') && !t.endsWith('log')))
		assert.ok((await inside(web, target)).status < 500);
	assert.equal((await get(web, '/livez')).text, 'alive\n');
	assert.equal((await get(web, '/readyz')).text, 'ready\n');
	assert.deepEqual((await inside(web, '/readyz?verbose=1')).json().ready.checks.length, 1);
});

test('metrics are text of Prometheus, bounded in labels, for a login or a token', async () => {
	const token = 'f'.repeat(40);
	fs.writeFileSync(`${web.dir}/token`, `${token}\n`);
	const other_web = await start({args: ['--metrics-token', `${web.dir}/token`]});
	try {
		for (const target of ['/nothing/1', '/nothing/2', '/a/alice', '/a/bob'])
			await get(other_web, target);
		for (const shown of [undefined, `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`, token])
			assert.equal((await get(other_web, '/metrics', {Authorization: shown})).status, 401);
		const r = await get(other_web, '/metrics', {Authorization: `Bearer ${token}`});
		assert.equal(r.status, 200);
		assert.equal(r.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
		for (const line of r.text.trimEnd().split('\n'))
			assert.match(line, /^# (HELP|TYPE) \w+ .*$|^\w+(\{\w+="([^"\\]|\\.)*"(,\w+="([^"\\]|\\.)*")*\})? -?[0-9.e+-]+$/);
		assert.match(r.text, /^skep_agents\{state="running"\} 3$/m);
		assert.match(r.text, /^skep_odd\{x="q\\"\\\\\\n"\} 1.5$/m);
		assert.match(r.text, /^# HELP skep_odd a\\\\b\\nc$/m);
		assert.match(r.text, /^skep_http_requests_total\{method="GET",route="\/a\/\{name\}",code="200"\} 2$/m);
		assert.match(r.text, /^skep_http_requests_total\{method="",route="none",code="404"\} 2$/m);
		assert.match(r.text, /^skep_http_refused_total\{reason="token"\} 5$/m);
		assert.match(r.text, /^skep_sse_clients 0$/m);
		assert.equal(r.text.match(/^# TYPE process_open_fds /mg).length, 1);
		assert.equal(r.text.match(/^process_open_fds\{/mg).length, 2);
		assert.ok(!/alice|nothing/.test(r.text));
		assert.ok(!other_web.said.includes(token));
	} finally {
		await other_web.stop();
	}
});

test('without a controller it says so and stays up', async () => {
	const alone = await start();
	try {
		await alone.hive.close();
		const r = await inside(alone, '/api/v1/status');
		code(r, 503, 'unavailable');
		assert.equal(r.headers['retry-after'], '1');
		assert.equal((await get(alone, '/readyz')).status, 503);
		assert.equal((await get(alone, '/livez')).status, 200);
		assert.equal((await get(alone, '/')).status, 200);
		await alone.hive.listen(`${alone.dir}/web.sock`);
		assert.equal((await inside(alone, '/api/v1/status')).status, 200);
		// and one that goes away in the middle
		alone.hive.says.status = null;
		const asked = inside(alone, '/api/v1/status');
		await until('it asks', () => alone.hive.asked.length > 1);
		alone.hive.connections.forEach((s) => s.destroy());
		code(await asked, 503, 'unavailable');
	} finally {
		await alone.stop();
	}
});

test('started by root it is root no more', async () => {
	const dropped = await start({args: ['--uid', '1310102', '--gid', '1310103']});
	try {
		const status = fs.readFileSync(`/proc/${dropped.child.pid}/status`, 'utf8');
		assert.match(status, /^Uid:\t1310102\t1310102\t1310102\t1310102$/m);
		assert.match(status, /^Gid:\t1310103\t1310103\t1310103\t1310103$/m);
		assert.match(status, /^Groups:\s*$/m);
		assert.match(status, /^NoNewPrivs:\t1$/m);
		for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
			assert.match(status, new RegExp(`^${set}:\\t0+$`, 'm'));
		assert.equal((await get(dropped, '/')).text, page);
		assert.equal((await inside(dropped, '/api/v1/status')).status, 200);
	} finally {
		await dropped.stop();
	}
});
