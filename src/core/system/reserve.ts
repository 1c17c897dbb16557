import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isDiskFull, systemCode } from '../errors';

/** Bytes; far more than a start and a removal write. */
const SIZE = 64 * 1024;

/**
 * Room that a start has on a full disk: without an engine nobody could remove anything from the store. Its blocks are given
 * back when a start finds no others, and taken again by whoever finds some.
 */
export class Reserve {
	private readonly file: string;

	constructor(private readonly root: string) {
		this.file = path.join(root, 'run', 'reserve');
	}

	/** Gives the room back when the disk has no other. */
	release(): void {
		const { bavail, bsize } = fs.statfsSync(this.root);
		if (bavail * bsize < SIZE) {
			fs.rmSync(this.file, { force: true });
		}
	}

	/** Takes the room, where there is some and the store is still there. */
	take(): void {
		if (fs.statSync(this.file, { throwIfNoEntry: false })?.size === SIZE) {
			return;
		}
		try {
			// Bytes that no file system makes smaller.
			fs.writeFileSync(this.file, randomBytes(SIZE), { mode: 0o600 });
		} catch (error) {
			if (!isDiskFull(error) && !['EROFS', 'ENOENT'].includes(systemCode(error) ?? '')) {
				throw error;
			}
			fs.rmSync(this.file, { force: true });
		}
	}
}
