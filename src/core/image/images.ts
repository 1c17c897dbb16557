import { setMaxListeners } from 'node:events';
import * as path from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../errors';
import { nowNanoseconds, rfc3339 } from '../events';
import type { Events } from '../events';
import { isObject, jsonIn } from '../json';
import type { LookupLayer, RootLayers } from '../storage/driver';
import type { RecordDurability, Store } from '../store';
import type { Image, Platform } from '../types';
import { Assembly } from './assembly';
import type { NewImage, SavedImage, StoredLayer } from './assembly';
import { Blobs } from './blobs';
import { shortened } from './connection';
import type { RegistryAuth } from './credentials';
import { familiarTag, isImage, recordKey, repositoryOf } from './image-records';
import type { TagName } from './image-records';
import type { LayerFormat } from './layer';
import { Layers, type LayerRequest } from './layers';
import { chainIds, parseConfiguration, parseDiffIds } from './manifest';
import type { Descriptor } from './manifest';
import { readManifest, resolveImage } from './pull';
import type { ResolvedImage, StoredManifest } from './pull';
import { pushImages } from './push';
import type { PushProgress, PushStore } from './push';
import { formatPlatform, hostPlatform, isRunnable, platformWarning } from './platform';
import { familiarName, formatReference, isDigest, normalizedName, parseReference, withDefaultTag } from './reference';
import type { Reference } from './reference';
import { Registry, type FetchedManifest } from './registry';
import { RegistrySettingsFile } from './registry-settings';
import type { RegistrySettings } from './registry-settings';
import type { JobProgress } from './unpack';

export type { RegistryAuth } from './credentials';

/** A line of a pull, in docker's words. */
export interface PullProgress {
	/** "Pulling from library/nginx", "Downloading", "Pull complete", … */
	readonly status: string;
	/** The first 12 hex digits of the layer's blob; of the first line, tag or digest. */
	readonly id?: string;
	/** Bytes of the compressed layer. */
	readonly current?: number;
	readonly total?: number;
}

export interface PullOptions {
	readonly platform?: Platform;
	readonly auth?: RegistryAuth;
	/** Go before those of the store's file. */
	readonly registries?: RegistrySettings;
	readonly onProgress?: (progress: PullProgress) => void;
	readonly signal?: AbortSignal;
}

export interface PushOptions {
	readonly auth?: RegistryAuth | undefined;
	/** Go before those of the store's file. */
	readonly registries?: RegistrySettings | undefined;
	readonly onProgress: (progress: PushProgress) => void;
	readonly signal: AbortSignal;
}

/** Exactly one of the two is set. */
export interface RemovedImage {
	/** A name that is gone: "nginx:latest", "nginx@sha256:…". */
	readonly untagged?: string;
	/** An image's id, or the ChainID of a layer that went with it. */
	readonly deleted?: string;
}

/** A container that uses an image. */
export interface ImageUser {
	readonly id: string;
	readonly name: string;
	readonly isRunning: boolean;
}

export interface ImagesOptions {
	/** The store's folder. */
	readonly root: string;
	readonly store: Store;
	readonly events: Events;
	readonly warn: (message: string) => void;
	readonly users: (imageId: string) => readonly ImageUser[];
	/** What layers are unpacked to; files by default. */
	readonly layerFormat?: LayerFormat;
	/** The bundle of layer-worker.ts; by default it lies beside the engine's. */
	readonly layerWorker?: string;
}

/** Files that a pull under way must find where it has seen them. */
interface Lease {
	readonly blobs: readonly string[];
	readonly layers: readonly string[];
}

type Progress = (progress: PullProgress) => void;

/**
 * The images of a store: records, blobs and unpacked layers. Memory is the truth, each change is written through.
 *
 * Invariants: a record is saved after everything that it needs is in place, and removed before any of that is; each
 * image has one record for each of its tags, or one without a tag; what no record, container or pull needs is removed.
 */
export class Images {
	private readonly records = new Map<string, Image>();
	/** By digest; for every record's manifest that could be read. */
	private readonly manifests = new Map<string, StoredManifest>();
	/** Layers of images that were removed by force while a container uses them, by image id. */
	private readonly held = new Map<string, readonly string[]>();
	private readonly leases = new Set<Lease>();
	private readonly blobs: Blobs;
	private readonly layers: Layers;
	private readonly registries: RegistrySettingsFile;

	constructor(private readonly options: ImagesOptions) {
		this.blobs = new Blobs(options.root);
		this.registries = new RegistrySettingsFile(options.root);
		this.layers = new Layers(
			options.root,
			options.warn,
			options.layerFormat ?? 'files',
			options.layerWorker ?? path.join(__dirname, 'layer-worker.js'),
		);
	}

	/**
	 * Reads the records and makes the rest of the store fit them: images whose files are gone are dropped with a warning,
	 * files that nothing needs are removed. Call once, before anything else.
	 */
	load(): Promise<void> {
		this.blobs.load();
		this.blobs.removeLeftovers();
		this.layers.load();
		const keys = this.options.store.list('image-');
		const isAllReadable = keys.map((key) => this.loadRecord(key)).every(Boolean);
		this.holdUsedImages();
		if (isAllReadable) {
			this.collect();
		} // else what looks unneeded may belong to the record that was set aside
		this.writeIndex();
		return Promise.resolve();
	}

	/** Resolves when nothing is written or removed in the background any more. */
	async close(): Promise<void> {
		await this.layers.close();
	}

