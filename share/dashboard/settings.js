// The settings of an agent as a form. What was changed, and only that, becomes one commit in the record.
import { html, useMemo, useState } from './html.js';
import { encode, post } from './api.js';
import { toast } from './store.js';
import { Icon } from './ui.js';

const GiB = 2 ** 30, MiB = 2 ** 20;

// Limits arrive as numbers or as they were written; a form shows what a person would write.
function sizeText(value) {
	if (typeof value !== 'number') return value || '';
	return value % GiB === 0 ? `${value / GiB}G` : value % MiB === 0 ? `${value / MiB}M` : String(value);
}
const quotaText = (value) => (typeof value === 'number' ? `${value}%` : value || '');

function initial(agent) {
	const limits = agent.limits || {}, probe = agent.probe || {};
	const values = {
		memory_max: sizeText(limits.memory_max ?? limits.memory_max_bytes), cpu_quota: quotaText(limits.cpu_quota ?? limits.cpu_quota_percent),
		tasks_max: String(limits.tasks_max ?? ''), network: agent.network || 'host', parent: agent.parent || '',
	};
	if (agent.probe) Object.assign(values, {
		'probe.kind': probe.set === false ? '' : probe.kind || '', 'probe.command': probe.set !== false && probe.command ? JSON.stringify(probe.command) : '',
		'probe.port': probe.set !== false && probe.port ? String(probe.port) : '', 'probe.grace': probe.set !== false ? String(probe.grace_s ?? '') : '', 'probe.soak': probe.set !== false ? String(probe.soak_s ?? '') : '',
	});
	return values;
}

const labelRows = (agent) => Object.entries(agent.labels || {}).map(([key, value]) => ({ key, value }));

function changes(agent, values, rows) {
	const before = initial(agent), result = {};
	for (const key of Object.keys(before)) if (values[key] !== before[key]) result[key] = values[key].trim();
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
	const enforced = agent.limits_enforced || {};
	const off = ['memory', 'cpu', 'tasks'].filter((key) => enforced[key] === false);
	return html`<form class="settings" onSubmit=${save}>
		<fieldset><legend>Limits</legend>
			${off.length > 0 && html`<p class="notice wait"><${Icon} name="warn" /><span>${off.join(', ')} cannot be limited on this host${enforced.reason ? `: ${enforced.reason}` : ''}. What is set here is recorded all the same.</span></p>`}
			<div class="fields">
				<div><label for="set-memory_max">Memory</label><input ...${field('memory_max')} placeholder="2G" /></div>
				<div><label for="set-cpu_quota">CPU</label><input ...${field('cpu_quota')} placeholder="50%" /></div>
				<div><label for="set-tasks_max">Tasks</label><input ...${field('tasks_max')} inputmode="numeric" placeholder="4096" /></div>
			</div>
		</fieldset>
		${agent.probe && html`<fieldset><legend>Probe</legend><p class="muted">What must come good after a deploy, or the old system comes back.</p>
			<div class="fields">
				<div><label for="set-probe.kind">Kind</label><select ...${field('probe.kind')}><option value="">agent.json's${agent.probe.set === false ? ` (${agent.probe.kind})` : ''}</option><option value="default">no unit fails that did not</option><option value="command">a command succeeds</option><option value="tcp">a port answers</option><option value="none">none</option></select></div>
				${values['probe.kind'] === 'command' && html`<div class="two"><label for="set-probe.command">Command</label><input ...${field('probe.command')} class="mono" placeholder='["/bin/systemctl", "is-active", "agent.service"]' /></div>`}
				${values['probe.kind'] === 'tcp' && html`<div><label for="set-probe.port">Port</label><input ...${field('probe.port')} inputmode="numeric" placeholder=${agent.port} /></div>`}
				<div><label for="set-probe.grace">Comes good within (s)</label><input ...${field('probe.grace')} inputmode="numeric" placeholder=${agent.probe.grace_s} /></div>
				<div><label for="set-probe.soak">Stays good for (s)</label><input ...${field('probe.soak')} inputmode="numeric" placeholder=${agent.probe.soak_s} /></div>
			</div>
		</fieldset>`}
		<fieldset><legend>Labels</legend>
			${rows.map((row, i) => html`<div class="row" key=${i}><input aria-label="Label ${i + 1}" placeholder="key" value=${row.key} onInput=${(event) => setRow(i, { key: event.target.value })} /><span>=</span><input aria-label="Value ${i + 1}" placeholder="value" value=${row.value} onInput=${(event) => setRow(i, { value: event.target.value })} />
				<button type="button" class="quiet square" aria-label="Remove label ${row.key}" onClick=${() => setRows(rows.filter((other) => other !== row))}><${Icon} name="cross" /></button></div>`)}
			<button type="button" onClick=${() => setRows([...rows, { key: '', value: '' }])}><${Icon} name="plus" />Label</button>
		</fieldset>
		<fieldset><legend>Network and place</legend>
			<div class="fields">
				<div><label for="set-network">Network</label><select ...${field('network')}><option value="host">host: shares the machine's</option><option value="private">private: loopback only</option></select></div>
				<div><label for="set-parent">Parent</label><select ...${field('parent')}><option value="">none: the root</option>${names.filter((name) => name !== agent.name).map((name) => html`<option value=${name}>${name}</option>`)}</select></div>
			</div>
		</fieldset>
		${error && html`<p class="bad-text" role="alert">${error.message}${error.hint ? ` (${error.hint})` : ''}</p>`}
		<footer class="save">${changed.length ? html`<span>One commit: <code>set ${agent.name} ${changed.map((key) => `${key}=${wanted[key]}`).join(' ')}</code></span>` : html`<span class="muted">Nothing is changed.</span>`}
			<span class="grow"></span><button type="button" disabled=${!changed.length} onClick=${() => reset(agent)}>Undo</button><button type="submit" class="primary" disabled=${busy || !changed.length}>${busy ? 'Recording' : 'Record'}</button></footer>
	</form>`;
}
