import type { FromPanel, PanelState, PanelWords, ToPanel } from '../ui/stats-messages';
import { appendPoint, columnsOf, thinned, type UsageLimits, type UsagePoint } from '../ui/usage-points';
import { Chart, type Line } from './chart';
import { Figures } from './figures';
import { fillProcesses, fillRows } from './tables';

/** The page of the stats panel: draws what the extension tells, keeps nothing but what it draws. */

declare function acquireVsCodeApi(): {
	postMessage(message: FromPanel): void;
	getState(): PanelState | undefined;
	setState(state: PanelState): void;
};

/** Rows of the table of figures: what a person reads, not a dump. */
const MOST_ROWS = 30;
const MINUTE = 60_000;

const vscode = acquireVsCodeApi();
const { dataset } = document.body;
const words = JSON.parse(dataset['words'] ?? '') as PanelWords;
const locale = document.documentElement.lang;
const figures = new Figures(words, locale);
const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });

const points: UsagePoint[] = [];
let limits: UsageLimits = { cpu: undefined, memory: undefined };
/** Index in `points` of what the cursor is on. */
let pointed: number | undefined;
/** For each place of the charts the index in `points`. */
let chosen: readonly (number | null)[] = [];

interface Plot {
	readonly chart: Chart;
	readonly values: readonly ((point: UsagePoint) => number | null)[];
}

const range = find('range') as HTMLSelectElement;
range.value = String(vscode.getState()?.minutes ?? 5);
range.addEventListener('change', () => {
	saveState();
	draw();
});

const plots: readonly Plot[] = [
	plot('cpu', {
		lines: [{ color: 'charts-blue' }, { color: 'charts-red', isDashed: true }],
		values: [(point) => point.cpu, () => limits.cpu ?? null],
		format: (value) => figures.percent(value),
		least: 5,
	}),
	plot('memory', {
		lines: [{ color: 'charts-purple' }, { color: 'charts-red', isDashed: true }],
		values: [(point) => point.memory, () => limits.memory ?? null],
		format: (value) => figures.bytes(value),
		least: 1_000_000,
	}),
	plot('network', {
		lines: [{ color: 'charts-blue' }, { color: 'charts-yellow', isDashed: true }],
		values: [(point) => point.rates.received, (point) => point.rates.sent],
		format: (value) => figures.rate(value),
		least: 1000,
	}),
	plot('block', {
		lines: [{ color: 'charts-blue' }, { color: 'charts-yellow', isDashed: true }],
		values: [(point) => point.rates.read, (point) => point.rates.written],
		format: (value) => figures.rate(value),
		least: 1000,
	}),
];

interface PlotOptions {
	readonly lines: readonly Line[];
	readonly values: readonly ((point: UsagePoint) => number | null)[];
	readonly format: (value: number) => string;
	/** The vertical axis reaches at least this far, so that a trifle does not look like a mountain. */
	readonly least: number;
}

function plot(id: string, { lines, values, format, least }: PlotOptions): Plot {
	const place = find(`${id}-chart`);
	const chart = new Chart(place, {
		lines,
		format,
		locale,
		top: (largest) => Math.max(largest * 1.15, least),
		onCursor: (index) => {
			pointed = index === undefined ? undefined : (chosen[index] ?? undefined);
			drawFigures();
		},
	});
	place.addEventListener('keydown', (event) => {
		moveCursor(event);
	});
	place.addEventListener('blur', () => {
		pointAt(undefined);
	});
	return { chart, values };
}

/** The arrow keys go from point to point as the mouse does. */
function moveCursor(event: KeyboardEvent): void {
	const last = chosen.length - 1;
	const current = pointed === undefined ? last + 1 : chosen.indexOf(pointed);
	const next = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: last, Escape: undefined };
	if (event.key in next) {
		event.preventDefault();
		pointAt(next[event.key as keyof typeof next]);
	}
}

