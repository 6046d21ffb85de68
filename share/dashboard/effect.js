// What an approval would really change, as the builder found out ahead of it: packages, units, limits, ports.
import { html } from './html.js';
import { bytes } from './format.js';
import { chips } from './text.js';
import { Empty } from './ui.js';

const say = (key) => key.replaceAll('_', ' ').replace(/ bytes$/, '').replace(/^bytes\b/, 'size');
const inStore = (path) => path.replace(/^\/nix\/store\/([0-9a-z]{1,6})[0-9a-z]*-/, '$1… ');

function value(key, data) {
	if (data === null || data === undefined) return html`<span class="muted">none</span>`;
	if (typeof data === 'boolean') return data ? 'yes' : 'no';
	if (typeof data === 'number') return html`<span class="num">${/bytes(_before)?$/.test(key) ? bytes(data) : data.toLocaleString('en')}</span>`;
	if (typeof data === 'string') return html`<span class=${/^\/|^[0-9a-f]{12,}$/.test(data) ? 'mono' : ''} title=${inStore(data) === data ? undefined : data}>${chips(inStore(data))}</span>`;
	if (Array.isArray(data)) return data.length ? html`<ul>${data.slice(0, 500).map((item) => html`<li>${value('', item)}</li>`)}</ul>` : html`<span class="muted">none</span>`;
	const { name, path, unit, ...rest } = data;
	const own = name ?? path ?? unit;
	if (own !== undefined) return html`<b>${chips(String(own))}</b> ${Object.entries(rest).map(([k, v]) => html`<span class="pair"><i>${say(k)}</i> ${value(k, v)}</span> `)}`;
	return html`<dl class="facts">${Object.entries(data).map(([k, v]) => html`<div><dt>${say(k)}</dt><dd>${value(k, v)}</dd></div>`)}</dl>`;
}

const kinds = { added: 'add', removed: 'del', changed: 'same' };
const marks = { added: '+', removed: '−', changed: '~' };

const Change = ({ how, what }) => html`<li class=${kinds[how]}><span class="mk">${marks[how]}</span>${value('', what)}</li>`;

// What is the same in both is left out.
function Pair({ before, after }) {
	const differ = [...new Set([...Object.keys(before || {}), ...Object.keys(after || {})])].filter((key) => JSON.stringify(before?.[key]) !== JSON.stringify(after?.[key]));
	return html`<dl class="facts">${differ.map((key) => html`<div><dt>${say(key)}</dt><dd>${value(key, before?.[key])} → ${value(key, after?.[key])}</dd></div>`)}</dl>`;
}

function changesOf(data) {
	if (Array.isArray(data)) return data.every((item) => kinds[item?.change]) && data.map(({ change, ...what }) => [change, what]);
	const lists = Object.keys(data).filter((key) => kinds[key] && Array.isArray(data[key]));
	return lists.length > 0 && lists.flatMap((key) => data[key].map((what) => [key, what]));
}

function Part({ name, data }) {
	const changes = changesOf(data);
	const rest = Array.isArray(data) ? {} : Object.fromEntries(Object.entries(data).filter(([key, list]) => !(kinds[key] && Array.isArray(list))));
	let body = value(name, data);
	if (data.changed === false) body = html`<p class="muted">no change</p>`;
	else if (data.changed === true) body = html`<${Pair} ...${data} />`;
	else if (changes) body = html`${Object.keys(rest).length > 0 && value('', rest)}${changes.length ? html`<ul class="effects">${changes.slice(0, 2000).map(([how, what]) => html`<${Change} how=${how} what=${what} />`)}</ul>` : html`<p class="muted">no change</p>`}`;
	return html`<section class="card"><h2>${say(name)}</h2>${body}</section>`;
}

export function Effect({ effect }) {
	if (!effect) return html`<${Empty} title="Nothing is known of the effect yet"><p>It appears here once the change was built ahead of the verdict.</p><//>`;
	const parts = Object.entries(effect).filter(([, data]) => data && typeof data === 'object');
	const plain = Object.fromEntries(Object.entries(effect).filter(([, data]) => !(data && typeof data === 'object')));
	return html`<div class="effect">${Object.keys(plain).length > 0 && html`<section class="card"><h2>Build</h2>${value('', plain)}</section>`}${parts.map(([name, data]) => html`<${Part} name=${name} data=${data} />`)}</div>`;
}
