// Server-sent events: numbers, coming back, and being told what was missed.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {cookie, get, inside, start, stream, until} from './harness.mjs';
import {other, proposal} from './hive.mjs';

let web;
before(async () => web = await start());
after(() => web.stop());

const kinds = (s) => s.events.map((e) => e.event);
const ids = (s) => s.events.map((e) => e.id && Number(e.id));

test('a page is told the snapshot, then what changes, each with its number', async () => {
	const s = await stream(web, '/events');
	assert.equal(s.headers['content-type'], 'text/event-stream');
	assert.equal(s.headers['cache-control'], 'no-store');
	await until('the snapshot', () => s.events.length === 1);
	assert.deepEqual(s.events[0].data, web.hive.snapshot());
	web.hive.publish();
	web.hive.publish({removed: ['agent2']});
	web.hive.publish({events: [{kind: 'approval_added', id: 8}], approvals: [proposal]});
	await until('three more', () => s.events.length === 4);
	assert.deepEqual(kinds(s), ['snapshot', 'delta', 'removed', 'delta']);
	assert.deepEqual(ids(s), [100, 101, 102, 103]);
	assert.deepEqual(s.events[2].data.removed, ['agent2']);
	s.close();
});

test('a page that comes back gets what it missed, by header or by address', async () => {
	web.hive.publish(); // 104
	for (const [target, headers] of [['/events', {'Last-Event-ID': '102'}], ['/events?since=102', {}],
		['/events?since=1', {'Last-Event-ID': '102'}]]) {
		const s = await stream(web, target, headers);
		await until('what it missed', () => s.events.length === 2);
		assert.deepEqual(kinds(s), ['delta', 'delta']);
		assert.deepEqual(ids(s), [103, 104]);
		s.close();
	}
	// nothing was missed: nothing is told until something happens
	const s = await stream(web, '/events?since=104');
	web.hive.publish();
	await until('the next', () => s.events.length === 1);
	assert.deepEqual(ids(s), [105]);
	s.close();
});

test('a page that was away too long is told so', async () => {
	for (const since of ['3', '99999']) {
		const s = await stream(web, `/events?since=${since}`);
		await until('the snapshot', () => s.events.length >= 2);
		assert.deepEqual(kinds(s).slice(0, 2), ['resync', 'snapshot']);
		s.close();
	}
	for (const since of ['x', '-1', '1.5'])
		assert.equal((await inside(web, `/events?since=${since}`)).status, 400);
});

test('one subscription does for all, and is given up when nobody is left', async () => {
	const streams = await Promise.all(Array.from({length: 8}, () => stream(web, '/events')));
	await until('all begun', () => streams.every((s) => s.events.length > 0));
	assert.equal(web.hive.subscribers.size, 1);
	streams.forEach((s) => s.close());
});

test('a gap is told: the controller says resync, or goes away', async () => {
	const s = await stream(web, '/events');
	await until('begun', () => s.events.length > 0);
	const n = s.events.length;
	web.hive.resync();
	await until('told', () => s.events.length === n + 2);
	assert.deepEqual(kinds(s).slice(n), ['resync', 'snapshot']);
	web.hive.subscribers.forEach((c) => c.destroy());
	await until('told again', () => s.events.length === n + 4);
	assert.deepEqual(kinds(s).slice(n + 2), ['resync', 'snapshot']);
	web.hive.publish();
	await until('it goes on', () => s.events.length === n + 5);
	assert.equal(s.ended, false);
	s.close();
});

test('many changes since the snapshot: a new page gets a newer one', async () => {
	const first = await stream(web, '/events');
	await until('begun', () => first.events.length > 0);
	for (let i = 0; i < 600; i++)
		web.hive.publish();
	await until('all came', () => Number(first.events.at(-1).id) === web.hive.seq);
	const s = await stream(web, '/events');
	await until('its snapshot', () => s.events.length > 0);
	assert.equal(Number(s.events[0].id), web.hive.seq);
	assert.equal(s.events[0].event, 'snapshot');
	web.hive.publish();
	await until('and what follows', () => s.events.length === 2);
	// 512 are remembered: one that was at 200 has missed more
	const old = await stream(web, '/events?since=102');
	await until('told', () => old.events.length >= 2);
	assert.deepEqual(kinds(old).slice(0, 2), ['resync', 'snapshot']);
	[first, s, old].forEach((each) => each.close());
});

test('a newer snapshot that is refused comes from elsewhere', async () => {
	const first = await stream(web, '/events'), n = web.hive.asked.length;
	await until('begun', () => first.events.length > 0);
	for (let i = 0; i < 600; i++)
		web.hive.publish();
	await until('all came', () => Number(first.events.at(-1).id) === web.hive.seq);
	web.hive.says.subscribe_agent_status = {version: 1, ok: false, error: 'no such session', code: 'unauthorized'};
	const s = await stream(web, '/events', cookie(other(1)));
	await until('it was refused', () => web.hive.asked.slice(n).some((r) => r.cmd === 'subscribe_agent_status' && r.session === other(1)));
	web.hive.says = {};
	await until('it has one all the same', () => s.events.at(-1)?.event === 'snapshot');
	[first, s].forEach((each) => each.close());
});

test('a build log comes in pieces with places, and goes on where it was', async () => {
	const whole = await stream(web, '/api/v1/proposals/7/log');
	await until('its end', () => whole.ended);
	assert.deepEqual(kinds(whole), [...Array(20).fill('log'), 'end']);
	const text = whole.events.filter((e) => e.event === 'log').map((e) => e.data.log).join('');
	assert.deepEqual(ids(whole).slice(0, 20), Array.from({length: 20}, (_, i) => 1024 * (i + 1)));
	assert.deepEqual(whole.events.at(-1).data.proposal, proposal);
	for (const at of [0, 1024, 1030, 20 * 1024]) {
		const rest = await stream(web, '/api/v1/proposals/7/log', {'Last-Event-ID': String(at)});
		await until('its end', () => rest.ended);
		assert.equal(rest.events.filter((e) => e.event === 'log').map((e) => e.data.log).join(''), text.slice(at));
	}
});

test('an agent\'s log begins anew', async () => {
	const s = await stream(web, '/api/v1/agents/agent0/log?lines=3', {'Last-Event-ID': '1024'});
	await until('its end', () => s.ended);
	assert.deepEqual(kinds(s), ['reset', 'log', 'log', 'log', 'end']);
	assert.deepEqual(web.hive.asked.findLast((r) => r.cmd === 'logs').lines, 3);
});

test('a log that is refused is no stream', async () => {
	const r = await inside(web, '/api/v1/proposals/8/log');
	assert.equal(r.status, 404);
	assert.equal(r.json().code, 'not_found');
	assert.equal((await get(web, '/api/v1/proposals/7/log', cookie('f'.repeat(64)))).status, 401);
});

test('a log that is quiet is a stream at once', async () => {
	web.hive.says.build_log = null;
	const s = await stream(web, '/api/v1/proposals/7/log?follow=1');
	web.hive.says = {};
	assert.equal(s.status, 200);
	// the controller goes: the browser may come back
	web.hive.connections.forEach((c) => c.destroy());
	await until('it ends', () => s.ended);
	assert.deepEqual(s.events, []);
});