function pointAt(index: number | undefined): void {
	for (const { chart } of plots) {
		chart.pointAt(index);
	}
}

window.addEventListener('message', ({ data }: MessageEvent<ToPanel>) => {
	receive(data);
});

function receive(message: ToPanel): void {
	switch (message.type) {
		case 'history':
			points.splice(0, points.length, ...message.points);
			draw();
			break;
		case 'point':
			appendPoint(points, message.point);
			draw();
			break;
		case 'limits':
			limits = message.limits;
			draw();
			break;
		case 'state':
			drawState(message.words, message.isRunning);
			find('retry').hidden = !message.canRetry;
			break;
		case 'processes':
			fillProcesses(find('processes'), message.processes, {
				none: words.noProcesses,
				bytes: (value) => figures.bytes(value),
			});
			break;
	}
}

function drawState(text: string, isRunning: boolean): void {
	const place = find('state');
	// Who listens hears a change of state, not the same once a second.
	if (place.textContent !== text) {
		place.textContent = text;
	}
	document.body.classList.toggle('stopped', !isRunning);
}

function draw(): void {
	const to = points.at(-1)?.time ?? Date.now();
	// A short history fills the chart: at least a minute, at most what was chosen.
	const age = to - (points[0]?.time ?? to);
	const from = to - Math.min(Math.max(age, MINUTE), Number(range.value) * MINUTE);
	for (const { chart, values } of plots) {
		const { times, lines, chosen: indices } = columnsOf(points, from, values);
		chosen = indices;
		chart.show(times, lines, [from, to]);
	}
	drawFigures();
	drawTable();
}

/** The figures beside the charts: of the point under the cursor, else the last ones. */
function drawFigures(): void {
	const point = pointed === undefined ? points.at(-1) : points[pointed];
	find('at').textContent = pointed === undefined || point === undefined ? '' : clock.format(point.time);
	if (point === undefined) {
		return;
	}
	const { rates, totals } = point;
	write('cpu', figures.percent(point.cpu), [figures.cpuLimit(limits)]);
	write('memory', figures.bytes(point.memory), [figures.memoryLimit(point, limits)]);
	write('network', [figures.rate(rates.received), figures.rate(rates.sent)].join(' / '), [
		figures.total(words.received, totals.received),
		figures.total(words.sent, totals.sent),
	]);
	write('block', [figures.rate(rates.read), figures.rate(rates.written)].join(' / '), [
		figures.total(words.read, totals.read),
		figures.total(words.written, totals.written),
	]);
}

function write(id: string, now: string, more: readonly string[]): void {
	find(`${id}-now`).textContent = now;
	more.forEach((text, index) => {
		find(`${id}-more-${index}`).textContent = text;
	});
}

/** Nobody reads a table that is closed, or one that changes under the eyes: it is filled when it is opened. */
function drawTable(): void {
	if (!find('figures').hasAttribute('open')) {
		return;
	}
	fillRows(
		find('rows'),
		thinned(points, MOST_ROWS).map((point) => [
			clock.format(point.time),
			figures.percent(point.cpu),
			figures.bytes(point.memory),
			figures.rate(point.rates.received),
			figures.rate(point.rates.sent),
			figures.rate(point.rates.read),
			figures.rate(point.rates.written),
			point.processes.toLocaleString(locale),
		]),
	);
}

function saveState(): void {
	vscode.setState({ container: dataset['container'] ?? '', minutes: Number(range.value) });
}

function find(id: string): HTMLElement {
	const element = document.getElementById(id);
	if (element === null) {
		throw new Error(`The page has no "${id}"`);
	}
	return element;
}

find('figures').addEventListener('toggle', drawTable);
find('retry').addEventListener('click', () => {
	vscode.postMessage({ type: 'retry' });
});
new MutationObserver(() => {
	for (const { chart } of plots) {
		chart.redraw();
	}
}).observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-id'] });
saveState();
vscode.postMessage({ type: 'ready' });