	/**
	 * Fetches "repository", "repository:tag" or "repository@digest" for the platform, by default this machine's, and
	 * gives its record. Throws EngineError; when the signal aborts, the reason of that, and nothing is left behind.
	 */
	async pull(text: string, options: PullOptions = {}): Promise<Image> {
		const reference = pullReference(text);
		const signal = options.signal ?? new AbortController().signal;
		const progress = options.onProgress ?? ((): void => undefined);
		const registry = new Registry(this.registries.sources(reference, options.auth, options.registries));
		let dropAnswers = (): void => undefined;
		try {
			const { platform } = options;
			const fetched =
				(await this.unchanged(registry, reference, { platform, signal })) ??
				(await registry.manifest(reference, signal));
			progress({ status: `Pulling from ${reference.repository}`, id: reference.digest ?? reference.tag ?? '' });
			const image = await resolveImage(registry, reference, fetched, {
				platform,
				signal,
				known: (digest) => this.blobs.read(digest),
				onManifest: ({ layers }) => {
					const missing = layers.filter((layer) => !this.blobs.has(layer));
					dropAnswers = this.layers.prepare(missing, (layer) => registry.ask(reference, layer, signal));
				},
			});
			if (platform === undefined && !isRunnable(image.configuration.platform, hostPlatform())) {
				// Docker says so when a container is made of it, which comes too late.
				progress({ status: `WARNING: ${platformWarning(image.configuration.platform)}` });
			}
			return await this.fetch(registry, reference, image, { signal, progress });
		} finally {
			dropAnswers();
			registry.close();
		}
	}

	/**
	 * The manifest that the tag led to at the last pull, when it leads to it still. To ask for that is free where manifests
	 * are counted.
	 */
	private async unchanged(
		registry: Registry,
		reference: Reference,
		{ platform = hostPlatform(), signal }: { platform: Platform | undefined; signal: AbortSignal },
	): Promise<FetchedManifest | undefined> {
		const { tag } = reference;
		const name = normalizedName(reference);
		const known = tag === undefined ? undefined : this.findByName(`${name}:${tag}`);
		if (known === undefined) {
			return undefined;
		}
		const digest = await registry.digest(reference, signal);
		// An index may have another manifest for another platform.
		const isChosen = digest === known.digest || formatPlatform(known.platform) === formatPlatform(platform);
		const isSame = isChosen && known.repo_digests.includes(`${familiarName(name)}@${digest}`);
		const bytes = isSame ? this.blobs.read(known.digest) : undefined;
		return bytes && { bytes, digest, mediaType: '' };
	}

	/** Uploads "repository:tag", or all tags of "repository"; see pushImages. */
	async push(name: string, { auth, registries, onProgress, signal }: PushOptions): Promise<void> {
		const access = (reference: Reference) => this.registries.origin(reference.registry, auth, registries);
		await pushImages(this.pushStore(), { name, access, onProgress, signal });
	}

	/** All records, the newest image first. */
	list(): readonly Image[] {
		return [...this.records.values()].sort(
			(one, other) =>
				(Date.parse(other.created) || 0) - (Date.parse(one.created) || 0) ||
				compare(`${one.name}:${one.tag}`, `${other.name}:${other.tag}`),
		);
	}

	/** By name (tag "latest" by default), name@digest, id or a prefix of an id that only one image has. */
	find(nameOrId: string): Image | undefined {
		const hex = nameOrId.replace(/^sha256:/, '');
		if (/^[a-f0-9]{64}$/.test(hex)) {
			return this.list().find((image) => image.id === `sha256:${hex}`);
		}
		return this.findByName(nameOrId) ?? this.findByPrefix(hex);
	}

	/** As find; throws EngineError "not-found", or "invalid" for what cannot be a name, with docker's texts. */
	get(nameOrId: string): Image {
		const image = this.find(nameOrId);
		if (image) {
			return image;
		}
		const hex = nameOrId.replace(/^sha256:/, '');
		const name = /^[a-f0-9]{64}$/.test(hex)
			? `sha256:${hex}`
			: formatReference(withDefaultTag(parseReference(nameOrId)));
		throw new EngineError('not-found', `No such image: ${name}`);
	}

	/** All records of one image. */
	names(imageId: string): readonly Image[] {
		return this.list().filter((image) => image.id === imageId);
	}

	/** Gives an image one more name; a name that another image has moves. Docker's errors. */
	tag(source: string, target: string): Image {
		const image = this.get(source);
		const reference = withDefaultTag(parseReference(target));
		if (reference.digest !== undefined || reference.tag === undefined) {
			throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
		}
		const name = { name: normalizedName(reference), tag: reference.tag };
		if (familiarName(name.name) === 'sha256') {
			throw new EngineError('invalid', 'refusing to create an ambiguous tag using digest algorithm as name');
		}
		const tagged = this.point(name, image, []);
		this.writeIndex();
		this.emit('tag', image, image.id, familiarTag(name));
		return tagged;
	}

	/**
	 * Removes a name, or with its last name the image, as docker does; gives what went. Throws EngineError "not-found" or
	 * "conflict" with docker's texts.
	 */
	remove(nameOrId: string, { force }: { readonly force: boolean }): RemovedImage[] {
		const image = this.get(nameOrId);
		const removed: RemovedImage[] = [];
		if (this.findByName(nameOrId)) {
			this.removeName(image, nameOrId, force, removed);
			if (!this.hasReferences(image.id) && !this.isKept(image, force)) {
				this.delete(image, removed);
			}
		} else {
			this.checkUnused(image, { force, ignoreNames: force || this.isInOneRepository(image.id) });
			this.delete(image, removed);
		}
		this.writeIndex();
		return removed;
	}

