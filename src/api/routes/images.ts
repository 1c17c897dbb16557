import { EngineError, messageOf } from '../../core/errors';
import type { PullProgress } from '../../core/image/images';
import type { Image, Platform } from '../../core/types';
import { booleanFilter, globToRegExp, hasLabels } from '../filters';
import type { FilterValues } from '../filters';
import { splitReference } from '../references';
import { registryOptions } from '../registry-headers';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';
import { imageInspect, imageSummary, repoTags } from '../shapes';
import type { ProgressMessage } from '../types';

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
		throw new EngineError('unsupported', 'Cannot import image: only pulling (fromImage) is supported yet');
	}
	const platform = parsePlatform(request.text('platform'));
	const { auth, settings } = registryOptions(request);
	const progress = new ProgressWriter(request, request.text('tag') ?? '');
	try {
		await request.core.images.pull(joinReference(name, request.text('tag')), {
			signal: request.signal,
			onProgress: (message) => {
				progress.add(message);
			},
			...(platform === undefined ? {} : { platform }),
			...(auth === undefined ? {} : { auth }),
			...(settings === undefined ? {} : { registries: settings }),
		});
		await progress.finish();
	} catch (error) {
		if (request.signal.aborted || !request.isAnswered) {
			throw error;
		}
		await progress.fail(error);
	}
}

/**
 * Sends progress no faster than the client reads. While it does not read, only the newest byte counts of a layer are
 * kept, so that memory is bounded by the number of layers.
 */
class ProgressWriter {
	private waiting: ProgressMessage[] = [];
	private sending: Promise<void> | undefined;
	private failure: Error | undefined;

	constructor(
		private readonly request: ApiRequest,
		private readonly tag: string,
	) {}

	add({ status, id, current, total }: PullProgress): void {
		const message: ProgressMessage = {
			status,
			// On each line of a layer, empty or not: by this docker's clients tell lines that they draw over.
			...(isLayer(id)
				? {
						progressDetail: {
							...(current === undefined ? {} : { current }),
							...(total === undefined ? {} : { total }),
						},
					}
				: {}),
			...(id === undefined ? this.firstId(status) : { id }),
		};
		const last = this.waiting.findLastIndex((other) => other.id === message.id);
		const isCount = current !== undefined && last >= 0 && this.waiting[last]?.status === status;
		this.waiting.splice(isCount ? last : this.waiting.length, isCount ? 1 : 0, message);
		this.sending ??= this.send();
	}

	/** Resolves when all has been taken by the client. */
	async finish(): Promise<void> {
		await this.flush();
		if (!this.request.isAnswered) {
			this.request.begin('application/json');
		}
		this.request.end();
	}

	async fail(error: unknown): Promise<void> {
		await this.flush();
		const message = messageOf(error);
		// Docker's errorDetail.code is a number, so our own code stands beside it.
		const code = error instanceof EngineError ? { code: error.code } : {};
		this.request.end(JSON.stringify({ errorDetail: { message }, error: message, ...code }) + '\r\n');
	}

	private async flush(): Promise<void> {
		await this.sending;
		if (this.failure !== undefined) {
			throw this.failure;
		}
	}

	/** Docker names the tag on its first line, "Pulling from library/nginx". */
	private firstId(status: string): { id?: string } {
		return status.startsWith('Pulling from ') && this.tag !== '' ? { id: this.tag } : {};
	}

	private async send(): Promise<void> {
		try {
			if (!this.request.isAnswered) {
				this.request.begin('application/json');
			}
			while (this.waiting.length > 0) {
				const taken = this.waiting;
				this.waiting = [];
				await this.request.write(taken.map((message) => JSON.stringify(message) + '\r\n').join(''));
			}
		} catch (error) {
			this.failure = error instanceof Error ? error : new Error(String(error));
		} finally {
			this.sending = undefined;
		}
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

function inspect(request: ApiRequest): void {
	const { images, facts } = request.core;
	const image = images.get(request.parameter('name'));
	const others = images.names(image.id).filter((other) => other.name !== image.name || other.tag !== image.tag);
	request.json(imageInspect([image, ...others], request.parts.version, facts.storageDriver));
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

/** "repository" and "tag" or "sha256:…", as the API gives them, in one text. */
function joinReference(repository: string, tagOrDigest: string | undefined): string {
	if (tagOrDigest === undefined) {
		return repository;
	}
	return `${repository}${tagOrDigest.includes(':') ? '@' : ':'}${tagOrDigest}`;
}

/** "linux/arm64/v8", "arm64": docker takes one word for the architecture or the system. */
function parsePlatform(text: string | undefined): Platform | undefined {
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

/** A layer's short id; the first line of a pull has the tag in its place. */
function isLayer(id: string | undefined): boolean {
	return id !== undefined && /^[0-9a-f]{12}$/.test(id);
}
