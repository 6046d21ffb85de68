// One agent: how it is, what it was, what it says, what it may use, and how it ends.
import { html, useEffect, useState } from './html.js';
import { encode, get, post } from './api.js';
import { agentHref, agentState, isManager, bytes, dayOf, duration, percent, seconds, short, stateOf, timeOf, titleOf } from './format.js';
import { useKeys } from './keys.js';
import { navigate, setQuery } from './router.js';
import { toast, useStore } from './store.js';
import { chips } from './text.js';
import { Dialog, Empty, Icon, Loading, Menu, Oid, Pill, Tabs, Time, Trouble, useAsked, useTitle } from './ui.js';
import { Log } from './log.js';
import { powerItems } from './power.js';
import { Settings } from './settings.js';
import { useUsage } from './usage.js';

// ---- history ----

// Proposals with all their tags, and what else the record says (its first deploy was no proposal), newest first.
function story(proposals, deploys) {
	const own = proposals.map((row) => ({ at: row.resolved_at || row.requested_at, row }));
	const known = new Set(proposals.filter((row) => stateOf(row) === 'deployed').map((row) => row.id));
	const other = deploys.filter((entry) => !known.has(entry.n)).map((entry) => ({ at: entry.at, entry }));
	return [...own, ...other].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : (b.row?.id || 0) - (a.row?.id || 0)));
}

function Entry({ item, deployed, onRollback }) {
	if (item.entry) return html`<li class="quietly"><span class="when" title=${item.at}>${timeOf(item.at)}</span><span class="what">${chips(item.entry.message)}</span><code class="muted">meta ${short(item.entry.meta_commit).slice(0, 8)}</code>
		${item.entry.n >= 0 && item.entry.n !== deployed && html`<button type="button" class="small" onClick=${() => onRollback(item.entry.n)}><${Icon} name="back" />Roll back</button>`}</li>`;
	const { row } = item;
	return html`<li><span class="when" title=${item.at}>${timeOf(item.at)}</span>
		<span class="what"><a href="/p/${row.id}"><span class="num">${row.id}</span> ${chips(titleOf(row))}</a> <${Pill} word=${stateOf(row)} />${row.id === deployed && html` <span class="tag">runs now</span>`}
			<span class="tags">${row.tags.map((tag) => html`<code>${tag.name}</code>`)}</span>${row.note && html`<span class="muted notes">${chips(row.note.split('\n')[0].slice(0, 200))}</span>`}</span>
		<code class="muted">${short(row.commit).slice(0, 8)}</code>
		${stateOf(row) === 'deployed' && row.id !== deployed && html`<button type="button" class="small" onClick=${() => onRollback(row.id)}><${Icon} name="back" />Roll back</button>`}</li>`;
}

function History({ agent, changed }) {
	const [to, setTo] = useState(-1);
	const asked = useAsked((signal) => Promise.all([
		get(`agents/${encode(agent.name)}/record?limit=200`, signal), get('deploys?limit=1000', signal),
	]).then(([{ history }, { deploys }]) => story(history.filter((row) => row.id > 0), deploys.filter((entry) => entry.agent === agent.name))), [agent.name, changed]);
	if (asked.error && !asked.value) return html`<${Trouble} error=${asked.error} again=${asked.again} />`;
	if (!asked.value) return html`<${Loading} what="the history" />`;
	let day = '';
	return html`<ol class="timeline">${asked.value.map((item) => {
		const its = dayOf(item.at), head = its !== day;
		day = its;
		return html`${head && html`<li class="day"><h3>${its}</h3></li>`}<${Entry} item=${item} deployed=${agent.deployed} onRollback=${setTo} />`;
	})}</ol>${to >= 0 && html`<${Rollback} agent=${agent} to=${to} onClose=${() => setTo(-1)} />`}`;
}

function Rollback({ agent, to, onClose }) {
	const [note, setNote] = useState('');
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const asked = useAsked((signal) => Promise.all([import('./diffview.js'), import('./diff.js'),
		to > 0 ? get(`proposals/${to}/diff?against=deployed`, signal) : get(`proposals/${agent.deployed}/diff?against=0`, signal),
	]).then(([{ DiffView }, { inverted }, { diff }]) => ({ DiffView, diff: to > 0 ? diff : inverted(diff) })), [to]);
	const back = async (event) => {
		event.preventDefault();
		setBusy(true);
		setError(null);
		try {
			const { proposal } = await post(`agents/${encode(agent.name)}/rollback`, { to, ...(note.trim() ? { note: note.trim() } : {}) });
			toast(`${agent.name} goes back to deployed/${to}`, 'good');
			onClose();
			if (proposal) navigate(`/p/${proposal.id}?tab=log`);
		} catch (problem) {
			setError(problem);
			setBusy(false);
		}
	};
	return html`<${Dialog} title="Roll ${agent.name} back to deployed/${to}" wide onClose=${onClose}>
		<form onSubmit=${back}>
			<p>It runs deployed/${agent.deployed} now. This would change:</p>
			<div class="preview">${asked.error ? html`<${Trouble} error=${asked.error} />` : asked.value ? html`<${asked.value.DiffView} diff=${asked.value.diff} keys=${false} list=${false} />` : html`<${Loading} what="the difference" />`}</div>
			<label for="back-note">Why? <span class="muted">(optional)</span></label><input id="back-note" data-first value=${note} onInput=${(event) => setNote(event.target.value)} />
			${error && html`<p class="bad-text" role="alert">${error.message}${error.hint ? ` (${error.hint})` : ''}</p>`}
			<footer><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary" disabled=${busy}><${Icon} name="back" />${busy ? 'Rolling back' : 'Roll back'}</button></footer>
		</form>
	<//>`;
}

