/** One measured figure: a row of the table. */
export interface Figure {
	readonly name: string;
	readonly unit: string;
	readonly ours: number;
	/** The same of docker (or what `rival` says), in the same run. */
	readonly theirs?: number;
	readonly rival?: string;
	/** Of pairs that were measured right after each other, where it says more than ours through theirs. */
	readonly ratio?: Ratio;
	/** True when more is better; else less is. */
	readonly isRate?: boolean;
	/** What we want to reach: a bound of ours, or of ours as a multiple of theirs. */
	readonly target?: { readonly value: number; readonly of: 'ours' | 'ratio' };
	/** What exactly was measured, when the name does not say it all. */
	readonly note?: string;
}

/** Median and middle half of ours through theirs, pair by pair. */
export interface Ratio {
	readonly median: number;
	readonly low: number;
	readonly high: number;
}

export function median(values: readonly number[]): number {
	const sorted = [...values].sort((one, other) => one - other);
	const middle = Math.floor(sorted.length / 2);
	const upper = sorted[middle] ?? NaN;
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
	const start = process.hrtime.bigint();
	await work();
	return Number(process.hrtime.bigint() - start) / 1e6;
}

/**
 * Measures rivals in turn, round after round, so that what else the machine does meets all of them. Gives the median of
 * each one that is there; one round before is thrown away, unless all are warm.
 */
export async function interleaved<Name extends string>(
	rounds: number,
	rivals: Readonly<Record<Name, (() => Promise<number>) | undefined>>,
	{ isWarm = false }: { readonly isWarm?: boolean } = {},
): Promise<Partial<Record<Name, number>>> {
	const there = (Object.entries(rivals) as [Name, (() => Promise<number>) | undefined][]).flatMap(
		([name, measure]) => (measure === undefined ? [] : [{ name, measure, samples: [] as number[] }]),
	);
	for (let round = isWarm ? 0 : -1; round < rounds; round++) {
		for (const { measure, samples } of there) {
			const sample = await measure();
			if (round >= 0) {
				samples.push(sample);
			}
		}
	}
	return Object.fromEntries(there.map(({ name, samples }) => [name, median(samples)])) as Partial<
		Record<Name, number>
	>;
}

/**
 * Measures two in pairs, right after each other and each time in the other order: what else the machine does changes
 * within seconds and by more than they differ. One pair before is thrown away.
 */
export async function paired(
	pairs: number,
	ours: () => Promise<number>,
	theirs: (() => Promise<number>) | undefined,
): Promise<Pick<Figure, 'ours' | 'theirs' | 'ratio'>> {
	const samples = { ours: [] as number[], theirs: [] as number[] };
	const turns = [[samples.ours, ours] as const, ...(theirs === undefined ? [] : [[samples.theirs, theirs] as const])];
	for (let pair = -1; pair < pairs; pair++) {
		for (const [list, measure] of pair % 2 === 0 ? turns : turns.toReversed()) {
			const sample = await measure();
			if (pair >= 0) {
				list.push(sample);
			}
		}
	}
	if (theirs === undefined) {
		return { ours: median(samples.ours) };
	}
	const ratios = samples.ours
		.map((sample, index) => sample / (samples.theirs[index] ?? NaN))
		.sort((one, other) => one - other);
	const quarter = Math.floor(pairs / 4);
	const ratio = {
		median: median(ratios),
		low: ratios[quarter] ?? NaN,
		high: ratios[pairs - 1 - quarter] ?? NaN,
	};
	return { ours: median(samples.ours), theirs: median(samples.theirs), ratio };
}

/** The member `theirs` of a figure, when a rival was measured. */
export function against(theirs: number | undefined): Pick<Figure, 'theirs'> {
	return theirs === undefined ? {} : { theirs };
}

/** The figures as a plain table: ours, theirs, ratio, target, and whether it is met. */
export function table(figures: readonly Figure[]): string {
	const head = ['figure', 'unit', 'ours', 'theirs', 'ratio', 'target', ''];
	const rows = figures.map((figure) => {
		const ratio = figure.ratio?.median ?? (figure.theirs === undefined ? undefined : figure.ours / figure.theirs);
		return [
			figure.name,
			figure.unit,
			shown(figure.ours),
			figure.theirs === undefined ? '' : `${shown(figure.theirs)} (${figure.rival ?? 'docker'})`,
			ratio === undefined ? '' : `${ratio.toFixed(2)}x${spread(figure)}`,
			targetOf(figure),
			verdictOf(figure, ratio),
		];
	});
	const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)));
	const lines = [head, widths.map((width) => '-'.repeat(width)), ...rows].map((row) =>
		row
			.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
			.join('  ')
			.trimEnd(),
	);
	const notes = figures.flatMap((figure) => (figure.note === undefined ? [] : [`${figure.name}: ${figure.note}`]));
	return [...lines, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

function spread({ ratio }: Figure): string {
	return ratio === undefined ? '' : ` (${ratio.low.toFixed(2)}-${ratio.high.toFixed(2)})`;
}

function targetOf({ target, isRate, unit }: Figure): string {
	if (target === undefined) {
		return '';
	}
	const bound = isRate === true ? '>=' : '<=';
	return target.of === 'ratio' ? `${bound} ${Number(target.value.toFixed(2))}x` : `${bound} ${target.value} ${unit}`;
}

function verdictOf({ target, ours, isRate }: Figure, ratio: number | undefined): string {
	const value = target?.of === 'ratio' ? ratio : ours;
	if (target === undefined || value === undefined) {
		return '';
	}
	const isMet = isRate === true ? value >= target.value : value <= target.value;
	return isMet ? 'ok' : 'over';
}

function shown(value: number): string {
	return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
