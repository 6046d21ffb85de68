// What is wrong with the host or has drifted from what was decided: nothing to see while all is well.
import { html, useState } from './html.js';
import { get } from './api.js';
import { agentHref, count } from './format.js';
import { chips } from './text.js';
import { Icon, Time, useAsked } from './ui.js';

const optional = (path, key) => (signal) => get(path, signal).then((answer) => answer[key] || [], () => []);

export function Health({ agents }) {
	const drifted = [...agents.values()].filter((row) => row.drift).map((row) => row.name).join();
	const checks = useAsked(optional('doctor', 'checks'), []).value || [];
	const drift = useAsked(optional('drift', 'drift'), [drifted]).value || [];
	const [open, setOpen] = useState(false);
	const bad = checks.filter((check) => !check.ok);
	if (!bad.length && !drift.length) return null;
	const says = [bad.length && `${count(bad.length, 'thing')} about this host`, drift.length && `${count(drift.length, 'difference')} from what was decided`].filter(Boolean).join(', ');
	return html`<section class="card health"><button type="button" class="quiet fold" aria-expanded=${open} onClick=${() => setOpen(!open)}><${Icon} name=${open ? 'down' : 'right'} /><${Icon} name="warn" />${says}</button>
		${open && html`<dl>
			${bad.map((check) => html`<div><dt>${check.name}</dt><dd>${chips(check.detail || '')}${check.fix && html`<br /><span class="muted">${chips(check.fix)}</span>`}</dd></div>`)}
			${drift.map((row) => html`<div><dt><a href=${agentHref(row.agent)}>${row.agent}</a> ${row.field}</dt><dd>should be <code>${chips(String(row.want ?? 'absent'))}</code>, is <code>${chips(String(row.have ?? 'absent'))}</code>${row.since && html` <span class="muted"><${Time} at=${row.since} /></span>`}</dd></div>`)}
		</dl>`}
	</section>`;
}
