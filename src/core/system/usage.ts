/** `docker system df`: what takes room in the store. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Containers } from '../container/containers';
import type { Images } from '../image/images';
import type { Container, Image } from '../types';
import { treeSize } from '../volume/tree';
import type { Volume } from '../volume/volume';
import type { Volumes } from '../volume/volumes';

export interface Usage {
	/** Bytes on the disk of all unpacked layers and all blobs, as du counts them. */
	readonly layersSize: number;
	readonly images: readonly ImageUsage[];
	readonly containers: readonly { readonly container: Container; readonly size: number }[];
	readonly volumes: readonly { readonly volume: Volume; readonly size: number; readonly users: number }[];
}

export interface ImageUsage {
	readonly image: Image;
	/** Bytes of layers that another image has too. */
	readonly sharedSize: number;
	readonly containers: number;
}

export async function measure(
	root: string,
	{ images, containers, volumes }: { images: Images; containers: Containers; volumes: Volumes },
	signal: AbortSignal,
): Promise<Usage> {
	const prefix: string[] = [];
	const folders = ['layers', 'blobs'].map((name) => path.join(root, name)).filter((name) => fs.existsSync(name));
	const sizes = await Promise.all(folders.map((folder) => treeSize(folder, { prefix, signal })));
	const list = [...new Map(images.list().map((image) => [image.id, image])).values()];
	const all = containers.list();
	const owners = new Map<string, number>();
	for (const layer of list.flatMap((image) => [...new Set(image.layers)])) {
		owners.set(layer, (owners.get(layer) ?? 0) + 1);
	}
	const shared = (image: Image): number =>
		images
			.parts(image.id)
			.layers.filter(({ diffId }) => (owners.get(diffId) ?? 0) > 1)
			.reduce((sum, { size }) => sum + size, 0);
	const measured = [];
	for (const container of all) {
		measured.push({ container, size: await containers.size(container.id, signal) });
	}
	const measuredVolumes = [];
	for (const volume of volumes.list()) {
		const size = await volumes.size(volume.name, signal);
		measuredVolumes.push({ volume, size, users: volumes.usersOf(volume.name).length });
	}
	return {
		layersSize: sizes.reduce((sum, size) => sum + size, 0),
		images: list.map((image) => ({
			image,
			sharedSize: shared(image),
			containers: all.filter(({ image_id }) => image_id === image.id).length,
		})),
		containers: measured,
		volumes: measuredVolumes,
	};
}
