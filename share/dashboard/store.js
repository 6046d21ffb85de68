// What the page knows, in one object, and a hook that draws again when the part that was looked at has changed.
import { useReducer, useLayoutEffect, useRef } from './html.js';

export const state = {
	login: undefined, // undefined: not known yet; null: nobody is logged in
	live: 'connecting', // connecting, live, lost
	loaded: false, // a snapshot has come
	agents: new Map(), // name → agent row
	proposals: new Map(), // id → approval row; what is pending, and what moved since the page was opened
	usage: new Map(), // name → {at: [], cpu: [], memory: [], pressure: [], last}
	usageAt: 0,
	seq: 0,
	now: Date.now(),
	toasts: [],
	newer: false, // the daemon speaks a newer version of the protocol
};

const listeners = new Set();
let due = false;

function tell() {
	due = false;
	for (const listener of [...listeners]) listener();
}

export function update(changes) {
	Object.assign(state, changes);
	if (!due) {
		due = true;
		queueMicrotask(tell);
	}
}

// select takes the state and returns something that stays the same object while it has not changed.
export function useStore(select) {
	const [, again] = useReducer((n) => n + 1, 0);
	const value = select(state);
	const last = useRef({});
	last.current = { select, value };
	useLayoutEffect(() => {
		const look = () => {
			if (!Object.is(last.current.select(state), last.current.value)) again();
		};
		listeners.add(look);
		look();
		return () => listeners.delete(look);
	}, []);
	return value;
}

let toastId = 0;

// A short message at the edge of the page; kind is 'good', 'bad' or ''. `about` is a proposal: decided, it is of no interest any more.
export function toast(text, kind = '', href = '', about = 0) {
	const id = ++toastId;
	update({ toasts: [...state.toasts.slice(-3), { id, text, kind, href, about }] });
	setTimeout(() => dismiss(id), kind === 'bad' ? 12000 : 6000);
}

export function dismiss(id) {
	update({ toasts: state.toasts.filter((toast) => toast.id !== id) });
}

// Browser storage may be switched off; nothing here depends on it but convenience and the write key.
export const storage = {
	get(key) {
		try {
			return localStorage.getItem(key);
		} catch {
			return null;
		}
	},
	set(key, value) {
		try {
			if (value === null) localStorage.removeItem(key);
			else localStorage.setItem(key, value);
		} catch { /* it holds until the page is left */ }
	},
};
