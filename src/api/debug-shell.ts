import type { Client } from './client';
import type { TerminalSize } from './exec-calls';
import type { Attachment } from './two-way';

/** The debugged container's root, seen from its namespace of processes, of which its program is number 1. */
export const DEBUG_ROOT = '/proc/1/root';
/** Constant: nothing of a container gets into it. */
const START = `cd ${DEBUG_ROOT} && exec sh`;

/** Marks containers of debug shells. */
export const DEBUG_LABEL = 'com.mydocker.debug';

/** A debug shell that runs. */
export interface DebugShell {
	/** Its own container, which goes when the shell ends. */
	readonly id: string;
	/** Of the debugged container. */
	readonly name: string;
	readonly attachment: Attachment;
	/** Resolves with the shell's exit code. */
	readonly exit: Promise<number>;
}

/**
 * A shell for a running container that may have none: a container of another image that shares the first one's processes,
 * network and, where it shares it, IPC, as `kubectl debug` and `docker debug` do. Works on any engine.
 */
export async function startDebugShell(
	{ containers }: Pick<Client, 'containers'>,
	target: string,
	{ image, size }: { readonly image: string; readonly size: TerminalSize | undefined },
): Promise<DebugShell> {
	const { Name, HostConfig } = await containers.inspect(target);
	const isIpcShared = HostConfig['IpcMode'] === 'shareable';
	const { Id: id } = await containers.create({
		...{ Image: image, Entrypoint: ['sh', '-c', START], Cmd: [], User: '0', WorkingDir: '/' },
		...{ Tty: true, OpenStdin: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
		Labels: { [DEBUG_LABEL]: target },
		HostConfig: {
			...{ PidMode: `container:${target}`, NetworkMode: `container:${target}`, AutoRemove: true },
			...(isIpcShared ? { IpcMode: `container:${target}` } : {}),
			// Without it the kernel shows no root of a process that may do more than the shell.
			CapAdd: ['SYS_PTRACE'],
		},
	});
	try {
		const attachment = await containers.attach(id, { stdin: true, hasTerminal: true });
		const { exit } = await containers.wait(id, { condition: 'next-exit' });
		await containers.start(id);
		if (size !== undefined) {
			await containers.resize(id, size);
		}
		return { id, name: Name.replace(/^\//, ''), attachment, exit };
	} catch (error) {
		// One that has run and ended is gone already.
		await containers.remove(id, { force: true }).catch(() => undefined);
		throw error;
	}
}
