/** GNU tar on this side, for `cp`: it keeps owners, links and attributes, and does not go through an archive's links. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CommandError, systemCode } from './errors';

const FORMAT = [
	'--format=posix',
	'--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
	...['--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.capability'],
];

/** A tar of a file, or of a folder with all in it, under another first name. */
export function packLocal(
	{ folder, file, name }: { readonly folder: string; readonly file: string; readonly name: string },
	signal: AbortSignal,
): AsyncIterable<Buffer> {
	// "." of a folder begins every name in it; of a file the whole name is replaced.
	const pattern = file === '.' ? '^\\.' : '^.*$';
	const rename = `--transform=s,${pattern},${replacement(name)},rhS`;
	const args = ['-C', folder, ...FORMAT, '--numeric-owner', rename, '-cf', '-', '--', file];
	return output(spawn('tar', args, { stdio: ['ignore', 'pipe', 'pipe'], signal }));
}

/** Unpacks into a folder that is there; the first name of every entry becomes `name`, when it is given. */
export async function unpackLocal(
	tar: AsyncIterable<Buffer>,
	options: {
		readonly folder: string;
		readonly name: string | undefined;
		/** Keeps the owners of the archive; else all belongs to whoever runs this. */
		readonly keepsOwners: boolean;
		readonly signal: AbortSignal;
	},
): Promise<void> {
	const { folder, name, keepsOwners, signal } = options;
	// Names of the root begin with "/", which tar would take off with a warning.
	const rename = `--transform=${name === undefined ? 's,^/,./,rhS' : `s,^[^/]*,${replacement(name)},rhS`}`;
	const owners = keepsOwners ? ['--same-owner', '--numeric-owner'] : ['--no-same-owner'];
	const args = ['-C', folder, ...['--xattrs', '--xattrs-include=*'], ...owners, rename, '-xpf', '-'];
	const child = spawn('tar', args, { stdio: ['pipe', 'ignore', 'pipe'], signal });
	const end = endOf(child);
	try {
		await Promise.all([end, pipeline(Readable.from(tar, { objectMode: false }), child.stdin).catch(ignoreClosed)]);
	} finally {
		child.kill('SIGKILL');
	}
}

/** Text that sed's s command takes literally. */
function replacement(name: string): string {
	return name.replace(/[\\&,\n]/g, (special) => (special === '\n' ? '\\n' : `\\${special}`));
}

async function* output(child: ChildProcess & { readonly stdout: Readable }): AsyncGenerator<Buffer> {
	const end = endOf(child);
	// Whoever reads may stop before the end is waited for.
	end.catch(() => undefined);
	try {
		yield* child.stdout as AsyncIterable<Buffer>;
		await end;
	} finally {
		child.kill('SIGKILL');
	}
}

/** A closed pipe only says that tar has ended: why, its exit tells. */
function ignoreClosed(error: unknown): void {
	const code = systemCode(error);
	if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE') {
		throw error;
	}
}

async function endOf(child: ChildProcess): Promise<void> {
	let complaint = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => {
		complaint = (complaint + text).slice(0, 4096);
	});
	return new Promise((resolve, reject) => {
		child.once('error', (error) => {
			reject(
				systemCode(error) === 'ENOENT'
					? new CommandError('cp needs GNU tar, which is not installed', 1)
					: error,
			);
		});
		child.once('close', (code) => {
			if (code === 0) {
				resolve();
			} else {
				reject(new CommandError(complaint.split('\n')[0] || 'tar was stopped', 1));
			}
		});
	});
}
