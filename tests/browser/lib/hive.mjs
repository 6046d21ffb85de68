// A real hive for a browser: the daemons that were built, containers of its own, directories of its own; as root.
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILD } from './browser.mjs';

const freePort = () => new Promise((done, failed) => {
	const server = createServer().once('error', failed).listen(0, '127.0.0.1', () => {
		const { port } = server.address();
		server.close(() => done(port));
	});
});

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class RealHive {
	static async start(config = {}) {
		if (process.getuid() !== 0) throw new Error('containers need root: run it as root');
		const hive = new RealHive();
		hive.dir = mkdtempSync('/var/tmp/skep-browser.');
		chmodSync(hive.dir, 0o755);
		hive.run = mkdtempSync('/run/skep-browser.');
		chmodSync(hive.run, 0o751);
		hive.port = await freePort();
		hive.url = `http://127.0.0.1:${hive.port}`;
		writeFileSync(join(hive.dir, 'skep.json'), JSON.stringify({ proposals_per_hour: 1000, stop_timeout: 10, dashboard_port: hive.port, ...config }));
		const log = openSync(join(hive.dir, 'skepd.log'), 'a');
		hive.daemon = spawn(join(BUILD, 'skepd'), ['--standalone', '--config', join(hive.dir, 'skep.json'), '--state', join(hive.dir, 'state'), '--runtime', hive.run], { stdio: ['ignore', log, log] });
		hive.ended = new Promise((done) => hive.daemon.once('exit', done));
		try {
			await hive.until('the daemon answers', () => hive.try('list').status === 0);
			await hive.until('the dashboard answers', async () => (await fetch(`${hive.url}/livez`).catch(() => ({}))).ok);
		} catch (error) {
			error.message += `\n${hive.log()}`;
			await hive.stop();
			throw error;
		}
		return hive;
	}

	async until(what, is, seconds = 60) {
		const end = Date.now() + seconds * 1000;
		while (!(await is())) {
			if (this.daemon.exitCode !== null) throw new Error(`skepd has ended (waited until ${what})`);
			if (Date.now() > end) throw new Error(`still not so after ${seconds} s: ${what}`);
			await sleep(100);
		}
	}

	log() {
		const path = join(this.dir, 'skepd.log');
		return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-40).join('\n') : '';
	}

	try(...words) {
		return spawnSync(join(BUILD, 'skep'), ['--socket', join(this.run, 'operator.sock'), '--no-input', ...words], { encoding: 'utf8', timeout: 120000 });
	}

	skep(...words) {
		const { status, stdout, stderr } = this.try(...words);
		if (status !== 0) throw new Error(`skep ${words.join(' ')}: ${status}: ${stderr}`);
		return stdout;
	}

	json(...words) {
		return JSON.parse(this.skep('--json', ...words));
	}

	// The manager changes an agent's repository in its own container, commits and submits: the proposal's number.
	propose(agent, script, title, description = '') {
		const environment = { HOME: '/root', SCRIPT: script, TITLE: title, WHAT: description, AGENT: agent, GIT_AUTHOR_NAME: 'hm1nd', GIT_AUTHOR_EMAIL: 'hm1nd@hive', GIT_COMMITTER_NAME: 'hm1nd', GIT_COMMITTER_EMAIL: 'hm1nd@hive' };
		const out = this.skep('exec', '--cwd', `/agents/${agent}`, ...Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]), 'hm1nd', '--', 'bash', '-ec',
			'eval "$SCRIPT"; git add -A; git commit -q --allow-empty -m "$TITLE"; exec /run/hive/bin/skep --quiet submit "$AGENT" "$(git rev-parse HEAD)" ${WHAT:+-m "$WHAT"}');
		return Number(out.trim());
	}

	// A link that logs a browser in, and one that confirms.
	link(...words) {
		const out = this.skep('dashboard', ...words);
		return /http:\S+/.exec(out)[0];
	}

	async stop() {
		this.daemon.kill('SIGTERM');
		await this.ended;
		rmSync(this.dir, { recursive: true, force: true });
		rmSync(this.run, { recursive: true, force: true });
	}
}
