// An operator's ways through a real hive with real containers: the manager proposes from its own container, the browser decides.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { axe, newPage, startBrowser, sticksOut } from './lib/browser.mjs';
import { RealHive } from './lib/hive.mjs';

let browser, hive, page;

// Soon good: what is tested here is the page, not how long a service is watched.
const QUICK = 'sed -i \'s/"soak": 2/"soak": 0/\' agent.json; mkdir -p rootfs/etc/hive; ';

const UNIT = "mkdir -p rootfs/etc/systemd/system; printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' > rootfs/etc/systemd/system/counter.service; ";

before(async () => {
	[browser, hive] = await Promise.all([startBrowser(), RealHive.start()]);
	for (const name of ['hm1nd', 'alice', 'bob']) hive.skep('spawn', name);
	page = await newPage(browser);
});

after(async () => {
	await browser?.close();
	await hive?.stop();
});

// Each ends with a page on which nothing was refused and nothing failed.
function journey(name, walk) {
	test(name, async (t) => {
		try {
			await walk(t);
			assert.deepEqual(page.wrongs, []);
			assert.deepEqual(await page.refusals(), []);
		} catch (error) {
			await page.shot(`failed-${name.replace(/\W+/g, '-')}`).catch(() => {});
			t.diagnostic(`at ${page.url()}\n${hive.log()}`);
			throw error;
		}
	});
}

const settled = () => page.locator('.loading').waitFor({ state: 'detached' });
const state = (word) => page.locator('.way .now', { hasText: word }).waitFor({ timeout: 60000 });
const inside = (agent, ...argv) => hive.skep('exec', agent, '--', ...argv).trim();

journey('log in by the link, and find the hive', async () => {
	await page.goto(`${hive.url}/`);
	await page.getByRole('heading', { name: 'Log in' }).waitFor();
	await page.goto(hive.link());
	await page.locator('.agent-row .open', { hasText: 'alice' }).waitFor();
	assert.equal(page.url(), `${hive.url}/`);
	for (const name of ['hm1nd', 'alice', 'bob']) await page.locator(`[data-name="${name}"] .pill`, { hasText: 'running' }).waitFor();
	await page.shot('hive');
	assert.deepEqual(await axe(page), []);
	// a code works once
	const other = await newPage(browser);
	const link = hive.link();
	await other.goto(link);
	await other.locator('.agent-row').first().waitFor();
	await other.context().clearCookies();
	await other.goto(`${hive.url}/audit`);
	await other.getByRole('heading', { name: 'Log in' }).waitFor();
	await other.getByLabel('paste the link').fill(link);
	await other.keyboard.press('Enter');
	await other.getByRole('alert').waitFor();
	await other.done();
});

journey('read a proposal that arrives, approve it, and watch it deploy', async () => {
	const n = hive.propose('alice', `${QUICK} ${UNIT} printf 'one\\ntwo\\n' > rootfs/etc/hive/what`, 'say one and two', 'Alice should know how to count.\nI have tried it.');
	await page.locator('.queue a', { hasText: 'say one and two' }).click();
	await page.waitForURL(`${hive.url}/p/${n}`);
	await page.locator('.said', { hasText: 'I have tried it.' }).waitFor();
	await page.locator('.said', { hasText: 'unverified' }).waitFor();
	await page.locator('.ln.add', { hasText: 'two' }).waitFor();
	await settled();
	await page.shot('review');
	assert.deepEqual(await axe(page), []);
	await page.getByRole('link', { name: 'Effect' }).click();
	await page.locator('.effect .card', { hasText: 'Units' }).locator('.add', { hasText: 'counter.service' }).waitFor();
	await page.locator('.effect .card', { hasText: 'Probe' }).getByText('2 → 0').waitFor();
	await page.locator('.effect .card', { hasText: 'Limits' }).getByText('no change').waitFor();
	await page.shot('effect');
	assert.deepEqual(await axe(page), []);
	await page.getByRole('button', { name: 'Approve' }).click();
	await page.shot('approve');
	await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
	await page.getByText(/as deployed\/\d/).waitFor({ timeout: 60000 });
	await state('deployed');
	await page.shot('deployed');
	assert.equal(inside('alice', 'cat', '/etc/hive/what'), 'one\ntwo');
	assert.equal(hive.json('show', 'alice').deployed, n);
	await page.getByRole('link', { name: /History/ }).click();
	for (const tag of ['proposal', 'approved', 'deployed']) await page.locator('.story', { hasText: `${tag}/${n}` }).waitFor();
	await page.locator('.story li', { hasText: 'approved' }).locator('text=through web').waitFor();
});

