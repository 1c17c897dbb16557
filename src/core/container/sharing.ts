import { EngineError } from '../errors';
import { parseNetworkMode } from '../network/network';
import type { Container } from '../types';
import type { BundleNetwork, ContainerFolder } from './bundle';

/** A container whose namespaces another one joins. */
export interface Donor {
	readonly record: Container;
	readonly folder: ContainerFolder;
}

/** The pid namespace of --pid container:ID. Throws "conflict" when that container does not run. */
export function sharedPid({ config }: Container, get: (id: string) => Container): string | undefined {
	const other = /^container:(.+)$/.exec(config.isolation?.pid ?? '')?.[1];
	if (other === undefined) {
		return undefined;
	}
	const { process, id } = get(other);
	if (process === null) {
		throw new EngineError('conflict', `cannot join PID of a non running container: ${id}`);
	}
	return `/proc/${process.pid}/ns/pid`;
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
