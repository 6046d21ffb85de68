// A difference on the page: the list of files, and each file's lines, drawn when they come near what can be seen.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from './html.js';
import { fileRows, lineParts, parsePlace } from './diff.js';
import { bytes, count, part } from './format.js';
import { useKeys } from './keys.js';
import { setQuery } from './router.js';
import { storage } from './store.js';
import { chips } from './text.js';
import { Empty, Icon } from './ui.js';

const BLOCK = 80; // lines drawn together
const EAGER = 160; // lines drawn at once, before anything is scrolled
const BIG = 1000; // changed lines of a file that is folded at first

const modes = { 100644: 'file', 100755: 'executable', 120000: 'symbolic link', 160000: 'submodule', '040000': 'directory' };

function marked(row) {
	const parts = lineParts(row);
	if (!parts) return chips(row.text);
	return parts.map(([text, changed]) => (changed ? html`<mark>${chips(text)}</mark>` : chips(text)));
}

const lineKey = (row) => (row.mark === '-' ? `L${row.old}` : `R${row.now}`);
const kinds = { '+': 'add', '-': 'del', ' ': 'same', '\\': 'note' };

function Line({ row, target, path }) {
	if (row.hunk) return html`<div class="ln hunk"><span class="no"></span><span class="no"></span><span class="mk"></span><code>@@ ${row.at} @@ <b>${chips(row.text)}</b></code></div>`;
	const key = lineKey(row);
	return html`<div class="ln ${kinds[row.mark]}${row.space ? ' space' : ''}${target === key ? ' target' : ''}" data-line=${key}>
		<span class="no" data-n=${row.old}></span><a class="no" data-n=${row.now} href="#${part(`${path}:${key}`)}" aria-label="Line ${row.now || row.old}" tabindex="-1"></a>
		<span class="mk">${row.space ? '~' : row.mark === ' ' ? '' : row.mark}</span><code>${marked(row)}${row.noNewline && html`<span class="chip" title="The file does not end in a newline">no newline</span>`}</code></div>`;
}

const near = new WeakMap();
let observer = null;

function useNear(ref, already) {
	const [is, set] = useState(already);
	useEffect(() => {
		if (is) return undefined;
		observer ||= new IntersectionObserver((entries) => entries.forEach((entry) => {
			if (entry.isIntersecting) near.get(entry.target)?.();
		}), { rootMargin: '1200px 0px' });
		const element = ref.current;
		near.set(element, () => { observer.unobserve(element); set(true); });
		observer.observe(element);
		return () => observer.unobserve(element);
	}, [is]);
	return is;
}

function Block({ rows, eager, target, path }) {
	const ref = useRef();
	const wanted = target && rows.some((row) => !row.hunk && lineKey(row) === target);
	const drawn = useNear(ref, eager || wanted) || wanted;
	useLayoutEffect(() => {
		if (wanted) requestAnimationFrame(() => ref.current?.querySelector('.target')?.scrollIntoView({ block: 'center' }));
	}, [wanted, target]);
	useLayoutEffect(() => { ref.current.style.minHeight = drawn ? '' : `${rows.length * 1.25}rem`; }, [drawn, rows]);
	return html`<div class="block" ref=${ref}>${drawn && rows.map((row) => html`<${Line} row=${row} target=${target} path=${path} />`)}</div>`;
}

function blocksOf(rows) {
	const blocks = [];
	for (let i = 0; i < rows.length; i += BLOCK) blocks.push(rows.slice(i, i + BLOCK));
	return blocks;
}

const Counts = ({ file }) => (file.added || file.removed) > 0 && html`<span class="counts"><span class="plus">+${file.added ?? 0}</span> <span class="minus">−${file.removed ?? 0}</span></span>`;

function notes(file) {
	const list = [];
	if (file.old_mode && file.new_mode && file.old_mode !== file.new_mode && file.status !== 'added' && file.status !== 'deleted')
		list.push(`${modes[file.old_mode] || file.old_mode} → ${modes[file.new_mode] || file.new_mode}`);
	else if (file.status === 'added' && file.new_mode && file.new_mode !== '100644') list.push(`new ${modes[file.new_mode] || file.new_mode}`);
	if (file.binary) list.push('not text');
	return list;
}

