// The few signs the page uses, drawn with the colour of the text they stand in.
import { html } from './html.js';

const paths = {
	hive: 'M6.2 2.5h3.6M4.2 5.8h7.6M3 9.1h10M2.5 12.5h11M8 12.5v1.5',
	deploys: 'M3 4.5h10M3 8h10M3 11.5h6.5',
	audit: 'M4 2.5h8v11H4zM6.3 5.5h3.4M6.3 8h3.4M6.3 10.5h2',
	bell: 'M4.3 11V7a3.7 3.7 0 0 1 7.4 0v4l1 1.2H3.3zM6.8 13.8h2.4',
	moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z',
	sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9',
	auto: 'M8 2.2a5.8 5.8 0 1 1 0 11.6A5.8 5.8 0 0 1 8 2.2zM8 2.2v11.6',
	help: 'M6 6.1A2 2 0 1 1 8.6 8c-.4.2-.6.5-.6 1v.4M8 11.7v.1',
	out: 'M6.5 3H3.5v10h3M9.5 5.2 12.3 8l-2.8 2.8M12 8H6.5',
	more: 'M3.5 8h.1M8 8h.1M12.5 8h.1',
	start: 'M5 3.3v9.4L12.5 8z',
	stop: 'M4.3 4.3h7.4v7.4H4.3z',
	restart: 'M12.8 8a4.8 4.8 0 1 1-1.5-3.5M12.8 2.5v2.7h-2.7',
	pause: 'M5.7 3.5v9M10.3 3.5v9',
	plus: 'M8 3.2v9.6M3.2 8h9.6',
	check: 'M3.3 8.5 6.5 11.7 12.7 4.8',
	cross: 'M4.2 4.2l7.6 7.6M11.8 4.2l-7.6 7.6',
	flag: 'M4 13.8V2.8h7.5L10 5.8l1.5 3H4',
	stopSign: 'M5.6 2.5h4.8l3.1 3.1v4.8l-3.1 3.1H5.6l-3.1-3.1V5.6zM5.5 8h5',
	right: 'M6 3.8 10.2 8 6 12.2',
	down: 'M3.8 6 8 10.2 12.2 6',
	copy: 'M5.5 5.5h7v7h-7zM3.5 10.5v-7h7',
	link: 'M9.5 3.5h3v3M12.2 3.8 7.5 8.5M10.5 9.5v3h-7v-7h3',
	search: 'M7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM10 10l3.2 3.2',
	back: 'M6.5 4.5 3 8l3.5 3.5M3.3 8H10a3 3 0 0 1 0 5.5',
	warn: 'M8 2.8 14 13H2zM8 6.5v3M8 11.2v.1',
	gear: 'M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6M10 3.5v3M6 9.5v3',
};

export const Icon = ({ name, label }) => html`<svg class="icon" viewBox="0 0 16 16" role=${label ? 'img' : undefined} aria-label=${label} aria-hidden=${label ? undefined : 'true'} focusable="false"><path d=${paths[name]} /></svg>`;

export const Logo = () => html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false"><rect x="11" y="3" width="10" height="5.4" rx="2.7" /><rect x="7.5" y="9.2" width="17" height="5.4" rx="2.7" /><rect x="5" y="15.4" width="22" height="5.4" rx="2.7" /><path d="M6.2 21.6h19.6a2.7 2.7 0 0 1 0 7.4H20v-1.5a4 4 0 0 0-8 0V29H6.2a2.7 2.7 0 0 1 0-7.4z" /></svg>`;
