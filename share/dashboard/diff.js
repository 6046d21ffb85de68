// A difference as rows to draw: numbered lines, changed lines in pairs, and what changed inside a pair. No page in here.

// Longest common subsequence of two short arrays: pairs of indices, in order.
export function common(a, b) {
	let head = 0, tail = 0;
	while (head < a.length && head < b.length && a[head] === b[head]) head++;
	while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
	const n = a.length - head - tail, m = b.length - head - tail, width = m + 1;
	const pairs = [];
	for (let i = 0; i < head; i++) pairs.push([i, i]);
	if (n * m > 0 && n * m <= 250000) {
		const best = new Uint16Array((n + 1) * width);
		for (let i = n - 1; i >= 0; i--)
			for (let j = m - 1; j >= 0; j--)
				best[i * width + j] = a[head + i] === b[head + j] ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
		for (let i = 0, j = 0; i < n && j < m;) {
			if (a[head + i] === b[head + j]) pairs.push([head + i++, head + j++]);
			else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++;
			else j++;
		}
	}
	for (let i = tail; i > 0; i--) pairs.push([a.length - i, b.length - i]);
	return pairs;
}

const TOKENS_MAX = 500;
// An escape the daemon made of a character is one token, so that no mark falls into it.
const tokensOf = (text) => text.match(/\\x[0-9a-f]{2}|U\+[0-9A-F]{4,6}|[\p{L}\p{N}_]+|\s+|[^]/gu) || [];

// The parts of a line: [text, changed] in order.
function parts(tokens, same) {
	const result = [];
	tokens.forEach((token, i) => {
		const changed = !same.has(i), last = result.at(-1);
		if (last && last[1] === changed) last[0] += token;
		else result.push([token, changed]);
	});
	// a lone blank between two changed words is read as one change
	for (let i = result.length - 2; i > 0; i--)
		if (!result[i][1] && /^\s$/.test(result[i][0])) result.splice(i - 1, 3, [result[i - 1][0] + result[i][0] + result[i + 1][0], true]);
	return result;
}

// What changed between two lines, or null when so little is common that marks would only confuse.
export function words(before, after) {
	const a = tokensOf(before), b = tokensOf(after);
	if (!a.length || !b.length || a.length > TOKENS_MAX || b.length > TOKENS_MAX) return null;
	const pairs = common(a, b);
	const shared = pairs.reduce((sum, [i]) => sum + (a[i].trim() ? a[i].length : 0), 0);
	if (shared * 2.5 < Math.min(before.trim().length, after.trim().length)) return null;
	return [parts(a, new Set(pairs.map(([i]) => i))), parts(b, new Set(pairs.map(([, j]) => j)))];
}

const RUN_MAX = 400;
const bare = (row) => row.text.replace(/\s+/g, '');

// A run of removed lines and the added ones after it: which belong together, and which differ in white space alone.
function settle(removed, added, ignoreSpace) {
	if (!removed.length || !added.length) return [...removed, ...added];
	if (ignoreSpace && removed.length <= RUN_MAX && added.length <= RUN_MAX) {
		const same = common(removed.map(bare), added.map(bare));
		if (same.length) {
			const rows = [];
			let i = 0, j = 0;
			for (const [x, y] of [...same, [removed.length, added.length]]) {
				rows.push(...settle(removed.slice(i, x), added.slice(j, y), false));
				if (added[y]) rows.push({ mark: ' ', text: added[y].text, old: removed[x].old, now: added[y].now, space: true });
				i = x + 1;
				j = y + 1;
			}
			return rows;
		}
	}
	if (removed.length === added.length || Math.max(removed.length, added.length) <= 3)
		for (let i = 0; i < Math.min(removed.length, added.length); i++) {
			removed[i].pair = added[i];
			added[i].pair = removed[i];
		}
	return [...removed, ...added];
}

function hunkRows(hunk, ignoreSpace) {
	const rows = [{ hunk: true, text: hunk.header || '', at: `-${hunk.old_start},${hunk.old_lines} +${hunk.new_start},${hunk.new_lines}` }];
	let old = hunk.old_start, now = hunk.new_start, removed = [], added = [];
	const flush = () => {
		rows.push(...settle(removed, added, ignoreSpace));
		removed = [];
		added = [];
	};
	for (const [mark, text] of hunk.lines) {
		if (mark === '-') {
			if (added.length) flush();
			removed.push({ mark, text, old: old++ });
		} else if (mark === '+') added.push({ mark, text, now: now++ });
		else if (mark === '\\') {
			const last = added.at(-1) || removed.at(-1) || rows.at(-1);
			if (!last.hunk) last.noNewline = true;
		} else {
			flush();
			rows.push({ mark: ' ', text, old: old++, now: now++ });
		}
	}
	flush();
	return rows;
}

export const fileRows = (file, ignoreSpace) => (file.hunks || []).flatMap((hunk) => hunkRows(hunk, ignoreSpace));

// The parts of one changed line, worked out when it is first drawn.
export function lineParts(row) {
	if (!row.pair) return null;
	if (row.parts === undefined) {
		const [before, after] = row.mark === '-' ? [row, row.pair] : [row.pair, row];
		const both = words(before.text, after.text);
		before.parts = both && both[0];
		after.parts = both && both[1];
	}
	return row.parts;
}

const swapped = { added: 'deleted', deleted: 'added' };
const otherMark = { '+': '-', '-': '+' };

// The same difference read backwards: what would change if one went from new to old.
export function inverted(diff) {
	return {
		...diff, added: diff.removed, removed: diff.added,
		files: diff.files.map((file) => ({
			...file, path: file.old_path || file.path, old_path: file.old_path && file.path, status: swapped[file.status] || file.status,
			old_mode: file.new_mode, new_mode: file.old_mode, old_bytes: file.new_bytes, new_bytes: file.old_bytes, added: file.removed, removed: file.added,
			hunks: file.hunks?.map((hunk) => ({
				...hunk, old_start: hunk.new_start, old_lines: hunk.new_lines, new_start: hunk.old_start, new_lines: hunk.old_lines,
				lines: turned(hunk.lines),
			})),
		})),
	};
}

// Removed lines come before added ones again.
function turned(lines) {
	const result = [];
	let run = [];
	const flush = () => {
		const of = (sign) => run.filter(([mark]) => mark === sign);
		result.push(...of('-'), ...of('+'));
		run = [];
	};
	for (const [mark, text] of lines) {
		if (otherMark[mark]) run.push([otherMark[mark], text]);
		else {
			flush();
			result.push([mark, text]);
		}
	}
	flush();
	return result;
}

// "path:R12" → {path, side, line}; a flag's place "path:12" means the new side.
export function parsePlace(text) {
	const match = /^(.*?)(?::([LR]?)(\d+))?$/s.exec(text);
	return { path: match[1], side: match[2] || 'R', line: match[3] ? Number(match[3]) : 0 };
}
