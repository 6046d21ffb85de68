// Deciding: the sheets for yes and no, and the bar they open from. Everything on them comes from the controller.
import { html, useEffect, useRef, useState } from './html.js';
import { idemKey, post } from './api.js';
import { count, short, subjectOf } from './format.js';
import { toast } from './store.js';
import { chips } from './text.js';
import { Dialog, Icon } from './ui.js';

const UNSEEN = 'approve unseen';
const NOTE_MAX = 2000;

// Flags of one name together: what is acknowledged is the name.
export function byName(flags) {
	const groups = new Map();
	for (const flag of flags) groups.set(flag.name, [...(groups.get(flag.name) || []), flag]);
	return [...groups.values()].sort((a, b) => (a[0].strength === b[0].strength ? 0 : a[0].strength === 'block' ? -1 : 1));
}

const Places = ({ flags }) => {
	const places = flags.map((flag) => flag.place).filter(Boolean);
	return places.length ? html`<span class="muted places">${chips(places.slice(0, 3).join(', '))}${places.length > 3 ? ` and ${places.length - 3} more` : ''}</span>` : null;
};

// What the verdict is about, in the controller's words only.
const Subject = ({ row, diff }) => html`<dl class="subject">
	<div><dt>Proposal</dt><dd>${row.id} of <b>${subjectOf(row)}</b></dd></div>
	<div><dt>Tree</dt><dd><code class="print">${short(row.tree)}</code></dd></div>
	<div><dt>Commit</dt><dd><code>${short(row.commit)}</code></dd></div>
	${diff && html`<div><dt>Changes</dt><dd>${count(diff.files_total ?? diff.files.length, 'file')}, +${diff.added} −${diff.removed}</dd></div>`}
</dl>`;

export function ApproveSheet({ row, diff, onClose, onMoved, onDone }) {
	const groups = byName(row.flags || []);
	const blocked = groups.some(([flag]) => flag.strength === 'block');
	const asks = groups.filter(([flag]) => flag.strength !== 'block');
	const [acked, setAcked] = useState(new Set());
	const [unseen, setUnseen] = useState('');
	const [note, setNote] = useState('');
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const key = useRef(idemKey());
	const ready = !blocked && asks.every(([flag]) => acked.has(flag.name)) && (!diff?.truncated || unseen.trim() === UNSEEN);
	const toggle = (name) => {
		const next = new Set(acked);
		if (!next.delete(name)) next.add(name);
		setAcked(next);
	};
	const approve = async (event) => {
		event.preventDefault();
		if (!ready || busy) return;
		setBusy(true);
		setError(null);
		try {
			const body = { commit: row.commit, tree: row.tree, flags_ack: [...acked], idem_key: key.current };
			if (row.base) body.base = row.base;
			if (note.trim()) body.note = note.trim();
			await post(`proposals/${row.id}/approve`, body, row.id);
			toast(`Proposal ${row.id} is approved`, 'good');
			onDone();
		} catch (problem) {
			setBusy(false);
			if (['stale', 'superseded', 'wrong_state', 'needs_ack', 'expired'].includes(problem.code)) onMoved(problem);
			else setError(problem);
		}
	};
	return html`<${Dialog} title="Approve proposal ${row.id}" onClose=${onClose}>
		<form onSubmit=${approve}>
			<${Subject} row=${row} diff=${diff} />
			${blocked && html`<div class="notice bad"><${Icon} name="stopSign" /><div><p>This cannot be approved:</p><ul>${groups.filter(([flag]) => flag.strength === 'block').map((flags) => html`<li>${flags[0].sentence} <${Places} flags=${flags} /></li>`)}</ul></div></div>`}
			${!blocked && asks.length > 0 && html`<fieldset class="acks"><legend>You have looked at each of these</legend>${asks.map((flags, i) => html`
				<label><input type="checkbox" data-first=${i === 0 || undefined} checked=${acked.has(flags[0].name)} onChange=${() => toggle(flags[0].name)} /><span><b>${flags[0].name}</b> ${flags[0].sentence} <${Places} flags=${flags} /></span></label>`)}</fieldset>`}
			${!blocked && diff?.truncated && html`<label for="unseen">Part of the difference was not shown. To approve what you have not seen, type <b>${UNSEEN}</b></label>
				<input id="unseen" autocomplete="off" value=${unseen} onInput=${(event) => setUnseen(event.target.value)} />`}
			${!blocked && html`<label for="why">Note for the record <span class="muted">(optional)</span></label><input id="why" maxlength=${NOTE_MAX} value=${note} onInput=${(event) => setNote(event.target.value)} />`}
			${error && html`<p class="bad-text" role="alert">${error.message}${error.hint ? ` (${error.hint})` : ''}</p>`}
			<footer><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="good" data-first=${asks.length === 0 || undefined} disabled=${!ready || busy}><${Icon} name="check" />${busy ? 'Approving' : 'Approve'}</button></footer>
		</form>
	<//>`;
}

