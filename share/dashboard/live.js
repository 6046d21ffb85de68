// The stream of events: a snapshot, then what changed. The browser connects again by itself and says where it was.
import { get } from './api.js';
import { state, update } from './store.js';

const onChange = new Set();
let source = null, retry = 0, timer = 0;

// Called with each approval row that arrives after the snapshot, and the row it replaces (or undefined).
export function onProposal(fn) {
	onChange.add(fn);
	return () => onChange.delete(fn);
}

const named = (rows) => new Map(rows.map((row) => [row.name, row]));

function takeSnapshot(line) {
	update({
		agents: named(line.agent_statuses || []),
		proposals: new Map((line.approvals || []).map((row) => [row.id, row])),
		seq: line.seq || 0,
		loaded: true,
		loadedAt: Date.now(),
	});
}

function takeDelta(line) {
	if (line.seq && line.seq <= state.seq) return;
	const changes = { seq: line.seq || state.seq };
	if (line.agent_statuses?.length || line.removed?.length) {
		const agents = new Map(state.agents);
		for (const row of line.agent_statuses || []) agents.set(row.name, row);
		for (const name of line.removed || []) agents.delete(name);
		changes.agents = agents.size === state.agents.size ? agents : new Map([...agents].sort(([a], [b]) => (a < b ? -1 : 1)));
	}
	const moved = [];
	if (line.approvals?.length) {
		changes.proposals = new Map(state.proposals);
		for (const row of line.approvals) {
			moved.push([row, changes.proposals.get(row.id)]);
			changes.proposals.set(row.id, row);
		}
	}
	update(changes);
	for (const [row, before] of moved) for (const fn of onChange) fn(row, before);
}

function take(event) {
	let line;
	try {
		line = JSON.parse(event.data);
	} catch {
		return;
	}
	retry = 0;
	if (state.live !== 'live') update({ live: 'live' });
	if (line.snapshot) takeSnapshot(line);
	else if (line.resync) update({ live: 'connecting' });
	else takeDelta(line);
}

// Refused for good: not logged in, or the server is gone. Only the first ends the trying.
async function refused() {
	source?.close();
	source = null;
	update({ live: 'lost' });
	try {
		await get('session');
	} catch (error) {
		if (error.code === 'unauthorized') return;
	}
	clearTimeout(timer);
	timer = setTimeout(connect, Math.min(15000, 500 * 2 ** retry++));
}

export function connect() {
	clearTimeout(timer);
	source?.close();
	source = new EventSource('/events');
	for (const name of ['message', 'snapshot', 'delta', 'resync', 'removed']) source.addEventListener(name, take);
	source.addEventListener('open', () => update({ live: 'live' }));
	source.addEventListener('error', () => {
		if (source?.readyState === EventSource.CLOSED) refused();
		else update({ live: 'lost' });
	});
}

export function disconnect() {
	clearTimeout(timer);
	source?.close();
	source = null;
}

export const isPending = (row) => row.status === 'pending';
export const pending = () => [...state.proposals.values()].filter(isPending).sort((a, b) => a.id - b.id);
