// A stand-in for skepd on its socket for the web: answers from a table, and does at a word what the real one does seldom.
import fs from 'node:fs';
import net from 'node:net';

export const session = 'a'.repeat(64), key = 'b'.repeat(64);
/** Another login of the same person. */
export const other = (n) => 'c'.repeat(60) + String(n).padStart(4, '0');

const ok = (fields) => ({version: 1, ok: true, ...fields});
const no = (code, error) => ({version: 1, ok: false, error, code});

export const row = (name, extra) => ({
	name, running: true, failed: false, needs_update: false, needs_login: false, pending_reminders: 0, paused: false,
	deployed_sha: '1f2e3d4c5b6a', url: 'http://127.0.0.1:8123/', state: 'running', role: 'agent', ...extra,
});
export const proposal = {
	id: 7, agent: 'agent0', kind: 'apply_commit', commit_ref: '1'.repeat(40), fetched_sha: '1'.repeat(40),
	requested_at: '2026-09-12T09:15:00Z', status: 'pending', state: 'needs-review', title: 'go faster', flags: [],
};
const login = {login: 'root', uid: 0, expires_at: '2026-09-12T21:15:00Z', step_up_until: '2026-09-12T09:30:00Z'};

export class Hive {
	constructor({agents = 3} = {}) {
		this.seq = 100;
		this.rows = Array.from({length: agents}, (_, i) => row(`agent${i}`));
		this.sessions = new Set([session, ...Array.from({length: 64}, (_, i) => other(i))]);
		this.subscribers = new Set();
		this.connections = new Set();
		this.asked = []; // every request
		this.says = {}; // cmd: what is answered instead, or null for never
		this.written = 0; // bytes of logs that were taken
	}

	listen(path) {
		fs.rmSync(path, {force: true});
		this.server = net.createServer((socket) => this.serve(socket));
		return new Promise((done) => this.server.listen(path, done));
	}

	close() {
		this.connections.forEach((s) => s.destroy());
		return new Promise((done) => this.server.close(done));
	}

	send(socket, object) {
		return socket.writable && socket.write(JSON.stringify(object) + '\n');
	}

	serve(socket) {
		let text = '';
		this.connections.add(socket);
		socket.on('close', () => {
			this.connections.delete(socket);
			this.subscribers.delete(socket);
		});
		socket.on('error', () => {});
		socket.on('data', (data) => {
			text += data;
			for (let end; (end = text.indexOf('\n')) >= 0; text = text.slice(end + 1))
				this.answer(socket, JSON.parse(text.slice(0, end)));
		});
	}

	snapshot() {
		return ok({seq: this.seq, snapshot: true, agent_statuses: this.rows, approvals: [proposal]});
	}

	/** One event to every subscriber; returns its number. */
	publish(fields) {
		const line = ok({seq: ++this.seq, ...(fields ?? {agent_statuses: [row('agent0', {status_text: `${this.seq}`})]})});
		this.subscribers.forEach((s) => this.send(s, line));
		return this.seq;
	}

	resync() {
		this.subscribers.forEach((s) => {
			this.send(s, ok({seq: this.seq, resync: true}));
			this.send(s, this.snapshot());
		});
	}

	// a log of lines of 1 KiB, written no faster than it is read
	log(socket, lines, follow) {
		let i = 0;
		const more = () => {
			while (i < lines) {
				this.written += 1024;
				if (!this.send(socket, ok({log: `line ${i++} `.padEnd(1023, 'x') + '\n'})))
					return socket.once('drain', more);
			}
			return follow || this.send(socket, ok({end: true, proposal}));
		};
		more();
	}

	answer(socket, r) {
		this.asked.push(r);
		const said = this.says[r.cmd];
		if (said !== undefined)
			return said && this.send(socket, typeof said === 'function' ? said(r) : said);
		if (open[r.cmd])
			return this.send(socket, open[r.cmd](r, this));
		if (!this.sessions.has(r.session))
			return this.hangs || this.send(socket, no('unauthorized', 'no such session'));
		if ('key' in r && r.key !== key)
			return this.send(socket, no('forbidden', 'this is not the key of this login'));
		if (r.cmd === 'subscribe_agent_status') {
			this.subscribers.add(socket);
			return this.send(socket, this.snapshot());
		}
		if (r.cmd === 'build_log' && r.id !== 7)
			return this.send(socket, no('not_found', `no proposal ${r.id}`));
		if (r.cmd === 'build_log' || r.cmd === 'logs')
			return this.log(socket, r.lines ?? 20, r.follow);
		return this.send(socket, inside[r.cmd] ? inside[r.cmd](r, this) : no('unknown_cmd', `there is no verb '${r.cmd}' here`));
	}
}

const open = {
	metrics: (r, hive) => ok({metrics: [
		{name: 'skep_agents', help: 'Agents by state.', type: 'gauge',
			samples: [{labels: {state: 'running'}, value: hive.rows.length}]},
		{name: 'process_open_fds', help: 'Open descriptors.', type: 'gauge', samples: [{labels: {program: 'skepd'}, value: 9}]},
		{name: 'skep_odd', help: 'a\\b\nc', type: 'counter', samples: [{labels: {x: 'q"\\\n'}, value: 1.5}]},
		{name: 'not a name', help: '', type: 'gauge', samples: [{labels: {}, value: 1}]},
	]}),
	ready: () => ok({ready: {ok: true, checks: [{name: 'queue', ok: true, detail: 'short'}]}}),
	web_login: (r) => r.code === 'right' ? ok({login: {session, key, ...login}})
		: no('unauthorized', 'this code is wrong or too old'),
};

const inside = {
	web_session: () => ok({login}),
	web_step_up: () => ok({login}),
	web_logout: () => ok({}),
	agent_status: (r, hive) => ok({agent_statuses: hive.rows}),
	agent: (r, hive) => hive.rows.find((a) => a.name === r.name) ? ok({agent: row(r.name)}) : no('not_found', `no agent '${r.name}'`),
	pending: () => ok({approvals: [proposal]}),
	proposal: (r) => r.id === 7 ? ok({proposal}) : no('not_found', `no proposal ${r.id}`),
	status: () => ok({status: {version: '0', mode: 'standalone'}}),
	approve: () => ok({proposal}),
};
for (const cmd of ['spawn', 'start', 'stop', 'restart', 'rebuild', 'destroy', 'set', 'set_paused', 'rollback', 'deny', 'withdraw', 'seen'])
	inside[cmd] = () => ok({});
