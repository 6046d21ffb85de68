// A log as it is written: followed until somebody scrolls up, held on request, with a link for every line.
import { html, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from './html.js';
import { count } from './format.js';
import { useKeys } from './keys.js';
import { current, navigate, setQuery } from './router.js';
import { logPlain, logText } from './text.js';
import { Icon } from './ui.js';

const KEPT = 20000;
const BLOCK = 200;
const STEP = /^skep: /;

// Lines of a stream, as {lines, dropped, ended, error, hold}. Whole lines are kept together however they arrive.
function useLog(path, held) {
	const [, draw] = useReducer((n) => n + 1, 0);
	const log = useRef({ lines: [], dropped: 0, rest: '', ended: false, error: '', late: 0 });
	const frame = useRef(0);
	const hold = useRef(held);
	hold.current = held;
	const soon = () => {
		frame.current ||= requestAnimationFrame(() => { frame.current = 0; draw(); });
	};
	useEffect(() => {
		if (!held) soon();
	}, [held]);
	useEffect(() => {
		const mine = log.current = { lines: [], dropped: 0, rest: '', ended: false, error: '', late: 0 };
		const source = new EventSource(path);
		const finish = () => {
			source.close();
			if (mine.rest) mine.lines.push(mine.rest);
			Object.assign(mine, { rest: '', ended: true });
			soon();
		};
		const take = (event) => {
			let line;
			try {
				line = JSON.parse(event.data);
			} catch {
				return;
			}
			if (line.ok === false) mine.error = line.error || 'the log cannot be read';
			if (typeof line.log === 'string') {
				const parts = (mine.rest + line.log).split('\n');
				mine.rest = parts.pop();
				mine.lines.push(...parts);
				if (mine.lines.length > KEPT) mine.dropped += mine.lines.splice(0, mine.lines.length - KEPT).length;
			}
			if (line.end || line.ok === false) finish();
			else if (!hold.current) soon();
			else if (!mine.late++) soon();
		};
		// a log that cannot be resumed begins anew
		source.addEventListener('reset', () => Object.assign(mine, { lines: [], rest: '', dropped: 0 }));
		for (const name of ['message', 'log', 'end']) source.addEventListener(name, take);
		source.addEventListener('error', () => {
			if (source.readyState === EventSource.CLOSED && !mine.ended) {
				mine.error = 'the log cannot be reached';
				finish();
			}
		});
		draw();
		return () => {
			source.close();
			cancelAnimationFrame(frame.current);
			frame.current = 0;
		};
	}, [path]);
	return log.current;
}

function Lines({ lines, first, target }) {
	return useMemo(() => html`<div class="logblock">${lines.map((line, i) => {
		const n = first + i + 1;
		return html`<div class="ll${STEP.test(line) ? ' step' : ''}${n === target ? ' target' : ''}" id="L${n}"><a class="no" href="#L${n}" data-n=${n} aria-label="Line ${n}" tabindex="-1"></a><code>${logText(line)}</code></div>`;
	})}</div>`, [lines.length, lines[0], first, target]);
}

export function Log({ path, name, children }) {
	const [follow, setFollow] = useState(!/^L\d+$/.test(current().hash));
	const [held, setHeld] = useState(false);
	const [q, setQ] = useState('');
	const box = useRef(), shown = useRef(null);
	const live = useLog(path, held);
	if (!held || !shown.current) shown.current = { lines: [...live.lines, ...(live.rest ? [live.rest] : [])], dropped: live.dropped };
	const { lines, dropped } = shown.current;
	const target = Number(/^L(\d+)$/.exec(current().hash)?.[1] || 0);
	const asked = q.toLowerCase();
	const filtered = asked ? lines.filter((line) => logPlain(line).toLowerCase().includes(asked)) : lines;
	const blocks = [];
	for (let i = 0; i < filtered.length; i += BLOCK) blocks.push([i, filtered.slice(i, i + BLOCK)]);
	const toEnd = () => { box.current.scrollTop = box.current.scrollHeight; };
	useLayoutEffect(() => {
		if (follow && !held) toEnd();
	});
	useLayoutEffect(() => {
		if (target) box.current.querySelector(`#L${target}`)?.scrollIntoView({ block: 'center' });
	}, [target, lines.length >= target]);
	const onScroll = () => {
		const { scrollTop, scrollHeight, clientHeight } = box.current;
		const atEnd = scrollHeight - scrollTop - clientHeight < 8;
		if (atEnd !== follow && (atEnd || scrollHeight > clientHeight)) setFollow(atEnd);
	};
	// from one step of the work to the next; in a log without steps, line by line
	const step = (by) => {
		const all = lines.map((line, i) => [line, dropped + i + 1]).filter(([line]) => STEP.test(line)).map(([, n]) => n);
		const places = all.length ? all : lines.map((line, i) => dropped + i + 1);
		const at = target || (by > 0 ? 0 : Infinity);
		const next = by > 0 ? places.find((n) => n > at) : [...places].reverse().find((n) => n < at);
		setFollow(false);
		if (next) navigate(`#L${next}`, { replace: true });
	};
	const toggleFollow = () => {
		setFollow(!follow);
		if (!follow) {
			setHeld(false);
			if (target) setQuery({});
			toEnd();
		}
	};
	useKeys('Log', [
		{ key: 'f', says: 'follow', run: toggleFollow },
		{ key: 'p', says: 'pause and go on', run: () => setHeld(!held) },
		{ key: ']', says: 'next step', run: () => step(1) },
		{ key: '[', says: 'previous step', run: () => step(-1) },
	]);
	const late = held ? live.dropped + live.lines.length - dropped - lines.length : 0;
	return html`<section class="log" aria-label=${name}>
		<div class="logtools">
			<button type="button" aria-pressed=${follow && !held} onClick=${toggleFollow}><${Icon} name="down" />Follow</button>
			<button type="button" aria-pressed=${held} disabled=${live.ended && !held} onClick=${() => setHeld(!held)}><${Icon} name=${held ? 'start' : 'pause'} />${held ? 'Go on' : 'Pause'}</button>
			<button type="button" class="square" aria-label="Previous step" title="Previous step ([)" onClick=${() => step(-1)}>↑</button>
			<button type="button" class="square" aria-label="Next step" title="Next step (])" onClick=${() => step(1)}>↓</button>
			<span class="muted">${count(dropped + lines.length, 'line')}${late > 0 ? `, ${late} more held back` : ''}${live.ended ? '' : ' so far'}</span>
			<span class="grow"></span>
			<input type="search" placeholder="Filter lines" aria-label="Filter lines" value=${q} onInput=${(event) => setQ(event.target.value)} />
			${children}
		</div>
		<div class="loglines" ref=${box} onScroll=${onScroll} tabindex="0" role="log" aria-live="off" aria-label=${name}>
			${dropped > 0 && html`<p class="filenote">${count(dropped, 'earlier line')} not kept here.</p>`}
			${blocks.map(([i, block]) => html`<${Lines} key=${dropped + i} lines=${block} first=${dropped + i} target=${asked ? 0 : target} />`)}
			${!lines.length && html`<p class="filenote">${live.error || (live.ended ? 'Nothing was written.' : 'Nothing yet.')}</p>`}
			${live.error && lines.length > 0 && html`<p class="filenote warn">${live.error}</p>`}
		</div>
	</section>`;
}
