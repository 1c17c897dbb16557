import * as fs from 'node:fs';
import { CommandError } from './errors';
import type { Action } from './row';
import { environment } from './run';
import type { Session } from './session';
import { copyInput, readDetachKeys, takeTerminal, terminalSize } from './terminal';

export interface ExecFlags {
	readonly detach: boolean;
	readonly detachKeys: string | undefined;
	readonly env: readonly string[];
	readonly envFile: readonly string[];
	readonly interactive: boolean;
	readonly privileged: boolean;
	readonly tty: boolean;
	readonly user: string | undefined;
	readonly workdir: string | undefined;
}

/** `mydocker exec`: gives the command's exit code, 126 or 127 when it cannot be run. */
export const exec: Action<ExecFlags> = async (session, [container = '', ...command], flags) => {
	const { execs } = session.client;
	const stdin = flags.interactive && !flags.detach;
	if (flags.tty && stdin && !session.input.isTTY) {
		throw new CommandError('the input device is not a TTY');
	}
	readDetachKeys(flags.detachKeys);
	const env = environment(flags, {
		...{ env: session.env, cwd: session.cwd },
		readFile: (file) => fs.readFileSync(file, 'utf8'),
	});
	const options = { signal: session.signal };
	const id = await execs.create(
		container,
		{
			Cmd: command,
			...(env.length > 0 && { Env: env }),
			...(flags.workdir !== undefined && { WorkingDir: flags.workdir }),
			...(flags.user !== undefined && { User: flags.user }),
			...(flags.privileged && { Privileged: true }),
			...(flags.tty && { Tty: true }),
			...(flags.detachKeys !== undefined && { DetachKeys: flags.detachKeys }),
			AttachStdin: stdin,
			AttachStdout: !flags.detach,
			AttachStderr: !flags.detach,
		},
		options,
	);
	if (flags.detach) {
		await execs.startDetached(id, { ...options, tty: flags.tty });
		return 0;
	}
	return join(session, id, { stdin, tty: flags.tty, detachKeys: flags.detachKeys });
};

/** Joins this terminal and the process until its output ends. */
async function join(
	session: Session,
	id: string,
	{
		stdin,
		tty,
		detachKeys,
	}: { readonly stdin: boolean; readonly tty: boolean; readonly detachKeys: string | undefined },
): Promise<number> {
	const { execs } = session.client;
	const { signal } = session;
	const size = tty ? terminalSize(session) : undefined;
	const attachment = await execs.start(id, { signal, tty, ...(size !== undefined && { size }) });
	const resize = (next: { rows: number; columns: number }): Promise<void> => execs.resize(id, next, { signal });
	const release = stdin && tty ? await takeTerminal(session, resize) : undefined;
	try {
		if (size !== undefined) {
			// Engines before API 1.42 take no size at the start. One that has ended needs none.
			execs.resize(id, size, { signal }).catch(() => undefined);
		}
		const input = stdin ? copyInput(session, attachment, tty ? readDetachKeys(detachKeys) : undefined) : undefined;
		for await (const chunk of attachment.output) {
			await session.output.write(chunk.stream, chunk.data);
		}
		if (input?.isDetached === true) {
			throw new CommandError('read escape sequence');
		}
	} finally {
		release?.();
		attachment.close();
	}
	return (await execs.inspect(id, { signal })).ExitCode ?? 0;
}