function Body({ file, rows, budget, target }) {
	const blocks = useMemo(() => blocksOf(rows), [rows]);
	if (file.too_large) return html`<p class="filenote">Too large to compare here: ${bytes(file.old_bytes)} before, ${bytes(file.new_bytes)} after.</p>`;
	if (!rows.length) return html`<p class="filenote">${file.binary ? `Not text: ${bytes(file.old_bytes)} before, ${bytes(file.new_bytes)} after.` : file.status === 'renamed' ? 'Renamed without a change.' : file.status === 'mode' ? 'Only the mode has changed.' : 'Empty.'}</p>`;
	return html`${blocks.map((block, i) => html`<${Block} key=${i} rows=${block} eager=${i * BLOCK < budget} target=${target} path=${file.path} />`)}
		${file.truncated && html`<p class="filenote warn"><${Icon} name="warn" />More than can be shown here: the rest of this file was cut.</p>`}`;
}

function Path({ file }) {
	const cut = file.path.lastIndexOf('/') + 1;
	return html`${file.old_path && html`<span class="old">${chips(file.old_path)} → </span>`}<span class="dir">${chips(file.path.slice(0, cut))}</span><b>${chips(file.path.slice(cut))}</b>`;
}

function File({ file, index, open, viewed, onOpen, onViewed, ignoreSpace, budget, target }) {
	const rows = useMemo(() => fileRows(file, ignoreSpace), [file, ignoreSpace]);
	const spaces = ignoreSpace ? rows.filter((row) => row.space).length : 0;
	return html`<section class="file ${open ? 'open' : ''}" id="file-${index}" data-file=${index} aria-label=${file.path} tabindex="-1">
		<header>
			<button type="button" class="quiet fold" aria-expanded=${open} onClick=${onOpen}><${Icon} name=${open ? 'down' : 'right'} /><span class="path"><${Path} file=${file} /></span></button>
			<span class="fstatus ${file.status}">${file.status}</span>
			${notes(file).map((text) => html`<span class="fstatus wait">${text}</span>`)}
			${spaces > 0 && html`<span class="fstatus">${count(spaces, 'line')} of white space hidden</span>`}
			<span class="grow"></span>
			${!open && file.new_bytes !== undefined && html`<span class="muted size">${bytes(file.new_bytes || file.old_bytes)}</span>`}
			<${Counts} file=${file} />
			${onViewed && html`<label class="viewed"><input type="checkbox" checked=${viewed} onChange=${onViewed} />viewed</label>`}
		</header>
		${open && html`<div class="lines"><${Body} file=${file} rows=${rows} budget=${budget} target=${target} /></div>`}
	</section>`;
}

function useViewed(scope) {
	const [list, set] = useState(() => {
		try {
			return new Set(JSON.parse(storage.get(scope) || '[]'));
		} catch {
			return new Set();
		}
	});
	const toggle = (path) => {
		const next = new Set(list);
		if (!next.delete(path)) next.add(path);
		storage.set(scope, next.size ? JSON.stringify([...next]) : null);
		set(next);
		return next.has(path);
	};
	return [list, toggle];
}

function FileList({ files, viewed, now, onPick }) {
	const [q, setQ] = useState('');
	const shown = files.map((file, i) => [file, i]).filter(([file]) => file.path.toLowerCase().includes(q.toLowerCase()));
	return html`<nav class="filelist" aria-label="Files">
		${files.length > 12 && html`<input type="search" placeholder="Filter files" aria-label="Filter files" value=${q} onInput=${(event) => setQ(event.target.value)} />`}
		<ol>${shown.map(([file, i]) => html`<li><a href="#${part(file.path)}" aria-current=${i === now ? 'true' : undefined} class="${viewed.has(file.path) ? 'seen' : ''}" onClick=${(event) => { event.preventDefault(); event.stopPropagation(); onPick(i); }}>
			<i class="fmark ${file.status}" title=${file.status} aria-hidden="true">${file.status[0].toUpperCase()}</i><span class="path"><${Path} file=${file} /></span><${Counts} file=${file} /></a></li>`)}</ol>
	</nav>`;
}

const isBig = (file) => (file.added || 0) + (file.removed || 0) > BIG || file.too_large;

