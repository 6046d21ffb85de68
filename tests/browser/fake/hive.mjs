// A hive in memory: agents, proposals and a record, as the API would tell of them.
import { bigDiff, smallDiff } from './diffs.mjs';

const hex = (n, length = 40) => Array.from({ length }, (_, i) => ((Math.imul(n + 1, 2654435761) >>> (i % 24)) ^ (i * 7 + n)) & 15).map((d) => d.toString(16)).join('');
const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString().replace(/\.\d+Z/, 'Z');
const words = ['indexing the mail archive', 'waiting for the nightly build', 'writing the weekly summary', 'crawling docs', '', 'idle', 'training on yesterday\'s tickets', ''];
const pending = (row) => row.status === 'pending';

const statusOf = { 'needs-review': 'pending', approved: 'approved', building: 'approved', deploying: 'approved', deployed: 'approved', failed: 'failed', denied: 'denied', stale: 'cancelled', superseded: 'cancelled', cancelled: 'cancelled' };

export class Hive {
	constructor({ agents = [], proposals = [], open = false } = {}) {
		this.agents = new Map(agents.map((row) => [row.name, row]));
		this.proposals = new Map(proposals.map((row) => [row.id, row]));
		this.open = open;
		this.seq = 100;
		this.subscribers = new Set();
		this.diffs = new Map();
		this.asked = [];
		this.started = Date.now();
	}

	login() {
		return { login: 'ada', uid: 1000, expires_at: ago(-43200), step_up_until: ago(-900) };
	}

	subscribe(send) {
		send('snapshot', { seq: this.seq, snapshot: true, agent_statuses: [...this.agents.values()], approvals: [...this.proposals.values()].filter(pending) }, this.seq);
		this.subscribers.add(send);
		return () => this.subscribers.delete(send);
	}

	publish(event, data) {
		this.seq++;
		for (const send of this.subscribers) send(event, { seq: this.seq, ...data }, this.seq);
	}

	setAgent(name, changes) {
		const row = { ...this.agents.get(name), ...changes };
		this.agents.set(name, row);
		this.publish('delta', { agent_statuses: [row] });
	}

	setProposal(id, changes) {
		const row = { ...this.proposals.get(id), ...changes };
		if (changes.state) {
			row.status = statusOf[row.state];
			row.history = [...(row.history || []), { state: row.state, at: ago(0), actor: 'ada', channel: 'web' }];
		}
		this.proposals.set(id, row);
		this.publish('delta', { events: [{ kind: pending(row) ? 'approval_added' : 'approval_resolved', id }], approvals: [row] });
	}

	diff(id, against) {
		return { proposal: this.proposals.get(id), against: { label: against || 'base', commit: hex(id + 500) }, base_moved: false, ...(this.diffs.get(id) || smallDiff()) };
	}

	usage(row, history) {
		const t = (Date.now() - this.started) / 1000, n = row.port || 1;
		const at = (s) => ({ at: ago(s), memory_bytes: Math.round((180 + n % 700 + 40 * Math.sin((t - s) / 40 + n)) * 2 ** 20), cpu_percent: Math.max(0, 18 + n % 23 + 16 * Math.sin((t - s) / 23 + n * 3)) });
		return { name: row.name, ...at(0), memory_max_bytes: 2 ** 31, cpu_usec: Math.round(n * 1e6 + t * 2e5), cpu_quota_percent: 50, tasks: 20 + n % 40, tasks_max: 4096, io_read_bytes: n * 1e6, io_write_bytes: n * 3e5,
			pressure: { cpu: (n % 9) + 3 * Math.abs(Math.sin(t / 9 + n)), memory: 0, io: n % 3 }, ...(history ? { history: Array.from({ length: 59 }, (_, i) => at((59 - i) * 5)) } : {}) };
	}

