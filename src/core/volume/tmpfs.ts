import * as fs from 'node:fs';
import { EngineError } from '../errors';
import { run } from '../exec';

/** Mounts a tmpfs with options of mount(8), "size=1m,uid=1000", at a folder, unless one is there already. */
export async function mountTmpfs(prefix: readonly string[], folder: string, options: string): Promise<void> {
	if (isMounted(folder)) {
		return;
	}
	const flags = options === '' ? [] : ['-o', options];
	const result = await runWith(prefix, ['mount', '-t', 'tmpfs', ...flags, 'tmpfs', folder]);
	if (result.code !== 0) {
		throw new EngineError('invalid', `failed to mount local volume: mount tmpfs: ${result.stderr.trim()}`);
	}
}

/** Containers that still have it keep it; nobody else sees it any more. */
export async function unmountTmpfs(prefix: readonly string[], folder: string): Promise<void> {
	if (!isMounted(folder)) {
		return;
	}
	const result = await runWith(prefix, ['umount', '-l', folder]);
	if (result.code !== 0) {
		throw new EngineError('internal', `Cannot unmount the memory at "${folder}": ${result.stderr.trim()}`);
	}
}

/** proc(5), mountinfo: the fifth field is the mount point, with blanks and backslashes as octal numbers. */
function isMounted(folder: string): boolean {
	const escaped = fs.realpathSync(folder).replace(/[\\ \t\n]/g, (character) => {
		const code = character.charCodeAt(0).toString(8).padStart(3, '0');
		return `\\${code}`;
	});
	return fs
		.readFileSync('/proc/self/mountinfo', 'utf8')
		.split('\n')
		.some((line) => line.split(' ')[4] === escaped);
}

async function runWith(prefix: readonly string[], command: readonly [string, ...string[]]): ReturnType<typeof run> {
	const [program = command[0], ...args] = [...prefix, ...command];
	return run(program, args, { timeout: 30_000 });
}
