/** Fonts draw these at one height; "▄" and "█" stand out of the row in some. */
const BLOCKS = ['▁', '▂', '▃', '▅', '▇'];

/** Values as blocks, the greatest as the highest; one that is less than `full` fills no more than its part of it. */
export function sparkline(values: readonly number[], full: number): string {
	const top = Math.max(...values, full);
	return values
		.map((value) => BLOCKS[Math.min(Math.floor((value / top) * BLOCKS.length), BLOCKS.length - 1)])
		.join('');
}
