/** Pushes images of the store: what of their blobs a registry lacks, then their manifests, as they were pulled or made. */
import { setMaxListeners } from 'node:events';
import { EngineError } from '../errors';
import type { Image } from '../types';
import type { RegistryAccess } from './connection';
import type { Descriptor } from './manifest';
import type { StoredManifest } from './pull';
import { familiarName, formatReference, normalizedName, parseReference } from './reference';
import type { Reference } from './reference';
import { Uploads } from './uploads';

/** A line of a push, in docker's words. */
export interface PushProgress {
	readonly status?: string;
	/** The first 12 hex digits of the layer's DiffID. */
	readonly id?: string;
	readonly current?: number;
	readonly total?: number;
	/** What a program wants to know at the end. */
	readonly aux?: { readonly Tag: string; readonly Digest: string; readonly Size: number };
}

/** What a push needs of the store. */
export interface PushStore {
	/** Images with a tag in this repository ("docker.io/library/nginx"). */
	tagged(repository: string): readonly Image[];
	/** Keeps the image's blobs while `work` runs, whatever happens to its names. */
	holding<T>(image: Image, work: (manifest: StoredManifest) => Promise<T>): Promise<T>;
	blobFile(digest: string): string;
	/** Repositories of the registry that are known to have the blob, by pulls and pushes before. */
	repositoriesWith(registry: string, digest: string): readonly string[];
	/** Notes where the image is now, and announces it. */
	pushed(image: Image, reference: Reference, digest: string): void;
}

export interface PushOptions {
	/** "docker.io/library/nginx:1", or without tag for all tags of the repository. */
	readonly name: string;
	readonly access: (reference: Reference) => RegistryAccess;
	readonly onProgress: (progress: PushProgress) => void;
	readonly signal: AbortSignal;
	/** Bytes of a piece of a large blob; see Uploads. */
	readonly chunk?: number;
}

/** Layers at a time, as docker. */
const LANES = 5;
/** Layers that a registry of others may not hold stay where their `urls` say. */
const FOREIGN = /nondistributable|\.foreign\./;

/**
 * Pushes one tag or all tags of a repository. Throws EngineError with docker's texts; what was uploaded before a failure
 * stays in the registry, and the next push finds it there.
 */
export async function pushImages(store: PushStore, options: PushOptions): Promise<void> {
	const named = parseReference(options.name);
	if (named.digest !== undefined) {
		throw new EngineError('invalid', 'cannot push a digest reference');
	}
	options.onProgress({ status: `The push refers to repository [${normalizedName(named)}]` });
	const images = imagesFor(store, named);
	for (const image of images) {
		const reference = { registry: named.registry, repository: named.repository, tag: image.tag };
		await store.holding(image, (manifest) => pushOne(store, { image, manifest, reference }, options));
	}
}

function imagesFor(store: PushStore, named: Reference): readonly Image[] {
	const all = store.tagged(normalizedName(named));
	const name = familiarName(normalizedName(named));
	if (all.length === 0) {
		throw new EngineError('not-found', `An image does not exist locally with the tag: ${name}`);
	}
	const wanted = named.tag === undefined ? all : all.filter(({ tag }) => tag === named.tag);
	if (wanted.length === 0) {
		throw new EngineError('not-found', `tag does not exist: ${formatReference(named)}`);
	}
	return wanted;
}

interface Push {
	readonly image: Image;
	readonly manifest: StoredManifest;
	readonly reference: Reference & { readonly tag: string };
}

async function pushOne(store: PushStore, push: Push, options: PushOptions): Promise<void> {
	const { image, manifest, reference } = push;
	const uploads = new Uploads(options.access(reference), reference, options.chunk);
	try {
		await pushLayers(store, push, uploads, options);
		const { config } = manifest.manifest;
		await uploads.blob(config, store.blobFile(config.digest), {
			mountFrom: [],
			onProgress: () => undefined,
			signal: options.signal,
		});
		await uploads.manifest(manifest.descriptor, manifest.bytes, options.signal);
	} finally {
		uploads.close();
	}
	const { digest, size } = manifest.descriptor;
	store.pushed(image, reference, digest);
	options.onProgress({ status: `${reference.tag}: digest: ${digest} size: ${size}` });
	options.onProgress({ aux: { Tag: reference.tag, Digest: digest, Size: size } });
}

/** Brings all layers there, some at a time; when one fails, the others are stopped. */
async function pushLayers(store: PushStore, push: Push, uploads: Uploads, options: PushOptions): Promise<void> {
	const layers = layersOf(push);
	for (const { id } of layers) {
		options.onProgress({ status: 'Preparing', id });
	}
	const failed = new AbortController();
	const signal = AbortSignal.any([options.signal, failed.signal]);
	setMaxListeners(0, signal); // one for each layer
	for (const { id } of layers.slice(LANES)) {
		options.onProgress({ status: 'Waiting', id });
	}
	const waiting = [...layers];
	const lane = async (): Promise<void> => {
		for (let layer = waiting.shift(); layer !== undefined; layer = waiting.shift()) {
			signal.throwIfAborted();
			await pushLayer(store, push.reference, layer, uploads, { ...options, signal });
		}
	};
	const lanes = Array.from({ length: LANES }, () =>
		lane().catch((error: unknown) => {
			failed.abort(error);
		}),
	);
	await Promise.all(lanes);
	signal.throwIfAborted();
}

interface Layer {
	readonly id: string;
	readonly descriptor: Descriptor;
}

/** The layers to upload, each once, topmost first as docker tells them. */
function layersOf({ image, manifest }: Push): Layer[] {
	const layers = new Map<string, Layer>();
	for (const [index, descriptor] of [...manifest.manifest.layers.entries()].reverse()) {
		if (!FOREIGN.test(descriptor.mediaType)) {
			const id = (image.layers[index] ?? descriptor.digest).slice('sha256:'.length, 'sha256:'.length + 12);
			layers.set(descriptor.digest, { id, descriptor });
		}
	}
	return [...layers.values()];
}

async function pushLayer(
	store: PushStore,
	{ registry, repository }: Reference,
	{ id, descriptor }: Layer,
	uploads: Uploads,
	{ onProgress, signal }: PushOptions,
): Promise<void> {
	const total = descriptor.size;
	const arrival = await uploads.blob(descriptor, store.blobFile(descriptor.digest), {
		mountFrom: store.repositoriesWith(registry, descriptor.digest).filter((other) => other !== repository),
		onProgress: (current) => {
			onProgress({ status: 'Pushing', id, current, total });
		},
		signal,
	});
	switch (arrival.how) {
		case 'present':
			onProgress({ status: 'Layer already exists', id });
			return;
		case 'mounted':
			onProgress({ status: `Mounted from ${familiarName(`${registry}/${arrival.from}`)}`, id });
			return;
		case 'uploaded':
			onProgress({ status: 'Pushed', id });
	}
}