	/** Images whose name or tag contains the text, in any case. */
	search(query: string): readonly Image[] {
		const text = query.toLowerCase();
		return this.list().filter(
			({ name, tag }) => familiarName(name).toLowerCase().includes(text) || tag.toLowerCase().includes(text),
		);
	}

	/**
	 * Unpacks the layers of an image that are missing, from their blobs: after a power cut. Usually there are none, and
	 * it costs nothing; call it before lowerDirectories where an image is about to be used.
	 */
	async unpack(imageId: string, signal: AbortSignal = new AbortController().signal): Promise<void> {
		const diffIds = this.layersOf(imageId);
		await this.layers.removeUnusable(diffIds);
		const stored = this.manifests.get(this.names(imageId)[0]?.digest ?? '');
		for (const [index, diffId] of diffIds.entries()) {
			if (this.layers.get(diffId) === undefined) {
				const descriptor = stored?.manifest.layers[index];
				if (!descriptor || !this.blobs.has(descriptor)) {
					throw missingLayer(imageId, diffId);
				}
				const request = { descriptor, diffId, download: null };
				try {
					await this.layers.obtain(request, { signal, onProgress: () => undefined });
				} catch (error) {
					throw isCorrupt(error) ? spoiltLayer(imageId, error) : error;
				}
			}
		}
		await this.layers.ready(diffIds);
		await this.layers.learnOpaque(diffIds, signal);
		this.layers.syncInBackground();
	}

	/** The unpacked layers of an image, top first, absolute, to be read. They stay while a container uses the image. */
	lowerDirectories(imageId: string): readonly string[] {
		return this.layers.paths(this.lowerLayers(imageId));
	}

	/** The same as overlay lower directories. */
	rootLayers(imageId: string): RootLayers {
		return this.layers.mountable(this.lowerLayers(imageId));
	}

	/** The same to look for names in. */
	lookupLayers(imageId: string): readonly LookupLayer[] {
		const diffIds = this.lowerLayers(imageId);
		return this.layers
			.paths(diffIds)
			.map((directory, index) => ({ directory, opaque: new Set(this.layers.opaque(diffIds[index] ?? '')) }));
	}

	private lowerLayers(imageId: string): readonly string[] {
		const diffIds: string[] = [];
		// Overlayfs refuses a directory twice; of two times the same layer, the upper one hides the lower one.
		for (const diffId of new Set([...this.layersOf(imageId)].reverse())) {
			const record = this.layers.get(diffId);
			if (!record) {
				throw missingLayer(imageId, diffId);
			}
			diffIds.push(diffId);
			if (record.is_opaque) {
				break;
			}
		}
		return diffIds;
	}

	/** Bytes of an unpacked layer's files; 0 when it is not there. */
	layerSize(diffId: string): number {
		return this.layers.get(diffId)?.size ?? 0;
	}

	/** Digests of the blobs and DiffIDs of the layers that are there. */
	stored(): ReadonlySet<string> {
		return new Set([...this.blobs.list(), ...this.layers.list()]);
	}

	/** Those of them that nothing would need without these images. */
	neededOnlyBy(imageIds: readonly string[], stored = this.stored()): ReadonlySet<string> {
		const used = this.used(new Set(imageIds));
		return new Set([...stored].filter((digest) => !used.has(digest)));
	}

	/** Bytes on the disk of each of these blobs and layers, as du counts them. */
	async diskSizes(digests: ReadonlySet<string>, signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
		const layers = await this.layers.diskSizes([...digests], signal);
		// The digest of a layer that is not compressed is its DiffID too.
		return new Map([...digests].map((digest) => [digest, this.blobs.diskSize(digest) + (layers.get(digest) ?? 0)]));
	}

	/** What the removal of these images by force, one after the other, would give. */
	previewRemoval(imageIds: readonly string[]): RemovedImage[] {
		const stored = this.stored();
		let before = this.neededOnlyBy([], stored);
		return imageIds.flatMap((id, index) => {
			const [image] = this.names(id);
			const after = this.neededOnlyBy(imageIds.slice(0, index + 1), stored);
			const gone = new Set([...after].filter((digest) => !before.has(digest)));
			before = after;
			return image === undefined
				? []
				: [
						...this.referencesOf(id).map((untagged): RemovedImage => ({ untagged })),
						{ deleted: id },
						...removedLayers(image, gone),
					];
		});
	}

	/** Gives `work` the unpacked layers of an image, lowest first; they stay while it goes on. */
	async withLayers<T>(
		imageId: string,
		signal: AbortSignal,
		work: (layers: readonly { readonly directory: string; readonly isOpaque: boolean }[]) => Promise<T>,
	): Promise<T> {
		const layers = this.layersOf(imageId);
		const lease: Lease = { blobs: [], layers };
		this.leases.add(lease);
		try {
			await this.unpack(imageId, signal);
			const directories = this.layers.paths(layers);
			return await work(
				layers.map((diffId, index) => ({
					directory: directories[index] ?? '',
					isOpaque: this.layers.get(diffId)?.is_opaque ?? false,
				})),
			);
		} finally {
			this.leases.delete(lease);
			if (this.names(imageId).length === 0) {
				this.collect(); // it was removed meanwhile
			}
		}
	}

