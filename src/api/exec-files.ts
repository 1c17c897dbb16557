import type { Archive, PathStat } from './archive';
import type { ExecCalls } from './exec-calls';
import { execOutput, type ExecLimits } from './exec-output';
import { ApiError } from './transport';

/** What an engine has no calls for, unless it is ours. */
export type FileCalls = Pick<Archive, 'list' | 'remove' | 'rename'>;

/**
 * Constant: paths reach it as arguments. A name has no "/", so that the "/" at the beginning of a line is a line's beginning
 * whatever the names are. Patterns without a match are names that are not there, which stat(1) leaves out.
 */
const LIST = `cd -- "$1" || exit 1
stat -c '/%f %s %Y %n' ./* ./.[!.]* ./..?* 2>/dev/null
[ $? -lt 126 ] || { echo 'no program "stat" that takes so many names' >&2; exit 1; }`;

/** Bytes of a folder's list: some 100,000 names, more than an explorer shows. */
const MOST_LISTED = 8 * 1024 * 1024;
/** Milliseconds for it. */
const LISTED_WITHIN = 30_000;
/** Characters of what a program said is wrong. */
const LONGEST_REASON = 1000;

/** File type bits of stat(2) in the bits of Go's os.FileMode. */
const TYPES: Readonly<Record<number, number>> = {
	0x1000: 2 ** 25,
	0x2000: 2 ** 26 + 2 ** 21,
	0x4000: 2 ** 31,
	0x6000: 2 ** 26,
	0xa000: 2 ** 27,
	0xc000: 2 ** 24,
};

/**
 * Files of a container on any engine, by programs that it has: sh, stat, rm and mv. It has to run: ApiError "unable" when it does
 * not, and when it lacks one of them.
 */
export function execFiles(execs: ExecCalls, container: string): FileCalls {
	const run = (command: readonly string[], options?: Pick<ExecLimits, 'signal' | 'within'>): Promise<string> =>
		output(execs, container, command, options);
	return {
		list: async (path, options) =>
			readList(await run(['sh', '-c', LIST, 'sh', path], { ...options, within: LISTED_WITHIN })),
		remove: async (path, options) => {
			await run(['rm', '-rf', '--', notRoot(path)], options);
		},
		rename: async (path, to, options) => {
			await run(['mv', '-f', '--', notRoot(path), notRoot(to)], options);
		},
	};
}

/** The calls of our engine where it is ours, else the others. */
export function orElse(own: FileCalls, other: FileCalls): FileCalls {
	const foreign = (error: unknown): boolean =>
		error instanceof ApiError &&
		(error.code === 'unsupported' || (error.code === undefined && error.status === 404));
	const otherwise = <T>(work: Promise<T>, instead: () => Promise<T>): Promise<T> =>
		work.catch((error: unknown) => {
			if (foreign(error)) {
				return instead();
			}
			throw error;
		});
	return {
		list: (path, options) => otherwise(own.list(path, options), () => other.list(path, options)),
		remove: (path, options) => otherwise(own.remove(path, options), () => other.remove(path, options)),
		rename: (path, to, options) => otherwise(own.rename(path, to, options), () => other.rename(path, to, options)),
	};
}

/** What LIST printed, by name. Never throws: a line that is none is left out. */
export function readList(text: string): PathStat[] {
	return text
		.replace(/^\/|\n$/g, '')
		.split('\n/')
		.flatMap((line) => {
			const [, mode = '', size = '', time = '', name] = /^([0-9a-f]+) (\d+) (-?\d+) \.\/(.+)$/s.exec(line) ?? [];
			const mtime = new Date(Number(time) * 1000);
			return name === undefined || Number.isNaN(mtime.getTime())
				? []
				: [
						{
							name,
							size: Number(size),
							mode: goMode(parseInt(mode, 16)),
							mtime: mtime.toISOString(),
							linkTarget: '',
						},
					];
		})
		.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function goMode(mode: number): number {
	return (TYPES[mode & 0xf000] ?? 0) + (mode & 0o777);
}

/** BusyBox' rm knows no root that it leaves alone. */
function notRoot(path: string): string {
	if (/^[/.]*$/.test(path)) {
		throw new ApiError(`Cannot remove or rename the folder "${path}"`, 400, 'invalid');
	}
	return path;
}

async function output(
	execs: ExecCalls,
	container: string,
	command: readonly string[],
	options: Pick<ExecLimits, 'signal' | 'within'> = {},
): Promise<string> {
	const body = { Cmd: command, User: '0', AttachStdout: true, AttachStderr: true };
	const { exitCode, stdout, all } = await execOutput(execs, container, body, { ...options, most: MOST_LISTED }).catch(
		(error: unknown) => {
			throw error instanceof ApiError && error.status === 409
				? new ApiError(error.message, 409, 'unable')
				: error;
		},
	);
	if (exitCode === 0) {
		return stdout;
	}
	// What shells and runtimes say of a program that is not there.
	const isUnable = exitCode === 126 || exitCode === 127;
	throw new ApiError(
		all.trim().slice(0, LONGEST_REASON) || `${command[0] ?? ''} ended with code ${exitCode ?? ''}`,
		403,
		isUnable ? 'unable' : 'denied',
	);
}
