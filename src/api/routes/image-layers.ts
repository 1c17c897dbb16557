import * as path from 'node:path';
import { EngineError } from '../../core/errors';
import type { Content, ContentsJob, ContentsPage, ContentsSummary, Sums } from '../../core/image/contents';
import { openFile } from '../../core/files/single-file';
import { runJob } from '../../core/job-thread';
import type {
	ImageLayerFilesJson,
	ImageLayerJson,
	ImageLayersJson,
	LayerChangesJson,
	LayerFileJson,
} from '../image-layer-calls';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

/** What the layers of an image hold. */
export const imageLayerRoutes: readonly Route[] = [
	route('GET', '/mydocker/images/{name}/layers', layers),
	route('GET', '/mydocker/images/{name}/layer-files', layerFiles),
	route('GET', '/mydocker/images/{name}/layer-file', layerFile),
];

const WORKER = path.join(__dirname, 'worker.js');

async function layers(request: ApiRequest): Promise<void> {
	const largest = bounded(request, 'largest', { otherwise: 20, least: 0, most: 1000 });
	const { id } = request.core.images.get(request.parameter('name'));
	const steps = stepsOf(request, id);
	const found = await examine<ContentsSummary>(request, id, { kind: 'summary', largest });
	const indexOf = (layer: number) => steps.findIndex((step) => step.layer === layer);
	const rows = steps.map(({ layer, ...step }, index): ImageLayerJson => {
		const held = layer === undefined ? undefined : found.layers[layer];
		return {
			...{ Index: index, ...step },
			Changes: changesJson(held?.sums),
			...{ WastedSize: held?.wasted ?? 0, RemovesSize: held?.removes ?? 0 },
			Largest: (held?.largest ?? []).map(fileJson),
		};
	});
	const json: ImageLayersJson = {
		Id: id,
		Size: sum(rows.map(({ Size }) => Size)),
		...{ VisibleSize: found.visible, VisibleEntries: found.entries },
		WastedSize: sum(rows.map(({ WastedSize }) => WastedSize)),
		Layers: rows,
		Wasted: found.wasted.map((file) => ({
			...{ Path: file.path, Size: file.size, Layer: indexOf(file.layer), By: indexOf(file.by) },
		})),
	};
	request.json(json);
}

async function layerFiles(request: ApiRequest): Promise<void> {
	const { id } = request.core.images.get(request.parameter('name'));
	const steps = stepsOf(request, id);
	const index = bounded(request, 'layer', { otherwise: -1, least: 0, most: steps.length - 1 });
	const offset = bounded(request, 'offset', { otherwise: 0, least: 0, most: 999_999_999 });
	const limit = bounded(request, 'limit', { otherwise: 1000, least: 1, most: 10_000 });
	const layer = steps[index]?.layer;
	const folder = request.text('path') ?? '/';
	const page: ContentsPage =
		layer === undefined
			? { total: 0, items: [] }
			: await examine(request, id, {
					...{ kind: 'folder', layer, path: folder, isRecursive: request.flag('recursive'), offset, limit },
				});
	const json: ImageLayerFilesJson = { Total: page.total, Files: page.items.map(fileJson) };
	request.json(json);
}

/** The bytes of one regular file, as the layer has it. */
async function layerFile(request: ApiRequest): Promise<void> {
	const { id } = request.core.images.get(request.parameter('name'));
	const steps = stepsOf(request, id);
	const index = bounded(request, 'layer', { otherwise: -1, least: 0, most: steps.length - 1 });
	const layer = steps[index]?.layer;
	const path = request.text('path') ?? '';
	await request.core.images.withLayers(id, request.signal, async (found) => {
		const directory = layer === undefined ? undefined : found[layer]?.directory;
		if (directory === undefined) {
			throw new EngineError('not-found', `${path}: layer ${index} has no files`);
		}
		const file = openFile(directory, path);
		request.header('Content-Length', String(file.size)).begin('application/octet-stream');
		for await (const chunk of file.content) {
			await request.write(chunk);
		}
		request.end();
	});
}

function examine<Result>(request: ApiRequest, id: string, wanted: ContentsJob['wanted']): Promise<Result> {
	const { signal } = request;
	return request.core.images.withLayers(id, signal, (found) => {
		const job: ContentsJob = { kind: 'contents', layers: found, wanted };
		return runJob<Result>(WORKER, job, { signal });
	});
}

type Step = Omit<ImageLayerJson, 'Index' | 'Changes' | 'WastedSize' | 'RemovesSize' | 'Largest'> & {
	/** Number among the layers with files. */
	readonly layer: number | undefined;
};

/** The history with the layers it made. What a build has written is not trusted to be right: layers beyond it follow. */
function stepsOf({ core }: ApiRequest, id: string): Step[] {
	const { configuration, layers: held } = core.images.parts(id);
	const history = Array.isArray(configuration['history']) ? (configuration['history'] as unknown[]) : [];
	let next = 0;
	const take = (entry: unknown): Step => {
		const isEmpty = member(entry, 'empty_layer') === true || next >= held.length;
		const layer = isEmpty ? undefined : next++;
		const stored = layer === undefined ? undefined : held[layer];
		return {
			...{
				CreatedBy: text(entry, 'created_by'),
				Created: text(entry, 'created'),
				Comment: text(entry, 'comment'),
			},
			...{ Empty: isEmpty, DiffId: stored?.diffId ?? '', Digest: stored?.descriptor.digest ?? '' },
			...{ CompressedSize: stored?.descriptor.size ?? 0, Size: stored?.size ?? 0, layer },
		};
	};
	const steps = history.map(take);
	while (next < held.length) {
		steps.push(take({}));
	}
	return steps;
}

function member(value: unknown, name: string): unknown {
	return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function text(value: unknown, name: string): string {
	const found = member(value, name);
	return typeof found === 'string' ? found : '';
}

function bounded(
	request: ApiRequest,
	name: string,
	{ otherwise, least, most }: { readonly otherwise: number; readonly least: number; readonly most: number },
): number {
	const value = request.integer(name) ?? otherwise;
	if (value < least || value > most) {
		throw new EngineError('invalid', `"${name}" must be a number from ${least} to ${most}`);
	}
	return value;
}

function fileJson(content: Content): LayerFileJson {
	return {
		...{ Path: content.path, Kind: content.kind ?? null, Type: content.type, Mode: content.mode },
		...{ Uid: content.uid, Gid: content.gid, Size: content.size, Target: content.target ?? '' },
		Below: content.below === undefined ? null : changesJson(content.below),
	};
}

function changesJson(sums: Sums | undefined): LayerChangesJson {
	const { added = 0, changed = 0, deleted = 0, bytes = 0 } = sums ?? {};
	return { Added: added, Changed: changed, Deleted: deleted, Bytes: bytes };
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, number) => total + number, 0);
}