	private pushStore(): PushStore {
		return {
			tagged: (repository) => this.list().filter(({ name, tag }) => name === repository && tag !== ''),
			holding: (image, work) => this.holding(image, work),
			blobFile: (digest) => this.blobs.path(digest),
			repositoriesWith: (registry, digest) => this.repositoriesWith(registry, digest),
			pushed: (image, reference, digest) => {
				const repoDigest = `${familiarName(normalizedName(reference))}@${digest}`;
				if (this.names(image.id).length > 0) {
					this.setReferences(image, this.tagsOf(image.id), [...this.digestsOf(image.id), repoDigest]);
				}
				this.emit('push', image, formatReference(reference), familiarName(normalizedName(reference)));
			},
		};
	}

	/** Makes images of layers that no registry gave (assembly.ts). What `work` brings in stays while it goes on. */
	async assemble<T>(work: (assembly: Assembly) => Promise<T>): Promise<T> {
		const assembly = new Assembly({
			...{ root: this.options.root, blobs: this.blobs, layers: this.layers },
			worker: path.join(__dirname, 'worker.js'),
			save: (image) => this.saveAssembled(image),
			tag: (image, name) => {
				this.point(name, this.names(image.id)[0] ?? image, []);
				this.writeIndex();
				this.emit('tag', image, image.id, familiarTag(name));
			},
		});
		this.leases.add(assembly);
		try {
			return await work(assembly);
		} finally {
			this.leases.delete(assembly);
			this.collect();
			this.layers.syncInBackground();
		}
	}

	/** The configuration of an image as it is written, and its layers; for history and for images made from it. */
	parts(imageId: string): {
		readonly configuration: Readonly<Record<string, unknown>>;
		readonly layers: readonly (StoredLayer & { readonly size: number })[];
	} {
		const bytes = this.blobs.read(imageId);
		const stored = this.manifests.get(this.names(imageId)[0]?.digest ?? '');
		if (!bytes || !stored) {
			throw new EngineError('conflict', `the image ${imageId} has been removed or is damaged; pull it again`);
		}
		const { diffIds } = parseConfiguration(bytes, stored.manifest);
		return {
			configuration: JSON.parse(bytes.toString()) as Record<string, unknown>,
			layers: stored.manifest.layers.map((descriptor, index) => {
				const diffId = diffIds[index] ?? '';
				return { descriptor, diffId, size: this.layerSize(diffId) };
			}),
		};
	}

	/** The configuration of an image as it is written; empty when the store has lost it. */
	document(imageId: string): Readonly<Record<string, unknown>> {
		const document = jsonIn(this.blobs.read(imageId)?.toString() ?? '');
		return isObject(document) ? document : {};
	}

	/** "repository[:tag]" as a name to give; docker's errors. */
	tagName(text: string): TagName {
		const reference = withDefaultTag(parseReference(text));
		if (reference.digest !== undefined || reference.tag === undefined) {
			throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
		}
		return { name: normalizedName(reference), tag: reference.tag };
	}

	/** What of the named images goes into an archive, held until `work` is done. */
	async saving<T>(names: readonly string[], work: (saved: readonly SavedImage[]) => Promise<T>): Promise<T> {
		const saved = new Map<string, { image: Image; names: TagName[] }>();
		for (const text of names) {
			for (const { image, name } of this.namedBy(text)) {
				const entry = saved.get(image.id) ?? { image, names: [] };
				saved.set(image.id, entry);
				const isKnown = entry.names.some((other) => other.name === name?.name && other.tag === name.tag);
				entry.names.push(...(name === undefined || isKnown ? [] : [name]));
			}
		}
		const lease = { blobs: [] as string[], layers: [] as string[] };
		const list = [...saved.values()].map(({ image, names: given }) => {
			const stored = this.manifests.get(image.digest);
			const blobs = stored && [stored.descriptor, stored.manifest.config, ...stored.manifest.layers];
			const lost = blobs?.find((descriptor) => !this.blobs.has(descriptor));
			if (!stored || !blobs || lost) {
				throw new EngineError('corrupt', `Cannot save image "${image.id}": a part is missing; pull it again`);
			}
			lease.blobs.push(...blobs.map(({ digest }) => digest));
			return { image, descriptor: stored.descriptor, manifest: stored.manifest, names: given };
		});
		this.leases.add(lease);
		try {
			return await work(list);
		} finally {
			this.leases.delete(lease);
			this.collect();
		}
	}

	/** The images, with names, that a word of `docker save` means: a name without a tag means all tags of the repository. */
	private namedBy(text: string): { readonly image: Image; readonly name?: TagName }[] {
		const repository = nameOnly(text);
		const tagged = repository === undefined ? [] : this.list().filter(({ name }) => name === repository);
		if (repository !== undefined && tagged.length === 0 && this.find(text) === undefined) {
			throw new EngineError('not-found', `No such image: ${text}`);
		}
		const isName = tagged.length > 0 || this.findByName(text) !== undefined;
		return (tagged.length > 0 ? tagged : [this.get(text)]).map((image) => ({
			image,
			...(isName && image.tag !== '' ? { name: { name: image.name, tag: image.tag } } : {}),
		}));
	}

	private saveAssembled({ configuration, configurationBytes, descriptor, manifest, bytes }: NewImage): Image {
		const known = this.names(manifest.config.digest)[0];
		if (known) {
			return known; // with the manifest that it came with first
		}
		this.blobs.write(configurationBytes, bytes);
		this.manifests.set(descriptor.digest, { descriptor, manifest, bytes });
		const record: Image = {
			...{ id: manifest.config.digest, name: '', tag: '', layers: configuration.diffIds },
			config: configuration.config,
			size: sum(configuration.diffIds.map((diffId) => this.layerSize(diffId))),
			created: configuration.created,
			digest: descriptor.digest,
			...{ repo_digests: [], platform: configuration.platform, pulled_at: rfc3339(nowNanoseconds()) },
		};
		const saved = this.setReferences(record, [], []);
		this.writeIndex();
		return saved;
	}

