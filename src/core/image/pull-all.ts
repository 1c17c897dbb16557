import { EngineError } from '../errors';
import type { Image } from '../types';
import type { Images, PullOptions } from './images';
import { familiarName, normalizedName, parseReference } from './reference';
import type { Registries } from './registries';

/** Fetches every tag of a repository, one after the other; layers that they share come once. */
export async function pullAllTags(
	{ images, registries }: { readonly images: Images; readonly registries: Registries },
	repository: string,
	options: PullOptions,
): Promise<Image[]> {
	const reference = parseReference(repository);
	const name = familiarName(normalizedName(reference));
	if (reference.tag !== undefined || reference.digest !== undefined) {
		throw new EngineError('invalid', `Cannot pull all tags of "${repository}": it names a tag or a digest`);
	}
	const { auth, registries: settings, signal } = options;
	const tags = await registries.allTags(reference, { auth, settings, signal });
	if (tags.length === 0) {
		throw new EngineError('not-found', `Cannot pull image "${name}": the repository has no tags`);
	}
	const pulled: Image[] = [];
	const news: string[] = [];
	for (const tag of tags) {
		const image = await images.pull(`${name}:${tag}`, {
			...options,
			onProgress: (progress) => {
				if (progress.status.startsWith('Status: Downloaded')) {
					news.push(tag);
				}
				if (!progress.status.startsWith('Status: ')) {
					options.onProgress?.(progress);
				}
			},
		});
		pulled.push(image);
	}
	const what = news.length > 0 ? 'Downloaded newer image' : 'Image is up to date';
	options.onProgress?.({ status: `Status: ${what} for ${name}` });
	return pulled;
}
