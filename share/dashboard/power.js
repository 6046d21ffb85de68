// Starting, stopping and pausing agents.
import { encode, post } from './api.js';
import { navigate } from './router.js';
import { toast } from './store.js';
import { complain } from './ui.js';

const done = { start: 'is starting', stop: 'is stopping', restart: 'is restarting', rebuild: 'is being rebuilt', pause: 'is paused', resume: 'goes on' };

export async function power(name, verb) {
	try {
		await post(`agents/${encode(name)}/${verb}`);
		toast(`${name} ${done[verb]}`, 'good');
	} catch (error) {
		complain(error);
	}
}

export const powerItems = (row, more = []) => [
	{ says: 'Open', icon: 'right', run: () => navigate(`/a/${row.name}`) },
	!row.running && { says: 'Start', icon: 'start', run: () => power(row.name, 'start') },
	row.running && { says: 'Restart', icon: 'restart', run: () => power(row.name, 'restart') },
	row.paused ? { says: 'Resume', icon: 'start', run: () => power(row.name, 'resume') } : { says: 'Pause', icon: 'pause', run: () => power(row.name, 'pause') },
	(row.running || row.failed) && { says: 'Stop', icon: 'stop', run: () => power(row.name, 'stop') },
	...more,
];
