// Numbers, times and words for people.
const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];

// "3 d 4 h", "12 min", "8 s": the two largest units that matter.
export function duration(seconds) {
	const s = Math.max(0, Math.round(seconds));
	const at = units.findIndex(([, size]) => s >= size);
	if (at < 0) return '0 s';
	const [unit, size] = units[at];
	const count = Math.floor(s / size), rest = s - count * size;
	const [smaller, smallerSize] = units[at + 1] || [];
	const more = smaller && at < 2 && count < 10 ? Math.floor(rest / smallerSize) : 0;
	return more ? `${count} ${unit} ${more} ${smaller}` : `${count} ${unit}`;
}

export const seconds = (time) => Date.parse(time) / 1000;

export function ago(time, now) {
	const s = now / 1000 - seconds(time);
	return Number.isNaN(s) ? '' : s < 5 ? 'now' : `${duration(s)} ago`;
}

export function until(time, now) {
	const s = seconds(time) - now / 1000;
	return s <= 0 ? 'over' : `in ${duration(s)}`;
}

const clock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const hour = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const safely = (format, time) => {
	const at = new Date(time);
	return Number.isNaN(at.getTime()) ? String(time || '') : format.format(at);
};
export const fullTime = (time) => safely(clock, time);
export const dayOf = (time) => safely(day, time);
export const timeOf = (time) => safely(hour, time);

export function bytes(n) {
	if (!Number.isFinite(n)) return '–';
	if (n < 1024) return `${n} B`;
	const step = Math.min(4, Math.floor(Math.log2(n) / 10));
	const value = n / 1024 ** step;
	return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][step]}`;
}

export const percent = (n) => (!Number.isFinite(n) ? '–' : `${n < 10 && n > 0 ? n.toFixed(1) : Math.round(n)} %`);
// A part of an address; what cannot be in one (half a character) is left out.
export function part(text) {
	try {
		return encodeURIComponent(text);
	} catch {
		return '';
	}
}

// Where an agent's page is; nowhere, when that is not a name of one.
// A proposal may be about all of them.
export const subjectOf = (row) => row.agent || 'the hive';
export const agentHref = (name) => (/^[a-z][a-z0-9-]{0,62}$/.test(name || '') ? `/a/${name}` : undefined);
export const short = (oid) => (oid || '').slice(0, 12);
export const count = (n, word, words = `${word}s`) => `${n.toLocaleString('en')} ${n === 1 ? word : words}`;

// The one main state, in the order in which it matters to an operator.
export function agentState(row) {
	if (row.failed) return 'failed';
	if (row.needs_login) return 'needs login';
	if (row.paused) return 'paused';
	if (row.running) return 'running';
	return row.state || 'stopped';
}

export const stateOf = (row) => row.state || row.status || 'unknown';

export const isManager = (row) => row.role === 'manager';

// Colour follows meaning: these are the kinds of pill there are.
const tones = {
	running: 'good', deployed: 'good', active: 'good',
	failed: 'bad', denied: 'bad', blocked: 'bad',
	'needs-review': 'wait', submitted: 'wait', pending: 'wait', 'needs login': 'wait', stale: 'wait', starting: 'busy',
	approved: 'busy', building: 'busy', deploying: 'busy', checking: 'busy',
};
export const tone = (word) => tones[word] || 'calm';

export const isFinal = (row) => ['deployed', 'failed', 'denied', 'stale', 'superseded', 'cancelled', 'expired', 'withdrawn'].includes(stateOf(row));

const sentences = {
	spawn: 'a new agent', update_meta_inputs: 'newer inputs for the whole hive', apply_commit: 'a commit',
};
export const kindOf = (row) => sentences[row.kind] || String(row.kind || 'a commit').replaceAll('_', ' ');
export const titleOf = (row) => row.commit_title || row.title || row.description?.split('\n')[0] || kindOf(row);
