import * as fs from 'node:fs';
import * as os from 'node:os';
import { currentBootId } from './process';

/** Another whenever a program may do other than before: with each version of it, kernel and boot. */
export function keyOf(program: string): string {
	const { size, mtimeMs } = fs.statSync(program);
	return [program, size, mtimeMs, currentBootId(), os.release()].join(' ');
}
