// One proposal: what is said, what is flagged, what changes, and what becomes of it. The difference comes first, the verdict last.
import { html, useEffect, useRef, useState } from './html.js';
import { get, hasKey, post } from './api.js';
import { FlagCount } from './hive.js';
import { agentHref, isFinal, kindOf, part, short, stateOf, subjectOf, titleOf } from './format.js';
import { useKeys } from './keys.js';
import { isPending } from './live.js';
import { navigate, setQuery } from './router.js';
import { useStore } from './store.js';
import { chips, Said } from './text.js';
import { complain, copy, Icon, Loading, Menu, Oid, Pill, Tabs, Time, Trouble, useAsked, useTitle } from './ui.js';
import { DiffView } from './diffview.js';
import { Effect } from './effect.js';
import { Log } from './log.js';
import { byName, ApproveSheet, DenySheet, VerdictBar } from './verdict.js';

const ways = ['needs-review', 'approved', 'building', 'deploying', 'deployed'];
const says = { 'needs-review': 'review' };

// The way a proposal goes, and where on it this one is.
function Way({ row }) {
	const now = stateOf(row);
	const reached = row.history?.map((entry) => entry.state) || [];
	const at = ways.indexOf(now === 'submitted' ? 'needs-review' : now);
	const ended = isFinal(row) && now !== 'deployed';
	const last = ended ? Math.max(0, ...reached.map((state) => ways.indexOf(state))) : at;
	const steps = ended ? [...ways.slice(0, last + 1), now] : ways;
	return html`<ol class="way" aria-label="Where it is">${steps.map((word, i) => {
		const is = ended ? (i === steps.length - 1 ? 'now bad' : 'past') : i < at ? 'past' : i > at ? '' : now === 'deployed' ? 'now good' : 'now';
		return html`<li class=${is} aria-current=${is.startsWith('now') ? 'step' : undefined}>${says[word] || word}</li>`;
	})}</ol>`;
}

function Place({ flag, onPick }) {
	if (!flag.place) return html`<li class="muted">the proposal as a whole</li>`;
	return html`<li><a href="#${part(flag.place)}" onClick=${(event) => { event.preventDefault(); event.stopPropagation(); onPick(flag.place); }}>${chips(flag.place)}</a></li>`;
}

function Flags({ flags, onPick }) {
	const groups = byName(flags);
	if (!groups.length) return html`<p class="noflags muted"><${Icon} name="check" />No flags: nothing about it stands out.</p>`;
	return html`<ul class="flags" aria-label="Flags">${groups.map((group) => html`<li class=${group[0].strength}>
		<${Icon} name=${group[0].strength === 'block' ? 'stopSign' : 'flag'} /><div><b>${group[0].name}</b> <span>${group[0].sentence}</span>${group[0].strength === 'block' && html` <em>cannot be approved</em>`}
		<ul class="places">${group.slice(0, 8).map((flag) => html`<${Place} flag=${flag} onPick=${onPick} />`)}${group.length > 8 && html`<li class="muted">and ${group.length - 8} more</li>`}</ul></div></li>`)}</ul>`;
}

// ---- what moved while it was being read ----

function WhatMoved({ agent, base, moved }) {
	const [open, setOpen] = useState(false);
	const asked = useAsked((signal) => (open ? get(`agents/${agent.name}`, signal).then(({ agent: now }) => {
		const from = moved?.from ?? now.proposals?.find((row) => row.commit === base)?.id ?? 0;
		return get(`proposals/${now.deployed}/diff?against=${from}`, signal).then(({ diff }) => ({ diff, deployed: now.deployed }));
	}) : Promise.resolve(null)), [open, agent.deployed_sha]);
	return html`<p><button type="button" class="quiet fold" aria-expanded=${open} onClick=${() => setOpen(!open)}><${Icon} name=${open ? 'down' : 'right'} />What moved</button></p>
		${open && (asked.error ? html`<${Trouble} error=${asked.error} />` : asked.value ? html`<p>Proposal <a href="/p/${asked.value.deployed}">${asked.value.deployed}</a> was deployed:</p><${DiffView} diff=${asked.value.diff} keys=${false} list=${false} />` : html`<${Loading} what="what moved" />`)}`;
}