	agent(row) {
		const proposals = [...this.proposals.values()].filter((each) => each.agent === row.name).sort((a, b) => b.id - a.id);
		return { ...row, container: `h-${row.name}`, uid_base: 1310720, driver: 'nspawn', builder: 'overlay', network: 'host', desired: row.running ? 'running' : 'stopped', limits: { memory_max: '2G', cpu_quota: '50%', tasks_max: 4096 },
			limits_enforced: { memory: true, cpu: true, tasks: true }, labels: row.labels || {}, commit: proposals.find((each) => each.id === row.deployed)?.commit || hex(1), tree: hex(3), system: hex(3), system_running: hex(3), leader: 4711,
			boot_state: 'running', failed_units: [], probe: { kind: 'command', command: ['/bin/true'], grace: 20, soak: 2 }, settings: { 'label.team': 'web' }, proposals: proposals.slice(0, 10) };
	}

	deploys() {
		const list = [{ meta_commit: hex(900), at: ago(86400 * 9), message: 'spawn hm1nd' }];
		for (const row of this.proposals.values())
			if (row.state === 'deployed') list.push({ meta_commit: hex(row.id + 901), at: row.resolved_at, message: `deploy ${row.agent} deployed/${row.id} ${row.commit.slice(0, 12)}`, agent: row.agent, n: row.id });
		list.push({ meta_commit: hex(990), at: ago(7000), message: 'set alice memory_max=1G', agent: 'alice' }, { meta_commit: hex(991), at: ago(6400), message: 'stop dora', agent: 'dora' });
		return list.sort((a, b) => (a.at < b.at ? 1 : -1));
	}

	audit() {
		let seq = 400;
		const list = [];
		for (const row of this.proposals.values()) for (const entry of row.history || []) list.push({ at: entry.at, kind: 'tag', actor: entry.actor || row.submitter, channel: entry.channel || 'agent', verb: entry.state, agent: row.agent, id: row.id, result: 'ok', note: entry.note || '' });
		list.push({ at: ago(6400), kind: 'log', actor: 'ada', channel: 'web', verb: 'stop', agent: 'dora', result: 'ok' }, { at: ago(5000), kind: 'log', actor: 'unknown', channel: 'web', verb: 'login', result: 'refused: wrong code' });
		return list.sort((a, b) => (a.at < b.at ? 1 : -1)).map((entry) => ({ seq: seq--, ...entry }));
	}

	read(first, name, part, query) {
		if (first === 'status') return { status: { version: '0.1.0', mode: 'standalone', uptime_s: 4000 } };
		if (first === 'usage') return { usage: [...this.agents.values()].filter((row) => row.running).map((row) => this.usage(row, query.get('history'))) };
		if (first === 'agents' && !name) return { agent_statuses: [...this.agents.values()] };
		if (first === 'agents') {
			const row = this.agents.get(name);
			if (!row) throw Object.assign(new Error(`no agent '${name}'`), { code: 'not_found', more: { hint: 'skep list' } });
			return part === 'record' ? { history: [...this.proposals.values()].filter((each) => each.agent === name).sort((a, b) => b.id - a.id).map((each) => ({ ...each, tags: (each.history || []).map((entry) => ({ ...entry, name: `${entry.state}/${each.id}` })) })) } : { agent: this.agent(row) };
		}
		if (first === 'proposals' && !name) return { approvals: [...this.proposals.values()].filter((row) => (!query.get('agent') || row.agent === query.get('agent')) && (query.get('state') === 'all' || pending(row))).sort((a, b) => a.id - b.id) };
		if (first === 'proposals') {
			const row = this.proposals.get(Number(name));
			if (!row) throw Object.assign(new Error(`no proposal ${name}`), { code: 'not_found', more: {} });
			if (part === 'diff') return { diff: this.diff(row.id, query.get('against')) };
			if (part === 'effect') {
				if (!row.effect) throw Object.assign(new Error('nothing is known of its effect'), { code: 'not_found', more: {} });
				return { effect: row.effect };
			}
			return { proposal: row };
		}
		if (first === 'deploys') return { deploys: this.deploys() };
		if (first === 'audit' && name === 'verify') return { audit_verify: { valid: true, entries: this.audit().length, head: hex(77), problems: [] } };
		if (first === 'audit') return { audit: this.audit() };
		if (first === 'doctor') return { checks: this.checks || [] };
		if (first === 'drift') return { drift: this.drift || [] };
		throw Object.assign(new Error('no such thing'), { code: 'not_found', more: {} });
	}

