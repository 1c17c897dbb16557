import { EngineError } from '../errors';
import { run, toolEnvironment } from '../exec';
import type { ContainerFolder } from './bundle';
import { resolveRootPath } from './rootfs';
import { MOUNT_FUNCTIONS, mountArguments } from '../storage/driver';
import type { LookupLayer, RootMount } from '../storage/driver';
import type { Container } from '../types';
import type { Volumes } from '../volume/volumes';

/** Arguments: those of mount_root, <path in it> <target>. */
const SCRIPT = `${MOUNT_FUNCTIONS}
mount_root "$1" "$2" "$3" "$4"
trap 'unmount_root "$4"' EXIT
[ -d "$4$5" ] || exit 0
cp -a --reflink=auto "$4$5/." "$6"
chown --reference="$4$5" "$6"
chmod --reference="$4$5" "$6"`;

export interface ImageRoot {
	readonly folder: ContainerFolder;
	/** Where to look for names without mounting, top first. */
	readonly lookup: readonly LookupLayer[];
	readonly mount: RootMount;
}

/**
 * Copies what a container that does not run has at `destination` into `target`, with owners, modes and attributes; no
 * folder there is no error. The root is mounted in a mount namespace that ends with the copy. Links on the way to
 * `destination` are followed inside the root only, and nothing else writes there meanwhile.
 */
export async function copyImageFolder(
	{ folder, lookup, mount }: ImageRoot,
	destination: string,
	target: string,
): Promise<void> {
	const inside = resolveRootPath(lookup, destination);
	const shell = ['sh', '-e', '-c', SCRIPT, 'copy', ...mountArguments(mount, folder.merged), inside, target];
	const result = await run('unshare', ['--mount', '--propagation', 'slave', ...shell], {
		env: { ...toolEnvironment(), LIBMOUNT_FORCE_MOUNT2: 'always' },
	});
	if (result.code !== 0) {
		throw new EngineError('internal', `Cannot fill volume for "${destination}": ${result.stderr.trim()}`);
	}
}

/** After a container's end, or a start that failed. */
export async function unmountVolumes(volumes: Volumes, { id, config }: Container): Promise<void> {
	for (const { source } of config.mounts.filter(({ type }) => type === 'volume')) {
		await volumes.unmount(source, id);
	}
}

/** The volumes of containers that run, for `Volumes.adopt`. */
export function mountedVolumes(containers: readonly Container[]): { containerId: string; volume: string }[] {
	return containers.flatMap(({ id, config }) =>
		config.mounts
			.filter(({ type }) => type === 'volume')
			.map(({ source }) => ({ containerId: id, volume: source })),
	);
}

/** docker's events of the volumes that a container has mounted at its start. */
export function announceMounts(volumes: Volumes, { id, config }: Container): void {
	for (const { type, source, destination, read_only } of config.mounts) {
		if (type === 'volume') {
			const attributes = { destination, propagation: '', 'read/write': String(!read_only) };
			volumes.announce('mount', source, { container: id, ...attributes });
		}
	}
}

/** And those of its end. */
export function announceUnmounts(volumes: Volumes, { id, config }: Container): void {
	for (const { type, source } of config.mounts) {
		if (type === 'volume') {
			volumes.announce('unmount', source, { container: id });
		}
	}
}
