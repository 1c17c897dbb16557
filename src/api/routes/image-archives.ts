import * as path from 'node:path';
import { EngineError, messageOf } from '../../core/errors';
import { packRoot } from '../../core/files/place';
import { importImage, loadImages, saveImages } from '../../core/image/archives';
import { commitImage } from '../../core/image/commit';
import { emptyConfig, applyChanges } from '../../core/image/changes';
import { measure } from '../../core/system/usage';
import { booleanFilter, hasLabels, isBefore } from '../filters';
import { joinReference } from '../references';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { containerSummary, imageSummary, repoTags } from '../shapes';
import { volumeJson } from '../network-shapes';

/** Archives of images and containers, what takes room, and how to get it back. */
export const imageArchiveRoutes: readonly Route[] = [
	route('GET', '/images/get', (request) => save(request, request.parts.query.getAll('names'))),
	route('GET', '/images/{name}/get', (request) => save(request, [request.parameter('name')])),
	route('POST', '/images/load', load),
	route('GET', '/images/{name}/history', history),
	route('POST', '/images/prune', pruneImages),
	route('POST', '/commit', commit),
	route('GET', '/containers/{id}/changes', changes),
	route('GET', '/containers/{id}/export', exportContainer),
	route('POST', '/containers/prune', pruneContainers),
	route('GET', '/system/df', diskUsage),
];

const WORKER = path.join(__dirname, 'worker.js');

async function save(request: ApiRequest, texts: readonly string[]): Promise<void> {
	const names = texts.flatMap((text) => text.split(',')).filter((name) => name !== '');
	if (names.length === 0) {
		throw new EngineError('invalid', 'no image was named');
	}
	await request.core.images.saving(names, async (saved) => {
		request.begin('application/x-tar');
		for await (const chunk of saveImages(request.core.root, saved)) {
			await request.write(chunk);
		}
	});
	request.end();
}

/** Loads, and says what came in; what fails after the first sentence is a message too. */
async function load(request: ApiRequest): Promise<void> {
	const sentences: string[] = [];
	await loadImages(request.core.images, request.incoming, {
		root: request.core.root,
		worker: WORKER,
		signal: request.signal,
		onLoaded: (sentence) => sentences.push(sentence),
	});
	request.begin('application/json');
	request.end(sentences.map((sentence) => JSON.stringify({ stream: `${sentence}\n` }) + '\r\n').join(''));
}

/** `POST /images/create?fromSrc=-`: the body is the tar of a root file system. */
export async function importFromBody(request: ApiRequest): Promise<void> {
	if (request.text('fromSrc') !== '-') {
		throw new EngineError('unsupported', 'Cannot import image: send the archive as the body (fromSrc=-)');
	}
	const repository = request.text('repo');
	const source = request.text('message');
	try {
		const image = await importImage(request.core.images, request.incoming, {
			worker: WORKER,
			signal: request.signal,
			name: repository === undefined ? '' : joinReference(repository, request.text('tag')),
			message: source ?? 'Imported from -',
			changes: request.parts.query.getAll('changes'),
		});
		request.core.events.emit('image', 'import', image.id, { name: image.id });
		request.begin('application/json');
		request.end(JSON.stringify({ status: image.id }) + '\r\n');
	} catch (error) {
		if (request.signal.aborted || !request.isAnswered) {
			throw error;
		}
		request.end(JSON.stringify({ error: messageOf(error), errorDetail: { message: messageOf(error) } }) + '\r\n');
	}
}

async function commit(request: ApiRequest): Promise<void> {
	const { containers, images } = request.core;
	const container = request.text('container') ?? '';
	const repository = request.text('repo');
	const changesGiven = request.parts.query.getAll('changes');
	applyChanges(emptyConfig, changesGiven); // before anything is paused
	const isToPause = request.parts.query.has('pause') ? request.flag('pause') : true;
	const image = await containers.withUpper(container, { isToPause, signal: request.signal }, (record, upper) =>
		commitImage(images, record, {
			upper,
			author: request.text('author') ?? '',
			message: request.text('comment') ?? '',
			changes: changesGiven,
			name: repository === undefined ? '' : joinReference(repository, request.text('tag')),
			signal: request.signal,
		}),
	);
	containers.announce(container, 'commit');
	request.json({ Id: image.id }, 201);
}

async function changes(request: ApiRequest): Promise<void> {
	const found = await request.core.containers.changes(request.parameter('id'), request.signal);
	request.json(found.length === 0 ? null : found.map(({ path: place, kind }) => ({ Path: place, Kind: kind })));
}

async function exportContainer(request: ApiRequest): Promise<void> {
	const id = request.parameter('id');
	await request.core.containers.withRoot(id, 'own', async (tree) => {
		request.begin('application/octet-stream');
		for await (const chunk of packRoot(tree, request.signal)) {
			await request.write(chunk);
		}
	});
	request.end();
	request.core.containers.announce(id, 'export');
}

interface HistoryEntry {
	readonly created?: string;
	readonly created_by?: string;
	readonly comment?: string;
	readonly empty_layer?: boolean;
}