journey('deny with a note, by the keyboard alone', async () => {
	await page.keyboard.press('g');
	await page.keyboard.press('h');
	await page.locator('.agents').waitFor();
	const n = hive.propose('bob', 'echo mine > rootfs/etc/mine', 'improve throughput');
	await page.locator('.waiting', { hasText: '1' }).waitFor();
	await page.keyboard.press('n');
	await page.waitForURL(`${hive.url}/p/${n}`);
	await page.locator('.diff').waitFor();
	await page.keyboard.press('v');
	await page.keyboard.press('d');
	await page.getByRole('dialog').waitFor();
	await page.keyboard.type('bob has nothing to mine');
	await page.keyboard.press('Control+Enter');
	await state('denied');
	await page.getByText('bob has nothing to mine').first().waitFor();
	const row = hive.json('proposals', '--state', 'all').find((each) => each.id === n);
	assert.equal(row.state, 'denied');
	assert.equal(row.note, 'bob has nothing to mine');
	await page.shot('denied');
	// and on, to the agent, its tabs, its menu
	await page.keyboard.press('u');
	await page.waitForURL(/\/a\/bob$/);
	await page.getByRole('heading', { name: 'bob' }).waitFor();
	await page.keyboard.press('4');
	await page.getByLabel('Memory').waitFor();
	await page.keyboard.press('.');
	await page.getByRole('menuitem', { name: 'Restart' }).waitFor();
	await page.keyboard.press('Escape');
	await page.keyboard.press('?');
	await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
	await page.keyboard.press('Escape');
});

journey('flags are acknowledged by name, one by one', async () => {
	const n = hive.propose('bob', `${QUICK} printf '#!/bin/sh\\necho hello\\n' > rootfs/etc/hive/tool; chmod 755 rootfs/etc/hive/tool; printf 'print("user\\xe2\\x80\\xae")\\n' > rootfs/etc/hive/run.py`, 'a tool');
	await page.goto(`${hive.url}/p/${n}`);
	await page.locator('.chip', { hasText: 'U+202E' }).first().waitFor();
	await page.locator('.flags a', { hasText: 'run.py' }).first().click();
	await page.keyboard.press('a');
	const approve = page.getByRole('dialog').getByRole('button', { name: 'Approve' });
	assert.ok(await approve.isDisabled());
	await page.shot('flags');
	for (const box of await page.getByRole('dialog').getByRole('checkbox').all()) await box.check();
	await approve.click();
	await state('deployed');
	assert.ok(inside('bob', '/etc/hive/tool').includes('hello'));
});

journey('what moves while it is read is shown, and is not approved', async () => {
	const first = hive.propose('alice', 'echo three >> rootfs/etc/hive/what', 'count to three');
	await page.goto(`${hive.url}/p/${first}`);
	await page.locator('.ln.add', { hasText: 'three' }).waitFor();
	const second = hive.propose('alice', 'echo four >> rootfs/etc/hive/what', 'count to four');
	const newer = page.getByRole('link', { name: `See what proposal ${second} changes against this one` });
	await newer.waitFor();
	await page.locator('.way .now', { hasText: 'superseded' }).waitFor();
	await page.shot('superseded');
	await newer.click();
	await page.waitForURL(`${hive.url}/p/${second}?vs=${first}`);
	await page.locator('.ln.add', { hasText: 'four' }).waitFor();
	assert.equal(await page.locator('.ln.add').count(), 1, 'against the earlier one, only what is new');
	// that one is approved elsewhere, and while it is being watched a third arrives that is made for what ran before
	hive.skep('deny', String(second), '-m', 'not yet');
	const slow = hive.propose('alice', 'sed -i \'s/"soak": 0/"soak": 8/\' agent.json; echo slow >> rootfs/etc/hive/what', 'count slowly');
	hive.skep('approve', String(slow), '--no-wait', '--commit', hive.json('proposals').find(({ id }) => id === slow).commit);
	const third = hive.propose('alice', 'sed -i \'s/"soak": 8/"soak": 0/\' agent.json; echo five >> rootfs/etc/hive/what', 'count to five');
	await page.goto(`${hive.url}/p/${third}`);
	await page.locator('.diff').waitFor();
	// the approval is on its way when the other one is done
	let refusal;
	await page.route('**/approve', async (route) => {
		await hive.until('the slow one runs', () => hive.json('show', 'alice').deployed === slow);
		const answer = await route.fetch();
		refusal = [answer.status(), (await answer.json()).code];
		await route.fulfill({ response: answer });
	});
	await page.keyboard.press('a');
	await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
	await page.locator('.moved', { hasText: /no longer runs/ }).waitFor({ timeout: 60000 });
	await page.getByRole('dialog').waitFor({ state: 'detached' });
	await page.unroute('**/approve');
	await page.getByRole('button', { name: 'What moved' }).click();
	await page.locator('.moved .ln.add', { hasText: 'slow' }).waitFor();
	await page.shot('moved');
	assert.deepEqual(refusal, [409, 'stale']);
	assert.equal(hive.json('show', 'alice').deployed, slow);
	assert.notEqual(hive.json('proposals', '--state', 'all').find((each) => each.id === third).state, 'deployed');
});

