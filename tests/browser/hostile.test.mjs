// Text of agents never becomes markup: every payload in every field they can reach, in a real browser under the real policy.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Hive, sampleHive } from './fake/hive.mjs';
import { payloads } from './fake/payloads.mjs';
import { serve } from './fake/server.mjs';
import { newPage, startBrowser } from './lib/browser.mjs';

let browser;
before(async () => { browser = await startBrowser(); });
after(() => browser.close());

const at = (i) => payloads[((i % payloads.length) + payloads.length) % payloads.length];

// A hive in which whatever an agent, a repository or a log can say is a payload. Which field has which turns with the row.
function hostileHive() {
	const sample = sampleHive();
	const agentRow = sample.agents.get('alice'), proposalRow = sample.proposals.get(7);
	const hive = new Hive({
		agents: payloads.map((text, i) => ({ ...agentRow, name: `agent-${i}`, status_text: text, labels: { [`k${i % 7}`]: at(i + 1), [at(i + 2)]: 'v' }, drift: at(i + 3), state: i % 3 ? 'running' : at(i + 4), url: i % 2 ? at(i + 5) : undefined, parent: at(i + 6), open_proposal: i + 1, deployed_sha: at(i + 7), running: i % 3 > 0 })),
		proposals: payloads.map((text, i) => ({
			...proposalRow, id: i + 1, agent: `agent-${i}`, title: text, commit_title: text, description: at(i + 1), author: at(i + 2), submitter: at(i + 3), note: at(i + 4), kind: at(i + 5), approved_by: at(i + 6), base: at(i + 7),
			flags: [0, 1, 2, 3].map((k) => ({ name: at(i + k), strength: k % 2 ? 'ack' : 'block', sentence: at(i + k + 8), place: at(i + k + 12) })),
			history: [0, 1, 2].map((k) => ({ state: k ? at(i + k + 9) : 'proposal', at: at(i + k + 10), actor: at(i + k + 11), channel: at(i + k + 12), note: at(i + k + 13) })), effect: { [at(i)]: at(i + 1), units: { added: [at(i + 2)], removed: [{ name: at(i + 3), [at(i + 4)]: at(i + 5) }] } },
		})),
	});
	hive.diffs.set(1, {
		added: 3, removed: 2, truncated: true, files_total: at(3),
		files: payloads.map((text, i) => ({ path: `${i}${text}`, old_path: i % 4 ? undefined : at(i + 1), status: i % 5 ? 'modified' : at(i + 2), old_mode: at(i), new_mode: at(i + 1), added: 2, removed: 1, hunks: [{ old_start: 1, old_lines: 1, new_start: 1, new_lines: 2, header: at(i + 3), lines: [['-', at(i + 4)], ['+', at(i + 5)], ['+', text], [' ', at(i + 6)], ['\\', at(i + 7)]] }] })),
	});
	hive.logLines = payloads.map((text) => text.replaceAll('\n', ' '));
	hive.checks = payloads.map((text, i) => ({ name: text, ok: false, detail: at(i + 1), fix: at(i + 2) }));
	hive.drift = payloads.map((text, i) => ({ agent: `agent-${i}`, field: text, want: at(i + 1), have: at(i + 2), since: at(i + 3) }));
	hive.deploys = () => payloads.map((text, i) => ({ meta_commit: at(i + 1), at: i % 2 ? at(i + 2) : '2026-01-01T00:00:00Z', message: text, agent: at(i + 3), n: i % 3 ? i : at(i + 4) }));
	hive.audit = () => payloads.map((text, i) => ({ seq: i + 1, at: '2026-01-01T00:00:00Z', kind: i % 2 ? 'tag' : at(i + 1), actor: text, channel: at(i + 2), verb: at(i + 3), agent: at(i + 4), id: i % 2 ? i : at(i + 5), result: at(i + 6), note: at(i + 7) }));
	const plain = hive.agent.bind(hive);
	hive.agent = (row) => {
		const i = Number(row.name.slice(6));
		return { ...plain(row), container: at(i), failed_units: [at(i + 1), at(i + 2)], boot_state: at(i + 3), driver: at(i + 4), builder: at(i + 5), network: at(i + 6), desired: at(i + 7), commit: at(i + 8), system: at(i + 9), system_running: at(i + 10), limits: { memory_max: at(i + 11), cpu_quota: at(i + 12), tasks_max: at(i + 13) }, limits_enforced: { memory: false, reason: at(i + 14) }, probe: { kind: at(i + 15), command: [at(i + 16)], grace: at(i + 17) }, settings: { memory_max: at(i + 19), probe: at(i + 20), network: at(i + 21) }, port: at(i + 18) };
	};
	hive.login = () => ({ login: at(2), uid: 1000, expires_at: '2099-01-01T00:00:00Z', step_up_until: '2099-01-01T00:00:00Z' });
	return hive;
}

