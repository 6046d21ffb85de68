// The record of the whole hive: each commit of meta, newest first.
import { html, useState } from './html.js';
import { get } from './api.js';
import { agentHref, dayOf, short, timeOf } from './format.js';
import { useKeys } from './keys.js';
import { setQuery } from './router.js';
import { useStore } from './store.js';
import { chips } from './text.js';
import { copy, Empty, Loading, Trouble, useAsked, useTitle } from './ui.js';

const verbOf = (entry) => /^\S+/.exec(entry.message)?.[0] || '';
const kinds = { deploy: 'deployed', spawn: 'running', revive: 'running', start: 'running', destroy: 'failed', purge: 'failed' };

export default function Deploys({ route }) {
	useTitle('Deploys');
	const agents = useStore((s) => s.agents);
	const [limit, setLimit] = useState(200);
	const name = route.query.get('agent') || '', only = route.query.get('only') || '';
	const asked = useAsked((signal) => get(`deploys?limit=${limit}`, signal).then((answer) => answer.deploys), [limit, agents]);
	useKeys('Deploys', [{ key: '/', says: 'choose an agent', run: () => document.getElementById('deploys-agent')?.focus() }]);
	if (asked.error && !asked.value) return html`<div class="page"><h1>Deploys</h1><${Trouble} error=${asked.error} again=${asked.again} /></div>`;
	if (!asked.value) return html`<${Loading} what="the deploys" />`;
	const names = [...new Set(asked.value.map((entry) => entry.agent).filter(Boolean))].sort();
	const rows = asked.value.filter((entry) => (!name || entry.agent === name) && (!only || verbOf(entry) === only));
	const verbs = [...new Set(asked.value.map(verbOf))].sort();
	let day = '';
	return html`<div class="page deploys"><div class="bar"><h1>Deploys</h1><span class="grow"></span>
		<label class="pick"><span>Agent</span><select id="deploys-agent" value=${name} onChange=${(event) => setQuery({ agent: event.target.value })}><option value="">all</option>${names.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>
		<label class="pick"><span>Kind</span><select value=${only} onChange=${(event) => setQuery({ only: event.target.value })}><option value="">all</option>${verbs.map((each) => html`<option value=${each}>${each}</option>`)}</select></label></div>
		${rows.length === 0 && html`<${Empty} title="Nothing yet"><p>Each deploy, spawn and setting is one commit in the record, and is listed here.</p><//>`}
		<ol class="timeline">${rows.map((entry) => {
			const its = dayOf(entry.at), head = its !== day, verb = verbOf(entry);
			day = its;
			return html`${head && html`<li class="day"><h2>${its}</h2></li>`}<li key=${entry.meta_commit}><span class="when" title=${entry.at}>${timeOf(entry.at)}</span>
				<span class="what"><span class="pill ${kinds[verb] === 'deployed' ? 'good' : 'calm'}">${verb}</span> ${entry.agent && html`<a href=${agentHref(entry.agent)}><b>${entry.agent}</b></a> `}${entry.n > 0 ? html`<a href="/p/${entry.n}">deployed/${entry.n}</a> ` : ''}<span class="muted">${chips(entry.message.split(' ').slice(entry.n >= 0 ? 3 : entry.agent ? 2 : 1).join(' '))}</span></span>
				<button type="button" class="oid" title="${entry.meta_commit}: copy" onClick=${() => copy(entry.meta_commit, 'commit')}>${short(entry.meta_commit).slice(0, 8)}</button></li>`;
		})}</ol>
		${asked.value.length >= limit && limit < 1000 && html`<p class="more"><button type="button" onClick=${() => setLimit(Math.min(1000, limit * 2))}>Show more</button></p>`}
	</div>`;
}