// `place` is what the address points at; `scope` names what the viewed marks belong to, and without it there are none.
export function DiffView({ diff, scope, place = '', keys = true, list = true }) {
	const { files } = diff;
	const [ignoreSpace, setIgnore] = useState(false);
	const [opened, setOpened] = useState({});
	const [now, setNow] = useState(0);
	const [viewed, toggleViewed] = useViewed(scope || 'skep.viewed');
	const root = useRef();
	const target = useMemo(() => parsePlace(place), [place]);
	const isOpen = (file, i) => opened[i] ?? (target.path === file.path || (!isBig(file) && !(scope && viewed.has(file.path))));
	const go = (i) => {
		if (i < 0 || i >= files.length) return;
		setNow(i);
		requestAnimationFrame(() => {
			const element = root.current?.querySelector(`[data-file="${i}"]`);
			element?.scrollIntoView({ block: 'start' });
			element?.focus({ preventScroll: true });
		});
	};
	const view = (i) => {
		const seen = toggleViewed(files[i].path);
		setOpened({ ...opened, [i]: !seen });
		if (seen) go(i + 1);
	};
	const hop = (step) => {
		const marks = [...root.current.querySelectorAll('.ln.hunk')];
		const top = 120;
		const next = step > 0 ? marks.find((mark) => mark.getBoundingClientRect().top > top + 4) : marks.reverse().find((mark) => mark.getBoundingClientRect().top < top - 4);
		if (next) scrollBy(0, next.getBoundingClientRect().top - top);
	};
	useEffect(() => {
		const i = files.findIndex((file) => file.path === target.path);
		if (i >= 0 && !target.line) go(i);
		else if (i >= 0) setNow(i);
	}, [place, diff]);
	useKeys('Changes', keys ? [
		{ key: 'j', says: 'next file', run: () => go(now + (root.current.contains(document.activeElement) || now > 0 ? 1 : 0)) },
		{ key: 'k', says: 'previous file', run: () => go(Math.max(0, now - 1)) },
		{ key: ']', says: 'next change', run: () => hop(1) },
		{ key: '[', says: 'previous change', run: () => hop(-1) },
		{ key: 'v', says: 'viewed, and on to the next', run: () => scope && view(now) },
		{ key: 'o', says: 'fold or unfold the file', run: () => setOpened({ ...opened, [now]: !isOpen(files[now], now) }) },
		{ key: 'w', says: 'hide or show changes of white space', run: () => setIgnore(!ignoreSpace) },
	] : []);
	if (!files.length) return html`<${Empty} title="No difference"><p>Both have the same content.</p><//>`;
	let budget = EAGER;
	const seen = files.filter((file) => viewed.has(file.path)).length;
	return html`<div class="diff ${list && files.length > 1 ? '' : 'single'}" ref=${root}>
		${list && files.length > 1 && html`<${FileList} files=${files} viewed=${scope ? viewed : new Set()} now=${now} onPick=${(i) => { setOpened({ ...opened, [i]: true }); setQuery({}, { hash: part(files[i].path) }); go(i); }} />`}
		<div class="files">
			<div class="difftools"><span><b>${count(diff.files_total ?? files.length, 'file')}</b> <span class="counts"><span class="plus">+${diff.added}</span> <span class="minus">−${diff.removed}</span></span></span>
				${scope && html`<span class="muted">${seen} of ${files.length} viewed</span>`}
				<span class="grow"></span>
				<label><input type="checkbox" checked=${ignoreSpace} onChange=${() => setIgnore(!ignoreSpace)} /> hide white space changes</label>
			</div>
			${diff.truncated && html`<div class="notice wait"><${Icon} name="warn" /><p>This is not the whole difference: it is larger than can be shown.${diff.files_total > files.length ? ` ${count(diff.files_total - files.length, 'file')} more are not listed.` : ''} What is not shown can be read with <code>skep diff</code> or git.</p></div>`}
			${files.map((file, i) => {
				const open = isOpen(file, i), mine = open ? Math.max(0, budget) : 0;
				if (open) budget -= (file.added || 0) + (file.removed || 0);
				return html`<${File} key=${file.path} file=${file} index=${i} open=${open} viewed=${viewed.has(file.path)} budget=${mine} ignoreSpace=${ignoreSpace}
					target=${target.path === file.path && target.line ? `${target.side}${target.line}` : ''}
					onOpen=${() => { setNow(i); setOpened({ ...opened, [i]: !open }); }} onViewed=${scope && (() => { setNow(i); view(i); })} />`;
			})}
		</div>
	</div>`;
}
