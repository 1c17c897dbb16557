import * as fs from 'node:fs';
import { EngineError } from '../errors';
import { bytesOf, pathIn, Tree } from './tree';

export interface OpenFile {
	readonly size: number;
	/** The bytes; reading to the end or leaving the loop closes the file. */
	readonly content: AsyncIterable<Buffer>;
}

/**
 * Opens a regular file below a trusted directory. Symlinks on the way are followed inside of it, one at the end is not.
 * Throws "not-found", and "invalid" for what is no regular file.
 */
export function openFile(directory: string, path: string): OpenFile {
	const tree = new Tree(directory);
	try {
		const { folder, name, stat } = tree.resolve(bytesOf(path), { followsLast: false });
		if (stat === undefined) {
			throw new EngineError('not-found', `${path}: no such file in the layer`);
		}
		if (!stat.isFile()) {
			throw new EngineError('invalid', `${path}: not a regular file`);
		}
		const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
		const descriptor = fs.openSync(pathIn(folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		return { size: fs.fstatSync(descriptor).size, content: fs.createReadStream('', { fd: descriptor }) };
	} finally {
		tree.close();
	}
}
