// The frame round every page: who is logged in, where one can go, what is live, and the keys that work everywhere.
import { html, render, Component, useEffect, useState } from './html.js';
import { get, hasKey, logout, onStepUp } from './api.js';
import { connect, disconnect, isPending, onProposal, pending } from './live.js';
import { current, navigate, start as startRouter, useRoute } from './router.js';
import { listed, start as startKeys, useKeys } from './keys.js';
import { dismiss, state, storage, toast, update, useStore } from './store.js';
import { count, subjectOf } from './format.js';
import { Icon, Logo } from './icons.js';
import { Dialog, Empty, Loading, Menu } from './ui.js';

const pages = {
	hive: () => import('./hive.js'),
	review: () => import('./review.js'),
	agent: () => import('./agent.js'),
	deploys: () => import('./deploys.js'),
	audit: () => import('./audit.js'),
	login: () => import('./login.js'),
};

function Lost() {
	return html`<${Empty} title="There is no such page"><p>Perhaps the address was cut short. <a href="/">To the hive</a></p><//>`;
}

// ---- theme ----

const themes = ['auto', 'light', 'dark'];

function setTheme(theme) {
	if (theme === 'auto') delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
	storage.set('skep.theme', theme === 'auto' ? null : theme);
	update({ theme });
}

setTheme(themes.includes(storage.get('skep.theme')) ? storage.get('skep.theme') : 'auto');

const nextTheme = () => setTheme(themes[(themes.indexOf(state.theme) + 1) % themes.length]);

// ---- notifications ----

const canNotify = () => 'Notification' in window;
const wantsNotes = () => canNotify() && Notification.permission === 'granted' && storage.get('skep.notify') === 'yes';

async function toggleNotes() {
	if (!canNotify()) return toast('this browser has no notifications', 'bad');
	if (wantsNotes()) {
		storage.set('skep.notify', null);
		update({ notes: false });
		return toast('No more notifications');
	}
	if ((await Notification.requestPermission()) !== 'granted') return toast('the browser does not allow notifications here', 'bad');
	storage.set('skep.notify', 'yes');
	update({ notes: true });
	return toast('You will be told of new proposals', 'good');
}

const SETTLE_MS = 1500;

// What arrives right after a snapshot is not news but what the snapshot had missed; and what was decided meanwhile is none either.
function note(row, before) {
	if (!isPending(row) || (before && isPending(before)) || Date.now() - state.loadedAt < SETTLE_MS) return;
	setTimeout(() => {
		const now = state.proposals.get(row.id);
		if (now && isPending(now)) tell(now);
	}, 500);
}

// Only what the controller says, never an agent's words; it leads to the difference and has no buttons.
function tell(row) {
	const text = `Proposal ${row.id} of ${subjectOf(row)} waits for review`;
	if (current().id !== row.id) toast(text, '', `/p/${row.id}`, row.id);
	if (!wantsNotes() || document.hasFocus()) return;
	const shown = new Notification(text, { tag: `skep-${row.id}`, body: `${count(row.flags?.length || 0, 'flag')}` });
	shown.onclick = () => { window.focus(); navigate(`/p/${row.id}`); shown.close(); };
}

// ---- parts of the frame ----

const places = [['hive', '/', 'Hive', 'hive'], ['deploys', '/deploys', 'Deploys', 'deploys'], ['audit', '/audit', 'Audit', 'audit']];

function Nav({ page }) {
	return html`<nav class="mainnav" aria-label="Pages">${places.map(([id, href, says, icon]) => html`
		<a href=${href} aria-current=${page === id ? 'page' : undefined}><${Icon} name=${icon} /><span>${says}</span></a>`)}
	</nav>`;
}

function nextPending() {
	const rows = pending();
	const here = current().page === 'review' ? current().id : 0;
	const next = rows.find((row) => row.id > here) || rows[0];
	if (next) navigate(`/p/${next.id}`);
	else toast('Nothing waits for review');
}

function Waiting() {
	const proposals = useStore((s) => s.proposals);
	const waiting = [...proposals.values()].filter(isPending).length;
	if (!waiting) return null;
	return html`<button type="button" class="waiting" onClick=${nextPending} title="To the next one that waits (n)"><b>${waiting}</b> <span>to review</span></button>`;
}

const liveWords = { live: 'Live', connecting: 'Connecting', lost: 'Connection lost, trying again' };

function Live() {
	const live = useStore((s) => s.live);
	return html`<span class="live ${live}" role="status" title=${liveWords[live]}><span class="sr">${liveWords[live]}</span></span>`;
}

function Header({ page, onHelp }) {
	const login = useStore((s) => s.login);
	const theme = useStore((s) => s.theme);
	const notes = useStore((s) => s.notes);
	return html`<header class="top">
		<a class="brand" href="/" aria-label="skep: the hive"><${Logo} /><b>skep</b></a>
		<${Nav} page=${page} />
		<span class="grow"></span>
		<${Waiting} />
		${login && html`<${Live} />`}
		<${Menu} label="${login?.login || ''} account and settings" items=${[
			{ says: `Theme: ${theme}`, icon: { auto: 'auto', light: 'sun', dark: 'moon' }[theme], run: nextTheme },
			{ says: notes ? 'Stop notifications' : 'Notify me of proposals', icon: 'bell', run: toggleNotes },
			{ says: 'Keyboard', icon: 'help', run: onHelp },
			login && { says: 'Log out', icon: 'out', run: () => logout().catch(() => {}) },
		]}><${Icon} name="gear" /><span class="who">${login?.login || ''}</span><//>
	</header>`;
}

