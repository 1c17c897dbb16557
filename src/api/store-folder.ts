import * as fs from 'node:fs';
import * as path from 'node:path';
import { errorCode } from './transport';

/**
 * Makes the store's folder when it is missing and keeps others out of it. Throws for one that belongs to another user:
 * whoever owns it could put links where this user is about to write.
 */
export function openStoreFolder(root: string): void {
	makeFolder(root);
	const { uid, mode } = fs.statSync(root);
	if (uid !== process.getuid?.()) {
		throw new Error(`Cannot open store "${root}": it belongs to another user (uid ${uid})`);
	}
	if ((mode & 0o777) !== 0o700) {
		fs.chmodSync(root, 0o700);
	}
}

/**
 * Makes the folder and those above it, mode 0700; one that is there stays as it is. Node's own recursive mkdir never
 * returns where the kernel answers ENOENT, as below /proc.
 */
function makeFolder(folder: string): void {
	const missing: string[] = [];
	for (let above = folder; !fs.existsSync(above); above = path.dirname(above)) {
		missing.unshift(above);
	}
	for (const name of missing) {
		try {
			fs.mkdirSync(name, { mode: 0o700 });
		} catch (error) {
			// Another process may make the same store at this moment.
			if (errorCode(error) !== 'EEXIST') {
				throw error;
			}
		}
	}
}
