// Chromium for the tests: pages that tell of everything that went wrong in them, and pictures that are kept.
import { createRequire } from 'node:module';
import { existsSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const BUILD = resolve(ROOT, process.env.BUILD || 'build');
const require = createRequire(resolve(BUILD, 'npm/browser/package.json'));
const { chromium } = require('playwright-core');
export const axeSource = require('axe-core').source;

const artifacts = resolve(BUILD, 'test-artifacts');
const programs = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].filter(Boolean);

export async function startBrowser() {
	const executablePath = programs.find((path) => existsSync(path));
	if (!executablePath) throw new Error(`no Chromium: none of ${programs.join(', ')}`);
	mkdirSync(artifacts, { recursive: true });
	// root, in a container, without a graphics card
	return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--no-first-run'] });
}

// A page in a context of its own. page.wrongs holds refused content, errors and alerts; page.shot keeps a picture.
export async function newPage(browser, { width = 1440, height = 900, dark = false, permissions = [], ...options } = {}) {
	const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', permissions, reducedMotion: 'reduce', ...options });
	await context.addInitScript(() => {
		window.refused = [];
		document.addEventListener('securitypolicyviolation', (event) => window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
	});
	const page = await context.newPage();
	page.setDefaultTimeout(20000);
	page.wrongs = [];
	page.on('pageerror', (error) => page.wrongs.push(`error: ${error.stack}`));
	page.on('console', (message) => {
		if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) page.wrongs.push(`console: ${message.text()}`);
	});
	page.on('dialog', (dialog) => {
		page.wrongs.push(`a dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	page.refusals = () => page.evaluate(() => window.refused);
	page.shot = (name) => page.screenshot({ path: resolve(artifacts, `${name}.png`) });
	page.done = () => context.close();
	return page;
}

// What axe finds, serious and critical alone: [{id, impact, help, nodes}].
export async function axe(page) {
	await page.evaluate(`${axeSource};0`);
	const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
	return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
		.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.slice(0, 5).map((node) => `${node.target.join(' ')} ${node.any.map((check) => check.message).join('; ')}`) }));
}

// How long the page's own thread has worked, in ms of its processor time: a busy machine changes nothing about it.
export async function worked(page) {
	page.meter ||= await page.context().newCDPSession(page).then(async (session) => {
		await session.send('Performance.enable', { timeDomain: 'threadTicks' });
		return session;
	});
	const { metrics } = await page.meter.send('Performance.getMetrics');
	return metrics.find(({ name }) => name === 'TaskDuration').value * 1000;
}

// Whether anything sticks out of the page sideways, and what.
export const sticksOut = (page) => page.evaluate(() => {
	const wide = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= wide) return [];
	return [...document.querySelectorAll('main *, header *')].filter((element) => element.getBoundingClientRect().right > wide + 1).slice(0, 5).map((element) => `${element.tagName}.${element.className}`);
});
