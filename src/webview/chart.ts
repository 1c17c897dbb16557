import uPlot from 'uplot';

/** How a line of a chart is drawn; `color` is the name of a colour of the theme, "charts-blue". */
export interface Line {
	readonly color: string;
	readonly isDashed?: boolean;
}

export interface ChartOptions {
	readonly lines: readonly Line[];
	/** A value of the vertical axis in words. */
	readonly format: (value: number) => string;
	/** The end of the vertical axis for the largest value that is shown. */
	readonly top: (largest: number) => number;
	/** Called with the index of the point under the cursor, undefined when it has left. */
	readonly onCursor: (index: number | undefined) => void;
	/** BCP 47. */
	readonly locale: string;
}

/** The cursors of all charts go together. */
const SYNC = 'stats';
const DASH = [6, 4];
/** Milliseconds between two times that are written below a chart: those that people count in. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);

/** One chart over time in the colours of the theme. Its canvas says nothing to a screen reader: a table does. */
export class Chart {
	private readonly plot: uPlot;
	private count = 0;

	constructor(
		private readonly place: HTMLElement,
		{ lines, format, top, onCursor, locale }: ChartOptions,
	) {
		const clock = clocks(locale);
		const axis = { stroke: () => theme('descriptionForeground'), font: axisFont(), ticks: { show: false } };
		const grid = { stroke: () => theme('editorIndentGuide-background', 'editorWidget-border'), width: 1 };
		const options: uPlot.Options = {
			...size(place),
			padding: [8, 36, 0, 0],
			legend: { show: false },
			cursor: { sync: { key: SYNC }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
			scales: { x: { time: false }, y: { range: (_, __, largest) => [0, top(Math.max(largest || 0, 0))] } },
			axes: [
				{
					...axis,
					grid: { show: false },
					size: 24,
					space: 90,
					incrs: STEPS,
					values: (_, times, __, ___, step) => times.map((time) => clock(step).format(time)),
				},
				{ ...axis, grid, size: 70, space: 34, values: (_, values) => values.map(format) },
			],
			series: [{}, ...lines.map(series)],
			hooks: {
				setCursor: [
					({ cursor }) => {
						onCursor(cursor.idx ?? undefined);
					},
				],
			},
		};
		this.plot = new uPlot(options, [[], ...lines.map(() => [])], place);
		this.plot.root.setAttribute('aria-hidden', 'true');
		new ResizeObserver(() => {
			this.plot.setSize(size(place));
		}).observe(place);
	}

	/** Shows lines over times (Unix milliseconds) between `from` and `to`. */
	show(
		times: readonly number[],
		lines: readonly (readonly (number | null)[])[],
		[from, to]: readonly [number, number],
	): void {
		this.count = times.length;
		this.plot.batch(() => {
			this.plot.setData([times, ...lines] as uPlot.AlignedData, false);
			this.plot.setScale('x', { min: from, max: to });
		});
	}

	/** Draws anew with the colours of another theme. */
	redraw(): void {
		this.plot.redraw(false, true);
	}

	/** Puts the cursor on a point, without index nowhere. */
	pointAt(index: number | undefined): void {
		const time = index === undefined ? undefined : this.plot.data[0][Math.min(Math.max(index, 0), this.count - 1)];
		const left = time === undefined ? -10 : this.plot.valToPos(time, 'x');
		this.plot.setCursor({ left, top: time === undefined ? -10 : this.place.clientHeight / 3 });
	}
}

function series({ color, isDashed = false }: Line): uPlot.Series {
	return {
		stroke: () => theme(color),
		width: 2,
		points: { show: false },
		...(isDashed ? { dash: DASH } : {}),
	};
}

function size(place: HTMLElement): { width: number; height: number } {
	return { width: Math.max(place.clientWidth, 1), height: Math.max(place.clientHeight, 1) };
}

/** Seconds are written where the steps are shorter than a minute. */
function clocks(locale: string): (step: number) => Intl.DateTimeFormat {
	const long = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
	const short = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
	return (step) => (step < 60_000 ? long : short);
}

function axisFont(): string {
	const { fontFamily } = getComputedStyle(document.body);
	return `11px ${fontFamily}`;
}

/** A colour of the theme; the second where the first has none. */
function theme(name: string, otherwise = 'foreground'): string {
	const style = getComputedStyle(document.documentElement);
	return style.getPropertyValue(`--vscode-${name}`) || style.getPropertyValue(`--vscode-${otherwise}`);
}
