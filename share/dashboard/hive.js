// The hive: what waits for a decision, and every agent.
import { html, useEffect, useMemo, useRef, useState } from './html.js';
import { agentHref, agentState, isManager, bytes, count, duration, percent, seconds, short, subjectOf, titleOf } from './format.js';
import { isPending } from './live.js';
import { useKeys } from './keys.js';
import { navigate, setQuery } from './router.js';
import { useStore } from './store.js';
import { chips } from './text.js';
import { Dot, Empty, Icon, Loading, Menu, Pill, Time, useTitle } from './ui.js';
import { powerItems } from './power.js';
import { useUsage } from './usage.js';
import { Health } from './health.js';

// ---- what waits ----

export function FlagCount({ flags }) {
	const block = flags.filter((flag) => flag.strength === 'block').length;
	if (!flags.length) return html`<span class="muted">no flags</span>`;
	return html`<span class="flagcount ${block ? 'bad' : 'wait'}" title=${[...new Set(flags.map((flag) => flag.name))].join(', ')}><${Icon} name=${block ? 'stopSign' : 'flag'} />${count(flags.length, 'flag')}</span>`;
}

function Waiting({ rows }) {
	return html`<section class="card queue" aria-labelledby="queue"><h2 id="queue">${rows.length === 1 ? 'One proposal waits' : `${rows.length} proposals wait`} for review</h2>
		<ul>${rows.map((row) => html`<li key=${row.id}><a href="/p/${row.id}">
			<span class="num">${row.id}</span><b class="agent">${subjectOf(row)}</b><span class="title">${chips(titleOf(row))}</span>
			<${FlagCount} flags=${row.flags || []} /><span class="muted when"><${Time} at=${row.requested_at} /></span></a></li>`)}
		</ul></section>`;
}

// ---- one agent ----

const seen = new Map();
let observer = null;

// Whether an element has come near what can be seen; once true it stays so.
function useSeen(ref) {
	const [is, set] = useState(false);
	useEffect(() => {
		observer ||= new IntersectionObserver((entries) => entries.forEach((entry) => {
			if (entry.isIntersecting) seen.get(entry.target)?.();
		}), { rootMargin: '200px' });
		const element = ref.current;
		seen.set(element, () => { set(true); observer.unobserve(element); });
		observer.observe(element);
		return () => { observer.unobserve(element); seen.delete(element); };
	}, []);
	return is;
}

let plots = null;

function useSparks(wanted) {
	const [module, set] = useState(plots);
	useEffect(() => {
		if (wanted && !plots) import('./plots.js').then((loaded) => set(plots = loaded), () => {});
		else if (wanted && !module) set(plots);
	}, [wanted]);
	return module?.SparkPlot;
}

const show = { cpu: percent, memory: bytes, pressure: percent };
const words = { cpu: 'CPU', memory: 'memory', pressure: 'pressure' };

function Meters({ name }) {
	const ref = useRef();
	const series = useStore((s) => s.usage.get(name));
	const Spark = useSparks(useSeen(ref) && Boolean(series));
	return html`${['cpu', 'memory', 'pressure'].map((metric, i) => html`<span role="cell" class="meter ${metric}" ref=${i ? undefined : ref}>
		${series && Spark ? html`<${Spark} series=${series} metric=${metric} />` : html`<span class="spark"></span>`}
		<span class="num"><span class="sr">${words[metric]} </span>${show[metric](series?.[metric].at(-1) ?? NaN)}</span></span>`)}`;
}

function Uptime({ row }) {
	const now = useStore((s) => s.now);
	return row.running && row.up_since ? html`<span title="since ${row.up_since}">${duration(now / 1000 - seconds(row.up_since))}</span>` : html`<span class="muted">–</span>`;
}

const Labels = ({ labels }) => Object.entries(labels || {}).map(([key, value]) => html`<span class="label" title="${key}: ${value}"><i>${key}</i>${value}</span>`);

function driftText(drift) {
	if (!drift) return '';
	return typeof drift === 'string' ? drift : Array.isArray(drift) ? drift.map((d) => d.field || d).join(', ') : String(drift.summary || drift.fields || '');
}

function Row({ row }) {
	return useMemo(() => {
		const word = agentState(row);
		return html`<div role="row" class="agent-row" data-name=${row.name}>
			<span role="cell" class="name"><${Dot} word=${word} /><a class="open" href=${agentHref(row.name)}>${row.name}</a>
				${isManager(row) && html`<span class="tag">manager</span>`}<${Labels} labels=${row.labels} /></span>
			<span role="cell" class="doing"><${Pill} word=${word} />
				${row.paused && word !== 'paused' && html`<${Pill} word="paused" />`}
				${row.drift && html`<span class="pill wait" title=${driftText(row.drift)}>drift</span>`}
				<span class="status" title=${row.status_text ? 'What the agent says of itself' : undefined}>${chips(row.status_text || '')}</span></span>
			<span role="cell" class="waits">${row.open_proposal ? html`<a class="pill wait" href="/p/${row.open_proposal}">review ${row.open_proposal}</a>` : ''}</span>
			<span role="cell" class="deployed">${row.deployed > 0 ? html`<a href="/p/${row.deployed}">${row.deployed}</a> ` : ''}<code>${short(row.deployed_sha).slice(0, 8)}</code></span>
			<${Meters} name=${row.name} />
			<span role="cell" class="up num"><${Uptime} row=${row} /></span>
			<span role="cell" class="port">${row.url ? html`<a href=${safeUrl(row.url)} target="_blank" rel="noopener noreferrer" title="The agent's own page: nothing on it is skep's">${portOf(row.url)}</a>` : ''}</span>
			<span role="cell" class="act"><${Menu} label="What to do with ${row.name}" items=${powerItems(row)} /></span>
		</div>`;
	}, [row]);
}