// ---- resources ----

function Resources({ agent }) {
	const series = useStore((s) => s.usage.get(agent.name));
	const module = useAsked(() => import('./plots.js'), []).value;
	if (!agent.running) return html`<${Empty} title="It is not running"><p>What it uses is shown while it runs.</p><//>`;
	if (!series || !module) return html`<${Loading} what="what it uses" />`;
	const { Plot } = module, { row } = series;
	return html`<div class="plots">
		<${Plot} series=${series} metric="cpu" title="CPU" limit=${row.cpu_quota_percent && percent(row.cpu_quota_percent)} />
		<${Plot} series=${series} metric="memory" title="Memory" limit=${row.memory_max_bytes && bytes(row.memory_max_bytes)} />
		${series.pressure.some(Number.isFinite) && html`<${Plot} series=${series} metric="pressure" title="Pressure (worst of CPU, memory, io)" />`}
		<dl class="facts card">
			<div><dt>Tasks</dt><dd class="num">${row.tasks ?? '–'}${row.tasks_max ? ` of ${row.tasks_max}` : ''}</dd></div>
			<div><dt>CPU time</dt><dd class="num">${duration((row.cpu_usec || 0) / 1e6)}</dd></div>
			${row.io_read_bytes !== undefined && html`<div><dt>Read</dt><dd class="num">${bytes(row.io_read_bytes)}</dd></div>`}
			${row.io_write_bytes !== undefined && html`<div><dt>Written</dt><dd class="num">${bytes(row.io_write_bytes)}</dd></div>`}
		</dl>
	</div>`;
}

// ---- the end ----

function Destroy({ agent, onClose }) {
	const [typed, setTyped] = useState('');
	const [purge, setPurge] = useState(false);
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const destroy = async (event) => {
		event.preventDefault();
		if (typed !== agent.name) return;
		setBusy(true);
		setError(null);
		try {
			await post(`agents/${encode(agent.name)}/destroy`, { purge, confirm: typed });
			toast(`${agent.name} is being ${purge ? 'purged' : 'destroyed'}`);
			onClose();
			navigate('/');
		} catch (problem) {
			setError(problem);
			setBusy(false);
		}
	};
	return html`<${Dialog} title="Destroy ${agent.name}" danger onClose=${onClose}>
		<form onSubmit=${destroy}>
			<p>Its container goes. ${purge ? html`<b>Its state and its repositories go as well, for good.</b>` : 'Its state and its repositories stay, and spawning the same name brings it back.'}</p>
			<label class="check"><input type="checkbox" checked=${purge} onChange=${() => setPurge(!purge)} /> remove state and repositories too (purge)</label>
			<label for="destroy-name">To go on, type <b>${agent.name}</b></label>
			<input id="destroy-name" data-first autocomplete="off" spellcheck="false" value=${typed} onInput=${(event) => setTyped(event.target.value)} />
			${error && html`<p class="bad-text" role="alert">${error.message}${error.hint ? ` (${error.hint})` : ''}</p>`}
			<footer><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="bad" disabled=${busy || typed !== agent.name}>${busy ? 'Destroying' : purge ? 'Purge' : 'Destroy'}</button></footer>
		</form>
	<//>`;
}

// ---- the page ----

function Facts({ agent }) {
	const running = agent.system_running && agent.system && agent.system_running !== agent.system;
	return html`<dl class="facts card">
		<div><dt>Deployed</dt><dd>${agent.deployed > 0 ? html`<a href="/p/${agent.deployed}">${agent.deployed}</a>` : 'as it began'} <${Oid} id=${agent.commit} /></dd></div>
		<div><dt>System</dt><dd><${Oid} id=${agent.system} what="system" />${running && html` <span class="bad-text">runs ${short(agent.system_running)}</span>`}</dd></div>
		<div><dt>Container</dt><dd><code>${agent.container}</code>${agent.leader ? html` <span class="muted">pid ${agent.leader}</span>` : ''}</dd></div>
		<div><dt>Boot</dt><dd>${agent.boot_state ? html`<${Pill} word=${agent.boot_state} />` : html`<span class="muted">–</span>`}</dd></div>
		${agent.failed_units?.length > 0 && html`<div><dt>Failed units</dt><dd class="bad-text">${chips(agent.failed_units.join(', '))}</dd></div>`}
		<div><dt>Port</dt><dd>${agent.port}</dd></div>
		<div><dt>Network</dt><dd>${agent.network}</dd></div>
		<div><dt>Built by</dt><dd>${agent.builder}, run by ${agent.driver}</dd></div>
		<div><dt>Ids</dt><dd class="num">${agent.uid_base} + 65536</dd></div>
		${agent.parent && html`<div><dt>Parent</dt><dd><a href=${agentHref(agent.parent)}>${agent.parent}</a></dd></div>`}
		<div><dt>Wanted</dt><dd>${agent.desired}${agent.paused ? ', paused' : ''}</dd></div>
		${Object.entries(agent.labels || {}).map(([key, value]) => html`<div><dt>${key}</dt><dd>${value}</dd></div>`)}
	</dl>`;
}