	change(first, name, part, data) {
		this.asked.push({ path: [first, name, part].filter(Boolean).join('/'), data });
		if (part === 'seen') return {};
		if (this.refuseOnce) {
			const refusal = this.refuseOnce;
			this.refuseOnce = null;
			throw Object.assign(new Error(refusal.error), { code: refusal.code, more: refusal.more || {} });
		}
		if (first === 'proposals') {
			const id = Number(name);
			if (part === 'approve') this.play(id);
			else this.setProposal(id, { state: part === 'deny' ? 'denied' : 'cancelled', note: data.note, resolved_at: ago(0) });
			return { proposal: this.proposals.get(id) };
		}
		if (first === 'agents' && !name) this.agents.set(data.name, { name: data.name, running: true, failed: false, paused: false, state: 'running' });
		if (part === 'settings') return { agent: this.agent(this.agents.get(name)) };
		if (part === 'stop') this.setAgent(name, { running: false, state: 'stopped' });
		if (part === 'start') this.setAgent(name, { running: true, state: 'running', up_since: ago(0) });
		if (part === 'pause') this.setAgent(name, { paused: true });
		if (part === 'resume') this.setAgent(name, { paused: false });
		return { touched: [name || data.name] };
	}

	play(id) {
		const steps = ['approved', 'building', 'deploying', 'deployed'];
		steps.forEach((state, i) => setTimeout(() => this.setProposal(id, { state, ...(state === 'deployed' ? { resolved_at: ago(0) } : {}) }), i * 150));
	}

	log(path, send, response) {
		const lines = this.logLines || ['skep: building alice 4be7d0c1aa20 for proposal 3', 'overlay: 41 files, 12.3 KiB', '\\x1b[32mok\\x1b[0m all hashes agree', 'skep: built: system 9f0e1d2c3b4a', 'skep: switched: 412 ms without a container', 'agent.service: \\x1b[1;31mwarning\\x1b[0m: config has no colour', 'skep: read back: the container runs system 9f0e1d2c3b4a', 'skep: deployed: alice runs 4be7d0c1aa20 as deployed/3'];
		lines.forEach((line, i) => setTimeout(() => send('log', { log: `${line}\n` }, i + 1), i * (this.logPace || 0)));
		setTimeout(() => { if (!path.startsWith('agents')) { send('end', { end: true }); response.end(); } }, lines.length * (this.logPace || 0) + 20);
	}
}

const proposal = (id, agent, state, more = {}) => ({
	id, agent, kind: 'apply_commit', commit_ref: hex(id), fetched_sha: hex(id), requested_at: ago(more.age ?? 3000), status: statusOf[state], state, title: more.title || 'run fast', commit: hex(id), tree: hex(id + 300), base: more.base || hex(id - 1),
	submitter: 'hm1nd', description: more.description, flags: more.flags || [], author: 'hm1nd <hm1nd@hive>', log_bytes: ['deployed', 'failed'].includes(state) ? 900 : 0, note: more.note,
	...(statusOf[state] === 'pending' ? { expires_at: ago(-5 * 86400) } : { resolved_at: ago((more.age ?? 3000) - 60), approved_by: 'ada' }),
	history: [{ state: 'proposal', at: ago(more.age ?? 3000), actor: 'hm1nd', channel: 'agent' }, ...(state === 'needs-review' ? [] : [{ state, at: ago((more.age ?? 3000) - 60), actor: 'ada', channel: 'web', note: more.note }])], ...(more.effect ? { effect: more.effect } : {}),
});

const agent = (name, n, more = {}) => ({
	name, running: true, failed: false, needs_update: false, needs_login: false, pending_reminders: 0, paused: false, deployed_sha: hex(n, 12), state: 'running', role: name === 'hm1nd' ? 'manager' : 'agent', port: 8100 + n, url: `http://127.0.0.1:${8100 + n}/`,
	up_since: ago(4000 + n * 977), deployed: n % 5, ...(words[n % words.length] ? { status_text: words[n % words.length], status_set_at: ago(300) } : {}), ...more,
});

export const flags = {
	limits: { name: 'limits-up', strength: 'ack', sentence: 'the agent asks for more resources than it has', place: 'agent.json' },
	invisible: { name: 'invisible-characters', strength: 'ack', sentence: 'text holds characters that hide or reorder what is read', place: 'rootfs/etc/hive/run.py:4' },
	link: { name: 'symlink-escape', strength: 'block', sentence: 'a symbolic link leads out of the tree', place: 'rootfs/etc/up' },
};

