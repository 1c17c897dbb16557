import * as fs from 'node:fs';
import { systemCode } from '../errors';

/** open(2), octal as in /proc/<pid>/fdinfo. */
const O_CLOEXEC = 0o2000000;

/**
 * Closes what this process has inherited beyond the first `kept` descriptors. Node marks only the lowest of them to be
 * closed in its children; any other would stay open in shims and containers, and keep, say, a pipe of the shell alive
 * in which the engine was started first. Regular files stay: a thread of Node's reads certificates at this very time,
 * with a file of that kind.
 */
export function closeInherited(kept: number): void {
	for (const descriptor of fs.readdirSync('/proc/self/fd').map(Number)) {
		if (descriptor >= kept && isInherited(descriptor)) {
			fs.closeSync(descriptor);
		}
	}
}

/** Node opens its own with O_CLOEXEC. */
function isInherited(descriptor: number): boolean {
	try {
		const info = fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8');
		const flags = parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '', 8);
		return (flags & O_CLOEXEC) === 0 && !fs.fstatSync(descriptor).isFile();
	} catch (error) {
		// It was the one for reading the folder.
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EBADF') {
			return false;
		}
		throw error;
	}
}
