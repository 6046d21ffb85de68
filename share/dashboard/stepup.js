// A verdict wants to know that it is still the same person: a code from the terminal, pasted here or opened as a link elsewhere in this browser.
import { html, useEffect, useState } from './html.js';
import { get, stepUp } from './api.js';
import { Dialog } from './ui.js';

const LOOK_MS = 1500;
const isAhead = (time) => time && Date.parse(time) > Date.now();

export default function StepUp({ id, done }) {
	const [code, setCode] = useState('');
	const [error, setError] = useState(null);
	const [busy, setBusy] = useState(false);
	useEffect(() => {
		const timer = setInterval(async () => {
			try {
				const { login } = await get('session');
				if (isAhead(login.step_up_until) || (id && login.confirmed === id && isAhead(login.confirmed_until))) done(true);
			} catch { /* the page itself says so */ }
		}, LOOK_MS);
		return () => clearInterval(timer);
	}, []);
	const confirm = async (event) => {
		event.preventDefault();
		setBusy(true);
		setError(null);
		try {
			await stepUp(code.trim().replace(/^.*#/, '').split('/')[0]);
			done(true);
		} catch (problem) {
			setError(problem);
			setBusy(false);
		}
	};
	return html`<${Dialog} title="Is it still you?" onClose=${() => done(false)}>
		<form onSubmit=${confirm}>
			<p>Your last confirmation is more than a quarter of an hour old. In a terminal on this machine, run</p>
			<pre class="command"><code>skep dashboard --confirm${id ? ` ${id}` : ''}</code></pre>
			<p>and open the link it prints, or paste it here:</p>
			<label for="confirm-code" class="sr">Link or code</label>
			<input id="confirm-code" data-first type="password" autocomplete="off" spellcheck="false" required value=${code} onInput=${(event) => setCode(event.target.value)} />
			${error && html`<p class="bad-text" role="alert">${error.message}</p>`}
			<footer><button type="button" onClick=${() => done(false)}>Cancel</button><button type="submit" class="primary" disabled=${busy || !code.trim()}>Confirm</button></footer>
		</form>
	<//>`;
}
