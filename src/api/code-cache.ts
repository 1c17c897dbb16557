import * as fs from 'node:fs';
import * as module from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';

/** Bytes; an installed version takes a twentieth of it. */
const LARGEST = 32 * 1024 * 1024;

/** Node 20 has none of them. */
const { enableCompileCache, flushCompileCache, getCompileCacheDir } = module as Partial<
	Pick<typeof module, 'enableCompileCache' | 'flushCompileCache' | 'getCompileCacheDir'>
>;

/** From now on modules are loaded with what was compiled of them before, and this process leaves what it compiles. */
export function useCodeCache(): void {
	const folder = enableCompileCache === undefined ? undefined : codeCacheFolder();
	if (folder !== undefined) {
		enableCompileCache?.(folder);
	}
}

/**
 * Writes what has been compiled so far, as the end of a process does by itself, and empties a cache that old versions
 * have filled.
 */
export function keepCode(): void {
	const [folder, used] = [codeCacheFolder(), getCompileCacheDir?.()];
	if (folder === undefined || used === undefined || path.dirname(used) !== folder) {
		return;
	}
	if (sizeOf(folder) > LARGEST) {
		fs.rmSync(folder, { recursive: true, force: true });
	}
	flushCompileCache?.();
}

function sizeOf(folder: string): number {
	return fs
		.readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => fs.statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0)
		.reduce((sum, size) => sum + size, 0);
}

/**
 * Where Node keeps what V8 has compiled of our bundles (node:module, "Module compile cache"; Node 22.1 and later): the
 * user's cache folder of the XDG base directories, made when it is missing. Node takes nothing from it that another
 * version of it wrote, that belongs to another source text, or whose checksum is wrong; what another user could write
 * would still be run, so undefined unless the folders are this user's and nobody else may write in them.
 */
export function codeCacheFolder(env: NodeJS.ProcessEnv = process.env): string | undefined {
	try {
		const base = env['XDG_CACHE_HOME'];
		const caches = base !== undefined && path.isAbsolute(base) ? base : path.join(os.homedir(), '.cache');
		const folder = path.join(caches, 'mydocker');
		return isOwn(caches) && isOwn(folder) ? folder : undefined;
	} catch {
		// No home, a full or read-only disk, no permission: without a cache we only start slower.
		return undefined;
	}
}

/** True for a folder of this user in which nobody else may write; one that is missing is made. */
function isOwn(folder: string): boolean {
	const status = fs.lstatSync(folder, { throwIfNoEntry: false });
	if (status === undefined) {
		fs.mkdirSync(folder, { mode: 0o700 });
		return true;
	}
	return status.isDirectory() && status.uid === process.getuid?.() && (status.mode & 0o022) === 0;
}
