import { tellFailure } from '../prune';
import type { PruneOptions } from '../prune';
import { familiarTag } from './image-records';
import type { Images, RemovedImage } from './images';

export interface PrunedImages {
	readonly removed: readonly RemovedImage[];
	/** Bytes of the layers that no image needs any more, unpacked. */
	readonly reclaimed: number;
}

/** Removes these images with all their names, or tells what would go; one that cannot go does not stop the others. */
export function pruneImages(images: Images, ids: readonly string[], options: PruneOptions): PrunedImages {
	const before = layerSizes(images, new Set());
	const removed = ids.flatMap((id) => {
		const names = tagsOf(images, id);
		if (options.isDryRun) {
			return [...names.map((untagged): RemovedImage => ({ untagged })), { deleted: id }];
		}
		try {
			return images.remove(id, { force: true });
		} catch (error) {
			tellFailure(error, { kind: 'image', name: names[0] ?? id }, options);
			return [];
		}
	});
	const after = layerSizes(images, new Set(options.isDryRun ? ids : []));
	return { removed, reclaimed: before - after };
}

function tagsOf(images: Images, id: string): string[] {
	return images
		.names(id)
		.filter(({ tag }) => tag !== '')
		.map(familiarTag);
}

/** Bytes of the unpacked layers of all images but these. */
function layerSizes(images: Images, without: ReadonlySet<string>): number {
	const rest = images.list().filter(({ id }) => !without.has(id));
	const layers = new Set(rest.flatMap((image) => image.layers));
	return [...layers].reduce((sum, diffId) => sum + images.layerSize(diffId), 0);
}
