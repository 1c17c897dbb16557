import * as fs from 'node:fs';
import { EngineError } from '../errors';
import { parseNetworkMode } from '../network/network';
import type { Container } from '../types';
import { mountTmpfs, unmountTmpfs } from '../volume/tmpfs';
import type { BundleNetwork, ContainerFolder } from './bundle';
import { DEFAULT_SHM_SIZE, type SharedIpc } from './spec';

/** A container whose namespaces another one joins. */
export interface Donor {
	readonly record: Container;
	readonly folder: ContainerFolder;
}

/** The container of a mode "container:NAME"; undefined for any other mode. */
export function donorOf(mode: string | undefined): string | undefined {
	return /^container:(.+)$/.exec(mode ?? '')?.[1];
}

/** The pid namespace of --pid container:ID. Throws "conflict" when that container does not run. */
export function sharedPid({ config }: Container, get: (id: string) => Container): string | undefined {
	const other = donorOf(config.isolation?.pid);
	if (other === undefined) {
		return undefined;
	}
	const { process, id } = get(other);
	if (process === null) {
		throw new EngineError('conflict', `can't join PID of container ${id}: container ${id} is not running`);
	}
	return `/proc/${process.pid}/ns/pid`;
}

/**
 * Before a start: with --ipc shareable the container's memory is mounted where others can have it too, with --ipc
 * container:ID it is that of the other. Throws "conflict" with docker's words when the other does not share or run.
 */
export async function shareIpc({ record, folder }: Donor, get: (id: string) => Donor): Promise<SharedIpc | undefined> {
	const { ipc = '', shm_size = DEFAULT_SHM_SIZE } = record.config.isolation ?? {};
	if (ipc === 'shareable') {
		fs.mkdirSync(folder.shm, { recursive: true });
		await mountTmpfs([], folder.shm, `nosuid,nodev,noexec,mode=1777,size=${shm_size}`);
		return { memory: folder.shm };
	}
	const other = donorOf(ipc);
	return other === undefined ? undefined : joinIpc(get(other));
}

function joinIpc({ record: { id, process, config }, folder }: Donor): SharedIpc {
	const refused = (reason: string): EngineError =>
		new EngineError('conflict', `can't join IPC of container ${id}: ${reason}`);
	if (process === null) {
		throw refused(`container ${id} is not running`);
	}
	if (config.isolation?.ipc !== 'shareable') {
		throw refused('non-shareable IPC (hint: use IpcMode:shareable for the donor container)');
	}
	return { memory: folder.shm, namespace: `/proc/${process.pid}/ns/ipc` };
}

/** After the container's end; those who joined keep what they have. */
export async function unshareIpc({ shm }: ContainerFolder): Promise<void> {
	if (fs.existsSync(shm)) {
		await unmountTmpfs([], shm);
	}
}

/** The network of --network container:ID, with the files and the host name that belong to it. Throws "conflict" as above. */
export function sharedNetwork({ record, folder }: Donor): {
	readonly bundle: BundleNetwork;
	readonly hostname: string;
} {
	const { process, id, config } = record;
	if (process === null) {
		throw new EngineError('conflict', `cannot join network of a non running container: ${id}`);
	}
	const { hostname } = config;
	const { etc } = folder;
	// The host's network cannot be joined by name from a user namespace, and need not be.
	const namespace = `/proc/${process.pid}/ns/net`;
	const isHost = parseNetworkMode(config.network.mode).kind === 'host';
	return { bundle: isHost ? { kind: 'host', etc } : { kind: 'shared', namespace, etc }, hostname };
}
