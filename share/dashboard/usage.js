// What the containers use, as series: asked for with its history once, then only the newest.
import { useEffect } from './html.js';
import { get } from './api.js';
import { seconds } from './format.js';
import { state, update } from './store.js';

const EVERY_MS = 5000;
const KEPT = 60;
let watchers = 0, timer = 0, whole = false;

function add(series, at, cpu, memory, pressure) {
	series.at.push(at);
	series.cpu.push(cpu ?? null);
	series.memory.push(memory ?? null);
	series.pressure.push(pressure ?? null);
	if (series.at.length > KEPT) for (const key of ['at', 'cpu', 'memory', 'pressure']) series[key].shift();
}

// The worst of what tasks waited for.
const worst = (pressure) => (pressure ? Math.max(0, ...Object.values(pressure).filter(Number.isFinite)) : null);

function merge(row, old) {
	const at = seconds(row.at);
	if (old && at <= old.last.at) return old;
	const series = { at: [], cpu: [], memory: [], pressure: [] };
	if (old) for (const key of Object.keys(series)) series[key].push(...old[key]);
	else for (const point of row.history || []) if (seconds(point.at) < at) add(series, seconds(point.at), point.cpu_percent, point.memory_bytes, worst(point.pressure));
	const spent = old && row.cpu_usec - old.last.cpu_usec;
	const cpu = row.cpu_percent ?? (spent >= 0 && at > old.last.at ? spent / 1e4 / (at - old.last.at) : series.cpu.at(-1));
	add(series, at, cpu, row.memory_bytes, worst(row.pressure));
	return { ...series, row, last: { at, cpu_usec: row.cpu_usec } };
}

async function look() {
	clearTimeout(timer);
	if (!watchers) return;
	if (!document.hidden) {
		try {
			const { usage } = await get(whole ? 'usage' : 'usage?history=1');
			whole = true;
			update({ usage: new Map(usage.map((row) => [row.name, merge(row, state.usage.get(row.name))])), usageAt: Date.now() });
		} catch { /* what is shown stays; the connection's own sign says why */ }
	}
	clearTimeout(timer);
	if (watchers) timer = setTimeout(look, EVERY_MS);
}

// While a page that shows usage is open.
export function useUsage() {
	useEffect(() => {
		watchers++;
		timer = setTimeout(look, 50);
		return () => { watchers--; };
	}, []);
}
