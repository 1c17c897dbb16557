import type { TerminalSize } from '../core/container/terminal';
import { EngineError } from '../core/errors';
import type { ApiRequest } from './request';

/** The kernel keeps 16 bits of rows and of columns. */
const MOST = 0xffff;

/** The "h" and "w" of a resize. */
export function requestedSize(request: Pick<ApiRequest, 'integer'>): TerminalSize {
	const read = (name: string): number => {
		const value = request.integer(name);
		if (value === undefined || !isCount(value)) {
			throw new EngineError('invalid', `invalid value for "${name}": a number of rows or columns is expected`);
		}
		return value;
	};
	return { rows: read('h'), columns: read('w') };
}

/** Docker's [height, width]; undefined for nothing and for [0, 0], which leave the size open. */
export function parseSize(numbers: readonly number[] | undefined): TerminalSize | undefined {
	const [rows = 0, columns = 0] = numbers ?? [];
	if (!isCount(rows) || !isCount(columns)) {
		throw new EngineError('invalid', 'Cannot read "ConsoleSize": rows and columns are expected');
	}
	return rows === 0 && columns === 0 ? undefined : { rows, columns };
}

function isCount(value: number): boolean {
	return value >= 0 && value <= MOST;
}
