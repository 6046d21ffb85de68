// Slow, stuck and hostile clients: what they cost, and that others do not notice. What takes its time takes it at once.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import {describe, test} from 'node:test';
import {cookie, deaf, get, inside, sleep, start, stream, until} from './harness.mjs';
import {other, row} from './hive.mjs';

/** A server of its own for a test. */
const alone = (what, options, fn) => test(what, async () => {
	const web = await start(options);
	try {
		await fn(web);
	} finally {
		await web.stop();
	}
});

const connect = (web) => new Promise((done, failed) => {
	const socket = net.connect(web.port, '127.0.0.1', () => done(socket));
	socket.on('error', failed); // later ones go nowhere
	socket.closed_at = new Promise((closed) => socket.on('close', () => closed(Date.now())));
});
const head = (web) => `GET / HTTP/1.1\r\nHost: ${web.host}\r\n`;

describe('slow, stuck and hostile clients', {concurrency: true}, () => {
	alone('a request has 15 seconds, however busy it looks', {}, async (web) => {
		const socket = await connect(web), began = Date.now();
		const timer = setInterval(() => socket.write('X'), 400);
		socket.write(`${head(web)}X: `);
		const took = (await Promise.race([socket.closed_at, sleep(25000).then(() => Infinity)])) - began;
		clearInterval(timer);
		assert.ok(took > 13000 && took < 22000, `${took} ms`);
	});

	alone('and so does the next one on the same connection', {}, async (web) => {
		const socket = await connect(web);
		let got = '';
		socket.on('data', (data) => got += data);
		socket.write(`${head(web)}\r\n`);
		await until('the first answer', () => got.includes('</title>'));
		await sleep(1000);
		const began = Date.now(), timer = setInterval(() => socket.write('X'), 400);
		socket.write(`${head(web)}X: `);
		const took = (await Promise.race([socket.closed_at, sleep(25000).then(() => Infinity)])) - began;
		clearInterval(timer);
		assert.ok(took > 13000 && took < 22000, `${took} ms`);
	});

	alone('who says nothing is let go', {}, async (web) => {
		const socket = await connect(web), began = Date.now();
		const took = (await Promise.race([socket.closed_at, sleep(25000).then(() => Infinity)])) - began;
		assert.ok(took < 20000, `${took} ms`);
	});

	alone('who takes every connection keeps nobody out', {}, async (web) => {
		const browser = await stream(web, '/events'), sockets = [];
		for (let i = 0; i < 700; i++)
			sockets.push(await connect(web));
		assert.ok(web.files() < 600, `${web.files()} descriptors`);
		for (let i = 0; i < 5; i++)
			assert.equal((await inside(web, '/api/v1/status')).status, 200);
		web.hive.publish();
		await until('the stream lives', () => browser.events.length === 2);
		assert.equal(browser.ended, false);
		sockets.forEach((s) => s.destroy());
		browser.close();
		await until('they are gone', async () => /^skep_http_connections [1-5]$/m.test((await inside(web, '/metrics')).text));
	});

	alone('when descriptors run out it waits instead of spinning', {wrap: ['prlimit', '--nofile=48']}, async (web) => {
		const sockets = [];
		for (let i = 0; i < 100; i++)
			sockets.push(await connect(web));
		await sleep(300);
		const before = web.cpu(), said = web.said.length;
		await sleep(2000);
		assert.ok(web.cpu() - before < 0.5, `${web.cpu() - before} s of CPU`);
		assert.ok(web.said.length - said < 2000, web.said);
		sockets.forEach((s) => s.destroy());
		await until('it serves again', () => get(web, '/livez').then((r) => r.status === 200, () => false));
	});

	alone('a head without end costs nothing', {}, async (web) => {
		const socket = await connect(web), before = web.memory();
		socket.write(head(web));
		for (let i = 0; i < 100 && socket.writable; i++) {
			socket.write(`X-${i}: ${'x'.repeat(10000)}\r\n`);
			await sleep(2);
		}
		await socket.closed_at;
		assert.ok(web.memory() - before < 8, `${web.memory() - before} MiB`);
	});

	alone('200 event streams at once see every event in bounded memory', {hive: {agents: 300}}, async (web) => {
		const streams = [];
		for (let i = 0; i < 200; i++)
			streams.push(await stream(web, '/events', cookie(other(i % 20))));
		await until('every one has the snapshot', () => streams.every((s) => s.events.length === 1));
		assert.equal(web.hive.subscribers.size, 1);
		for (let i = 0; i < 100; i++)
			web.hive.publish();
		await until('every one has all events', () => streams.every((s) => s.events.length === 101), 40);
		for (const s of streams)
			assert.deepEqual(s.events.map((e) => Number(e.id)), Array.from({length: 101}, (_, i) => 100 + i));
		assert.ok(web.memory() < 64, `${web.memory()} MiB`);
		assert.match((await inside(web, '/metrics')).text, /^skep_sse_clients 200$/m);
		streams.forEach((s) => s.close());
		await until('they are counted out', async () => /^skep_sse_clients 0$/m.test((await inside(web, '/metrics')).text));
	});

	alone('who does not read costs little, and is told what it missed', {}, async (web) => {
		const good = await stream(web, '/events'), stuck = [];
		for (let i = 0; i < 10; i++)
			stuck.push(await deaf(web, '/events', cookie(other(i))));
		await until('all are there', async () => /^skep_sse_clients 11$/m.test((await inside(web, '/metrics')).text));
		const before = web.memory();
		for (let i = 0; i < 2000; i++) {
			web.hive.publish({agent_statuses: [row('agent0', {status_text: `${i} `.padEnd(4000, 'y')})]});
			if (i % 50 === 0)
				await sleep(5);
		}
		await until('the good one has all', () => good.events.at(-1).id === '2100');
		assert.ok(web.memory() - before < 12, `${web.memory() - before} MiB`);
		let got = '';
		stuck[0].setEncoding('utf8');
		stuck[0].on('data', (data) => got += data);
		stuck[0].resume();
		await until('it is told', () => got.includes('event: resync') && got.includes('event: snapshot', got.indexOf('event: resync')));
		web.hive.publish();
		await until('it goes on', () => got.includes('id: 2101'));
		stuck.forEach((s) => s.destroy());
		good.close();
	});

	alone('who never reads is dropped', {}, async (web) => {
		const stuck = await deaf(web, '/events');
		await until('it is there', async () => /^skep_sse_clients 1$/m.test((await inside(web, '/metrics')).text));
		for (let i = 0; i < 1000; i++) {
			web.hive.publish({agent_statuses: [row('agent0', {status_text: 'y'.repeat(4000)})]});
			if (i % 50 === 0)
				await sleep(5);
		}
		await until('it is gone', async () => /^skep_sse_clients 0$/m.test((await inside(web, '/metrics')).text), 90);
		stuck.destroy();
	});

	alone('what is sent up an open stream is not kept', {}, async (web) => {
		const socket = await deaf(web, '/events'), before = web.memory();
		for (let i = 0; i < 200; i++) {
			socket.write(Buffer.alloc(100000, 'x'));
			await sleep(2);
		}
		await sleep(300);
		assert.ok(web.memory() - before < 8, `${web.memory() - before} MiB`);
		socket.destroy();
	});

	alone('a log nobody reads is not read either', {}, async (web) => {
		web.hive.says = {};
		const before = web.memory();
		const stuck = await deaf(web, '/api/v1/agents/agent0/log?follow=1&lines=100000');
		await until('it began', () => web.hive.written > 0);
		await sleep(1500);
		assert.ok(web.hive.written < 16 << 20, `${web.hive.written} bytes`);
		assert.ok(web.memory() - before < 8, `${web.memory() - before} MiB`);
		stuck.destroy();
	});

	alone('a login has its share of streams, and no more', {}, async (web) => {
		const streams = [];
		for (let i = 0; i < 16; i++)
			streams.push(await stream(web, i % 2 ? '/events' : '/api/v1/proposals/7/log?follow=1'));
		const refused = await inside(web, '/events');
		assert.equal(refused.status, 429);
		assert.match(refused.text, /this login has 16 streams open, and no more may/);
		assert.equal((await inside(web, '/api/v1/proposals/7/log')).status, 429);
		const another = await stream(web, '/events', cookie(other(1)));
		assert.equal(another.status, 200);
		[...streams, another].forEach((s) => s.close());
		await until('there is room again', async () => {
			const s = await stream(web, '/events');
			s.close();
			return s.status === 200;
		});
	});

	alone('a session that is revoked loses its streams, and no other', {}, async (web) => {
		const mine = await stream(web, '/events', cookie(other(1))), log = await stream(web, '/api/v1/proposals/7/log?follow=1', cookie(other(1)));
		const theirs = await stream(web, '/events', cookie(other(2)));
		web.hive.sessions.delete(other(1));
		await until('mine end', () => mine.ended && log.ended, 40);
		await until('the other goes on', () => web.hive.publish() && theirs.events.length > 2);
		assert.equal(theirs.ended, false);
		// the subscription is not the revoked one's any more
		assert.equal(web.hive.asked.findLast((r) => r.cmd === 'subscribe_agent_status').session, other(2));
		theirs.close();
	});

	alone('who makes sessions up waits behind who has one', {}, async (web) => {
		assert.equal((await inside(web, '/api/v1/status')).status, 200);
		web.hive.hangs = true;
		const strangers = Array.from({length: 30}, (_, i) => deaf(web, '/api/v1/status', cookie(String(i % 10).repeat(64))));
		await Promise.all(strangers);
		await until('they ask', () => web.hive.asked.length >= 9);
		await sleep(300);
		assert.ok(web.hive.asked.length <= 9, `${web.hive.asked.length} asked`);
		const refused = await get(web, '/api/v1/status', cookie('9'.repeat(64)));
		assert.equal(refused.status, 503);
		assert.match(refused.text, /more than 8 requests at once/);
		assert.equal((await inside(web, '/api/v1/status')).status, 200);
		(await Promise.all(strangers)).forEach((s) => s.destroy());
	});

	alone('a controller that is stuck is asked so much and no more', {}, async (web) => {
		assert.equal((await inside(web, '/api/v1/agents')).status, 200);
		web.hive.says.status = null;
		const waiting = [];
		for (let i = 0; i < 60; i++)
			waiting.push(await deaf(web, '/api/v1/status'));
		await until('they ask', () => web.hive.asked.filter((r) => r.cmd === 'status').length >= 48);
		await sleep(200);
		assert.equal(web.hive.asked.filter((r) => r.cmd === 'status').length, 48);
		const refused = (await inside(web, '/api/v1/agents')).json();
		assert.equal(refused.code, 'busy');
		assert.match(refused.error, /more than 48 requests at once/);
		assert.equal((await get(web, '/')).status, 200);
		// those who go away while they wait cost nothing afterwards
		waiting.forEach((s) => s.destroy());
		web.hive.connections.forEach((s) => s.destroy());
		await until('there is room again', async () => (await inside(web, '/api/v1/agents')).status === 200);
	});

	alone('an answer that is not taken is not in the way', {}, async (web) => {
		web.hive.says.status = {version: 1, ok: true, status: {text: 'x'.repeat(8 << 20)}};
		const stuck = await deaf(web, '/api/v1/status');
		await until('it is asked for', () => web.hive.asked.length >= 1);
		for (let i = 0; i < 20; i++)
			assert.equal((await inside(web, '/api/v1/agents')).status, 200);
		assert.equal((await inside(web, '/api/v1/status')).text.length, JSON.stringify(web.hive.says.status).length);
		stuck.destroy();
	});

	alone('clients that come and go leave nothing behind', {}, async (web) => {
		const round = async (n) => {
			for (let i = 0; i < n; i++) {
				const s = await stream(web, '/events', cookie(other(i % 20)));
				s.close();
				(await deaf(web, '/api/v1/status')).destroy();
				(await deaf(web, '/')).resetAndDestroy();
			}
			await until('they are gone', async () => /^skep_sse_clients 0$/m.test((await inside(web, '/metrics')).text));
		};
		await round(200);
		const before = web.memory(), files = web.files();
		await round(800);
		assert.ok(web.memory() - before < 1.5, `${web.memory() - before} MiB`);
		assert.ok(web.files() <= files + 3);
		assert.equal(fs.existsSync(`/proc/${web.child.pid}`), true);
	});
});
