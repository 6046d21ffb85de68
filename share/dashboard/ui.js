// The parts pages are put together from.
import { html, useEffect, useLayoutEffect, useRef, useState } from './html.js';
import { ago, fullTime, short, tone, until } from './format.js';
import { Icon } from './icons.js';
import { state, toast, update, useStore } from './store.js';

export { Icon };

export const Pill = ({ word, title }) => html`<span class="pill ${tone(word)}" title=${title}>${word}</span>`;

export const Dot = ({ word }) => html`<span class="dot ${tone(word)}" aria-hidden="true"></span>`;

setInterval(() => document.hidden || update({ now: Date.now() }), 10000);

// How long ago, kept true while the page is open; the exact time is in its title.
export function Time({ at, future }) {
	const now = useStore((s) => s.now);
	if (!at) return null;
	return html`<time dateTime=${at} title=${fullTime(at)}>${future ? until(at, now) : ago(at, Math.max(now, Date.now()))}</time>`;
}

export async function copy(text, what) {
	try {
		await navigator.clipboard.writeText(text);
		toast(`${what} copied`);
	} catch {
		toast(`the browser did not let ${what} be copied`, 'bad');
	}
}

// An object id by its first twelve digits; a click takes the whole of it.
export function Oid({ id, what = 'commit' }) {
	if (!id) return html`<span class="muted">none</span>`;
	return html`<button class="oid" type="button" title="${id}: copy" onClick=${() => copy(id, what)}>${short(id)}</button>`;
}

export const Empty = ({ title, children }) => html`<div class="empty"><h2>${title}</h2>${children}</div>`;

export const Trouble = ({ error, again }) => html`<div class="notice bad" role="alert">
	<${Icon} name="warn" /><div><p>${error.message}</p>${error.hint && html`<p class="muted">${error.hint}</p>`}</div>
	${again && html`<button type="button" onClick=${again}>Try again</button>`}
</div>`;

export const Loading = ({ what }) => html`<div class="loading" role="status"><span class="sr">Loading ${what}</span><i></i><i></i><i></i></div>`;

// Something from the API: {value, error, again}. It is fetched anew whenever one of deps changes; the old value stays until then.
export function useAsked(ask, deps) {
	const [result, setResult] = useState({});
	const [round, setRound] = useState(0);
	useEffect(() => {
		const control = new AbortController();
		let over = false;
		Promise.resolve(ask(control.signal)).then(
			(value) => over || setResult({ value }),
			(error) => over || setResult((last) => ({ value: last.value, error })),
		);
		return () => { over = true; control.abort(); };
	}, [...deps, round]);
	return { ...result, again: () => setRound((n) => n + 1) };
}

// A dialog of the browser's own: it keeps the focus inside and closes with Escape.
export function Dialog({ title, onClose, children, wide, danger }) {
	const ref = useRef();
	useLayoutEffect(() => {
		const before = document.activeElement;
		ref.current.showModal();
		const first = ref.current.querySelector('[data-first]');
		first?.focus();
		return () => before?.isConnected && before.focus?.();
	}, []);
	return html`<dialog ref=${ref} class="${wide ? 'wide' : ''} ${danger ? 'danger' : ''}" aria-labelledby="dialog-title"
		onClose=${onClose} onClick=${(event) => event.target === ref.current && onClose()}>
		<div class="dialog">
			<header><h2 id="dialog-title">${title}</h2><button type="button" class="quiet square" aria-label="Close" onClick=${onClose}><${Icon} name="cross" /></button></header>
			${children}
		</div>
	</dialog>`;
}

// A button that opens a list of things to do: items are {says, icon, run, href, danger, disabled} or null.
export function Menu({ label, items, children, open: opened, onOpen }) {
	const [own, setOwn] = useState(false);
	const open = opened ?? own;
	const set = (value) => (onOpen ? onOpen(value) : setOwn(value));
	const ref = useRef();
	const shown = items.filter(Boolean);
	useEffect(() => {
		if (!open) return undefined;
		ref.current.querySelector('[role=menuitem]:not(:disabled)')?.focus();
		const away = (event) => ref.current.contains(event.target) || set(false);
		document.addEventListener('pointerdown', away);
		return () => document.removeEventListener('pointerdown', away);
	}, [open]);
	const onKey = (event) => {
		if (!open) return;
		const all = [...ref.current.querySelectorAll('[role=menuitem]:not(:disabled)')];
		const at = all.indexOf(document.activeElement);
		const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: all.length - 1 }[event.key];
		if (to !== undefined) all[(to + all.length) % all.length]?.focus();
		else if (event.key === 'Escape' || event.key === 'Tab') {
			set(false);
			ref.current.querySelector('button').focus();
		} else return;
		if (event.key !== 'Tab') event.preventDefault();
		event.stopPropagation();
	};
	return html`<div class="menu" ref=${ref} onKeyDown=${onKey}>
		<button type="button" class="quiet ${children ? '' : 'square'}" aria-haspopup="menu" aria-expanded=${open} aria-label=${label} title=${children ? undefined : label} onClick=${() => set(!open)}>
			${children || html`<${Icon} name="more" />`}
		</button>
		${open && html`<div role="menu" aria-label=${label}>${shown.map((item) => html`
			<button type="button" role="menuitem" class=${item.danger ? 'danger' : ''} disabled=${item.disabled} onClick=${() => { set(false); item.run(); }}>
				<${Icon} name=${item.icon || 'right'} />${item.says}
			</button>`)}</div>`}
	</div>`;
}

// Tabs that are links: each has an address of its own.
export const Tabs = ({ label, tabs, now, onPick }) => html`<nav class="tabs" aria-label=${label}>${tabs.filter(Boolean).map(({ id, says, note, href }) => html`
	<a href=${href} aria-current=${id === now ? 'page' : undefined} onClick=${(event) => { if (event.button === 0 && !event.metaKey && !event.ctrlKey) { event.preventDefault(); event.stopPropagation(); onPick(id); } }}>${says}${note !== undefined && html`<span class="count">${note}</span>`}</a>`)}
</nav>`;

// What went wrong with something a person asked for, said once.
export function complain(error) {
	toast(error.hint ? `${error.message} (${error.hint})` : error.message, 'bad');
}

export const setTitle = (text) => {
	const waiting = [...state.proposals.values()].filter((row) => row.status === 'pending').length;
	document.title = `${waiting ? `(${waiting}) ` : ''}${text ? `${text} · ` : ''}skep`;
};

export function useTitle(text) {
	const waiting = useStore((s) => s.proposals);
	useEffect(() => setTitle(text), [text, waiting]);
}
