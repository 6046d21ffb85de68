// The keyboard. Whatever is on the page registers its keys with a word on what they do; `?` lists exactly those.
import { useLayoutEffect, useRef } from './html.js';

const groups = [];
const PREFIX_MS = 1200;
let prefix = '', prefixTimer = 0;

const typing = (target) => target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)
	|| (target.tagName === 'INPUT' && !/^(checkbox|radio|button|submit)$/.test(target.type));

function nameOf(event) {
	const { key } = event;
	if (key.length === 1) return key;
	return (event.shiftKey ? 'Shift+' : '') + key;
}

// Links and buttons keep the keys that press them.
const pressed = (event) => (event.key === 'Enter' || event.key === ' ') && event.target.closest('a,button,input,select,summary,[role=menuitem]');

function onKey(event) {
	if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
	if (document.querySelector('dialog[open]') || typing(event.target) || pressed(event)) return;
	const name = prefix + nameOf(event);
	prefix = '';
	clearTimeout(prefixTimer);
	for (const group of [...groups].reverse()) {
		const found = group.keys.find((entry) => entry.key === name || entry.also?.includes(name));
		if (found && found.run(event) !== false) {
			event.preventDefault();
			return;
		}
	}
	if (groups.some((group) => group.keys.some((entry) => entry.key.startsWith(`${name} `)))) {
		prefix = `${name} `;
		prefixTimer = setTimeout(() => { prefix = ''; }, PREFIX_MS);
		event.preventDefault();
	}
}

export function start() {
	document.addEventListener('keydown', onKey);
}

// keys: [{key: 'j', also: ['ArrowDown'], says: 'next agent', run(event)}]; a sequence is written 'g h'. The newest group goes first.
export function useKeys(title, keys) {
	const group = useRef({ title, keys });
	group.current.keys = keys;
	group.current.title = title;
	useLayoutEffect(() => {
		const mine = group.current;
		groups.push(mine);
		return () => groups.splice(groups.indexOf(mine), 1);
	}, []);
}

export const listed = () => groups.map(({ title, keys }) => ({ title, keys: keys.filter((entry) => entry.says) })).filter(({ keys }) => keys.length);
