import { EngineError } from '../../core/errors';
import { diskError } from '../../core/image/assembly';
import { pullAllTags } from '../../core/image/pull-all';
import type { PullOptions } from '../../core/image/images';
import type { Image, Platform } from '../../core/types';
import { booleanFilter, globToRegExp, hasLabels } from '../filters';
import type { FilterValues } from '../filters';
import { ProgressWriter } from '../progress';
import { joinReference, splitReference } from '../references';
import { registryOptions } from '../registry-headers';
import { importFromBody } from './image-archives';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { imageInspect, imageSummary, repoTags } from '../shapes';

const LIST_FILTERS = ['reference', 'dangling', 'label', 'before', 'since'];

export const imageRoutes: readonly Route[] = [
	route('POST', '/images/create', create),
	route('GET', '/images/json', list),
	route('GET', '/images/{name}/json', inspect),
	route('POST', '/images/{name}/tag', tag),
	route('DELETE', '/images/{name}', remove),
];

/**
 * Pulls an image and reports on the way. What fails before the first message gets a status of its own; afterwards an
 * error is a message too. When the connection closes, the pull is cancelled.
 */
async function create(request: ApiRequest): Promise<void> {
	const name = request.text('fromImage');
	if (name === undefined) {
		if (request.text('fromSrc') === undefined) {
			throw new EngineError('invalid', 'invalid reference format');
		}
		await importFromBody(request);
		return;
	}
	const platform = parsePlatform(request.text('platform'));
	const { auth, settings } = registryOptions(request);
	const progress = new ProgressWriter(request, request.text('tag') ?? '');
	try {
		const options: PullOptions = {
			signal: request.signal,
			onProgress: (message) => {
				progress.add(message);
			},
			...(platform === undefined ? {} : { platform }),
			...(auth === undefined ? {} : { auth }),
			...(settings === undefined ? {} : { registries: settings }),
		};
		// Without a tag, docker's API means all of them; its clients add "latest".
		await (request.text('tag') === undefined && splitReference(name).tag === undefined
			? pullAllTags(request.core, name, options)
			: request.core.images.pull(joinReference(name, request.text('tag')), options));
		await progress.finish();
	} catch (error) {
		if (request.signal.aborted || !request.isAnswered) {
			throw error;
		}
		await progress.fail(diskError(error, request.core.root));
	}
}

function list(request: ApiRequest): void {
	const filters = request.filters(LIST_FILTERS);
	const isWanted = referenceFilter(filters);
	const rows = [...byImage(request.core.images.list()).values()]
		.filter((records) => imagePasses(records, filters, request))
		.map((records) => imageSummary(records, request.parts.version, isWanted))
		.filter((row) => !filters.has('reference') || row.RepoTags?.length || row.RepoDigests?.length);
	request.json(rows);
}

/** Tests a name, "nginx:latest" or "nginx@sha256:…", against the filter "reference", which also takes it without tag. */
function referenceFilter(filters: FilterValues): (reference: string) => boolean {
	const patterns = (filters.get('reference') ?? []).map(globToRegExp);
	if (patterns.length === 0) {
		return () => true;
	}
	return (reference) => {
		const forms = [reference, splitReference(reference).name];
		return patterns.some((pattern) => forms.some((form) => pattern.test(form)));
	};
}

type Records = readonly [Image, ...Image[]];

/** Records by image, in the order of the list. */
function byImage(images: readonly Image[]): Map<string, [Image, ...Image[]]> {
	const groups = new Map<string, [Image, ...Image[]]>();
	for (const image of images) {
		const group = groups.get(image.id);
		if (group === undefined) {
			groups.set(image.id, [image]);
		} else {
			group.push(image);
		}
	}
	return groups;
}

function imagePasses(records: Records, filters: FilterValues, { core }: ApiRequest): boolean {
	const [image] = records;
	const dangling = booleanFilter(filters, 'dangling');
	const created = Date.parse(image.created) || 0;
	const limit = (name: string) =>
		(filters.get(name) ?? []).map((wanted) => Date.parse(core.images.get(wanted).created) || 0);
	return (
		(dangling === undefined || dangling === (repoTags(records).length === 0)) &&
		hasLabels(filters, image.config.labels) &&
		limit('before').every((time) => created < time) &&
		limit('since').every((time) => created > time)
	);
}

async function inspect(request: ApiRequest): Promise<void> {
	const { images, facts } = request.core;
	const image = images.get(request.parameter('name'));
	const others = images.names(image.id).filter((other) => other.name !== image.name || other.tag !== image.tag);
	const { storageDriver: driver } = await facts();
	const document = images.document(image.id);
	request.json(imageInspect([image, ...others], { version: request.parts.version, driver, document }));
}

function tag(request: ApiRequest): void {
	const repository = request.text('repo');
	if (repository === undefined) {
		throw new EngineError('invalid', 'invalid reference format');
	}
	request.core.images.tag(request.parameter('name'), joinReference(repository, request.text('tag')));
	request.empty(201);
}

function remove(request: ApiRequest): void {
	const removed = request.core.images.remove(request.parameter('name'), { force: request.flag('force') });
	request.json(
		removed.map(({ untagged, deleted }) => ({
			...(untagged === undefined ? {} : { Untagged: untagged }),
			...(deleted === undefined ? {} : { Deleted: deleted }),
		})),
	);
}

/** "linux/arm64/v8", "arm64": docker takes one word for the architecture or the system. */
export function parsePlatform(text: string | undefined): Platform | undefined {
	if (text === undefined) {
		return undefined;
	}
	const parts = text.toLowerCase().split('/');
	if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part))) {
		throw new EngineError('invalid', `"${text.slice(0, 100)}" is an invalid platform: use os/architecture/variant`);
	}
	const [first = '', architecture, variant] = parts;
	const system = architecture === undefined && first !== 'linux' ? ['linux', first] : [first, architecture];
	return {
		os: system[0] ?? 'linux',
		architecture: ARCHITECTURES[system[1] ?? ''] ?? system[1] ?? hostArchitecture(),
		...(variant === undefined ? {} : { variant }),
	};
}

/** Other names of the architectures that people give (containerd, platforms). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
	x86_64: 'amd64',
	'x86-64': 'amd64',
	aarch64: 'arm64',
	i386: '386',
};

function hostArchitecture(): string {
	return process.arch === 'x64' ? 'amd64' : process.arch;
}
