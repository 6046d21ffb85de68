// What an approval would really change, as the builder found out ahead of it: packages, units, limits, ports.
import { html } from './html.js';
import { bytes } from './format.js';
import { chips } from './text.js';
import { Empty } from './ui.js';

const say = (key) => key.replaceAll('_', ' ').replace(/ bytes$/, '');

function value(key, data) {
	if (data === null || data === undefined) return html`<span class="muted">none</span>`;
	if (typeof data === 'boolean') return data ? 'yes' : 'no';
	if (typeof data === 'number') return html`<span class="num">${/bytes$|^size$/.test(key) ? bytes(data) : data.toLocaleString('en')}</span>`;
	if (typeof data === 'string') return html`<span class=${/^\/|^[0-9a-f]{12,}$/.test(data) ? 'mono' : ''}>${chips(data)}</span>`;
	if (Array.isArray(data)) return data.length ? html`<ul>${data.slice(0, 500).map((item) => html`<li>${value('', item)}</li>`)}</ul>` : html`<span class="muted">none</span>`;
	const { name, path, unit, ...rest } = data;
	const own = name ?? path ?? unit;
	if (own !== undefined) return html`<b>${chips(String(own))}</b> ${Object.entries(rest).map(([k, v]) => html`<span class="pair"><i>${say(k)}</i> ${value(k, v)}</span> `)}`;
	return html`<dl class="facts">${Object.entries(data).map(([k, v]) => html`<div><dt>${say(k)}</dt><dd>${value(k, v)}</dd></div>`)}</dl>`;
}

const kinds = { added: 'add', new: 'add', removed: 'del', old: 'del', changed: 'same' };

function Part({ name, data }) {
	const lists = data && typeof data === 'object' && !Array.isArray(data) && Object.entries(data).filter(([key, list]) => kinds[key] && Array.isArray(list));
	if (!lists?.length) return html`<section class="card"><h2>${say(name)}</h2>${value(name, data)}</section>`;
	const rest = Object.fromEntries(Object.entries(data).filter(([key, list]) => !(kinds[key] && Array.isArray(list))));
	return html`<section class="card"><h2>${say(name)}</h2>
		${Object.keys(rest).length > 0 && value('', rest)}
		${lists.every(([, list]) => !list.length) && html`<p class="muted">no change</p>`}
		<ul class="effects">${lists.flatMap(([key, list]) => list.map((item) => html`<li class=${kinds[key]}><span class="mk">${{ add: '+', del: '−', same: '~' }[kinds[key]]}</span>${value('', item)}</li>`))}</ul></section>`;
}

export function Effect({ effect }) {
	if (!effect) return html`<${Empty} title="Nothing is known of the effect yet"><p>It appears here once the change was built ahead of the verdict.</p><//>`;
	const parts = Object.entries(effect).filter(([, data]) => data && typeof data === 'object');
	const plain = Object.fromEntries(Object.entries(effect).filter(([, data]) => !(data && typeof data === 'object')));
	return html`<div class="effect">${Object.keys(plain).length > 0 && html`<section class="card"><h2>Build</h2>${value('', plain)}</section>`}${parts.map(([name, data]) => html`<${Part} name=${name} data=${data} />`)}</div>`;
}