	private async holding<T>(image: Image, work: (manifest: StoredManifest) => Promise<T>): Promise<T> {
		const stored = this.manifests.get(image.digest);
		if (!stored) {
			throw new EngineError('corrupt', `Cannot use image "${image.id}": its manifest is missing`);
		}
		const blobs = [stored.descriptor, stored.manifest.config, ...stored.manifest.layers].map(
			({ digest }) => digest,
		);
		const lease: Lease = { blobs, layers: image.layers };
		this.leases.add(lease);
		try {
			if (image.layers.some((diffId) => this.layers.get(diffId) === undefined)) {
				await this.unpack(image.id); // which tells whether their blobs are whole
			}
			return await work(stored);
		} finally {
			this.leases.delete(lease);
			if (this.names(image.id).length === 0) {
				this.collect(); // it was removed meanwhile
			}
		}
	}

	/** Repositories of the registry from or to which an image with this blob has been pulled or pushed. */
	private repositoriesWith(registry: string, digest: string): string[] {
		const names = [...this.records.values()]
			.filter((record) =>
				this.manifests.get(record.digest)?.manifest.layers.some((layer) => layer.digest === digest),
			)
			.flatMap((record) => record.repo_digests.map((text) => parseReference(repositoryOf(text))));
		return [...new Set(names.filter((name) => name.registry === registry).map(({ repository }) => repository))];
	}

	private async fetch(
		registry: Registry,
		reference: Reference,
		image: ResolvedImage,
		{ signal, progress }: { signal: AbortSignal; progress: Progress },
	): Promise<Image> {
		const lease = leaseOf(image);
		this.leases.add(lease);
		let isDone = false;
		try {
			const work = [
				this.fetchLayers(registry, reference, image, { signal, progress }),
				this.blobs.writeBeside(image.configurationBytes, image.bytes),
			];
			await Promise.allSettled(work); // neither goes on after a failure of the other
			await Promise.all(work);
			const { record, isNew } = this.save(reference, image);
			isDone = true;
			progress({ status: `Digest: ${image.digest}` });
			const what = isNew ? 'Downloaded newer image' : 'Image is up to date';
			progress({ status: `Status: ${what} for ${formatReference(reference)}` });
			this.emit('pull', record, formatReference(reference), familiarName(normalizedName(reference)));
			return record;
		} finally {
			this.leases.delete(lease);
			if (isDone) {
				this.layers.inBackground(this.syncPulled());
				this.layers.syncInBackground();
			} else {
				this.collect();
			}
		}
	}

	/** What the answer to a pull has not waited for. */
	private async syncPulled(): Promise<void> {
		await this.blobs.syncNames();
		await this.options.store.sync();
	}

	/** Fetches the layers that are missing, all at once; when one fails, the others are stopped. */
	private async fetchLayers(
		registry: Registry,
		reference: Reference,
		{ manifest, configuration }: ResolvedImage,
		{ signal, progress }: { signal: AbortSignal; progress: Progress },
	): Promise<void> {
		const missing = new Map<string, Descriptor>();
		for (const [index, descriptor] of manifest.layers.entries()) {
			const diffId = configuration.diffIds[index] ?? '';
			if (this.layers.get(diffId) === undefined || !this.blobs.has(descriptor)) {
				missing.set(diffId, descriptor);
			}
		}
		if (missing.size > 0 || this.names(manifest.config.digest).length === 0) {
			for (const [index, { digest }] of manifest.layers.entries()) {
				const isMissing = missing.has(configuration.diffIds[index] ?? '');
				progress({ status: isMissing ? 'Pulling fs layer' : 'Already exists', id: shortId(digest) });
			}
		}
		const failed = new AbortController();
		const stop = AbortSignal.any([signal, failed.signal]);
		setMaxListeners(0, stop); // one for each layer
		const work = [...missing]
			.sort(([, one], [, other]) => other.size - one.size) // the biggest layer decides how long it takes
			.map(async ([diffId, descriptor], index) => {
				if (index >= BUSY) {
					progress({ status: 'Waiting', id: shortId(descriptor.digest) });
				}
				try {
					await this.fetchLayer(registry, reference, { diffId, descriptor }, { signal: stop, progress });
				} catch (error) {
					failed.abort(error);
					throw error;
				}
			});
		await Promise.allSettled(work);
		stop.throwIfAborted();
	}

	private async fetchLayer(
		registry: Registry,
		reference: Reference,
		{ diffId, descriptor }: { diffId: string; descriptor: Descriptor },
		{ signal, progress }: { signal: AbortSignal; progress: Progress },
	): Promise<void> {
		const id = shortId(descriptor.digest);
		const obtain = async (source: Pick<LayerRequest, 'download' | 'registry'>): Promise<void> => {
			const onProgress = ({ phase, current, total }: JobProgress): void => {
				const status = STATUS[source.download === null ? 'extracting' : phase];
				const isCounted = phase === 'downloading' || phase === 'extracting';
				progress({ status, id, ...(isCounted ? { current, total } : {}) });
			};
			await this.layers.obtain({ descriptor, diffId, ...source }, { signal, onProgress });
		};
		const fromRegistry = { download: { sources: registry.handover(), reference }, registry };
		const isLocal = this.blobs.has(descriptor) && this.layers.get(diffId) === undefined;
		try {
			await obtain(isLocal ? { download: null } : fromRegistry);
		} catch (error) {
			if (!isLocal || !isCorrupt(error)) {
				throw error;
			}
			await obtain(fromRegistry); // a power cut has spoilt the blob
		}
		progress({ status: 'Pull complete', id });
	}