// Nothing ran, nothing was refused, nothing was asked for, and nothing in the page is of a kind that we do not make.
async function isHarmless(page, server, where) {
	const found = await page.evaluate(() => ({
		pwned: window.pwned,
		refused: window.refused,
		strange: [...document.querySelectorAll('body *')].filter((element) => /^(script|iframe|img|object|embed|base|meta|link|style|video|audio|math|template|marquee|xss|animate|use)$/i.test(element.tagName)
			|| (element.tagName === 'A' && element.hasAttribute('href') && !/^https?:$/.test(element.protocol)) || [...element.attributes].some(({ name }) => /^on/i.test(name)) || element.hasAttribute('action') || element.hasAttribute('srcdoc')).map((element) => element.outerHTML.slice(0, 200)),
	}));
	assert.deepEqual(found, { pwned: undefined, refused: [], strange: [] }, where);
	assert.deepEqual(page.wrongs, [], where);
	assert.deepEqual(server.sent.strange, [], where);
}

async function open(t) {
	const server = await serve(hostileHive());
	const page = await newPage(browser);
	t.after(async () => { await page.done(); server.close(); });
	await page.goto(`${server.url}/login#good`);
	await page.locator('main .page').waitFor();
	return { page, server };
}

test('there are enough payloads, and they are payloads', async (t) => {
	assert.ok(new Set(payloads).size >= 200);
	// without our care they would work: in a page of nobody's, markup made of them runs
	const page = await newPage(browser);
	t.after(() => page.done());
	await page.setContent('<p>nothing</p>');
	let ran = 0;
	for (const text of payloads) {
		ran += await page.evaluate((markup) => {
			window.pwned = undefined;
			document.body.innerHTML = markup;
			return new Promise((done) => setTimeout(() => done(window.pwned ? 1 : 0), 5));
		}, text);
	}
	t.diagnostic(`${payloads.length} payloads, ${ran} of them run at once where text is taken for markup`);
	assert.ok(ran >= 10);
});

test('the whole hive, its lists and its record', async (t) => {
	const { page, server } = await open(t);
	for (const path of ['/', '/?group=k1', '/deploys', '/audit', '/a/agent-3', '/a/agent-4?tab=settings', '/a/agent-4?tab=resources', '/a/agent-5?tab=journal', '/p/2?tab=log', '/p/2?tab=history', '/p/2?tab=effect']) {
		await page.goto(server.url + path);
		await page.locator('main .page').waitFor();
		await page.locator('.loading').waitFor({ state: 'detached' });
		if (path.includes('log') || path.includes('journal')) await page.locator('.ll').nth(payloads.length - 1).waitFor({ state: 'attached' });
		if (path === '/') {
			await page.locator('.health .fold').click();
			await page.locator('.health dt').nth(payloads.length).waitFor({ state: 'attached' });
			await page.locator('[data-name]').nth(payloads.length - 1).waitFor({ state: 'attached' });
			await page.shot('hostile-hive');
		}
		await isHarmless(page, server, path);
	}
});

test('a difference made of them, every file opened', async (t) => {
	const { page, server } = await open(t);
	await page.goto(`${server.url}/p/1`);
	await page.locator('.file').nth(payloads.length - 1).waitFor({ state: 'attached' });
	await page.shot('hostile-review');
	// draw all of it: whatever is far away comes near
	await page.evaluate(async () => {
		for (const block of document.querySelectorAll('.block')) block.scrollIntoView();
		await new Promise((done) => setTimeout(done, 300));
	});
	const steps = await page.evaluate(() => Math.ceil(document.documentElement.scrollHeight / 1500));
	for (let i = 0; i <= steps; i++) await page.evaluate((y) => new Promise((done) => { scrollTo(0, y); requestAnimationFrame(() => requestAnimationFrame(done)); }), i * 1500);
	assert.ok(await page.locator('.ln.add').count() >= payloads.length * 2 - 4);
	await isHarmless(page, server, 'the difference');
	await page.getByLabel('hide white space changes').check();
	await isHarmless(page, server, 'the difference without white space');
});

test('a proposal for each of them, and what is shown is what was said', async (t) => {
	const { page, server } = await open(t);
	const visible = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (c) => (c < '\u0100' && c !== '\u00ad' ? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}` : `U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`)).replace(/\udb40[\udc00-\udfff]/g, (c) => `U+${c.codePointAt(0).toString(16).toUpperCase()}`);
	// from one to the next inside the page, thirty at a time
	const visit = (from, to) => page.evaluate(async ([first, last]) => {
		const results = [];
		for (let id = first; id <= last; id++) {
			history.pushState(null, '', `/p/${id}?tab=history`);
			dispatchEvent(new PopStateEvent('popstate'));
			const end = Date.now() + 15000;
			while (document.querySelector('.headline .id')?.textContent !== String(id) || !document.querySelector('.story')) {
				if (Date.now() > end) throw new Error(`proposal ${id} never came: ${document.querySelector('main').textContent.slice(0, 200)}`);
				await new Promise((done) => setTimeout(done, 4));
			}
			results.push([document.querySelector('h1').textContent, document.querySelector('.said blockquote')?.textContent ?? '']);
		}
		return results;
	}, [from, to]);
	for (let i = 0; i < payloads.length; i += 30) {
		const results = await visit(i + 1, Math.min(i + 30, payloads.length));
		results.forEach(([title, said], k) => {
			if (payloads[i + k]) assert.equal(title, visible(payloads[i + k]));
			if (at(i + k + 1).length < 2000) assert.equal(said, visible(at(i + k + 1)));
		});
		await isHarmless(page, server, `up to proposal ${i + 30}`);
	}
	await page.keyboard.press('a');
	await isHarmless(page, server, 'the last of them');
});
