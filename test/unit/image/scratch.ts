import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** A new empty folder, in memory where there is such a place, so that fsync costs nothing. The caller removes it. */
export function scratchFolder(): string {
	const parent = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
	return fs.mkdtempSync(path.join(parent, 'mydocker-test-'));
}
