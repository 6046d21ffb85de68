// The parts of the dashboard that need no browser, and what the build makes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { common, fileRows, inverted, lineParts, parsePlace, words } from '../../share/dashboard/diff.js';
import { ago, bytes, duration, isManager } from '../../share/dashboard/format.js';
import { BUILD } from './lib/browser.mjs';

const text = (parts) => parts.map(([part]) => part).join('');
const marked = (parts) => parts.filter(([, changed]) => changed).map(([part]) => part);

test('words that changed are found, and nothing of a line is lost', () => {
	const cases = [
		['a = compute(1, "before")', 'a = compute(1, "after")', ['before'], ['after']],
		['  "memory_max": "512M",', '  "memory_max": "1G",', ['512M'], ['1G']],
		['if x:', 'if  x:', [' '], ['  ']],
		['run(U+202Eabc)', 'run(abc)', ['U+202E'], []],
	];
	for (const [before, after, removed, added] of cases) {
		const [old, now] = words(before, after);
		assert.equal(text(old), before);
		assert.equal(text(now), after);
		assert.deepEqual(marked(old), removed);
		assert.deepEqual(marked(now), added);
	}
	assert.equal(words('entirely one thing', '42 + 17 * 99'), null, 'lines that share nothing carry no marks');
});

test('the manager is told by its role, whatever it is called', () => {
	assert.equal(isManager({ name: 'hm1nd', role: 'agent' }), false);
	assert.equal(isManager({ name: 'queen', role: 'manager' }), true);
});

test('the longest common subsequence is one', () => {
	for (let round = 0; round < 200; round++) {
		const make = () => Array.from({ length: (round * 7) % 13 }, (_, i) => 'abc'[(i * round + (i >> 1)) % 3]);
		const a = make(), b = make().reverse();
		const pairs = common(a, b);
		pairs.forEach(([i, j], n) => {
			assert.equal(a[i], b[j]);
			if (n) assert.ok(i > pairs[n - 1][0] && j > pairs[n - 1][1]);
		});
	}
});

const file = {
	path: 'a', status: 'modified', added: 2, removed: 2,
	hunks: [{ old_start: 10, old_lines: 4, new_start: 10, new_lines: 4, header: 'f()', lines: [[' ', 'one'], ['-', '\ttwo'], ['-', 'three'], ['+', '    two'], ['+', 'drei'], [' ', 'four'], ['\\', 'No newline at end of file']] }],
};

test('lines are numbered on both sides, and changes of white space can be left out', () => {
	const rows = fileRows(file, false);
	assert.deepEqual(rows.map((row) => [row.mark, row.old, row.now]), [[undefined, undefined, undefined], [' ', 10, 10], ['-', 11, undefined], ['-', 12, undefined], ['+', undefined, 11], ['+', undefined, 12], [' ', 13, 13]]);
	assert.ok(rows.at(-1).noNewline);
	assert.ok(lineParts(rows[2]));
	const quiet = fileRows(file, true);
	assert.equal(quiet.filter((row) => row.space).length, 1);
	assert.equal(quiet.filter((row) => row.mark === '-').length, 1, 'a real change stays');
	assert.equal(quiet.find((row) => row.space).text, '    two');
});

test('a difference read backwards is the way back', () => {
	const diff = { files: [{ ...file, old_path: 'b' }], added: 2, removed: 2 };
	const back = inverted(diff);
	assert.equal(back.files[0].path, 'b');
	assert.deepEqual(back.files[0].hunks[0].lines.filter(([mark]) => mark === '-').map(([, line]) => line), ['    two', 'drei']);
	assert.deepEqual(inverted(back).files[0].hunks, diff.files[0].hunks);
});

test('places of flags and addresses of lines are understood', () => {
	assert.deepEqual(parsePlace('etc/a:b.service:12'), { path: 'etc/a:b.service', side: 'R', line: 12 });
	assert.deepEqual(parsePlace('etc/a:L7'), { path: 'etc/a', side: 'L', line: 7 });
	assert.deepEqual(parsePlace('etc/a'), { path: 'etc/a', side: 'R', line: 0 });
});

test('times and sizes are said as people say them', () => {
	assert.deepEqual([0, 59, 61, 3700, 90000, 1e7].map(duration), ['0 s', '59 s', '1 min', '1 h 1 min', '1 d 1 h', '115 d']);
	assert.equal(ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T02:30:00Z')), '2 h 30 min ago');
	assert.deepEqual([0, 1023, 1536, 5 * 2 ** 30].map(bytes), ['0 B', '1023 B', '1.5 KiB', '5.0 GiB']);
});

test('the build gives every file the hash of its content, variants that are the same, and no dangling reference', () => {
	const directory = join(BUILD, 'dashboard');
	const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'));
	assert.equal(manifest.filter(({ path }) => path === '/').length, 1);
	const names = new Set(manifest.map(({ path }) => path));
	for (const { path, file: name, encodings, immutable, type } of manifest) {
		const data = readFileSync(join(directory, name));
		assert.ok(type, path);
		assert.equal(immutable, path !== '/');
		if (immutable) assert.match(path, /^\/static\/[\w-]+\.[0-9a-f]{10}\.(js|css|svg|txt)$/);
		if (encodings.includes('br')) assert.ok(brotliDecompressSync(readFileSync(join(directory, `${name}.br`))).equals(data), path);
		if (encodings.includes('gzip')) assert.ok(gunzipSync(readFileSync(join(directory, `${name}.gz`))).equals(data), path);
		if (!/\.(js|css|html)$/.test(name)) continue;
		for (const [, reference] of data.toString().matchAll(/["'(](?:\.|\/static)\/([\w.-]+\.(?:js|css|svg|txt))["')]/g)) assert.ok(names.has(`/static/${reference}`), `${path} refers to ${reference}`);
		assert.doesNotMatch(data.toString(), /sourceMappingURL/);
	}
	const listed = new Set(manifest.flatMap(({ file: name, encodings }) => [name, ...encodings.map((each) => `${name}.${each === 'br' ? 'br' : 'gz'}`)]));
	for (const name of readdirSync(join(directory, 'static'))) assert.ok(listed.has(`static/${name}`), `${name} is not in the manifest`);
	assert.ok(!existsSync(join(directory, 'static/node_modules')));
});