function Moved({ row, agent, refused, onAgain }) {
	const state = stateOf(row);
	const now = refused?.answer.now || {};
	const newer = row.superseded_by || now.superseded_by || Number(/^proposal (\d+) replaces it/.exec(row.note)?.[1] || 0) || (agent?.open_proposal > row.id ? agent.open_proposal : 0);
	const baseMoved = agent?.deployed_sha && row.base && !row.base.startsWith(agent.deployed_sha);
	if (state === 'superseded' || state === 'cancelled' || state === 'stale' || (isPending(row) && baseMoved) || refused) {
		const text = state === 'superseded' ? 'A newer proposal has replaced this one.'
			: state === 'cancelled' ? 'This proposal was cancelled.'
				: state === 'stale' ? 'This proposal is stale: what it was made for no longer runs.'
					: baseMoved ? html`<b>${row.agent}</b> no longer runs what this was made for: it runs <code>${agent.deployed_sha}</code>, and this was compared with <code>${short(row.base)}</code>. An approval will be refused as stale.`
						: refused.message;
		return html`<div class="notice wait moved" role="status"><${Icon} name="warn" /><div><p>${text}</p>
			${refused?.hint && html`<p class="muted">${refused.hint}</p>`}
			${newer > 0 && html`<p><a class="button" href="/p/${newer}?vs=${row.id}">See what proposal ${newer} changes against this one</a></p>`}
			${(baseMoved || (state === 'stale' && agent?.deployed > 0)) && html`<${WhatMoved} agent=${agent} base=${row.base} moved=${row.moved || now.moved} />`}
			${refused && !newer && html`<p><button type="button" onClick=${onAgain}>Look again</button></p>`}</div></div>`;
	}
	return null;
}

// ---- tabs ----

function Against({ row, now, others }) {
	return html`<label class="pick"><span>Compared with</span><select value=${now} onChange=${(event) => setQuery({ vs: event.target.value })}>
		<option value="">what ran when it was submitted</option>
		<option value="deployed">what runs now</option>
		<option value="seen">what you last saw</option>
		${others.filter((other) => other.id !== row.id).map((other) => html`<option value=${other.id}>proposal ${other.id} (${stateOf(other)})</option>`)}
		<option value="0">what the agent began with</option>
		${/^\d+$/.test(now) && now !== '0' && !others.some((other) => String(other.id) === now) && html`<option value=${now}>proposal ${now}</option>`}
	</select></label>`;
}

function Changes({ row, asked, place, vs, others }) {
	const tools = html`<div class="against"><${Against} row=${row} now=${vs} others=${others} />
		${asked.value?.against && html`<span class="muted">${asked.value.against.label} <code>${short(asked.value.against.commit)}</code> → <code>${short(row.commit)}</code></span>`}</div>`;
	if (asked.error && (!asked.value || asked.error)) return html`${tools}<${Trouble} error=${asked.error} again=${asked.again} />`;
	if (!asked.value) return html`${tools}<${Loading} what="the difference" />`;
	return html`${tools}<${DiffView} diff=${asked.value} scope=${`skep.viewed.${row.id}.${row.tree}`} place=${place} />`;
}

const deed = { proposal: 'submitted', approved: 'approved', building: 'build begun', deployed: 'deployed', failed: 'failed', denied: 'denied', stale: 'stale', superseded: 'superseded', cancelled: 'cancelled' };

export const History = ({ row }) => html`<ol class="story">${(row.history || []).map((entry) => html`<li><${Pill} word=${deed[entry.state] || entry.state} />
	<span><code>${entry.state}/${row.id}</code> ${entry.actor && html`by <b>${chips(entry.actor)}</b>`} ${entry.channel && html`<span class="muted">through ${entry.channel}</span>`}</span>
	<span class="muted when"><${Time} at=${entry.at} /></span>${entry.note && html`<pre class="note">${chips(entry.note)}</pre>`}</li>`)}</ol>`;

