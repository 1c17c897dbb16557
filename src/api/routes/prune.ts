/**
 * The prunes. What one thing cannot be removed for is told in `Failures`, and the rest goes all the same. Ours are
 * also `dry-run`, which tells what would go, and `without-containers`: as if stopped containers had gone before.
 */
import { pruneImages } from '../../core/image/prune';
import { tellFailure } from '../../core/prune';
import type { PruneFailure, PruneOptions } from '../../core/prune';
import type { Container } from '../../core/types';
import type { Volume } from '../../core/volume/volume';
import { booleanFilter, hasLabels, untilFilter } from '../filters';
import type { FilterValues } from '../filters';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { repoTags } from '../shapes';
import { isOlderVersion } from '../transport';

export const pruneRoutes: readonly Route[] = [
	route('POST', '/containers/prune', containers),
	route('POST', '/images/prune', images),
	route('POST', '/networks/prune', networks),
	route('POST', '/volumes/prune', volumes),
	route('POST', '/build/prune', buildCache),
];

/** Containers that do not run. */
async function containers(request: ApiRequest): Promise<void> {
	const { core, signal } = request;
	const { failures, options } = pruneOptions(request);
	const removed: string[] = [];
	let reclaimed = 0;
	for (const { id, name } of stoppedContainers(request, request.filters(['label', 'label!', 'until']))) {
		try {
			const size = await core.containers.size(id, signal);
			if (!options.isDryRun) {
				await core.containers.remove(id, { force: false, volumes: false });
			}
			removed.push(id);
			reclaimed += size;
		} catch (error) {
			tellFailure(error, { kind: 'container', name }, options);
		}
	}
	if (!options.isDryRun) {
		core.events.emit('container', 'prune', '', { reclaimed: String(reclaimed) });
	}
	request.json({ ContainersDeleted: listOrNull(removed), SpaceReclaimed: reclaimed, ...failuresJson(failures) });
}

/** Dangling images, with dangling=false every one that no container uses. */
async function images(request: ApiRequest): Promise<void> {
	const { core } = request;
	const { failures, options } = pruneOptions(request);
	const filters = request.filters(['dangling', 'label', 'label!', 'until']);
	const { removed, reclaimed } = await pruneImages(core.images, () => unusedImages(request, filters), options);
	if (!options.isDryRun) {
		core.events.emit('image', 'prune', '', { reclaimed: String(reclaimed) });
	}
	const items = removed.map(({ untagged, deleted }) => ({
		...(untagged === undefined ? {} : { Untagged: untagged }),
		...(deleted === undefined ? {} : { Deleted: deleted }),
	}));
	request.json({ ImagesDeleted: listOrNull(items), SpaceReclaimed: reclaimed, ...failuresJson(failures) });
}

/** Ids of the images that the filters choose and no container uses. */
function unusedImages(request: ApiRequest, filters: FilterValues): string[] {
	const { core } = request;
	const isAll = booleanFilter(filters, 'dangling') === false;
	const isBefore = untilFilter(filters);
	const gone = containersGone(request, filters);
	const users = core.containers.list().filter(({ id }) => !gone.has(id));
	const used = new Set(users.map(({ image_id }) => image_id));
	return [...new Set(core.images.list().map(({ id }) => id))].filter((id) => {
		const records = core.images.names(id);
		const [image] = records;
		return (
			image !== undefined &&
			!used.has(id) &&
			(isAll || repoTags(records).length === 0) &&
			hasLabels(filters, image.config.labels) &&
			isBefore(image.created)
		);
	});
}

/** User networks that no running container is on. */
async function networks(request: ApiRequest): Promise<void> {
	const { failures, options } = pruneOptions(request);
	const filters = request.filters(['label', 'label!', 'until']);
	const isBefore = untilFilter(filters);
	const removed = await request.core.networks.prune(
		({ labels, created }) => hasLabels(filters, labels) && isBefore(created),
		options,
	);
	request.json({ NetworksDeleted: listOrNull(removed.map(({ name }) => name)), ...failuresJson(failures) });
}

/** Anonymous volumes, and the named ones with the filter "all", or for a client from before there was that filter. */
async function volumes(request: ApiRequest): Promise<void> {
	const { failures, options } = pruneOptions(request);
	const filters = request.filters(['label', 'label!', 'all', 'until']);
	const isAll = booleanFilter(filters, 'all') === true || isOlderVersion(request.parts.version, '1.42');
	const isBefore = untilFilter(filters);
	const isWanted = ({ is_anonymous, labels, created }: Volume): boolean =>
		(isAll || is_anonymous) && hasLabels(filters, labels) && isBefore(created);
	const gone = containersGone(request, filters);
	const { removed, reclaimed } = await request.core.volumes.prune(isWanted, { ...options, gone });
	request.json({ VolumesDeleted: listOrNull(removed), SpaceReclaimed: reclaimed, ...failuresJson(failures) });
}

/** There is no build cache; `docker system prune` asks all the same. */
function buildCache(request: ApiRequest): void {
	request.json({ CachesDeleted: null, SpaceReclaimed: 0 });
}

function stoppedContainers({ core }: ApiRequest, filters: FilterValues): readonly Container[] {
	const isBefore = untilFilter(filters);
	return core.containers
		.list()
		.filter(
			({ status, labels, created_at }) =>
				['created', 'exited', 'dead'].includes(status) && hasLabels(filters, labels) && isBefore(created_at),
		);
}

/** Ids of the containers that a dry run is to take for gone. */
function containersGone(request: ApiRequest, filters: FilterValues): ReadonlySet<string> {
	const isTakenForGone = request.flag('dry-run') && request.flag('without-containers');
	return new Set(isTakenForGone ? stoppedContainers(request, filters).map(({ id }) => id) : []);
}

function pruneOptions(request: ApiRequest): { readonly failures: PruneFailure[]; readonly options: PruneOptions } {
	const failures: PruneFailure[] = [];
	const onFailure = (failure: PruneFailure): void => {
		failures.push(failure);
	};
	return { failures, options: { isDryRun: request.flag('dry-run'), onFailure, signal: request.signal } };
}

function listOrNull<T>(list: readonly T[]): readonly T[] | null {
	return list.length === 0 ? null : list;
}

/** Nothing where nothing failed, as docker's answer. */
function failuresJson(failures: readonly PruneFailure[]): object {
	return failures.length === 0
		? {}
		: { Failures: failures.map(({ kind, name, reason }) => ({ Kind: kind, Name: name, Reason: reason })) };
}