export function sampleHive(options = {}) {
	const runs = hex(4);
	const hive = new Hive({
		open: options.open,
		agents: [
			agent('hm1nd', 0, { port: 8000, url: 'http://127.0.0.1:8000/' }), agent('alice', 1, { deployed_sha: runs.slice(0, 12), deployed: 4, open_proposal: 7, labels: { team: 'web', tier: '1' }, parent: 'hm1nd' }), agent('bob', 2, { labels: { team: 'web' }, open_proposal: 8, parent: 'hm1nd' }),
			agent('carol', 3, { failed: true, running: false, state: 'failed', labels: { team: 'research' }, up_since: undefined }), agent('dora', 4, { running: false, state: 'stopped', up_since: undefined, status_text: undefined, labels: { team: 'research' } }), agent('emil', 6, { paused: true, labels: { team: 'ops' }, drift: 'limits.memory_max' }), agent('fay-the-first-of-her-name', 5, { needs_login: true }),
		],
		proposals: [
			proposal(1, 'alice', 'deployed', { age: 86400 * 2, title: 'first page' }), proposal(2, 'bob', 'denied', { age: 86000, title: 'mine coins', note: 'bob has nothing to mine' }), proposal(3, 'alice', 'failed', { age: 50000, title: 'a faster loop', note: 'agent.service failed: status=1\nPython traceback: no module named fast' }),
			proposal(4, 'alice', 'deployed', { age: 40000, title: 'say what is indexed', base: hex(1) }), proposal(5, 'carol', 'stale', { age: 30000 }), proposal(6, 'alice', 'superseded', { age: 9000, title: 'run fast', base: runs }),
			proposal(7, 'alice', 'needs-review', { age: 1800, title: 'run twice as fast and say so in the log', base: runs, description: 'Alice spends most of her time waiting for the disk. This lets her read ahead,\nand gives her more memory for it.\n\nTested in my own container for an hour.', flags: [flags.limits, flags.invisible],
				effect: { state: 'ready', builder: 'nix', system: '/nix/store/0c0s4v9b2h3f-nixos-system-alice', closure: { bytes_before: 512 * 2 ** 20, bytes: 530 * 2 ** 20, added: [{ name: 'python3-3.12', path: '/nix/store/9x-python3-3.12', bytes: 18 * 2 ** 20 }], removed: [], changed: [{ name: 'agent', from: '/nix/store/1a-agent-1.0', to: '/nix/store/2b-agent-1.1', bytes: 3 * 2 ** 20, bytes_before: 2 * 2 ** 20 }] }, units: [{ name: 'readahead.service', change: 'added' }, { name: 'agent.service', change: 'changed' }], ports: [], limits: { changed: true, before: { memory_max_bytes: 512 * 2 ** 20, cpu_quota_percent: 50 }, after: { memory_max_bytes: 2 ** 30, cpu_quota_percent: 50 } }, probe: { changed: false, before: null, after: null }, binds: { changed: false } } }),
			proposal(8, 'bob', 'needs-review', { age: 600, title: 'link the shared cache', flags: [flags.link] }), proposal(9, 'fay-the-first-of-her-name', 'needs-review', { age: 60, title: 'a new front page' }),
		],
	});
	hive.diffs.set(9, bigDiff(10000));
	return hive;
}

// As many agents as one would ever look at on one page.
export function manyAgents(count, options = {}) {
	const teams = ['web', 'research', 'ops', 'data'];
	return new Hive({
		open: options.open,
		agents: Array.from({ length: count }, (_, i) => agent(i ? `agent-${String(i).padStart(3, '0')}` : 'hm1nd', i, { labels: { team: teams[i % 4] }, ...(i % 37 === 5 ? { failed: true, running: false, state: 'failed' } : i % 11 === 3 ? { running: false, state: 'stopped' } : {}) })),
		proposals: Array.from({ length: 12 }, (_, i) => proposal(i + 1, `agent-${String(i * 3 + 1).padStart(3, '0')}`, 'needs-review', { age: 4000 - i * 300 })),
	});
}