function Facts({ row, agent }) {
	return html`<dl class="facts">
		<div><dt>Agent</dt><dd><a href=${agentHref(row.agent)}>${subjectOf(row)}</a>${agent?.deployed > 0 && html` <span class="muted">runs ${agent.deployed}</span>`}</dd></div>
		<div><dt>Commit</dt><dd><${Oid} id=${row.commit || row.commit_ref} /></dd></div>
		<div><dt>Tree</dt><dd><${Oid} id=${row.tree} what="tree" /></dd></div>
		<div><dt>Made for</dt><dd>${row.base ? html`<${Oid} id=${row.base} />` : html`<span class="muted">a new agent</span>`}</dd></div>
		${row.author && html`<div><dt>Author</dt><dd title="As the commit claims">${chips(row.author)}</dd></div>`}
		<div><dt>Submitted</dt><dd>${row.submitter && html`by ${row.submitter} `}<${Time} at=${row.requested_at} /></dd></div>
		${isPending(row) && row.expires_at && html`<div><dt>Expires</dt><dd><${Time} at=${row.expires_at} future /></dd></div>`}
		${row.approved_by && html`<div><dt>Approved</dt><dd>by ${row.approved_by}</dd></div>`}
		${row.rollback_of >= 0 && html`<div><dt>Rollback</dt><dd>to deployed/${row.rollback_of}</dd></div>`}
	</dl>`;
}

function Outcome({ row }) {
	const state = stateOf(row);
	if (!isFinal(row) || !row.note) return null;
	return html`<div class="notice ${state === 'deployed' ? 'good' : state === 'failed' ? 'bad' : ''}"><div><p><b>${state}</b>${row.resolved_at && html`, <${Time} at=${row.resolved_at} />`}</p><pre class="note">${chips(row.note.length > 1500 ? `${row.note.slice(0, 1500)}…` : row.note)}</pre></div></div>`;
}

// ---- the page ----