	/** Writes the record; the disk is not waited for (see syncPulled). */
	private save(reference: Reference, image: ResolvedImage): { record: Image; isNew: boolean } {
		const { configuration, descriptor, manifest } = image;
		this.manifests.set(descriptor.digest, { descriptor, manifest, bytes: image.bytes });
		const name = normalizedName(reference);
		const record: Image = {
			id: manifest.config.digest,
			name,
			tag: reference.tag ?? '',
			layers: configuration.diffIds,
			config: configuration.config,
			size: sum(configuration.diffIds.map((diffId) => this.layerSize(diffId))),
			created: configuration.created,
			digest: descriptor.digest,
			repo_digests: [],
			platform: configuration.platform,
			pulled_at: rfc3339(nowNanoseconds()),
		};
		const repoDigest = `${familiarName(name)}@${image.digest}`;
		const isNew =
			reference.tag === undefined
				? !this.digestsOf(record.id).includes(repoDigest)
				: this.records.get(recordKey(record))?.id !== record.id;
		const saved =
			reference.tag === undefined
				? this.setReferences(
						record,
						this.tagsOf(record.id),
						[...this.digestsOf(record.id), repoDigest],
						'beside',
					)
				: this.point({ name, tag: reference.tag }, record, [repoDigest], 'beside');
		this.writeIndex();
		return { record: saved, isNew };
	}

	/** Lets a name mean this image. The image that had it keeps its other names, or stays without one. */
	private point(
		name: TagName,
		image: Image,
		repoDigests: readonly string[],
		durability: RecordDurability = 'at once',
	): Image {
		const key = recordKey({ ...image, ...name });
		const old = this.records.get(key);
		if (old && old.id !== image.id) {
			// The file is replaced when the new record is saved: the name never means nothing.
			this.records.delete(key);
			this.setReferences(old, this.tagsOf(old.id), old.repo_digests);
		}
		const tags = this.tagsOf(image.id);
		const isKnown = tags.some((tag) => tag.name === name.name && tag.tag === name.tag);
		const digests = [...this.digestsOf(image.id), ...repoDigests];
		this.setReferences(image, isKnown ? tags : [...tags, name], digests, durability);
		return this.records.get(key) ?? image;
	}

	/**
	 * Makes these the tags and digests of the image: saves the records that differ, then removes those that are too many.
	 * Gives the first of the records.
	 */
	private setReferences(
		image: Image,
		tags: readonly TagName[],
		digests: readonly string[],
		durability: RecordDurability = 'at once',
	): Image {
		const repo_digests = [...new Set(digests)].sort(compare);
		const [first] = repo_digests;
		const untagged = { name: first === undefined ? '' : normalized(repositoryOf(first)), tag: '' };
		const names = tags.length === 0 ? [untagged] : tags;
		const wanted = new Map(
			names.map((name) => {
				const known = this.records.get(recordKey({ ...image, ...name }));
				const pulled_at = known?.id === image.id ? known.pulled_at : image.pulled_at;
				const record = { ...image, ...name, repo_digests, pulled_at };
				return [recordKey(record), record];
			}),
		);
		for (const [key, record] of wanted) {
			if (JSON.stringify(this.records.get(key)) !== JSON.stringify(record)) {
				this.options.store.save(key, record, durability);
				this.records.set(key, record);
			}
		}
		this.removeRecords(image.id, new Set(wanted.keys()));
		return [...wanted.values()][0] ?? image;
	}

	private removeRecords(imageId: string, kept: ReadonlySet<string>): void {
		for (const [key, record] of this.records) {
			if (record.id === imageId && !kept.has(key)) {
				this.options.store.remove(key);
				this.records.delete(key);
			}
		}
	}

	private tagsOf(imageId: string): TagName[] {
		return [...this.records.values()]
			.filter((record) => record.id === imageId && record.tag !== '')
			.map(({ name, tag }) => ({ name, tag }));
	}

	private digestsOf(imageId: string): string[] {
		const all = [...this.records.values()].filter((record) => record.id === imageId);
		return [...new Set(all.flatMap((record) => record.repo_digests))];
	}

	private hasReferences(imageId: string): boolean {
		return this.tagsOf(imageId).length > 0 || this.digestsOf(imageId).length > 0;
	}

	/** Docker's isSingleReference: at most one tag, and all digests of the same repository. */
	private isInOneRepository(imageId: string): boolean {
		const tags = this.tagsOf(imageId);
		const digests = this.digestsOf(imageId);
		const repositories = new Set([...digests.map(repositoryOf), ...tags.map(({ name }) => familiarName(name))]);
		return tags.length + digests.length <= 1 || (tags.length <= 1 && digests.length > 0 && repositories.size === 1);
	}