// Addresses come from the controller, and are still only followed when they are web pages.
function safeUrl(url) {
	try {
		return /^https?:$/.test(new URL(url).protocol) ? url : undefined;
	} catch {
		return undefined;
	}
}

const portOf = (url) => (safeUrl(url) && new URL(url).port) || 'page';

// ---- the list ----

const states = ['running', 'failed', 'stopped', 'paused', 'needs login', 'starting'];
const sorts = { name: 'name', state: 'state', cpu: 'CPU', memory: 'memory', uptime: 'uptime' };
const weight = { failed: 0, 'needs login': 1, paused: 2, starting: 3, stopped: 4, running: 5 };

function matches(row, words) {
	const text = [row.name, isManager(row) ? 'manager' : '', agentState(row), row.status_text, row.deployed_sha, ...Object.entries(row.labels || {}).map(([k, v]) => `${k}=${v}`)].join(' ').toLowerCase();
	return words.every((word) => text.includes(word));
}

function compare(sort, usage) {
	const last = (row, metric) => usage.get(row.name)?.[metric].at(-1) ?? -1;
	if (sort === 'state') return (a, b) => (weight[agentState(a)] ?? 9) - (weight[agentState(b)] ?? 9);
	if (sort === 'cpu' || sort === 'memory') return (a, b) => last(b, sort) - last(a, sort);
	if (sort === 'uptime') return (a, b) => (a.up_since || '9').localeCompare(b.up_since || '9');
	return () => 0;
}

function grouped(rows, by) {
	if (!by) return [['', rows]];
	const groups = new Map();
	for (const row of rows) {
		const value = by === 'state' ? agentState(row) : by === 'parent' ? row.parent || '' : row.labels?.[by] ?? '';
		groups.set(value, [...(groups.get(value) || []), row]);
	}
	return [...groups].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
}

const FIRST = 50; // rows drawn at once; the others follow when those are on the page

function useAll(many) {
	const [all, setAll] = useState(!many);
	useEffect(() => {
		if (all) return undefined;
		let timer = 0;
		const frame = requestAnimationFrame(() => { timer = setTimeout(() => setAll(true), 0); });
		return () => { cancelAnimationFrame(frame); clearTimeout(timer); };
	}, []);
	return all;
}

function Table({ rows, by, sort }) {
	const all = useAll(rows.length > FIRST);
	let room = all ? Infinity : FIRST;
	const usage = useStore((s) => (sort === 'cpu' || sort === 'memory' ? s.usage : null));
	const order = compare(sort, usage || new Map());
	return html`<div role="table" class="agents" aria-label="Agents" aria-rowcount=${rows.length + 1}>
		<div role="row" class="agent-row heads">${['Agent', 'Doing', 'Review', 'Deployed', 'CPU', 'Memory', 'Pressure', 'Up', 'Port'].map((word) => html`<span role="columnheader" class=${word.toLowerCase()}>${word}</span>`)}<span role="columnheader" class="act"><span class="sr">What to do</span></span></div>
		${grouped(rows, by).map(([value, members]) => html`<div role="rowgroup" key=${value}>
			${by && html`<div role="row" class="group"><span role="cell">${value ? html`<i>${by}</i> ${value}` : html`<i>no ${by}</i>`} <span class="count">${members.length}</span></span></div>`}
			${[...members].sort(order).slice(0, room > 0 ? room : 0).map((row) => { room--; return html`<${Row} key=${row.name} row=${row} />`; })}
		</div>`)}
	</div>`;
}

function Summary({ rows, state: chosen }) {
	const counts = {};
	for (const row of rows) counts[agentState(row)] = (counts[agentState(row)] || 0) + 1;
	const drift = rows.filter((row) => row.drift).length;
	const pick = (word) => setQuery({ state: chosen === word ? '' : word });
	return html`<div class="summary" role="group" aria-label="Show by state">
		<button type="button" aria-pressed=${!chosen} onClick=${() => setQuery({ state: '' })}><b>${rows.length}</b> ${rows.length === 1 ? 'agent' : 'agents'}</button>
		${states.filter((word) => counts[word]).map((word) => html`<button type="button" aria-pressed=${chosen === word} onClick=${() => pick(word)}><${Dot} word=${word} /><b>${counts[word]}</b> ${word}</button>`)}
		${drift > 0 && html`<button type="button" aria-pressed=${chosen === 'drift'} onClick=${() => pick('drift')}><${Dot} word="stale" /><b>${drift}</b> drifted</button>`}
	</div>`;
}

