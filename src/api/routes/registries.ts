import { EngineError } from '../../core/errors';
import { formatPlatform } from '../../core/image/platform';
import { booleanFilter } from '../filters';
import { parsePlatform } from './images';
import { ProgressWriter } from '../progress';
import { joinReference } from '../references';
import { authIn, registryOptions } from '../registry-headers';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

export const registryRoutes: readonly Route[] = [
	route('POST', '/auth', login),
	route('GET', '/images/search', search),
	route('POST', '/images/{name}/push', push),
	route('GET', '/distribution/{name}/json', distribution),
	route('GET', '/mydocker/registry/catalog', catalog),
	route('GET', '/mydocker/registry/tags', tags),
	route('GET', '/mydocker/registry/image', image),
	route('GET', '/mydocker/registry/digest', digest),
];

/** Tries credentials. They stay with the client: the engine keeps none. */
async function login(request: ApiRequest): Promise<void> {
	const body = await request.body();
	if (typeof body !== 'object' || body === null) {
		throw new EngineError('invalid', 'Cannot log in: the body is no object');
	}
	const server: unknown = Reflect.get(body, 'serveraddress');
	const { settings, signal } = registryOptions(request);
	const { identityToken = '' } = await request.core.registries.login(typeof server === 'string' ? server : '', {
		auth: authIn(body),
		settings,
		signal,
	});
	request.json({ Status: 'Login Succeeded', IdentityToken: identityToken });
}

/** Pushes and reports on the way; see ProgressWriter. When the connection closes, the push is cancelled. */
async function push(request: ApiRequest): Promise<void> {
	const name = joinReference(request.parameter('name'), request.text('tag'));
	const { auth, settings, signal } = registryOptions(request);
	const progress = new ProgressWriter(request, '');
	try {
		await request.core.images.push(name, {
			auth,
			registries: settings,
			signal,
			onProgress: (message) => {
				progress.add(message);
			},
		});
		await progress.finish();
	} catch (error) {
		if (signal.aborted || !request.isAnswered) {
			throw error;
		}
		await progress.fail(error);
	}
}

/** Docker Hub's search, or a look into another registry's catalog ("host/part of a name"). */
async function search(request: ApiRequest): Promise<void> {
	const term = required(request, 'term');
	const limit = request.integer('limit') ?? 25;
	if (limit < 1 || limit > 100) {
		throw new EngineError('invalid', `Limit ${limit} is outside the range of [1, 100]`);
	}
	const filters = request.filters(['is-official', 'is-automated', 'stars']);
	const official = booleanFilter(filters, 'is-official');
	const automated = booleanFilter(filters, 'is-automated');
	const stars = Math.max(0, ...(filters.get('stars') ?? []).map(Number));
	const found = await request.core.registries.search(term, limit, registryOptions(request));
	request.json(
		found
			.filter((each) => official === undefined || each.isOfficial === official)
			.filter((each) => automated === undefined || each.isAutomated === automated)
			.filter((each) => each.stars >= stars)
			.map((each) => ({
				star_count: each.stars,
				is_official: each.isOfficial,
				name: each.name,
				is_automated: each.isAutomated,
				description: each.description,
			})),
	);
}

/** What a name stands for in its registry; compose asks for the digests of what a project names. */
async function distribution(request: ApiRequest): Promise<void> {
	const { registries } = request.core;
	const found = await registries.distribution(request.parameter('name'), registryOptions(request));
	const { mediaType, digest: named, size } = found.descriptor;
	request.json({ Descriptor: { mediaType, digest: named, size }, Platforms: found.platforms });
}

async function catalog(request: ApiRequest): Promise<void> {
	const page = await request.core.registries.catalog(
		required(request, 'registry'),
		pageOf(request),
		registryOptions(request),
	);
	request.json({ Items: page.items, Next: page.next ?? '' });
}

async function tags(request: ApiRequest): Promise<void> {
	const page = await request.core.registries.tags(
		required(request, 'repository'),
		pageOf(request),
		registryOptions(request),
	);
	request.json({ Items: page.items, Next: page.next ?? '' });
}

async function image(request: ApiRequest): Promise<void> {
	const platform = parsePlatform(request.text('platform'));
	const found = await request.core.registries.describe(required(request, 'name'), platform, registryOptions(request));
	request.json({
		Digest: found.digest,
		MediaType: found.mediaType,
		Platforms: found.platforms.map(formatPlatform),
		Platform: formatPlatform(found.platform),
		Id: found.id,
		Created: found.created,
		Size: found.size,
		Layers: found.layers.map(({ digest, mediaType, size }) => ({
			Digest: digest,
			MediaType: mediaType,
			Size: size,
		})),
		Labels: found.config.labels,
		Cmd: found.config.cmd,
		Entrypoint: found.config.entrypoint,
		ExposedPorts: Object.keys(found.config.exposed_ports),
	});
}

async function digest(request: ApiRequest): Promise<void> {
	request.json({ Digest: await request.core.registries.digest(required(request, 'name'), registryOptions(request)) });
}

function pageOf(request: ApiRequest): { readonly limit: number | undefined; readonly next: string | undefined } {
	const limit = request.integer('limit');
	if (limit !== undefined && (limit < 1 || limit > 10_000)) {
		throw new EngineError('invalid', `Limit ${limit} is outside the range of [1, 10000]`);
	}
	return { limit, next: request.text('next') };
}

function required(request: ApiRequest, name: string): string {
	const value = request.text(name);
	if (value === undefined) {
		throw new EngineError('invalid', `the parameter "${name}" is missing`);
	}
	return value;
}
