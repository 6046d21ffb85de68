// The settings of an agent as a form. What was changed, and only that, becomes one commit in the record.
import { html, useMemo, useState } from './html.js';
import { encode, post } from './api.js';
import { toast } from './store.js';
import { Icon } from './ui.js';

// "command:/bin/true -v" is a kind and what goes with it.
function probeParts(text) {
	const [kind, ...rest] = (text || '').split(':');
	return { probe_kind: kind, probe_with: rest.join(':') };
}

const takesMore = { tcp: 'Port', command: 'Command' };
const probeText = ({ probe_kind: kind, probe_with: rest }) => (takesMore[kind] && rest.trim() ? `${kind}:${rest.trim()}` : kind);

// What is set; what is not is the default, and shown where nothing is typed.
function initial(agent) {
	const set = agent.settings || {};
	return {
		memory_max: set.memory_max || '', cpu_quota: set.cpu_quota || '', tasks_max: String(set.tasks_max ?? ''), network: set.network || '', parent: agent.parent || '',
		...probeParts(set.probe), 'probe.grace': String(set['probe.grace'] ?? ''), 'probe.soak': String(set['probe.soak'] ?? ''),
	};
}

// The form in the words of the settings.
function asSettings({ probe_kind: kind, probe_with: rest, ...plain }) {
	return { ...Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, value.trim()])), probe: probeText({ probe_kind: kind, probe_with: rest }) };
}

const labelRows = (agent) => Object.entries(agent.labels || {}).map(([key, value]) => ({ key, value }));

function changes(agent, values, rows) {
	const before = asSettings(initial(agent)), after = asSettings(values), result = {};
	for (const key of Object.keys(before)) if (after[key] !== before[key]) result[key] = after[key];
	const now = Object.fromEntries(rows.filter((row) => row.key.trim()).map((row) => [row.key.trim(), row.value.trim()]));
	for (const [key, value] of Object.entries(now)) if (agent.labels?.[key] !== value) result[`label.${key}`] = value;
	for (const key of Object.keys(agent.labels || {})) if (!(key in now)) result[`label.${key}`] = '';
	return result;
}

export function Settings({ agent, names, onSaved }) {
	const [values, setValues] = useState(() => initial(agent));
	const [rows, setRows] = useState(() => labelRows(agent));
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const wanted = useMemo(() => changes(agent, values, rows), [agent, values, rows]);
	const changed = Object.keys(wanted);
	const field = (key) => ({ id: `set-${key}`, value: values[key], onInput: (event) => setValues({ ...values, [key]: event.target.value }) });
	const setRow = (i, part) => setRows(rows.map((row, at) => (at === i ? { ...row, ...part } : row)));
	const reset = (to) => {
		setValues(initial(to));
		setRows(labelRows(to));
		setError(null);
	};
	const save = async (event) => {
		event.preventDefault();
		setBusy(true);
		setError(null);
		try {
			const answer = await post(`agents/${encode(agent.name)}/settings`, { settings: wanted });
			toast(`The settings of ${agent.name} are recorded`, 'good');
			if (answer.agent) reset(answer.agent);
			onSaved();
		} catch (problem) {
			setError(problem);
		}
		setBusy(false);
	};
	const limits = agent.limits || {}, probe = agent.probe || {}, own = values.probe_kind;
	const enforced = agent.limits_enforced || {};
	const off = ['memory', 'cpu', 'tasks'].filter((key) => enforced[key] === false);
	return html`<form class="settings" onSubmit=${save}>
		<fieldset><legend>Limits</legend>
			${off.length > 0 && html`<p class="notice wait"><${Icon} name="warn" /><span>${off.join(', ')} cannot be limited on this host${enforced.reason ? `: ${enforced.reason}` : ''}. What is set here is recorded all the same.</span></p>`}
			<div class="fields">
				<div><label for="set-memory_max">Memory</label><input ...${field('memory_max')} placeholder=${limits.memory_max} /></div>
				<div><label for="set-cpu_quota">CPU</label><input ...${field('cpu_quota')} placeholder=${limits.cpu_quota} /></div>
				<div><label for="set-tasks_max">Tasks</label><input ...${field('tasks_max')} inputmode="numeric" placeholder=${limits.tasks_max} /></div>
			</div>
		</fieldset>
		<fieldset><legend>Probe</legend><p class="muted">What must come good after a deploy, or the old system comes back.</p>
			<div class="fields">
				<div><label for="set-probe_kind">Kind</label><select ...${field('probe_kind')}><option value="">agent.json's own${!own && probe.kind ? `: ${probe.kind}` : ''}</option><option value="default">no unit fails that did not</option><option value="command">a command succeeds</option><option value="tcp">a port answers</option><option value="none">none</option></select></div>
				${takesMore[own] && html`<div class=${own === 'command' ? 'two' : ''}><label for="set-probe_with">${takesMore[own]}</label><input ...${field('probe_with')} class="mono" placeholder=${own === 'tcp' ? agent.port : '/bin/systemctl is-active agent.service'} /></div>`}
				<div><label for="set-probe.grace">Comes good within (s)</label><input ...${field('probe.grace')} inputmode="numeric" placeholder=${probe.grace} /></div>
				<div><label for="set-probe.soak">Stays good for (s)</label><input ...${field('probe.soak')} inputmode="numeric" placeholder=${probe.soak} /></div>
			</div>
		</fieldset>
		<fieldset><legend>Labels</legend>
			${rows.map((row, i) => html`<div class="row" key=${i}><input aria-label="Label ${i + 1}" placeholder="key" value=${row.key} onInput=${(event) => setRow(i, { key: event.target.value })} /><span>=</span><input aria-label="Value ${i + 1}" placeholder="value" value=${row.value} onInput=${(event) => setRow(i, { value: event.target.value })} />
				<button type="button" class="quiet square" aria-label="Remove label ${row.key}" onClick=${() => setRows(rows.filter((other) => other !== row))}><${Icon} name="cross" /></button></div>`)}
			<button type="button" onClick=${() => setRows([...rows, { key: '', value: '' }])}><${Icon} name="plus" />Label</button>
		</fieldset>
		<fieldset><legend>Network and place</legend>
			<div class="fields">
				<div><label for="set-network">Network</label><select ...${field('network')}><option value="">as configured${!values.network && agent.network ? `: ${agent.network}` : ''}</option><option value="host">host: shares the machine's</option><option value="private">private: loopback only</option></select></div>
				<div><label for="set-parent">Parent</label><select ...${field('parent')}><option value="">none: the root</option>${names.filter((name) => name !== agent.name).map((name) => html`<option value=${name}>${name}</option>`)}</select></div>
			</div>
		</fieldset>
		${error && html`<p class="bad-text" role="alert">${error.message}${error.hint ? ` (${error.hint})` : ''}</p>`}
		<footer class="save">${changed.length ? html`<span>One commit: <code>set ${agent.name} ${changed.map((key) => `${key}=${wanted[key]}`).join(' ')}</code></span>` : html`<span class="muted">Nothing is changed.</span>`}
			<span class="grow"></span><button type="button" disabled=${!changed.length} onClick=${() => reset(agent)}>Undo</button><button type="submit" class="primary" disabled=${busy || !changed.length}>${busy ? 'Recording' : 'Record'}</button></footer>
	</form>`;
}
