import { tellFailure } from '../prune';
import type { PruneOptions } from '../prune';
import { familiarTag } from './image-records';
import type { Images, RemovedImage } from './images';

export interface PrunedImages {
	readonly removed: readonly RemovedImage[];
	/** Bytes on the disk of what no image needs any more: unpacked layers and blobs, as du counts them. */
	readonly reclaimed: number;
}

/**
 * Removes the images that `choose` gives with all their names, or tells what would go; one that cannot go does not stop the
 * others. It chooses again after what goes was measured, so that nothing goes which has come into use meanwhile.
 */
export async function pruneImages(
	images: Images,
	choose: () => readonly string[],
	options: PruneOptions,
): Promise<PrunedImages> {
	const sizes = await images.diskSizes(images.neededOnlyBy(choose()), options.signal);
	const ids = choose();
	const removed = options.isDryRun ? images.previewRemoval(ids) : removeAll(images, ids, options);
	const stored = images.stored();
	const gone = options.isDryRun
		? images.neededOnlyBy(ids)
		: [...sizes.keys()].filter((digest) => !stored.has(digest));
	return { removed, reclaimed: [...gone].reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0) };
}

function removeAll(images: Images, ids: readonly string[], options: PruneOptions): RemovedImage[] {
	return ids.flatMap((id) => {
		const [name] = images.names(id).filter(({ tag }) => tag !== '');
		try {
			return images.remove(id, { force: true });
		} catch (error) {
			tellFailure(error, { kind: 'image', name: name === undefined ? id : familiarTag(name) }, options);
			return [];
		}
	});
}