	private removeName(image: Image, text: string, force: boolean, removed: RemovedImage[]): void {
		const [user] = this.options.users(image.id);
		if (!force && user && this.isInOneRepository(image.id)) {
			throw new EngineError(
				'conflict',
				`conflict: unable to remove repository reference "${text}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${shortId(image.id)}`,
			);
		}
		const reference = withDefaultTag(parseReference(text));
		const name = normalizedName(reference);
		const repository = familiarName(name);
		const gone: string[] = [];
		let tags = this.tagsOf(image.id);
		let digests = this.digestsOf(image.id);
		if (reference.digest !== undefined) {
			gone.push(`${repository}@${reference.digest}`);
		} else {
			gone.push(formatReference(reference));
			tags = tags.filter((tag) => tag.name !== name || tag.tag !== reference.tag);
			if (!tags.some((tag) => tag.name === name)) {
				// With the last tag of a repository its digests go too.
				gone.push(...digests.filter((digest) => repositoryOf(digest) === repository).sort(compare));
			}
		}
		digests = digests.filter((digest) => !gone.includes(digest));
		if (tags.length + digests.length === 0 && !this.isKept(image, force)) {
			this.removeRecords(image.id, new Set()); // at once: a crash leaves no image without a name
		} else {
			this.setReferences(image, tags, digests);
		}
		removed.push(...gone.map((untagged) => ({ untagged })));
		// Docker announces the name that was asked for, and not the digests that go with it.
		this.emit('untag', image, image.id, image.id);
	}

	private announceUntagged(image: Image, names: readonly string[], removed: RemovedImage[]): void {
		for (const untagged of names) {
			removed.push({ untagged });
			this.emit('untag', image, image.id, image.id);
		}
	}

	/** Whether an image that has lost its last name stays, for the container that uses it. */
	private isKept(image: Image, force: boolean): boolean {
		return this.options.users(image.id).some(({ isRunning }) => isRunning || !force);
	}

	/** Removes the image itself with the names it still has. */
	private delete(image: Image, removed: RemovedImage[]): void {
		const names = this.referencesOf(image.id);
		this.updateHeld(image);
		this.removeRecords(image.id, new Set());
		this.announceUntagged(image, names, removed);
		removed.push({ deleted: image.id });
		this.emit('delete', image, image.id, image.id);
		removed.push(...removedLayers(image, this.collect()));
	}

	/** All names of an image, as they are told when it goes. */
	private referencesOf(imageId: string): string[] {
		return [...this.tagsOf(imageId).map(familiarTag), ...this.digestsOf(imageId)].sort(compare);
	}

	/** A container that is not running keeps the layers of its image even when that is removed by force. */
	private updateHeld(image: Image): void {
		this.held.set(image.id, image.layers);
		for (const imageId of [...this.held.keys()]) {
			if (this.options.users(imageId).length === 0) {
				this.held.delete(imageId);
			}
		}
	}

	/** Docker's checkImageDeleteConflict. */
	private checkUnused(image: Image, { force, ignoreNames }: { force: boolean; ignoreNames: boolean }): void {
		const users = this.options.users(image.id);
		const running = users.find(({ isRunning }) => isRunning);
		if (running) {
			const reason = `image is being used by running container ${running.id.slice(0, 12)}`;
			throw conflict(image, 'cannot be forced', reason);
		}
		if (!ignoreNames && this.hasReferences(image.id)) {
			throw conflict(image, 'must be forced', 'image is referenced in multiple repositories');
		}
		const [stopped] = users;
		if (stopped && !force) {
			const reason = `image is being used by stopped container ${stopped.id.slice(0, 12)}`;
			throw conflict(image, 'must be forced', reason);
		}
	}

	/** Removes blobs and layers that no record, container or pull needs; gives the DiffIDs of the layers. */
	private collect(): Set<string> {
		const used = this.used();
		for (const digest of this.manifests.keys()) {
			if (!used.has(digest)) {
				this.manifests.delete(digest);
			}
		}
		for (const digest of this.blobs.list()) {
			if (!used.has(digest)) {
				this.blobs.remove(digest);
			}
		}
		const unused = this.layers.list().filter((diffId) => !used.has(diffId));
		this.layers.remove(unused);
		return new Set(unused);
	}

	/** Digests of blobs and DiffIDs of layers that must stay, or would without some images. */
	private used(without: ReadonlySet<string> = new Set()): Set<string> {
		const used = new Set<string>();
		const add = (digests: readonly string[]): void => {
			for (const digest of digests) {
				used.add(digest);
			}
		};
		for (const record of [...this.records.values()].filter(({ id }) => !without.has(id))) {
			add([record.id, record.digest, ...record.layers]);
			add(this.manifests.get(record.digest)?.manifest.layers.map(({ digest }) => digest) ?? []);
		}
		for (const [imageId, layers] of this.held) {
			add([imageId, ...layers]);
		}
		for (const lease of this.leases) {
			add([...lease.blobs, ...lease.layers]);
		}
		return used;
	}

	private findByName(text: string): Image | undefined {
		let reference: Reference;
		try {
			reference = withDefaultTag(parseReference(text));
		} catch (error) {
			if (error instanceof EngineError && error.code === 'invalid') {
				return undefined; // no name has this form
			}
			throw error;
		}
		const name = normalizedName(reference);
		const { digest, tag } = reference;
		return digest === undefined
			? this.records.get(recordKey({ id: '', name, tag: tag ?? '' }))
			: this.list().find((image) => image.repo_digests.includes(`${familiarName(name)}@${digest}`));
	}

	private findByPrefix(hex: string): Image | undefined {
		if (!/^[a-f0-9]+$/.test(hex)) {
			return undefined;
		}
		const found = this.list().filter((image) => image.id.startsWith(`sha256:${hex}`));
		return new Set(found.map(({ id }) => id)).size === 1 ? found[0] : undefined;
	}

	private layersOf(imageId: string): readonly string[] {
		const layers = this.names(imageId)[0]?.layers ?? this.held.get(imageId);
		if (!layers) {
			throw new EngineError('not-found', `No such image: ${imageId}`);
		}
		return layers;
	}

