// A new agent.
import { html, useState } from './html.js';
import { post } from './api.js';
import { navigate } from './router.js';
import { toast } from './store.js';
import { Dialog } from './ui.js';

export default function Spawn({ first, onClose }) {
	const [form, setForm] = useState({ name: first ? 'hm1nd' : '', memory_max: '', cpu_quota: '', tasks_max: '', network: '', builder: '', labels: '' });
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState(null);
	const field = (key) => ({ id: `spawn-${key}`, value: form[key], onInput: (event) => setForm({ ...form, [key]: event.target.value }) });
	const spawn = async (event) => {
		event.preventDefault();
		setBusy(true);
		setError(null);
		try {
			const body = { name: form.name };
			for (const key of ['memory_max', 'cpu_quota', 'network', 'builder']) if (form[key].trim()) body[key] = form[key].trim();
			if (form.tasks_max.trim()) body.tasks_max = Number(form.tasks_max);
			const labels = form.labels.split(/[\s,]+/).filter(Boolean).map((pair) => pair.split('='));
			if (labels.length) body.labels = Object.fromEntries(labels.map(([key, ...value]) => [key, value.join('=')]));
			await post('agents', body);
			toast(`${form.name} is being made`, 'good');
			onClose();
			navigate(`/a/${form.name}`);
		} catch (problem) {
			setError(problem);
			setBusy(false);
		}
	};
	return html`<${Dialog} title="Spawn an agent" onClose=${onClose}>
		<form class="grid" onSubmit=${spawn}>
			<label for="spawn-name">Name</label><div><input ...${field('name')} data-first required pattern="[a-z](?:[a-z0-9\\-]{0,30}[a-z0-9])?" maxlength="32" autocomplete="off" spellcheck="false" aria-describedby="spawn-name-help" /><p class="muted small" id="spawn-name-help">a to z, 0 to 9 and -, a letter first; <code>hm1nd</code> is the manager's</p></div>
			<label for="spawn-memory_max">Memory</label><input ...${field('memory_max')} placeholder="2G" />
			<label for="spawn-cpu_quota">CPU</label><input ...${field('cpu_quota')} placeholder="50%" />
			<label for="spawn-tasks_max">Tasks</label><input ...${field('tasks_max')} inputmode="numeric" pattern="[0-9]*" placeholder="4096" />
			<label for="spawn-network">Network</label><select ...${field('network')}><option value="">as configured</option><option value="host">host</option><option value="private">private</option></select>
			<label for="spawn-builder">Builder</label><select ...${field('builder')}><option value="">as configured</option><option value="overlay">overlay</option><option value="nix">nix</option></select>
			<label for="spawn-labels">Labels</label><input ...${field('labels')} placeholder="team=web tier=1" />
			${error && html`<p class="bad-text" role="alert">${error.message}${error.hint ? ` (${error.hint})` : ''}</p>`}
			<footer><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary" disabled=${busy || !form.name}>${busy ? 'Spawning' : 'Spawn'}</button></footer>
		</form>
	<//>`;
}
