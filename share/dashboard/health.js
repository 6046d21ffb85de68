// What is wrong with the host: nothing to see while all is well.
import { html, useState } from './html.js';
import { get } from './api.js';
import { count } from './format.js';
import { chips } from './text.js';
import { Icon, useAsked } from './ui.js';

export function Health() {
	const checks = useAsked((signal) => get('doctor', signal).then((answer) => answer.checks, () => []), []).value || [];
	const [open, setOpen] = useState(false);
	const bad = checks.filter((check) => !check.ok);
	if (!bad.length) return null;
	return html`<section class="card health"><button type="button" class="quiet fold" aria-expanded=${open} onClick=${() => setOpen(!open)}><${Icon} name=${open ? 'down' : 'right'} /><${Icon} name="warn" />${count(bad.length, 'thing')} about this host</button>
		${open && html`<dl>
			${bad.map((check) => html`<div><dt>${check.name}</dt><dd>${chips(check.detail || '')}${check.fix && html`<br /><span class="muted">${chips(check.fix)}</span>`}</dd></div>`)}
		</dl>`}
	</section>`;
}
