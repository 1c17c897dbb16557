import { readLocal, writeArchive } from './archives';
import { refuseTerminal } from './copy';
import { CommandError } from './errors';
import type { Action } from './row';

/** `mydocker volume backup`: a tar on standard output or in a file, which appears once it is whole. */
export const backup: Action<{ readonly output: string | undefined }> = async (session, [name = ''], flags) => {
	const file = flags.output === '-' ? undefined : flags.output;
	if (file === undefined) {
		refuseTerminal(session, 'use the -o flag or redirect it');
	}
	const isCompressed = /\.t?gz$/i.test(file ?? '');
	const archive = await session.client.volumes.backup(name, { signal: session.signal, isCompressed });
	await writeArchive(session, file, archive);
	return 0;
};

interface RestoreFlags {
	readonly force: boolean;
	readonly input: string | undefined;
}

/** `mydocker volume restore`: prints the name. */
export const restore: Action<RestoreFlags> = async (session, [name = ''], { force, input }) => {
	const file = input === '-' ? undefined : input;
	if (file === undefined && session.input.isTTY) {
		throw new CommandError('refusing to read an archive from the terminal: use the -i flag or redirect it', 1);
	}
	const archive = file === undefined ? (session.input as AsyncIterable<Buffer>) : readLocal(file);
	const { Name } = await session.client.volumes.restore(name, archive, { signal: session.signal, force });
	session.output.line(Name);
	return 0;
};

/** `mydocker volume clone`: prints the new name. */
export const clone: Action<object> = async (session, [source = '', target = '']) => {
	session.output.line((await session.client.volumes.clone(source, target, { signal: session.signal })).Name);
	return 0;
};