function Help({ onClose }) {
	return html`<${Dialog} title="Keyboard" wide onClose=${onClose}>
		<div class="keys">${listed().map(({ title, keys }) => html`<section><h3>${title}</h3><dl>${keys.map(({ key, also, says }) => html`
			<div><dt>${[key, ...(also || []).filter((k) => k.length > 1 && !k.includes(' '))].map((k) => html`<kbd>${k}</kbd> `)}</dt><dd>${says}</dd></div>`)}</dl></section>`)}
			<section><h3>In forms</h3><dl><div><dt><kbd>Enter</kbd></dt><dd>do it</dd></div><div><dt><kbd>Escape</kbd></dt><dd>leave it</dd></div></dl></section>
		</div>
		<p class="muted small">Made with Preact, htm and uPlot: <a href=${new URL('./licenses.txt', import.meta.url).pathname} target="_blank">their licences</a></p>
	<//>`;
}

function Toasts() {
	const toasts = useStore((s) => s.toasts);
	const proposals = useStore((s) => s.proposals);
	const due = toasts.filter(({ about }) => !about || proposals.get(about)?.status === 'pending');
	return html`<div class="toasts" role="status" aria-live="polite">${due.map(({ id, text, kind, href }) => html`
		<div class="toast ${kind}" key=${id}>${href ? html`<a href=${href}>${text}</a>` : html`<span>${text}</span>`}
			<button type="button" class="quiet square" aria-label="Dismiss" onClick=${() => dismiss(id)}><${Icon} name="cross" /></button></div>`)}
	</div>`;
}

function Banner() {
	const live = useStore((s) => s.live);
	const newer = useStore((s) => s.newer);
	const login = useStore((s) => s.login);
	const [late, setLate] = useState(false);
	useEffect(() => {
		const timer = setTimeout(() => setLate(live === 'lost'), live === 'lost' ? 1500 : 0);
		return () => clearTimeout(timer);
	}, [live]);
	if (newer) return html`<div class="banner" role="status">skep was updated. <button type="button" class="quiet" onClick=${() => location.reload()}>Load the new page</button></div>`;
	if (late && live === 'lost') return html`<div class="banner bad" role="status">The connection to skep is lost: what you see may be old. It is being tried again.</div>`;
	if (login && !hasKey()) return html`<div class="banner" role="status">This browser may look but not act: its key is not here. Log in again with <code>skep dashboard</code>.</div>`;
	return null;
}

// ---- asking for a confirmation ----

let confirmation = null; // {id, done}

function askStepUp(id) {
	return new Promise((resolve) => {
		confirmation?.done(false);
		confirmation = { id, done: (value) => { confirmation = null; update({ confirming: 0 }); resolve(value); } };
		update({ confirming: Date.now() });
	});
}

function StepUp() {
	const open = useStore((s) => s.confirming);
	const [Part, setPart] = useState(null);
	useEffect(() => {
		if (open && !Part) import('./stepup.js').then((module) => setPart(() => module.default));
	}, [open]);
	return open && Part && confirmation ? html`<${Part} key=${open} id=${confirmation.id} done=${confirmation.done} />` : null;
}

// ---- the page ----

const loaded = {};

// A page that cannot be drawn says so, and takes nothing else with it.
class Guard extends Component {
	componentDidCatch(error) {
		console.error(error);
		this.setState({ error });
	}

	render({ children }, { error }) {
		return error ? html`<${Empty} title="This page cannot be shown"><p>Something in it was not understood. <button type="button" onClick=${() => location.reload()}>Load it again</button></p><//>` : children;
	}
}

function Page({ route }) {
	const [, again] = useState(0);
	const [error, setError] = useState(null);
	const Shown = route.page === 'lost' ? Lost : loaded[route.page];
	useEffect(() => {
		if (Shown) return;
		setError(null);
		pages[route.page]().then((module) => { loaded[route.page] = module.default; again((n) => n + 1); }, setError);
	}, [route.page]);
	if (error) return html`<${Empty} title="This page could not be loaded"><p>skep may have been updated. <button type="button" onClick=${() => location.reload()}>Load it again</button></p><//>`;
	return Shown ? html`<${Guard} key=${route.path}><${Shown} route=${route} /><//>` : html`<${Loading} what="the page" />`;
}

function App() {
	const route = useRoute();
	const login = useStore((s) => s.login);
	const [help, setHelp] = useState(false);
	useKeys('Everywhere', [
		{ key: '?', says: 'this list', run: () => setHelp(true) },
		{ key: 'g h', says: 'to the hive', run: () => navigate('/') },
		{ key: 'g d', says: 'to the deploys', run: () => navigate('/deploys') },
		{ key: 'g a', says: 'to the audit', run: () => navigate('/audit') },
		{ key: 'n', says: 'to the next proposal that waits', run: nextPending },
		{ key: 't', says: 'light, dark, or as the system', run: nextTheme },
	]);
	const page = login === null ? 'login' : route.page;
	const shown = page === route.page ? route : { ...route, page };
	useEffect(() => {
		if (login === null) disconnect();
		else connect();
	}, [login === null]);
	return html`
		<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById('main').focus(); }}>To the content</a>
		<${Header} page=${page} onHelp=${() => setHelp(true)} />
		<${Banner} />
		<main id="main" tabindex="-1"><${Page} route=${shown} /></main>
		<${Toasts} />
		<${StepUp} />
		${help && html`<${Help} onClose=${() => setHelp(false)} />`}`;
}

onStepUp(askStepUp);
onProposal(note);
update({ notes: wantsNotes() });
startRouter();
startKeys();
if (current().page !== 'login') get('session').then(({ login }) => update({ login }), () => {});
else update({ login: null });
render(html`<${App} />`, document.getElementById('app'));
