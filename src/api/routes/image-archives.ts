import * as path from 'node:path';
import { EngineError, messageOf } from '../../core/errors';
import { packRoot } from '../../core/files/place';
import { importImage, loadImages, saveImages } from '../../core/image/archives';
import { commitImage } from '../../core/image/commit';
import { applyChanges } from '../../core/image/changes';
import { joinReference } from '../references';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { repoTags } from '../shapes';

/** Archives of images and containers. */
export const imageArchiveRoutes: readonly Route[] = [
	route('GET', '/images/get', (request) => save(request, request.parts.query.getAll('names'))),
	route('GET', '/images/{name}/get', (request) => save(request, [request.parameter('name')])),
	route('POST', '/images/load', load),
	route('GET', '/images/{name}/history', history),
	route('POST', '/commit', commit),
	route('GET', '/containers/{id}/changes', changes),
	route('GET', '/containers/{id}/export', exportContainer),
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
	await loadImages(request.core.images, request.content, {
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
		const image = await importImage(request.core.images, request.content, {
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
	applyChanges({ Env: containers.get(container).config.env }, changesGiven); // before anything is paused
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
