// Where the page is, from its address, and how it gets elsewhere without being loaded again.
import { useReducer, useEffect } from './html.js';

const listeners = new Set();

function parse({ pathname, search, hash }) {
	const query = new URLSearchParams(search);
	const [, first, second] = pathname.split('/');
	const route = { page: 'lost', path: pathname, query, hash: hash.slice(1) };
	if (!first) route.page = 'hive';
	else if (first === 'p' && /^\d{1,15}$/.test(second)) Object.assign(route, { page: 'review', id: Number(second) });
	else if (first === 'a' && /^[a-z][a-z0-9-]{0,62}$/.test(second)) Object.assign(route, { page: 'agent', name: second });
	else if (['deploys', 'audit', 'login'].includes(first) && !second) route.page = first;
	return route;
}

let route = parse(location);
export const current = () => route;

function moved() {
	route = parse(location);
	for (const listener of [...listeners]) listener(route);
}

export function navigate(href, { replace = false } = {}) {
	const url = new URL(href, location.href);
	if (url.href === location.href) return;
	const samePage = url.pathname === location.pathname;
	history[replace ? 'replaceState' : 'pushState'](null, '', url);
	if (!samePage) scrollTo(0, 0);
	moved();
}

// Changes parts of the query; an empty value takes one away.
export function setQuery(changes, { hash = '', replace = true } = {}) {
	const url = new URL(location.href);
	for (const [key, value] of Object.entries(changes)) {
		if (value) url.searchParams.set(key, value);
		else url.searchParams.delete(key);
	}
	url.hash = hash;
	navigate(url.href, { replace });
}

export function useRoute() {
	const [, again] = useReducer((n) => n + 1, 0);
	useEffect(() => {
		listeners.add(again);
		return () => listeners.delete(again);
	}, []);
	return route;
}

const ours = (url) => url.origin === location.origin && /^\/($|p\/|a\/|deploys$|audit$|login$)/.test(url.pathname);

export function start() {
	addEventListener('popstate', moved);
	document.addEventListener('click', (event) => {
		const link = event.target.closest?.('a[href]');
		if (!link || event.defaultPrevented || event.button !== 0 || link.target || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
		const url = new URL(link.href);
		if (!ours(url)) return;
		event.preventDefault();
		navigate(link.href);
	});
}