	/** True unless the record could not be read. */
	private loadRecord(key: string): boolean {
		const { store, warn } = this.options;
		const record = store.get(key, isImage);
		if (!record) {
			return false;
		}
		const what = `Image "${record.tag === '' ? record.id : familiarTag(record)}"`;
		if (recordKey(record) !== key) {
			warn(`${what} is dropped: its record has another image's file name`);
			store.remove(key);
			return true;
		}
		const reason = this.loadManifest(record);
		if (reason !== undefined) {
			warn(`${what} is dropped: ${reason}`);
			store.remove(key);
			return true;
		}
		this.records.set(key, record);
		return true;
	}

	/** Reads the record's manifest; gives the reason when the image cannot be used. */
	private loadManifest(record: Image): string | undefined {
		const bytes = this.blobs.read(record.digest);
		const stored = bytes && readManifest(bytes);
		if (!stored || stored.manifest.config.digest !== record.id || !this.blobs.has(stored.manifest.config)) {
			return 'its manifest or configuration is missing or damaged';
		}
		const { layers } = stored.manifest;
		const lost = record.layers.find((diffId, index) => {
			const descriptor = layers[index];
			return this.layers.get(diffId) === undefined && !(descriptor && this.blobs.has(descriptor));
		});
		if (lost !== undefined || layers.length !== record.layers.length) {
			return `layer ${lost ?? ''} is missing`;
		}
		this.manifests.set(record.digest, stored);
		return undefined;
	}

	/**
	 * Containers are loaded after images, so their records are asked which images they use; of those that have no record
	 * any more, the layers are known from the configuration.
	 */
	private holdUsedImages(): void {
		const { store } = this.options;
		for (const key of store.list('container-')) {
			const imageId = imageIdIn(store.get(key, isAnything));
			const configuration = imageId === undefined ? undefined : this.blobs.read(imageId);
			if (imageId !== undefined && configuration && this.names(imageId).length === 0) {
				this.held.set(imageId, parseDiffIds(configuration));
			}
		}
	}

	private writeIndex(): void {
		const entries = [...this.records.entries()].sort(([one], [other]) => compare(one, other));
		this.blobs.writeIndex(
			entries.flatMap(([, record]) => {
				const stored = this.manifests.get(record.digest);
				return stored
					? [
							{
								descriptor: { ...stored.descriptor, platform: record.platform },
								...(record.tag === '' ? {} : { name: `${record.name}:${record.tag}` }),
							},
						]
					: [];
			}),
		);
	}

	private emit(action: 'pull' | 'push' | 'tag' | 'untag' | 'delete', image: Image, id: string, name: string): void {
		this.options.events.emit('image', action, id, { ...image.config.labels, name });
	}
}

/** The ChainIDs of those layers of the image that have gone, the top one first. */
function removedLayers({ layers }: Image, gone: ReadonlySet<string>): RemovedImage[] {
	const chain = chainIds(layers);
	return [...layers.entries()]
		.reverse()
		.filter(([, diffId]) => gone.has(diffId))
		.map(([index, diffId]) => ({ deleted: chain[index] ?? diffId }));
}

const STATUS: Readonly<Record<JobProgress['phase'], string>> = {
	downloading: 'Downloading',
	verifying: 'Verifying Checksum',
	downloaded: 'Download complete',
	extracting: 'Extracting',
};
/** Layers after these wait for a place. */
const BUSY = 3;

/** A digest wins over a tag, as in docker. */
function pullReference(text: string): Reference {
	const { tag, ...reference } = withDefaultTag(parseReference(text));
	return reference.digest !== undefined || tag === undefined ? reference : { ...reference, tag };
}

function leaseOf({ descriptor, manifest, configuration }: ResolvedImage): Lease {
	const blobs = [descriptor, manifest.config, ...manifest.layers].map(({ digest }) => digest);
	return { blobs, layers: configuration.diffIds };
}

function conflict(image: Image, force: string, reason: string): EngineError {
	const message = `conflict: unable to delete ${shortId(image.id)} (${force}) - ${reason}`;
	return new EngineError('conflict', message);
}

function spoiltLayer(imageId: string, error: EngineError): EngineError {
	const message = `Cannot use image "${imageId}": ${shortened(error.message)}; pull the image again`;
	return new EngineError('corrupt', message, { cause: error });
}

function isCorrupt(error: unknown): error is EngineError {
	return error instanceof EngineError && error.code === 'corrupt';
}

function missingLayer(imageId: string, diffId: string): EngineError {
	const reason = `its layer ${diffId} is missing; pull the image again`;
	return new EngineError('corrupt', `Cannot use image "${imageId}": ${reason}`);
}

/** The first 12 hex digits. */
function shortId(digest: string): string {
	return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** "docker.io/library/nginx" for "nginx"; undefined for what has a tag or a digest, or is an id. */
function nameOnly(text: string): string | undefined {
	if (/^(sha256:)?[a-f0-9]{64}$/.test(text)) {
		return undefined;
	}
	const reference = parseReference(text);
	return reference.tag === undefined && reference.digest === undefined ? normalizedName(reference) : undefined;
}

/** "docker.io/library/nginx" for "nginx". */
function normalized(familiar: string): string {
	return normalizedName(parseReference(familiar));
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, number) => total + number, 0);
}

/** A check that finds nothing wrong: whether a container's record is right is for its owner to say. */
function isAnything(value: unknown): value is unknown {
	return v.is(v.unknown(), value);
}

function imageIdIn(container: unknown): string | undefined {
	const id = typeof container === 'object' && container !== null && 'image_id' in container ? container.image_id : '';
	return typeof id === 'string' && isDigest(id) ? id : undefined;
}