journey('roll back to an earlier deploy, with a look at the difference', async () => {
	const before = hive.json('show', 'alice').deployed;
	await page.goto(`${hive.url}/a/alice`);
	await page.locator('.timeline').waitFor();
	await page.shot('agent');
	assert.deepEqual(await axe(page), []);
	await page.getByRole('listitem').filter({ hasText: 'say one and two' }).getByRole('button', { name: 'Roll back' }).click();
	await page.locator('dialog .ln.del', { hasText: 'slow' }).waitFor();
	await page.shot('rollback');
	await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
	await page.waitForURL(/\/p\/\d+\?tab=log/);
	await state('deployed');
	assert.equal(inside('alice', 'cat', '/etc/hive/what'), 'one\ntwo');
	assert.ok(hive.json('show', 'alice').deployed > before);
});

journey('stop, start, settings, journal, resources', async () => {
	await page.goto(`${hive.url}/a/bob?tab=settings`);
	await page.getByLabel('Memory').fill('300M');
	await page.getByRole('button', { name: 'Label', exact: true }).click();
	await page.getByLabel('Label 1').fill('team');
	await page.getByLabel('Value 1').fill('tools');
	await page.getByRole('button', { name: 'Record' }).click();
	await page.getByText('are recorded').waitFor();
	await page.shot('settings');
	const shown = hive.json('show', 'bob');
	assert.equal(shown.labels.team, 'tools');
	assert.match(JSON.stringify(shown.limits), /314572800|300M/);
	await page.keyboard.press('2');
	await page.locator('.ll').first().waitFor();
	await page.shot('journal');
	await page.keyboard.press('3');
	await page.locator('.plot .uplot').first().waitFor();
	await page.shot('resources');
	await page.goto(`${hive.url}/`);
	await page.locator('[data-name="bob"] .label', { hasText: 'tools' }).waitFor();
	for (const [says, word] of [['Stop', 'stopped'], ['Start', 'running'], ['Pause', 'paused'], ['Resume', 'running']]) {
		await page.locator('[data-name="bob"] .act button').first().click();
		await page.getByRole('menuitem', { name: says }).click();
		await page.locator('[data-name="bob"] .doing .pill', { hasText: word }).first().waitFor({ timeout: 60000 });
	}
});

journey('the record of it all', async () => {
	await page.goto(`${hive.url}/deploys`);
	await page.locator('.timeline li', { hasText: 'deployed/' }).first().waitFor();
	await page.shot('deploys');
	assert.deepEqual(await axe(page), []);
	await page.goto(`${hive.url}/audit`);
	await page.getByText(/the chain of \d+ entries is whole/).waitFor();
	await page.locator('.entries tr', { hasText: 'web' }).first().waitFor();
	await page.shot('audit');
	assert.deepEqual(await axe(page), []);
});

journey('a narrow screen can do it as well', async () => {
	const n = hive.propose('alice', 'git fetch -q applied; git reset -q --hard applied/deployed/$(cd /applied/alice/.git && git tag -l "deployed/*" --sort=-version:refname | head -1 | cut -d/ -f2); echo five >> rootfs/etc/hive/what', 'count on');
	await page.setViewportSize({ width: 360, height: 740 });
	for (const [path, name] of [['/', 'hive'], [`/p/${n}`, 'review'], ['/a/alice', 'agent'], ['/deploys', 'deploys'], ['/audit', 'audit']]) {
		await page.goto(hive.url + path);
		await page.locator('main .page').waitFor();
		await settled();
		await page.shot(`narrow-${name}`);
		assert.deepEqual(await sticksOut(page), [], path);
	}
	await page.goto(`${hive.url}/p/${n}`);
	await page.getByRole('button', { name: 'Approve' }).click();
	for (const box of await page.getByRole('dialog').getByRole('checkbox').all()) await box.check();
	await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
	await state('deployed');
	await page.setViewportSize({ width: 1440, height: 900 });
});

journey('spawn, and destroy by the name', async () => {
	await page.goto(`${hive.url}/`);
	await page.locator('.agents').waitFor();
	await page.keyboard.press('c');
	await page.getByRole('dialog').getByLabel('Name').fill('carol');
	await page.keyboard.press('Enter');
	await page.waitForURL(/\/a\/carol$/);
	await page.locator('.headline .pill', { hasText: 'running' }).waitFor({ timeout: 60000 });
	await page.keyboard.press('x');
	await page.getByLabel('To go on, type').fill('carol');
	await page.keyboard.press('Enter');
	await page.waitForURL(`${hive.url}/`);
	await page.locator('[data-name="carol"]').waitFor({ state: 'detached', timeout: 60000 });
	assert.ok(!hive.json('list').some(({ name }) => name === 'carol'));
});

journey('logging out ends it', async () => {
	await page.getByRole('button', { name: 'account and settings' }).click();
	await page.getByRole('menuitem', { name: 'Log out' }).click();
	await page.getByRole('heading', { name: 'Log in' }).waitFor();
	const answer = await page.evaluate(async () => (await fetch('/api/v1/agents')).status);
	assert.equal(answer, 401);
	await page.goto(`${hive.url}/audit`);
	await page.getByRole('heading', { name: 'Log in' }).waitFor();
});
