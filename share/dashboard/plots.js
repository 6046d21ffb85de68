// Plots of series over time, drawn by uPlot. Loaded when the first one is to be seen.
import { html, useEffect, useLayoutEffect, useRef } from './html.js';
import uPlot from './uplot.js';
import { bytes, percent } from './format.js';
import { useStore } from './store.js';

const sheet = document.createElement('link');
sheet.rel = 'stylesheet';
sheet.href = new URL('./uplot.css', import.meta.url).pathname;
document.head.append(sheet);

// A canvas knows no variables: the colour is read off an element that wears it.
function colour(element, name) {
	const before = element.style.color;
	element.style.color = `var(${name})`;
	const found = getComputedStyle(element).color;
	element.style.color = before;
	return found;
}

function paint(element, tint) {
	const line = colour(element, tint);
	return { stroke: line, fill: `color-mix(in srgb, ${line} 16%, transparent)`, width: 1.3, points: { show: false }, spanGaps: false };
}

// At least this much is the height of the plot, so that noise of an idle agent looks like noise.
const least = { cpu: 20, memory: 64 * 1024 * 1024, pressure: 10 };
const range = (metric) => (plot, min, max) => [0, Math.max(least[metric], (max || 0) * 1.1)];
const tints = { cpu: '--blue', memory: '--violet', pressure: '--red' };

function useSize(ref, plot, height) {
	useLayoutEffect(() => {
		const watch = new ResizeObserver(([entry]) => plot.current?.setSize({ width: Math.max(40, Math.floor(entry.contentRect.width)), height }));
		watch.observe(ref.current);
		return () => watch.disconnect();
	}, []);
}

export function SparkPlot({ series, metric }) {
	const ref = useRef(), plot = useRef();
	const theme = useStore((s) => s.theme);
	useEffect(() => {
		plot.current = new uPlot({
			width: 72, height: 22, pxAlign: false, legend: { show: false }, cursor: { show: false }, padding: [1, 0, 1, 0],
			scales: { x: { time: true }, y: { range: range(metric) } }, axes: [{ show: false }, { show: false }],
			series: [{}, paint(ref.current, tints[metric])],
		}, [series.at, series[metric]], ref.current);
		return () => plot.current.destroy();
	}, [metric, theme]);
	useEffect(() => plot.current?.setData([series.at, series[metric]]), [series]);
	return html`<span class="spark" ref=${ref} aria-hidden="true"></span>`;
}

const hour = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const show = { cpu: percent, memory: bytes, pressure: percent };

export function Plot({ series, metric, title, limit }) {
	const ref = useRef(), plot = useRef();
	const theme = useStore((s) => s.theme);
	useEffect(() => {
		const axis = { stroke: colour(ref.current, '--muted'), grid: { stroke: colour(ref.current, '--line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
		plot.current = new uPlot({
			width: ref.current.clientWidth || 300, height: 130, legend: { show: false }, padding: [8, 8, 0, 0],
			cursor: { points: { size: 5 }, y: false, drag: { x: false, y: false } },
			scales: { x: { time: true }, y: { range: range(metric) } },
			axes: [{ ...axis, space: 60, size: 26, values: (u, ticks) => ticks.map((tick) => hour.format(tick * 1000)) }, { ...axis, size: 62, space: 32, values: (u, ticks) => ticks.map((n) => show[metric](n)), incrs: metric === 'memory' ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192].map((n) => n * 2 ** 20) : undefined }],
			series: [{}, paint(ref.current, tints[metric])],
		}, [series.at, series[metric]], ref.current);
		return () => plot.current.destroy();
	}, [metric, theme]);
	useEffect(() => plot.current?.setData([series.at, series[metric]]), [series]);
	useSize(ref, plot, 130);
	const now = series[metric].at(-1), most = Math.max(...series[metric].filter(Number.isFinite));
	return html`<figure class="plot">
		<figcaption><b>${title}</b><span class="grow"></span><span class="num">${show[metric](now ?? NaN)}</span>${limit && html`<span class="muted"> of ${limit}</span>`}</figcaption>
		<div ref=${ref} role="img" aria-label="${title}: now ${show[metric](now ?? NaN)}, at most ${show[metric](most)} in the time shown"></div>
	</figure>`;
}
