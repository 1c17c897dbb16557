import { l10n } from 'vscode';
import type { Client, TerminalSize } from '../api/client';
import { bare } from './engine-keys';
import { pinned } from './routing-client';
import type { Line } from './terminal-line';

/** The debugged container's root, seen from its namespace of processes, of which its program is number 1. */
const ROOT = '/proc/1/root';
/** Constant: nothing of a container gets into it. */
const START = `cd ${ROOT} && exec sh`;

/** Marks containers of debug shells. */
const LABEL = 'com.mydocker.debug';

/**
 * Shells for containers that have none: a container of another image that shares the first one's processes, network and,
 * where it shares it, IPC, as `kubectl debug` and `docker debug` do. It goes when its shell ends.
 */
export class DebugShells {
	constructor(private readonly client: Client) {}

	/** A shell of `image` beside the running container `key`. */
	async line(key: string, image: string, size: TerminalSize | undefined): Promise<Line> {
		const { containers } = pinned(this.client, key);
		const target = bare(key);
		const { Name, HostConfig } = await containers.inspect(target);
		const isIpcShared = HostConfig['IpcMode'] === 'shareable';
		const { Id: id } = await containers.create({
			...{ Image: bare(image), Entrypoint: ['sh', '-c', START], Cmd: [], User: '0', WorkingDir: '/' },
			...{ Tty: true, OpenStdin: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
			Labels: { [LABEL]: target },
			HostConfig: {
				...{ PidMode: `container:${target}`, NetworkMode: `container:${target}`, AutoRemove: true },
				...(isIpcShared ? { IpcMode: `container:${target}` } : {}),
				// Without it the kernel shows no root of a process that may do more than the shell.
				CapAdd: ['SYS_PTRACE'],
			},
		});
		const attachment = await containers.attach(id, { stdin: true, hasTerminal: true });
		const { exit } = await containers.wait(id, { condition: 'next-exit' });
		await containers.start(id);
		if (size !== undefined) {
			await containers.resize(id, size);
		}
		return {
			greeting: l10n.t('The files of {0} are in {1}.', Name.replace(/^\//, ''), ROOT),
			attachment,
			resize: (next) => containers.resize(id, next),
			exitCode: () => exit,
			hangUp: () => {
				// A shell that has ended by itself is gone already.
				containers.remove(id, { force: true }).catch(() => undefined);
			},
		};
	}
}
