import { plain } from './output';
import type { Action } from './row';

const NARROWEST = 20;
const GAP = 3;

/** `mydocker top`: what ps shows of the container's processes, in docker's columns. */
export const top: Action<object> = async (session, [container = '', ...psArguments]) => {
	const { Titles, Processes } = await session.client.containers.top(container, {
		signal: session.signal,
		...(psArguments.length > 0 && { psArguments: psArguments.join(' ') }),
	});
	const rows = [Titles, ...(Processes ?? [])].map((row) => row.map(plain));
	const widths = Titles.map((_, column) => {
		const widest = Math.max(...rows.map((row) => row[column]?.length ?? 0));
		return Math.max(NARROWEST, widest + GAP);
	});
	for (const row of rows) {
		session.output.line(
			row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join(''),
		);
	}
	return 0;
};
