import * as fs from 'node:fs';
import { ApiError } from '../api/client';
import type { CreateContainerBody } from '../api/types';
import { CommandError, UsageError, systemCode } from './errors';
import { explain } from './explain';
import { runInForeground } from './foreground';
import { seeHelp } from './help';
import { pullImage, withDefaultTag } from './pull';
import type { Action } from './row';
import { createBody } from './run';
import type { CreateFlags, RunFlags } from './run-flags';
import type { Session } from './session';
import { terminalSize } from './terminal';

/** `mydocker create`: prints the id. */
export const create: Action<CreateFlags> = async (session, operands, flags) => {
	const body = readFlags(session, flags, operands, 'create');
	session.output.line(await createContainer(session, body, flags));
	return 0;
};

/** `mydocker run`: prints the id when detached, else gives the container's exit code. */
export const run: Action<RunFlags> = async (session, operands, flags) => {
	const body = readFlags(session, flags, operands, 'run');
	if (flags.detach && flags.attach.length > 0) {
		throw new CommandError('conflicting options: cannot specify both --attach and --detach');
	}
	if (flags.tty && body.AttachStdin === true && !session.input.isTTY) {
		throw new CommandError('the input device is not a TTY');
	}
	const size = flags.tty ? terminalSize(session) : undefined;
	const sized =
		size === undefined
			? body
			: { ...body, HostConfig: { ...body.HostConfig, ConsoleSize: [size.rows, size.columns] } };
	try {
		return await createAndStart(session, sized, flags);
	} catch (error) {
		session.signal.throwIfAborted();
		throw failed(error);
	}
};

async function createAndStart(session: Session, body: CreateContainerBody, flags: RunFlags): Promise<number> {
	const id = await createContainer(session, body, flags);
	if (!flags.detach) {
		return runInForeground(session, {
			id,
			stdin: body.AttachStdin ?? false,
			stdout: body.AttachStdout ?? false,
			stderr: body.AttachStderr ?? false,
			hasTerminal: flags.tty,
			detachKeys: flags.detachKeys,
			proxiesSignals: flags.sigProxy && !flags.tty,
			condition: flags.rm ? 'removed' : 'next-exit',
			starts: true,
		});
	}
	await session.client.containers.start(id, { signal: session.signal });
	session.output.line(id);
	return 0;
}

/** Creates the container, pulling its image as `--pull` says, and writes the id to `--cidfile`. */
async function createContainer(session: Session, body: CreateContainerBody, flags: CreateFlags): Promise<string> {
	const { id, warnings } = await withIdFile(flags.cidfile, async () => {
		const created = await createPulling(session, body, flags);
		return { id: created.Id, warnings: created.Warnings };
	});
	warnings.forEach((warning) => {
		session.output.error(`WARNING: ${warning}`);
	});
	return id;
}

async function createPulling(session: Session, body: CreateContainerBody, flags: CreateFlags) {
	const options = {
		signal: session.signal,
		...(flags.name !== undefined && { name: flags.name }),
		...(flags.platform !== undefined && { platform: flags.platform }),
	};
	const pull = (): Promise<void> =>
		pullImage(session, withDefaultTag(body.Image), {
			platform: flags.platform,
			quiet: flags.quiet,
			stream: 'stderr',
		});
	if (flags.pull === 'always') {
		await pull();
	}
	try {
		return await session.client.containers.create(body, options);
	} catch (error) {
		if (flags.pull !== 'missing' || !isMissingImage(error, body.Image)) {
			throw error;
		}
	}
	if (!flags.quiet) {
		session.output.error(`Unable to find image '${withDefaultTag(body.Image)}' locally`);
	}
	await pull();
	return session.client.containers.create(body, options);
}

/** An id names no repository that the image could be pulled from. */
function isMissingImage(error: unknown, image: string): boolean {
	return error instanceof ApiError && error.status === 404 && !/^(sha256:)?[0-9a-f]{64}$/.test(image);
}

/** Claims the file before anything is made, so that an id is never written over another; a failure leaves no file. */
async function withIdFile<T extends { readonly id: string }>(
	file: string | undefined,
	step: () => Promise<T>,
): Promise<T> {
	if (file === undefined) {
		return step();
	}
	const descriptor = openIdFile(file);
	let isWritten = false;
	try {
		const result = await step();
		fs.writeSync(descriptor, result.id);
		isWritten = true;
		return result;
	} finally {
		fs.closeSync(descriptor);
		if (!isWritten) {
			fs.rmSync(file, { force: true });
		}
	}
}

function openIdFile(file: string): number {
	try {
		return fs.openSync(file, 'wx');
	} catch (error) {
		const reason =
			systemCode(error) === 'EEXIST'
				? `container ID file found, make sure the other container isn't running or delete ${file}`
				: `failed to create the container ID file: ${error instanceof Error ? error.message : String(error)}`;
		throw new CommandError(reason, 125);
	}
}

/** What is wrong with the flags is said with docker's prefix and hint; a single flag's value with the usage. */
function readFlags(
	{ env, cwd }: Session,
	flags: CreateFlags & { readonly detach?: boolean },
	operands: readonly string[],
	verb: string,
): CreateContainerBody {
	try {
		if (!['always', 'missing', 'never'].includes(flags.pull)) {
			const choices = 'must be one of "always", "missing" or "never"';
			throw new CommandError(`invalid pull option: '${flags.pull}': ${choices}`, 125);
		}
		return createBody(flags, operands, {
			...{ env, cwd },
			readFile: (file) => fs.readFileSync(file, 'utf8'),
		});
	} catch (error) {
		throw error instanceof CommandError && !(error instanceof UsageError)
			? new CommandError(withHint(error.message, verb), 125)
			: error;
	}
}

/** A container that `run` could not create or start: docker's prefix, hint and exit code. */
function failed(error: unknown): CommandError {
	const exitCode = error instanceof CommandError ? error.exitCode : 125;
	return new CommandError(withHint(explain(error), 'run'), exitCode);
}

function withHint(message: string, verb: string): string {
	return `mydocker: ${message}\n\n${seeHelp(verb)}`;
}
