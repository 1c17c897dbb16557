import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import { findProgram, run } from '../exec';

/** What is run inside of a container's root; see minimal-script.ts. */
const TOOLS = ['sh', 'mount', 'umount', 'mkdir', 'ln', 'env', 'setpriv'];
/** What is run before. */
const HOST_TOOLS = ['unshare', 'nsenter', 'pivot_root', 'prlimit', 'setsid', 'mkfifo', 'tail', 'ldd'];

/** Programs that are not there, of those that our own runtime needs. */
export function missingTools(): readonly string[] {
	return [...HOST_TOOLS, ...TOOLS].filter((name) => findProgram(name) === undefined);
}

/**
 * Copies the tools, the libraries that they load and the dynamic linker ("ld") into one folder below `parent`, once for
 * each version of them. Copies, so that no container ever sees a file of the host's. Gives the folder.
 */
export async function installTools(parent: string): Promise<string> {
	const files = await toolFiles();
	const versions = [...files].map(([name, file]) => {
		const { size, mtimeMs } = fs.statSync(file);
		return [name, file, size, mtimeMs].join(' ');
	});
	const folder = path.join(
		parent,
		`tools-${createHash('sha256').update(versions.join('\n')).digest('hex').slice(0, 16)}`,
	);
	if (!fs.existsSync(folder)) {
		fs.mkdirSync(parent, { recursive: true, mode: 0o700 });
		const temporary = fs.mkdtempSync(path.join(parent, '.tools-'));
		for (const [name, file] of files) {
			fs.copyFileSync(file, path.join(temporary, name));
			fs.chmodSync(path.join(temporary, name), 0o755);
		}
		// Programs of any user of a container are run from here.
		fs.chmodSync(temporary, 0o755);
		fs.renameSync(temporary, folder);
	}
	return folder;
}

/** Names in the folder and the files that they are copies of. */
async function toolFiles(): Promise<ReadonlyMap<string, string>> {
	const programs = TOOLS.map((name): [string, string] => [name, fs.realpathSync(findProgram(name) ?? name)]);
	const { stdout } = await run(
		'ldd',
		programs.map(([, file]) => file),
		{ timeout: 10_000 },
	);
	const files = new Map(programs);
	for (const line of stdout.split('\n')) {
		// "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)"
		const [, name = '', file] = /^\s*(\S+) => (\/\S+) \(/.exec(line) ?? [];
		const [, linker] = /^\s*(\/\S*\/ld-\S+) \(/.exec(line) ?? [];
		if (file !== undefined) {
			files.set(path.basename(name), file);
		}
		if (linker !== undefined) {
			files.set('ld', linker);
		}
	}
	if (!files.has('ld')) {
		throw new EngineError(
			'unsupported',
			'Cannot use the minimal runtime: the tools of this machine have no dynamic linker',
		);
	}
	return files;
}