export function DenySheet({ row, onClose, onMoved, onDone }) {
	const [note, setNote] = useState('');
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const key = useRef(idemKey());
	const deny = async (event) => {
		event?.preventDefault();
		if (busy) return;
		setBusy(true);
		setError(null);
		try {
			await post(`proposals/${row.id}/deny`, { idem_key: key.current, ...(note.trim() ? { note: note.trim() } : {}) }, row.id);
			toast(`Proposal ${row.id} is denied`);
			onDone();
		} catch (problem) {
			setBusy(false);
			if (['stale', 'superseded', 'wrong_state', 'expired'].includes(problem.code)) onMoved(problem);
			else setError(problem);
		}
	};
	const onKey = (event) => {
		if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) deny(event);
	};
	return html`<${Dialog} title="Deny proposal ${row.id}" onClose=${onClose}>
		<form onSubmit=${deny}>
			<${Subject} row=${row} />
			<label for="note">Why? <span class="muted">The manager reads this, and it is kept in the record.</span></label>
			<textarea id="note" data-first rows="4" maxlength=${NOTE_MAX} value=${note} onInput=${(event) => setNote(event.target.value)} onKeyDown=${onKey}></textarea>
			${error && html`<p class="bad-text" role="alert">${error.message}${error.hint ? ` (${error.hint})` : ''}</p>`}
			<footer><span class="muted small"><kbd>Ctrl</kbd> <kbd>Enter</kbd> denies</span><span class="grow"></span><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="bad" disabled=${busy}><${Icon} name="cross" />${busy ? 'Denying' : 'Deny'}</button></footer>
		</form>
	<//>`;
}

// Always in sight at the foot of a proposal that can be decided; the sheets open from here or with a and d.
export function VerdictBar({ row, diff, moved, onApprove, onDeny }) {
	const flags = byName(row.flags || []);
	const blocked = flags.some(([flag]) => flag.strength === 'block');
	useEffect(() => {
		document.body.classList.add('has-bar');
		return () => document.body.classList.remove('has-bar');
	}, []);
	return html`<aside class="verdict" aria-label="Verdict">
		<span class="what"><b>${row.id}</b> <span class="agent">${subjectOf(row)}</span></span>
		<span class="fact" title="Fingerprint of the tree under review"><span class="muted">tree</span> <code class="print">${short(row.tree)}</code></span>
		${diff && html`<span class="fact counts"><span class="plus">+${diff.added}</span> <span class="minus">−${diff.removed}</span></span>`}
		${blocked ? html`<span class="fact bad-text"><${Icon} name="stopSign" />cannot be approved</span>` : flags.length > 0 && html`<span class="fact wait-text"><${Icon} name="flag" />${count(flags.length, 'flag')} to acknowledge</span>`}
		${moved && html`<span class="fact wait-text"><${Icon} name="warn" />moved</span>`}
		<span class="grow"></span>
		<button type="button" class="bad-line" onClick=${onDeny}>Deny<kbd>d</kbd></button>
		<button type="button" class="good" disabled=${blocked} onClick=${onApprove}>Approve<kbd>a</kbd></button>
	</aside>`;
}