export default function Review({ route }) {
	const { id } = route;
	const livingRow = useStore((s) => s.proposals.get(id));
	const vs = route.query.get('vs') || '', tab = route.query.get('tab') || 'changes';
	const asked = useAsked((signal) => get(`proposals/${id}`, signal).then((answer) => answer.proposal), [id, livingRow?.state, livingRow?.status]);
	const row = asked.value && livingRow ? { ...asked.value, ...livingRow, flags: asked.value.flags, history: asked.value.history } : asked.value;
	const agent = useStore((s) => row && s.agents.get(row.agent));
	const loaded = useStore((s) => s.loaded);
	const diff = useAsked((signal) => get(`proposals/${id}/diff${vs ? `?against=${part(vs)}` : ''}`, signal).then((answer) => answer.diff), [id, vs]);
	const others = useAsked((signal) => (row?.agent ? get(`proposals?agent=${row.agent}&state=all&limit=60`, signal).then(({ approvals }) => approvals.reverse()) : Promise.resolve([])), [row?.agent, id]).value || [];
	const effect = useAsked((signal) => get(`proposals/${id}/effect`, signal).then((answer) => answer.effect, () => null), [id, livingRow?.state]).value;
	const [sheet, setSheet] = useState('');
	const [refused, setRefused] = useState(null);
	const marked = useRef(false);
	useTitle(row ? `${id} ${subjectOf(row)}` : `Proposal ${id}`);
	const pending = row && isPending(row);
	const building = row && !pending && !isFinal(row);
	// shown is seen: the next time the question is what has changed since
	useEffect(() => {
		if (!diff.value || marked.current || !hasKey()) return;
		marked.current = true;
		post(`proposals/${id}/seen`).catch(() => {});
	}, [diff.value]);
	const open = (which) => pending && setSheet(which);
	const pick = (place) => {
		if (tab !== 'changes') setQuery({ tab: '' }, { hash: part(place) });
		else navigate(`#${part(place)}`);
	};
	const go = (which) => setQuery({ tab: which === 'changes' ? '' : which });
	const hasLog = row && (row.log_bytes > 0 || building || ['deployed', 'failed'].includes(stateOf(row)));
	useKeys('Proposal', [
		{ key: 'a', says: 'approve (asks)', run: () => open('approve') },
		{ key: 'd', says: 'deny (asks)', run: () => open('deny') },
		{ key: '1', says: 'changes', run: () => go('changes') },
		{ key: '2', says: 'effect, where there is one', run: () => effect && go('effect') },
		{ key: '3', says: 'log', run: () => hasLog && go('log') },
		{ key: '4', says: 'history', run: () => go('history') },
		{ key: 'u', says: 'to the agent', run: () => row?.agent && navigate(`/a/${row.agent}`) },
	]);
	if (asked.error && !row) return html`<div class="page"><h1>Proposal ${id}</h1><${Trouble} error=${asked.error} again=${asked.again} /></div>`;
	if (!row) return html`<${Loading} what="the proposal" />`;
	const place = tab === 'changes' ? safeDecode(route.hash) : '';
	const address = (which) => `/p/${id}${which === 'changes' ? '' : `?tab=${which}`}`;
	const moved = (problem) => {
		setSheet('');
		setRefused(problem);
		asked.again();
		diff.again();
		scrollTo(0, 0);
	};
	const decided = (which) => {
		setSheet('');
		setRefused(null);
		asked.again();
		if (which === 'approve') setQuery({ tab: 'log' });
	};
	const cancel = async () => {
		try {
			await post(`proposals/${id}/cancel`, {}, id);
			asked.again();
		} catch (error) {
			complain(error);
		}
	};
	return html`<div class="page review">
		<header class="head">
			<div class="headline"><span class="num id">${id}</span><h1>${chips(titleOf(row))}</h1><${Pill} word=${stateOf(row)} />
				<span class="grow"></span><${FlagCount} flags=${row.flags || []} />
				<${Menu} label="More about proposal ${id}" items=${[
					{ says: 'Copy the link', icon: 'link', run: () => copy(location.href, 'link') },
					{ says: 'Copy the commit', icon: 'copy', run: () => copy(row.commit, 'commit') },
					pending && { says: 'Cancel the proposal', icon: 'cross', danger: true, run: cancel },
				]} /></div>
			<div class="subline"><a class="agent" href=${agentHref(row.agent)}>${subjectOf(row)}</a>${row.kind !== 'apply_commit' && html`<span class="tag">${kindOf(row)}</span>`}<${Way} row=${row} /></div>
		</header>
		${loaded && html`<${Moved} row=${row} agent=${agent} refused=${refused} onAgain=${() => { setRefused(null); asked.again(); diff.again(); }} />`}
		<${Outcome} row=${row} />
		<div class="intro">
			<div><${Said} by=${row.submitter || row.agent} text=${row.description} /><${Flags} flags=${row.flags || []} onPick=${pick} /></div>
			<${Facts} row=${row} agent=${agent} />
		</div>
		<${Tabs} label="Proposal" now=${tab} onPick=${go} tabs=${[
			{ id: 'changes', says: 'Changes', note: diff.value ? diff.value.files_total ?? diff.value.files.length : undefined, href: address('changes') },
			effect && { id: 'effect', says: 'Effect', href: address('effect') },
			(hasLog || tab === 'log') && { id: 'log', says: 'Log', href: address('log') },
			{ id: 'history', says: 'History', note: row.history?.length, href: address('history') },
		]} />
		${tab === 'changes' && html`<${Changes} row=${row} asked=${diff} place=${place} vs=${vs} others=${others} />`}
		${tab === 'effect' && html`<${Effect} effect=${effect} />`}
		${tab === 'log' && html`<${Log} path="/api/v1/proposals/${id}/log?follow=1" name="Build and deploy log of proposal ${id}" />`}
		${tab === 'history' && html`<${History} row=${row} />`}
		${pending && html`<${VerdictBar} row=${row} diff=${diff.value} moved=${Boolean(refused)} onApprove=${() => open('approve')} onDeny=${() => open('deny')} />`}
		${sheet === 'approve' && pending && html`<${ApproveSheet} row=${row} diff=${vs ? null : diff.value} onClose=${() => setSheet('')} onMoved=${moved} onDone=${() => decided('approve')} />`}
		${sheet === 'deny' && pending && html`<${DenySheet} row=${row} onClose=${() => setSheet('')} onMoved=${moved} onDone=${() => decided('deny')} />`}
	</div>`;
}

function safeDecode(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return '';
	}
}