const tabs = [['history', 'History'], ['journal', 'Journal'], ['resources', 'Resources'], ['settings', 'Settings']];

export default function Agent({ route }) {
	const { name } = route;
	const row = useStore((s) => s.agents.get(name));
	const agents = useStore((s) => s.agents);
	const now = useStore((s) => s.now);
	const asked = useAsked((signal) => get(`agents/${encode(name)}`, signal).then((answer) => answer.agent), [name, row]);
	const [ending, setEnding] = useState(false);
	const [lines, setLines] = useState(300);
	const tab = route.query.get('tab') || 'history';
	const agent = asked.value && row ? { ...asked.value, ...row } : asked.value;
	useTitle(name);
	useUsage();
	useEffect(() => setLines(300), [name]);
	const go = (which) => setQuery({ tab: which === 'history' ? '' : which });
	useKeys('Agent', [
		...tabs.map(([id, says], i) => ({ key: String(i + 1), says: says.toLowerCase(), run: () => go(id) })),
		{ key: '.', says: 'what to do with it', run: () => document.querySelector('.headline .menu button')?.click() },
		{ key: 'r', says: 'review what it waits for', run: () => agent?.open_proposal && navigate(`/p/${agent.open_proposal}`) },
		{ key: 'x', says: 'destroy (asks for its name)', run: () => agent && setEnding(true) },
	]);
	if (asked.error && !agent) return html`<div class="page"><h1>${name}</h1><${Trouble} error=${asked.error} again=${asked.again} /></div>`;
	if (!agent) return html`<${Loading} what="the agent" />`;
	const word = agentState(agent);
	return html`<div class="page agent">
		<header class="head"><div class="headline"><h1>${name}</h1><${Pill} word=${word} />${agent.paused && word !== 'paused' && html`<${Pill} word="paused" />`}
			${isManager(agent) && html`<span class="tag">manager</span>`}
			${agent.running && agent.up_since && html`<span class="muted">up ${duration(now / 1000 - seconds(agent.up_since))}</span>`}
			<span class="grow"></span>
			${agent.open_proposal && html`<a class="button primary" href="/p/${agent.open_proposal}">Review ${agent.open_proposal}</a>`}
			<${Menu} label="What to do with ${name}" items=${powerItems(agent, [
				{ says: 'Build and deploy again', icon: 'restart', run: () => post(`agents/${encode(name)}/rebuild`).then(() => toast(`${name} is being rebuilt`, 'good'), (error) => toast(error.message, 'bad')) },
				{ says: 'Destroy', icon: 'cross', danger: true, run: () => setEnding(true) },
			]).slice(1)} /></div>
			${agent.status_text && html`<p class="ownwords"><span class="muted">says</span> ${chips(agent.status_text)} <span class="muted"><${Time} at=${agent.status_set_at} /></span></p>`}
		</header>
		<${Tabs} label="Agent" now=${tab} onPick=${go} tabs=${tabs.map(([id, says]) => ({ id, says, href: id === 'history' ? `/a/${name}` : `/a/${name}?tab=${id}` }))} />
		<div class=${tab === 'history' || tab === 'resources' ? 'split' : ''}>
			<div>${tab === 'history' && html`<${History} agent=${agent} changed=${row} />`}
				${tab === 'journal' && html`<${Log} path="/api/v1/agents/${encode(name)}/log?follow=1&lines=${lines}" name="Journal of ${name}"><label class="pick"><span>Lines</span><select value=${lines} onChange=${(event) => setLines(Number(event.target.value))}>${[100, 300, 1000, 5000].map((n) => html`<option value=${n}>${n}</option>`)}</select></label><//>`}
				${tab === 'resources' && html`<${Resources} agent=${agent} />`}
				${tab === 'settings' && html`<${Settings} key=${name} agent=${asked.value} names=${[...agents.keys()]} onSaved=${asked.again} />`}</div>
			${(tab === 'history' || tab === 'resources') && html`<${Facts} agent=${agent} />`}
		</div>
		${ending && html`<${Destroy} agent=${agent} onClose=${() => setEnding(false)} />`}
	</div>`;
}
