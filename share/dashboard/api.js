// Requests to the API. An answer that is not ok becomes an ApiError with the protocol's code.
import { state, storage, update } from './store.js';

const PREFIX = '/api/v1/';
const VERSION = 1;
let key = storage.get('skep.key');
let askStepUp = () => Promise.resolve(false);

export class ApiError extends Error {
	constructor(answer, status) {
		super(answer.error || `the server answered ${status}`);
		this.code = answer.code || 'internal';
		this.hint = answer.hint;
		this.answer = answer;
	}
}

// How a person is asked for a confirmation code: a function of the proposal's number that resolves to whether one was accepted.
export function onStepUp(ask) {
	askStepUp = ask;
}

async function ask(path, options) {
	let response, answer;
	try {
		response = await fetch(PREFIX + path, { credentials: 'same-origin', cache: 'no-store', ...options });
		answer = await response.json();
	} catch (error) {
		if (options?.signal?.aborted) throw error;
		if (!response) throw new ApiError({ code: 'unavailable', error: 'the dashboard\'s server cannot be reached' }, 0);
		answer = { code: response.status === 401 ? 'unauthorized' : 'internal', error: `the server answered ${response.status} without saying why` };
	}
	if (answer.version > VERSION && !state.newer) update({ newer: true });
	if (answer.ok) return answer;
	if (response.status === 401 && path !== 'login') update({ login: null });
	throw new ApiError(answer, response.status);
}

export const get = (path, signal) => ask(path, { signal });

const send = (path, body) => ask(path, {
	method: 'POST',
	headers: { 'Content-Type': 'application/json', ...(key ? { 'Skep-Key': key } : {}) },
	body: JSON.stringify(body || {}),
});

// A change. Where a fresh confirmation is wanted it is asked for, and the same request is made once more. `id` is the proposal it is about.
export async function post(path, body, id) {
	try {
		return await send(path, body);
	} catch (error) {
		if (error.code !== 'step_up' || !(await askStepUp(id))) throw error;
		return send(path, body);
	}
}

export async function login(code) {
	const { login: granted } = await send('login', { code });
	key = granted.key;
	storage.set('skep.key', key);
	const { key: hidden, ...shown } = granted;
	update({ login: shown });
	return shown;
}

export async function stepUp(code) {
	const { login: granted } = await send('step-up', { code });
	update({ login: { ...state.login, ...granted } });
}

export async function logout() {
	try {
		await send('logout');
	} finally {
		key = null;
		storage.set('skep.key', null);
		update({ login: null });
	}
}

// Whoever reads with the cookie alone may look, but not act.
export const hasKey = () => Boolean(key);

export const encode = encodeURIComponent;

// 128 bits that make a repeated verdict one verdict.
export function idemKey() {
	return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