/** Newest first; the image itself has an id, what lies below it has none here. */
function history(request: ApiRequest): void {
	const { images } = request.core;
	const image = images.get(request.parameter('name'));
	const { configuration, layers } = images.parts(image.id);
	const entries = Array.isArray(configuration['history'])
		? (configuration['history'] as HistoryEntry[])
		: layers.map((): HistoryEntry => ({}));
	const sizes = layers.map(({ size }) => size);
	const rows = entries.map(({ created, created_by, comment, empty_layer }) => ({
		Comment: comment ?? '',
		Created: Math.floor(Date.parse(created ?? '') / 1000) || 0,
		CreatedBy: created_by ?? '',
		Id: '<missing>',
		Size: empty_layer === true ? 0 : (sizes.shift() ?? 0),
		Tags: null as string[] | null,
	}));
	const [first, ...rest] = rows.reverse();
	const tags = repoTags(images.names(image.id));
	request.json(
		first === undefined ? [] : [{ ...first, Id: image.id, Tags: tags.length === 0 ? null : tags }, ...rest],
	);
}

/** Dangling images, with dangling=false every one that no container uses. `dry-run` is ours: what would go. */
async function pruneImages(request: ApiRequest): Promise<void> {
	const { images, containers } = request.core;
	const filters = request.filters(['dangling', 'label', 'label!', 'until']);
	const isAll = booleanFilter(filters, 'dangling') === false;
	const used = new Set(containers.list().map(({ image_id }) => image_id));
	const ids = [...new Set(images.list().map(({ id }) => id))].filter((id) => {
		const records = images.names(id);
		const [image] = records;
		return (
			image !== undefined &&
			!used.has(id) &&
			(isAll || repoTags(records).length === 0) &&
			hasLabels(filters, image.config.labels) &&
			isBefore(filters, image.created)
		);
	});
	const before = await layerSizes(request);
	const removed = request.flag('dry-run')
		? ids.map((id) => ({ Deleted: id }))
		: ids.flatMap((id) =>
				images.remove(id, { force: true }).map(({ untagged, deleted }) => ({
					...(untagged === undefined ? {} : { Untagged: untagged }),
					...(deleted === undefined ? {} : { Deleted: deleted }),
				})),
			);
	const kept = request.flag('dry-run') ? sizesWithout(request, new Set(ids)) : await layerSizes(request);
	const reclaimed = before - kept;
	if (!request.flag('dry-run')) {
		request.core.events.emit('image', 'prune', '', { reclaimed: String(reclaimed) });
	}
	request.json({ ImagesDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimed });
}

function layerSizes(request: ApiRequest): Promise<number> {
	return Promise.resolve(sizesWithout(request, new Set()));
}

/** Bytes of the layers of all images but these, unpacked. */
function sizesWithout({ core }: ApiRequest, without: ReadonlySet<string>): number {
	const sizes = new Map<string, number>();
	for (const { id } of core.images.list().filter((image) => !without.has(image.id))) {
		for (const { diffId, size } of core.images.parts(id).layers) {
			sizes.set(diffId, size);
		}
	}
	return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** Containers that do not run. `dry-run` is ours: what would go. */
async function pruneContainers(request: ApiRequest): Promise<void> {
	const { containers, events } = request.core;
	const filters = request.filters(['label', 'label!', 'until']);
	const removed: string[] = [];
	let reclaimed = 0;
	for (const { id, status, labels, created_at } of containers.list()) {
		const isStopped = ['created', 'exited', 'dead'].includes(status);
		if (!isStopped || !hasLabels(filters, labels) || !isBefore(filters, created_at)) {
			continue;
		}
		request.signal.throwIfAborted();
		const size = await containers.size(id, request.signal);
		try {
			if (!request.flag('dry-run')) {
				await containers.remove(id, { force: false, volumes: false });
			}
		} catch (error) {
			if (error instanceof EngineError && ['conflict', 'not-found'].includes(error.code)) {
				continue; // started or removed by somebody else meanwhile
			}
			throw error;
		}
		removed.push(id);
		reclaimed += size;
	}
	if (!request.flag('dry-run')) {
		events.emit('container', 'prune', '', { reclaimed: String(reclaimed) });
	}
	request.json({ ContainersDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimed });
}

async function diskUsage(request: ApiRequest): Promise<void> {
	const { core } = request;
	const usage = await measure(core.root, core, request.signal);
	const now = Date.now();
	request.json({
		LayersSize: usage.layersSize,
		Images: usage.images.map(({ image, sharedSize, containers }) => ({
			...imageSummary(
				[image, ...core.images.names(image.id).filter((other) => other !== image)],
				request.parts.version,
			),
			SharedSize: sharedSize,
			Containers: containers,
		})),
		Containers: usage.containers.map(({ container, size }) => ({
			...containerSummary(container, container.config.image, now, core),
			SizeRw: size,
			SizeRootFs: size + (core.images.find(container.image_id)?.size ?? 0),
		})),
		Volumes: usage.volumes.map(({ volume, size, users }) => ({
			...volumeJson(volume, core),
			UsageData: { RefCount: users, Size: size },
		})),
		BuildCache: [],
		BuilderSize: 0,
	});
}
