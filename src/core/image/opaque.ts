import { spawn } from 'node:child_process';
import { toolEnvironment } from '../exec';
import { TarReader } from './tar';

/** Of overlayfs, in a user namespace, and of fuse-overlayfs. */
const NAMES = ['trusted.overlay.opaque', 'user.overlay.opaque', 'user.fuseoverlayfs.opaque'];

/**
 * Folders below `directory` that overlayfs takes for opaque, as paths from "/" of one character a byte. It marks them by
 * an attribute, which Node cannot read: tar lists the folders with it.
 */
export async function opaqueFolders(directory: string, signal: AbortSignal): Promise<Set<string>> {
	const options = { cwd: directory, env: toolEnvironment(), signal } as const;
	const find = spawn('find', ['.', '-type', 'd', '-print0'], { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
	const args = ['--no-recursion', '--null', '--files-from=-', '--format=posix', '--xattrs', '--xattrs-include=*'];
	const tar = spawn('tar', [...args, '-cf', '-'], { ...options, stdio: [find.stdout, 'pipe', 'ignore'] });
	const opaque = new Set<string>();
	const reader = new TarReader(
		{
			begin: ({ name, xattrs }) => {
				if (NAMES.some((mark) => xattrs.has(mark))) {
					opaque.add(name.replace(/^\.\/?/, '/').replace(/(.)\/$/, '$1'));
				}
			},
			data: () => undefined,
			end: () => undefined,
		},
		10_000_000,
	);
	// Not "close", which waits for somebody to read find's output here.
	const ended = Promise.all(
		[find, tar].map((child) => new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))),
	);
	ended.catch(() => undefined);
	try {
		for await (const chunk of tar.stdout as AsyncIterable<Buffer>) {
			reader.write(chunk);
		}
		await ended;
		return opaque;
	} finally {
		find.kill('SIGKILL');
		tar.kill('SIGKILL');
	}
}
