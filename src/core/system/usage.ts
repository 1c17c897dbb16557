/** `docker system df`: what takes room in the store. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Containers } from '../container/containers';
import type { Images } from '../image/images';
import type { Container, Image } from '../types';
import { folderSizes, treeSize } from '../volume/tree';
import type { Volume } from '../volume/volume';
import type { Volumes } from '../volume/volumes';

export interface Usage {
	/** Bytes on the disk of all unpacked layers and all blobs, as du counts them. */
	readonly layersSize: number;
	/** Those of them that come free when all images go that no container uses. */
	readonly unusedSize: number;
	readonly images: readonly ImageUsage[];
	readonly containers: readonly { readonly container: Container; readonly size: number }[];
	readonly volumes: readonly { readonly volume: Volume; readonly size: number; readonly users: number }[];
	/** The rest, so that the sum of all is what du tells of the store. */
	readonly other: readonly { readonly kind: OtherKind; readonly size: number }[];
}

export type OtherKind = 'logs' | 'copies' | 'partial-downloads' | 'engine';

export interface ImageUsage {
	readonly image: Image;
	/** Bytes of layers that another image has too. */
	readonly sharedSize: number;
	readonly containers: number;
	/** Bytes on the disk, of layers and blobs, that come free when it alone goes. */
	readonly ownSize: number;
}

export async function measure(
	root: string,
	{ images, containers, volumes }: { images: Images; containers: Containers; volumes: Volumes },
	signal: AbortSignal,
): Promise<Usage> {
	const folders = await folderSizes(root, { prefix: [], signal });
	const layersSize = (folders.get('layers') ?? 0) + (folders.get('blobs') ?? 0);
	const list = [...new Map(images.list().map((image) => [image.id, image])).values()];
	const all = containers.list();
	const users = (image: Image): number => all.filter(({ image_id }) => image_id === image.id).length;
	const stored = images.stored();
	const sizes = await images.diskSizes(stored, signal);
	const sizeOf = (ids: readonly string[]): number =>
		sum([...images.neededOnlyBy(ids, stored)].map((digest) => sizes.get(digest) ?? 0));
	const owners = new Map<string, number>();
	for (const layer of list.flatMap((image) => [...new Set(image.layers)])) {
		owners.set(layer, (owners.get(layer) ?? 0) + 1);
	}
	const shared = (image: Image): number =>
		sum(image.layers.filter((diffId) => (owners.get(diffId) ?? 0) > 1).map((diffId) => images.layerSize(diffId)));
	const measured = [];
	let logs = 0;
	let copies = 0;
	for (const container of all) {
		const size = await containers.size(container.id, signal);
		measured.push({ container, size });
		const folder = path.join(root, 'containers', container.id);
		logs += await sizeOrNone(path.join(folder, 'log'), signal);
		// A whole root, of which `size` is what the container wrote itself.
		copies += Math.max((await sizeOrNone(path.join(folder, 'copy'), signal)) - size, 0);
	}
	const measuredVolumes = [];
	for (const volume of volumes.list()) {
		const size = await volumes.size(volume.name, signal);
		measuredVolumes.push({ volume, size, users: volumes.usersOf(volume.name).length });
	}
	const partial = folders.get('ingest') ?? 0;
	const own = [...measured, ...measuredVolumes].map(({ size }) => Math.max(size, 0));
	const engine = Math.max((folders.get('') ?? 0) - layersSize - sum(own) - logs - copies - partial, 0);
	return {
		layersSize,
		unusedSize: sizeOf(list.filter((image) => users(image) === 0).map(({ id }) => id)),
		images: list.map((image) => ({
			image,
			sharedSize: shared(image),
			containers: users(image),
			ownSize: sizeOf([image.id]),
		})),
		containers: measured,
		volumes: measuredVolumes,
		other: [
			{ kind: 'logs', size: logs },
			{ kind: 'copies', size: copies },
			{ kind: 'partial-downloads', size: partial },
			{ kind: 'engine', size: engine },
		],
	};
}

/** As treeSize; 0 for a folder that is not there, or goes meanwhile. */
async function sizeOrNone(folder: string, signal: AbortSignal): Promise<number> {
	try {
		return fs.existsSync(folder) ? await treeSize(folder, { prefix: [], signal }) : 0;
	} catch (error) {
		if (signal.aborted || fs.existsSync(folder)) {
			throw error;
		}
		return 0;
	}
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, number) => total + number, 0);
}