function EmptyHive({ onSpawn }) {
	return html`<${Empty} title="Nobody lives here yet">
		<p>An agent is a container of its own and a git repository that says what is in it. One of them, the manager <code>hm1nd</code>, proposes changes to the others; you read the difference here and decide.</p>
		<p><button type="button" class="primary" onClick=${onSpawn}><${Icon} name="plus" />Spawn the manager</button></p>
		<p class="muted">or in a terminal: <code>skep spawn hm1nd</code></p>
	<//>`;
}

function moveRow(step) {
	const links = [...document.querySelectorAll('.agents a.open')];
	const row = document.activeElement?.closest('.agent-row');
	const at = row ? links.findIndex((link) => row.contains(link)) : step > 0 ? -1 : links.length;
	const next = links[Math.max(0, Math.min(links.length - 1, at + step))];
	next?.focus();
	next?.closest('.agent-row').scrollIntoView({ block: 'nearest' });
}

export default function Hive({ route }) {
	useTitle('Hive');
	useUsage();
	const agents = useStore((s) => s.agents);
	const proposals = useStore((s) => s.proposals);
	const loaded = useStore((s) => s.loaded);
	const [Spawn, setSpawn] = useState(null);
	const search = useRef();
	const q = route.query.get('q') || '', chosen = route.query.get('state') || '';
	const by = route.query.get('group') || '', sort = route.query.get('sort') || '';
	const rows = [...agents.values()];
	const found = (text) => {
		const asked = text.toLowerCase().split(/\s+/).filter(Boolean);
		return rows.filter((row) => (!chosen || (chosen === 'drift' ? row.drift : agentState(row) === chosen)) && matches(row, asked));
	};
	const shown = found(q);
	// what is typed counts, drawn already or not
	const onSearchKey = (event) => {
		if (event.key === 'Escape') event.target.blur();
		if (event.key !== 'Enter') return;
		const [only, ...more] = found(event.target.value);
		if (only && !more.length) navigate(`/a/${only.name}`);
	};
	const waiting = [...proposals.values()].filter(isPending);
	const labels = [...new Set(rows.flatMap((row) => Object.keys(row.labels || {})))].sort();
	const spawn = () => import('./spawn.js').then((module) => setSpawn(() => module.default));
	useKeys('Hive', [
		{ key: '/', says: 'filter', run: () => search.current?.focus() },
		{ key: 'j', also: ['ArrowDown'], says: 'next agent', run: () => moveRow(1) },
		{ key: 'k', also: ['ArrowUp'], says: 'previous agent', run: () => moveRow(-1) },
		{ key: 'Enter', says: 'open the agent', run: () => false },
		{ key: '.', says: 'what to do with the agent', run: () => document.activeElement?.closest('.agent-row')?.querySelector('.act button')?.click() },
		{ key: 'c', says: 'spawn an agent', run: spawn },
	]);
	if (!loaded) return html`<${Loading} what="the hive" />`;
	return html`<div class="page hive">
		<h1 class="sr">Hive</h1>
		${waiting.length > 0 && html`<${Waiting} rows=${waiting} />`}
		<${Health} agents=${agents} />
		${rows.length === 0 ? html`<${EmptyHive} onSpawn=${spawn} />` : html`
		<div class="bar">
			<${Summary} rows=${rows} state=${chosen} />
			<span class="grow"></span>
			<label class="search"><${Icon} name="search" /><span class="sr">Filter agents</span><input ref=${search} type="search" placeholder="Filter (/)" value=${q} onInput=${(event) => setQuery({ q: event.target.value })} onKeyDown=${onSearchKey} /></label>
			<label class="pick"><span>Group</span><select value=${by} onChange=${(event) => setQuery({ group: event.target.value })}><option value="">no</option><option value="state">state</option><option value="parent">parent</option>${labels.map((key) => html`<option value=${key}>${key}</option>`)}</select></label>
			<label class="pick"><span>Sort</span><select value=${sort || 'name'} onChange=${(event) => setQuery({ sort: event.target.value === 'name' ? '' : event.target.value })}>${Object.entries(sorts).map(([key, word]) => html`<option value=${key}>${word}</option>`)}</select></label>
			<button type="button" onClick=${spawn}><${Icon} name="plus" />Spawn</button>
		</div>
		${shown.length ? html`<${Table} rows=${shown} by=${by} sort=${sort} />` : html`<${Empty} title="No agent matches"><p><button type="button" onClick=${() => setQuery({ q: '', state: '' })}>Show all ${rows.length}</button></p><//>`}`}
		${Spawn && html`<${Spawn} first=${rows.length === 0} onClose=${() => setSpawn(null)} />`}
	</div>`;
}
