// Logging in, or confirming again, with the one-time code that `skep dashboard` prints.
import { html, useEffect, useState } from './html.js';
import { get, login, stepUp } from './api.js';
import { current, navigate } from './router.js';
import { toast, update } from './store.js';
import { Icon, useTitle } from './ui.js';

const PLACE = /^\/(p\/\d+|a\/[a-z0-9-]+)?$/;

// "CODE", "CODE/p/7", "CODE/step-up/p/7", or a whole link that ends so.
export function parseCode(text) {
	const [code, ...rest] = text.trim().replace(/^.*#/, '').split('/');
	const confirms = rest[0] === 'step-up';
	const to = `/${(confirms ? rest.slice(1) : rest).join('/')}`;
	return { code, confirms, to: PLACE.test(to) ? to : '/' };
}

// The code comes as a fragment, which no server and no log sees; it goes from the address at once.
function takeCode() {
	const text = current().page === 'login' ? location.hash.slice(1) : '';
	if (text) history.replaceState(null, '', '/login');
	return text;
}

// Where one wanted to go before being asked who one is.
const wanted = () => (location.pathname === '/login' ? '' : location.pathname + location.search);

export default function Login() {
	const [typed, setTyped] = useState('');
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	useTitle('Log in');
	const enter = async (text) => {
		const { code, confirms, to } = parseCode(text);
		setBusy(true);
		setError(null);
		try {
			if (confirms) {
				await stepUp(code);
				update({ login: (await get('session')).login });
				toast('Confirmed', 'good');
			} else await login(code);
			navigate(wanted() || to, { replace: true });
		} catch (problem) {
			setError(problem);
			setBusy(false);
		}
	};
	useEffect(() => {
		const code = takeCode();
		if (code) enter(code);
	}, []);
	return html`<div class="login">
		<h1>Log in</h1>
		<p>In a terminal on this machine, as somebody who may approve, run</p>
		<pre class="command"><code>skep dashboard</code></pre>
		<p>and open the link it prints. It works once, for a minute.</p>
		<form onSubmit=${(event) => { event.preventDefault(); enter(typed); }}>
			<label for="code">Or paste the link or its code here</label>
			<div class="row"><input id="code" type="password" autocomplete="off" spellcheck="false" required value=${typed} onInput=${(event) => setTyped(event.target.value)} disabled=${busy} />
			<button type="submit" class="primary" disabled=${busy || !typed.trim()}>${busy ? 'Logging in' : 'Log in'}</button></div>
		</form>
		${error && html`<div class="notice bad" role="alert"><${Icon} name="warn" /><p>${error.message}${error.hint ? ` (${error.hint})` : ''}</p></div>`}
	</div>`;
}
