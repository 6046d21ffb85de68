// What the tests of the HTTP side share: skep-web with sockets and a hive of its own, and clients that do what a browser never does.
import {spawn} from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import {Hive, key, session} from './hive.mjs';

const build = path.resolve(process.env.BUILD ?? 'build');
export const page = '<!doctype html><title>skep</title>\n';
export const script = 'export const a = 1; // ' + 'a'.repeat(2000) + '\n';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Until fn returns something true; fails after the deadline with what it is about. */
export const until = async (what, fn, seconds = 20) => {
	for (const end = Date.now() + seconds * 1000; ;) {
		const value = await fn();
		if (value)
			return value;
		if (Date.now() > end)
			throw new Error(`not so after ${seconds} s: ${what}`);
		await sleep(20);
	}
};

/** A port nobody has now, and none that the kernel gives to whoever connects somewhere. */
export const free_port = () => new Promise((done) => {
	const port = 20000 + Math.floor(Math.random() * 10000);
	const server = net.createServer().listen(port, '127.0.0.1', () => server.close(() => done(port)));
	server.on('error', () => done(free_port()));
});

const write_files = (dir) => {
	fs.mkdirSync(dir);
	fs.writeFileSync(`${dir}/index.html`, page);
	fs.writeFileSync(`${dir}/app.12.js`, script);
	fs.writeFileSync(`${dir}/app.12.js.br`, zlib.brotliCompressSync(script));
	fs.writeFileSync(`${dir}/app.12.js.gz`, zlib.gzipSync(script));
	fs.writeFileSync(`${dir}/secret`, 'not in the table');
	fs.writeFileSync(`${dir}/manifest.json`, JSON.stringify([
		{path: '/', file: 'index.html', type: 'text/html; charset=utf-8', encodings: []},
		{path: '/static/app.12.js', file: 'app.12.js', type: 'text/javascript; charset=utf-8', encodings: ['br', 'gzip']},
	]));
};

/** A server on a port of its own. options: hive (of Hive), args, wrap (what starts it). */
export const start = async (options = {}) => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'skep-web-'));
	fs.chmodSync(dir, 0o755);
	write_files(`${dir}/files`);
	const hive = new Hive(options.hive);
	await hive.listen(`${dir}/web.sock`);
	fs.chmodSync(`${dir}/web.sock`, 0o777);
	const port = await free_port();
	const command = [...(options.wrap ?? []), 'systemd-socket-activate', '-l', `127.0.0.1:${port}`, '-l', `[::1]:${port}`,
		`${build}/skep-web`, '--socket', `${dir}/web.sock`, '--files', `${dir}/files`, ...(options.args ?? [])];
	const child = spawn(command[0], command.slice(1), {stdio: ['ignore', 'inherit', 'pipe']});
	const web = {
		dir, hive, port, child, said: '', origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`,
		stop: async () => {
			child.kill();
			await hive.close();
			fs.rmSync(dir, {recursive: true});
		},
		/** Resident memory in MiB, and CPU time in seconds. */
		memory: () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024,
		cpu: () => fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ').slice(13, 15).reduce((a, b) => a + Number(b), 0) / 100,
		files: () => fs.readdirSync(`/proc/${child.pid}/fd`).length,
	};
	child.stderr.on('data', (data) => web.said += data);
	try {
		await until('it answers', () => get(web, '/livez').then((r) => r.status === 200, () => false));
	} catch (error) {
		await web.stop();
		throw new Error(`${error.message}; it said: ${web.said}`);
	}
	return web;
};

const read = (request) => new Promise((done, failed) => {
	request.setTimeout(60000, () => request.destroy(new Error('no answer within 60 s')));
	request.on('error', failed);
	request.on('response', (response) => {
		const parts = [];
		response.on('data', (part) => parts.push(part));
		response.on('error', failed);
		response.on('end', () => {
			const body = Buffer.concat(parts);
			const json = () => JSON.parse(body.toString());
			done({status: response.statusCode, headers: response.headers, body, text: body.toString(), json});
		});
	});
});

/** Headers that are undefined are left out. */
const clean = (headers) => Object.fromEntries(Object.entries(headers).filter(([, v]) => v !== undefined));

export const send = (web, method, target, headers = {}, body) => {
	const request = http.request({host: '127.0.0.1', port: web.port, method, path: target, agent: false,
		headers: clean({Host: web.host, ...headers})});
	request.end(body);
	return read(request);
};

export const get = (web, target, headers) => send(web, 'GET', target, headers);
export const cookie = (value = session) => ({Cookie: `skep_s=${value}`});

/** A logged-in browser reads, or acts. */
export const inside = (web, target, headers) => get(web, target, {...cookie(), 'Sec-Fetch-Site': 'same-origin', ...headers});
export const act = (web, target, body = {}, headers = {}) =>
	send(web, 'POST', target, {...cookie(), 'Skep-Key': key, 'Content-Type': 'application/json', 'Sec-Fetch-Site': 'same-origin',
		...headers}, typeof body === 'string' ? body : JSON.stringify(body));

/** Bytes as they are; what came back until the end, or until the server fell silent for ms. */
export const raw = (web, text, ms = 500) => new Promise((done) => {
	const socket = net.connect(web.port, '127.0.0.1');
	let got = '', timer = setTimeout(() => finish('open'), ms);
	const finish = (how) => {
		clearTimeout(timer);
		socket.destroy();
		done({text: got, how, status: Number(/^HTTP\/1\.\d (\d+)/.exec(got)?.[1]), answers: got.split(/^HTTP\/1\.1 /m).length - 1});
	};
	socket.on('data', (data) => {
		got += data;
		clearTimeout(timer);
		timer = setTimeout(() => finish('open'), ms);
	});
	socket.on('error', () => finish('closed'));
	socket.on('end', () => finish('closed'));
	socket.write(text);
});

/** An open event stream: events as {id, event, data}, and whether and how it ended. */
export const stream = (web, target, headers = {}) => new Promise((done, failed) => {
	const request = http.request({host: '127.0.0.1', port: web.port, path: target, agent: false,
		headers: clean({Host: web.host, ...cookie(), ...headers})});
	request.on('error', (error) => failed(error));
	request.on('response', (response) => {
		const s = {status: response.statusCode, headers: response.headers, events: [], ended: false, text: '', request, response,
			close: () => request.destroy()};
		response.setEncoding('utf8');
		response.on('data', (part) => {
			s.text += part;
			for (let end; (end = s.text.indexOf('\n\n')) >= 0; s.text = s.text.slice(end + 2)) {
				const event = {};
				for (const line of s.text.slice(0, end).split('\n')) {
					const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
					if (name)
						event[name] = value;
				}
				if (event.data !== undefined)
					s.events.push({...event, data: JSON.parse(event.data)});
			}
		});
		response.on('error', () => s.ended = true);
		response.on('close', () => s.ended = true);
		done(s);
	});
	request.end();
});

/** A client that asks and then reads nothing. */
export const deaf = (web, target, headers = {}) => new Promise((done, failed) => {
	const socket = net.connect({port: web.port, host: '127.0.0.1'});
	socket.on('error', () => {});
	socket.on('connect', () => {
		socket.pause();
		const lines = Object.entries({Host: web.host, ...cookie(), ...headers}).map(([k, v]) => `${k}: ${v}\r\n`);
		socket.write(`GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, (error) => error ? failed(error) : done(socket));
	});
});
