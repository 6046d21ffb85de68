// Text that others wrote. It is only ever a text node; what could hide or reorder its neighbours is shown as a chip.
import { html } from './html.js';

// The daemon has already turned such characters into escapes; what is written like one is shown like one.
const special = /\\x[0-9a-f]{2}|U\+[0-9A-F]{4,6}|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|\udb40[\udc00-\udfff]/g;
const names = {
	'U+202A': 'left-to-right embedding', 'U+202B': 'right-to-left embedding', 'U+202C': 'pop directional formatting',
	'U+202D': 'left-to-right override', 'U+202E': 'right-to-left override', 'U+2066': 'left-to-right isolate',
	'U+2067': 'right-to-left isolate', 'U+2068': 'first strong isolate', 'U+2069': 'pop directional isolate',
	'U+200B': 'zero width space', 'U+200C': 'zero width non-joiner', 'U+200D': 'zero width joiner',
	'U+200E': 'left-to-right mark', 'U+200F': 'right-to-left mark', 'U+FEFF': 'byte order mark', 'U+00AD': 'soft hyphen',
	'\\x1b': 'escape', '\\x00': 'NUL', '\\x07': 'bell', '\\x08': 'backspace', '\\x0d': 'carriage return', '\\x7f': 'delete',
};

function label(found) {
	if (found.length > 2 || /^[\x20-\x7e]+$/.test(found)) return found;
	const point = found.codePointAt(0);
	return point < 0x20 || (point >= 0x7f && point < 0xa0)
		? `\\x${point.toString(16).padStart(2, '0')}`
		: `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
}

// A string, or an array of strings and chips.
export function chips(text) {
	if (!text || text.search(special) < 0) return text;
	const parts = [];
	let from = 0;
	for (const match of text.matchAll(special)) {
		if (match.index > from) parts.push(text.slice(from, match.index));
		const shown = label(match[0]);
		parts.push(html`<span class="chip" title=${names[shown] || 'a character that cannot be seen'}>${shown}</span>`);
		from = match.index + match[0].length;
	}
	if (from < text.length) parts.push(text.slice(from));
	return parts;
}

const PROSE_MAX = 2048;

// What an agent says of itself: boxed, plain, cut, never a link.
export function Said({ by, text }) {
	if (!text) return null;
	const cut = text.length > PROSE_MAX;
	return html`<figure class="said">
		<figcaption><b>${by}</b> says <span class="unverified" title="Written by the agent. Nobody checked it.">unverified</span></figcaption>
		<blockquote>${chips(cut ? text.slice(0, PROSE_MAX) : text)}${cut ? '…' : ''}</blockquote>
	</figure>`;
}

const SGR = /\\x1b\[([0-9;]{0,24})m/g;
const other = /\\x1b(?:\[[0-9;?]*[A-Za-ln-z]|\]8;;.*?(?:\\x07|\\x1b\\\\)|\(B)/g;

function applySgr(style, codes) {
	for (const code of (codes || '0').split(';').map(Number)) {
		if (code === 0) style = {};
		else if (code === 1) style = { ...style, bold: true };
		else if (code === 2) style = { ...style, dim: true };
		else if (code === 3) style = { ...style, italic: true };
		else if (code === 4) style = { ...style, under: true };
		else if (code === 7) style = { ...style, reverse: true };
		else if (code === 22) style = { ...style, bold: false, dim: false };
		else if (code >= 30 && code <= 37) style = { ...style, color: code - 30 };
		else if (code >= 90 && code <= 97) style = { ...style, color: code - 90 };
		else if (code === 39) style = { ...style, color: undefined };
	}
	return style;
}

const sgrClass = (style) => [
	style.bold && 'sgr-bold', style.dim && 'sgr-dim', style.italic && 'sgr-italic', style.under && 'sgr-under',
	style.reverse && 'sgr-reverse', style.color !== undefined && `sgr-${style.color}`,
].filter(Boolean).join(' ');

// A line of a log: colours of an allow-list become classes, every other control sequence stays visible.
const visible = (line) => line.replace(/\u001b/g, '\\x1b').replace(/\r$/, '');

export function logText(raw) {
	const line = visible(raw);
	if (!line.includes('\\x1b')) return chips(line);
	const parts = [];
	let from = 0, style = {};
	const add = (text) => {
		if (!text) return;
		const shown = chips(text), name = sgrClass(style);
		parts.push(name ? html`<span class=${name}>${shown}</span>` : shown);
	};
	for (const match of line.matchAll(SGR)) {
		add(line.slice(from, match.index));
		style = applySgr(style, match[1]);
		from = match.index + match[0].length;
	}
	add(line.slice(from));
	return parts;
}

// The same without any control sequence, to search in.
export const logPlain = (line) => visible(line).replace(SGR, '').replace(other, '');
