/** Files that people write: settings, certificates. */
import * as fs from 'node:fs';
import { EngineError, systemCode } from '../errors';

/** The text of a file of at most `limit` bytes. Throws EngineError "invalid" that names it, ENOENT as Node gives it. */
export function readSmallFile(file: string, limit: number): string {
	return readable(file, () => {
		const stats = fs.statSync(file);
		if (!stats.isFile()) {
			throw new EngineError('invalid', `Cannot read "${file}": it is not a file`);
		}
		if (stats.size > limit) {
			throw new EngineError('invalid', `Cannot read "${file}": it is larger than ${limit} bytes`);
		}
		return fs.readFileSync(file, 'utf8');
	});
}

/** The names in a folder. Throws EngineError "invalid" where this user may not read it. */
export function namesIn(folder: string): string[] {
	return readable(folder, () => fs.readdirSync(folder).sort());
}

function readable<T>(file: string, read: () => T): T {
	try {
		return read();
	} catch (error) {
		if (systemCode(error) === 'EACCES') {
			throw new EngineError('invalid', `Cannot read "${file}": permission denied`, { cause: error });
		}
		throw error;
	}
}
