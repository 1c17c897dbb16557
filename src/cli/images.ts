import type { ImageSummary } from '../api/types';
import { age, localTime, shortId, size } from './format';
import { explain } from './explain';
import type { Action } from './row';
import { renderList } from './table';
import type { Fields } from './table';
import { ApiError } from '../api/client';

export interface ListFlags {
	readonly all: boolean;
	readonly digests: boolean;
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly format: string | undefined;
	readonly noTrunc: boolean;
	readonly quiet: boolean;
}

const NONE = '<none>';

const HEADERS = {
	CreatedAt: 'CREATED AT',
	CreatedSince: 'CREATED',
	Digest: 'DIGEST',
	ID: 'IMAGE ID',
	Repository: 'REPOSITORY',
	Size: 'SIZE',
	Tag: 'TAG',
	Containers: 'CONTAINERS',
	SharedSize: 'SHARED SIZE',
	UniqueSize: 'UNIQUE SIZE',
	VirtualSize: 'SIZE',
};

/** `mydocker images` */
export const list: Action<ListFlags> = async (session, [reference], flags) => {
	const images = await session.client.images.list({
		signal: session.signal,
		all: flags.all,
		filters: { ...flags.filter, ...(reference !== undefined && { reference: [reference] }) },
	});
	session.output.stdout.write(renderImages(images, flags, session.now));
	return 0;
};

/** The text of an image list; docker's columns. `now` in Unix milliseconds. */
export function renderImages(images: readonly ImageSummary[], flags: ListFlags, now: number): string {
	const items = images.flatMap((image) => imageRows(image, flags, now));
	if (flags.quiet && flags.format === undefined) {
		return items.map((item) => `${item.ID}\n`).join('');
	}
	const columns = ['Repository', 'Tag', ...(flags.digests ? ['Digest'] : []), 'ID', 'CreatedSince', 'Size'];
	return renderList(flags.format, items, { headers: HEADERS, columns });
}

/** One row a name, and with --digests one a digest of each; an image without names has one row. */
function imageRows(image: ImageSummary, flags: ListFlags, now: number): (Fields & { readonly ID: string })[] {
	return imageNames(image, flags.digests || /\.Digest\b/.test(flags.format ?? '')).map(
		({ repository, tag, digest }) => ({
			CreatedAt: localTime(image.Created),
			CreatedSince: age(image.Created, now),
			Digest: digest,
			ID: flags.noTrunc ? image.Id : shortId(image.Id),
			Repository: repository,
			Size: size(image.Size),
			// As docker, whose list does not ask for what takes long to count.
			...{ Containers: 'N/A', SharedSize: 'N/A', UniqueSize: 'N/A', VirtualSize: size(image.Size, 4) },
			Tag: tag,
		}),
	);
}

interface ImageName {
	readonly repository: string;
	readonly tag: string;
	readonly digest: string;
}

function imageNames(image: ImageSummary, hasDigests: boolean): ImageName[] {
	const tags = (image.RepoTags ?? []).filter((name) => name !== `${NONE}:${NONE}`).map((name) => part(name, ':'));
	const digests = (image.RepoDigests ?? [])
		.filter((name) => name !== `${NONE}@${NONE}`)
		.map((name) => part(name, '@'));
	const tagged = tags.flatMap(([repository, tag]) => {
		const own = hasDigests ? digests.filter(([name]) => name === repository).map(([, digest]) => digest) : [];
		return (own.length > 0 ? own : [NONE]).map((digest) => ({ repository, tag, digest }));
	});
	// Pulled by digest, or its tag has moved on.
	const untagged = digests
		.filter(([repository]) => !tags.some(([name]) => name === repository))
		.map(([repository, digest]) => ({ repository, tag: NONE, digest }));
	const names = [...tagged, ...untagged];
	return names.length > 0 ? names : [{ repository: NONE, tag: NONE, digest: NONE }];
}

function part(name: string, separator: string): [string, string] {
	const at = name.lastIndexOf(separator);
	return [name.slice(0, at), name.slice(at + 1)];
}

/** `mydocker tag` */
export const tag: Action<object> = async (session, [source = '', target = '']) => {
	await session.client.images.tag(source, target, { signal: session.signal });
	return 0;
};

/** `mydocker rmi`: goes on after a failure, and prints what it removed first. */
export const remove: Action<{ readonly force: boolean }> = async (session, names, flags) => {
	const failures: unknown[] = [];
	for (const name of names) {
		try {
			for (const item of await session.client.images.remove(name, {
				signal: session.signal,
				force: flags.force,
			})) {
				session.output.line(
					item.Deleted === undefined ? `Untagged: ${item.Untagged ?? ''}` : `Deleted: ${item.Deleted}`,
				);
			}
		} catch (error) {
			session.signal.throwIfAborted();
			failures.push(error);
		}
	}
	failures.forEach((failure) => {
		session.output.error(explain(failure));
	});
	// With --force what was not there is told, but counts as gone.
	return failures.every((failure) => flags.force && failure instanceof ApiError && failure.status === 404) ? 0 : 1;
};
