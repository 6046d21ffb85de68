// Who did what, through which channel; and whether the record is whole.
import { html, useEffect, useState } from './html.js';
import { get } from './api.js';
import { count, dayOf, short, timeOf } from './format.js';
import { useKeys } from './keys.js';
import { setQuery } from './router.js';
import { useStore } from './store.js';
import { chips } from './text.js';
import { Empty, Icon, Loading, Trouble, useAsked, useTitle } from './ui.js';

const PAGE = 100;

function Chain() {
	const asked = useAsked((signal) => get('audit/verify', signal).then((answer) => answer.audit_verify), []);
	if (asked.error) return html`<span class="chain bad-text"><${Icon} name="warn" />the chain could not be checked: ${asked.error.message}</span>`;
	if (!asked.value) return html`<span class="chain muted">checking the chain</span>`;
	const { valid, entries, head, problems } = asked.value;
	if (valid) return html`<span class="chain good-text" title="Each verdict names the one before it. All are there. Head: ${head}"><${Icon} name="check" />the chain of ${count(entries, 'entry', 'entries')} is whole <code>${short(head)}</code></span>`;
	return html`<div class="notice bad" role="alert"><${Icon} name="stopSign" /><div><p><b>The record is not whole.</b></p><ul>${(problems || []).map((text) => html`<li>${chips(text)}</li>`)}</ul></div></div>`;
}

// Tags and log lines count by themselves: together a row is known by both.
const keyOf = (row) => `${row.kind}:${row.seq}`;

function useEntries() {
	const [rows, setRows] = useState(null);
	const [error, setError] = useState(null);
	const [end, setEnd] = useState(false);
	const agents = useStore((s) => s.agents);
	const add = (list, older) => setRows((before) => {
		const all = new Map([...(before || []), ...list].map((row) => [keyOf(row), row]));
		if (older && all.size === (before || []).length) setEnd(true);
		return [...all.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.seq - a.seq));
	});
	const load = (path, older) => get(path).then(({ audit }) => {
		if (audit.length < PAGE) setEnd(true);
		add(audit, older);
		setError(null);
	}, setError);
	useEffect(() => { load(`audit?limit=${PAGE}`); }, [agents]);
	return { rows, error, end, again: () => load(`audit?limit=${PAGE}`), more: () => load(`audit?limit=${PAGE}&before=${Math.min(...rows.map((row) => row.seq))}`, true) };
}

const bad = /fail|refus|error|denied|wrong|lock/i;

export default function Audit({ route }) {
	useTitle('Audit');
	const { rows, error, end, again, more } = useEntries();
	const q = route.query.get('q') || '';
	useKeys('Audit', [{ key: '/', says: 'filter', run: () => document.getElementById('audit-q')?.focus() }]);
	if (error && !rows) return html`<div class="page"><h1>Audit</h1><${Trouble} error=${error} again=${again} /></div>`;
	if (!rows) return html`<${Loading} what="the audit" />`;
	const words = q.toLowerCase().split(/\s+/).filter(Boolean);
	const shown = rows.filter((row) => {
		const text = [row.actor, row.channel, row.verb, row.agent, row.id, row.result, row.note].join(' ').toLowerCase();
		return words.every((word) => text.includes(word));
	});
	let day = '';
	return html`<div class="page audit"><div class="bar"><h1>Audit</h1><${Chain} /><span class="grow"></span>
		<label class="search"><${Icon} name="search" /><span class="sr">Filter</span><input id="audit-q" type="search" placeholder="Filter (/)" value=${q} onInput=${(event) => setQuery({ q: event.target.value })} /></label></div>
		${shown.length === 0 ? html`<${Empty} title=${rows.length ? 'Nothing matches' : 'Nothing has happened yet'} />` : html`
		<div class="scroll" tabindex="0" role="group" aria-label="Entries"><table class="entries"><thead><tr><th>When</th><th>Who</th><th>Through</th><th>What</th><th>Agent</th><th>Proposal</th><th>Result</th><th>Note</th><th>No.</th></tr></thead>
		<tbody>${shown.map((row) => {
			const its = dayOf(row.at), head = its !== day;
			day = its;
			return html`${head && html`<tr class="day"><th colspan="9" scope="rowgroup">${its}</th></tr>`}<tr key=${keyOf(row)}>
				<td class="num" title=${row.at}>${timeOf(row.at)}</td><td>${chips(row.actor || '')}</td><td class="muted">${chips(row.channel || '')}</td><td><b>${chips(row.verb || '')}</b></td>
				<td>${row.agent && (/^[a-z][a-z0-9-]*$/.test(row.agent) ? html`<a href="/a/${row.agent}">${row.agent}</a>` : chips(row.agent))}</td>
				<td class="num">${row.id > 0 ? html`<a href="/p/${row.id}">${row.id}</a>` : ''}</td><td class=${bad.test(row.result || '') ? 'bad-text' : 'muted'}>${chips(row.result || '')}</td>
				<td class="note">${chips((row.note || '').slice(0, 300))}</td><td class="num muted" title=${row.kind === 'tag' ? 'in the chain of tags' : 'in the log'}>${row.seq}</td></tr>`;
		})}</tbody></table></div>`}
		${error && html`<${Trouble} error=${error} again=${again} />`}
		${!end && html`<p class="more"><button type="button" onClick=${more}>Show earlier</button></p>`}
	</div>`;
}
