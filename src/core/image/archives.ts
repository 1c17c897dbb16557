/** Images as archives: `docker save`, `load` and `import`. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { EngineError } from '../errors';
import { nowNanoseconds, rfc3339 } from '../events';
import { runJob } from '../job-thread';
import type { Image } from '../types';
import type { Assembly, SavedImage, StoredLayer } from './assembly';
import { diskError } from './assembly';
import { blobPath } from './blobs';
import { applyChanges, emptyConfig } from './changes';
import { familiarTag } from './image-records';
import type { TagName } from './image-records';
import type { Images } from './images';
import {
	checkLayerCount,
	digestOf,
	parseConfiguration,
	parseDiffIds,
	parseDocument,
	MAX_DOCUMENT_SIZE,
} from './manifest';
import type { Descriptor, ImageManifest } from './manifest';
import { choosePlatform, hostPlatform } from './platform';
import { familiarName, isDigest, normalizedName, parseReference, withDefaultTag } from './reference';
import type { SpreadArchive, SpreadJob } from './spread';
import { encodeEntry, endOfArchive, padding } from './tar';
import type { TarEntry } from './tar';

export interface LoadOptions {
	readonly root: string;
	/** The bundle of worker.ts. */
	readonly worker: string;
	readonly signal: AbortSignal;
	/** Told of each image that is there. */
	readonly onLoaded: (sentence: string) => void;
}

const strings = v.nullish(v.array(v.string()), []);
const dockerManifest = v.array(v.object({ Config: v.string(), RepoTags: strings, Layers: strings }));

/**
 * Brings in all images of an archive: docker-archive (manifest.json), which docker's own old and new ones are, or an OCI
 * layout (index.json), plain, gzip or zstd. Every digest is checked. Throws EngineError `Cannot load images: …`.
 */
export async function loadImages(
	images: Images,
	archive: AsyncIterable<Uint8Array>,
	options: LoadOptions,
): Promise<void> {
	const folder = path.join(options.root, 'ingest', `load-${randomBytes(8).toString('hex')}`);
	try {
		fs.mkdirSync(folder, { mode: 0o700 });
		const job: SpreadJob = { kind: 'spread', folder };
		const spread = await runJob<SpreadArchive>(options.worker, job, { input: archive, signal: options.signal });
		await images.assemble(async (assembly) => {
			const load = new Load(assembly, spread.files, options);
			await (spread.files.has('manifest.json') ? load.dockerArchive() : load.ociLayout());
		});
	} catch (error) {
		options.signal.throwIfAborted();
		const failure = diskError(error, options.root);
		throw failure instanceof EngineError
			? new EngineError(failure.code, `Cannot load images: ${failure.message}`, { cause: error })
			: failure;
	} finally {
		await fs.promises.rm(folder, { recursive: true, force: true });
	}
}

class Load {
	private readonly done = new Map<string, Promise<StoredLayer>>();

	constructor(
		private readonly assembly: Assembly,
		private readonly files: ReadonlyMap<string, string>,
		private readonly options: LoadOptions,
	) {}

	async dockerArchive(): Promise<void> {
		for (const entry of check(dockerManifest, this.json('manifest.json'), 'manifest.json')) {
			const names = entry.RepoTags.map(tagName); // an impossible one before anything is kept
			const configuration = this.document(entry.Config);
			const diffIds = parseDiffIds(configuration);
			checkLayerCount(diffIds.length);
			if (diffIds.length !== entry.Layers.length) {
				throw corrupt(
					`invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${entry.Layers.length}`,
				);
			}
			const layers: StoredLayer[] = [];
			for (const [index, name] of entry.Layers.entries()) {
				layers.push(await this.layer(name, diffIds[index] ?? ''));
			}
			this.finish(this.assembly.image(configuration, layers), names);
		}
	}

	async ociLayout(): Promise<void> {
		if (!this.files.has('index.json')) {
			throw corrupt('the archive has neither a manifest.json nor an index.json, so it is not one of images');
		}
		const index = parseDocument(this.document('index.json'), '');
		if (index.kind !== 'index') {
			throw corrupt('index.json is no index');
		}
		const entries = check(annotatedSchema, this.json('index.json'), 'index.json').manifests;
		for (const [position, descriptor] of index.manifests.entries()) {
			const names = namesIn(entries[position]?.annotations ?? {});
			await this.ociImage(descriptor, names);
		}
	}

	private async ociImage(descriptor: Descriptor, names: readonly TagName[], depth = 0): Promise<void> {
		const bytes = this.blob(descriptor);
		const document = parseDocument(bytes, descriptor.mediaType);
		if (document.kind === 'index') {
			const chosen = choosePlatform(document.manifests, hostPlatform()) ?? document.manifests[0];
			if (chosen === undefined || depth > 3) {
				throw corrupt('an index in it names no image for this machine');
			}
			await this.ociImage(chosen, names, depth + 1);
			return;
		}
		const configuration = this.blob(document.config);
		const { diffIds } = parseConfiguration(configuration, document);
		for (const [index, layer] of document.layers.entries()) {
			const file = `blobs/sha256/${layer.digest.slice('sha256:'.length)}`;
			const stored = await this.layer(file, diffIds[index] ?? '');
			if (stored.descriptor.digest !== layer.digest && stored.descriptor.mediaType.endsWith('zstd')) {
				throw corrupt(`layer ${layer.digest} has another digest`);
			}
			if (stored.descriptor.digest !== layer.digest) {
				// It was not compressed, or its digest is wrong.
				await this.rebuilt(document, configuration, diffIds, names);
				return;
			}
		}
		const { mediaType } = descriptor;
		this.finish(this.assembly.imageWith({ manifest: document, bytes, mediaType }, configuration), names);
	}

	/** An image with plain layers gets a manifest of ours, with compressed ones; its id stays. */
	private async rebuilt(
		manifest: ImageManifest,
		configuration: Buffer,
		diffIds: readonly string[],
		names: readonly TagName[],
	): Promise<void> {
		const layers: StoredLayer[] = [];
		for (const [index, { digest, mediaType }] of manifest.layers.entries()) {
			const diffId = diffIds[index] ?? '';
			const stored = await this.layer(`blobs/sha256/${digest.slice('sha256:'.length)}`, diffId);
			if (stored.descriptor.digest !== digest && (digest !== diffId || /\+|\.gzip$/.test(mediaType))) {
				throw corrupt(`layer ${digest} has another digest`);
			}
			layers.push(stored);
		}
		this.finish(this.assembly.image(configuration, layers), names);
	}

	private layer(name: string, diffId: string): Promise<StoredLayer> {
		const file = this.file(name);
		const known = this.done.get(file);
		if (known) {
			return known;
		}
		const work = this.assembly.layer(
			{ kind: 'file', path: file },
			{ signal: this.options.signal, expected: { diffId } },
		);
		this.done.set(file, work);
		return work;
	}

	/** Names come last: an image that is not whole gets none. */
	private finish(image: Image, names: readonly TagName[]): void {
		for (const name of names) {
			this.assembly.tag(image, name);
			this.options.onLoaded(`Loaded image: ${familiarTag(name)}`);
		}
		if (names.length === 0) {
			this.options.onLoaded(`Loaded image ID: ${image.id}`);
		}
	}

	private blob({ digest, size }: Descriptor): Buffer {
		const bytes = this.document(`blobs/sha256/${digest.slice('sha256:'.length)}`);
		if (bytes.length !== size || digestOf(bytes) !== digest) {
			throw corrupt(`${digest} has another digest`);
		}
		return bytes;
	}

	private json(name: string): unknown {
		try {
			return JSON.parse(this.document(name).toString());
		} catch (error) {
			throw error instanceof SyntaxError ? corrupt(`${name} is not JSON`) : error;
		}
	}

	private document(name: string): Buffer {
		const file = this.file(name);
		if (fs.statSync(file).size > MAX_DOCUMENT_SIZE) {
			throw corrupt(`${name} is larger than ${MAX_DOCUMENT_SIZE} bytes`);
		}
		return fs.readFileSync(file);
	}

	private file(name: string): string {
		const file = this.files.get(path.posix.normalize(Buffer.from(name).toString('latin1')).replace(/^\/+/, ''));
		if (file === undefined) {
			throw corrupt(`"${name}" is not in the archive`);
		}
		return file;
	}
}

const annotatedSchema = v.object({
	manifests: v.array(v.looseObject({ annotations: v.nullish(v.record(v.string(), v.string()), {}) })),
});

/** containerd's annotation has the whole name; the specification's may be a whole name or only a tag. */
function namesIn(annotations: Readonly<Record<string, string>>): TagName[] {
	const whole = annotations['io.containerd.image.name'];
	const name = whole ?? annotations['org.opencontainers.image.ref.name'];
	return name === undefined || !(whole !== undefined || /[:/]/.test(name)) ? [] : [tagName(name)];
}

function tagName(text: string): TagName {
	const reference = withDefaultTag(parseReference(text));
	if (reference.tag === undefined || reference.digest !== undefined) {
		throw corrupt(`"${text}" is no name with a tag`);
	}
	return { name: normalizedName(reference), tag: reference.tag };
}

export interface ImportOptions {
	readonly worker: string;
	readonly signal: AbortSignal;
	/** "repository:tag"; "" leaves the image without a name. */
	readonly name: string;
	readonly message: string;
	/** Instructions of a Dockerfile. */
	readonly changes: readonly string[];
}

/** Makes an image of one layer from the tar of a root file system. Throws EngineError `Cannot import image: …`. */
export async function importImage(
	images: Images,
	archive: AsyncIterable<Uint8Array>,
	options: ImportOptions,
): Promise<Image> {
	const names = options.name === '' ? [] : [tagName(options.name)];
	const config = applyChanges(emptyConfig, options.changes);
	try {
		return await images.assemble(async (assembly) => {
			const { signal } = options;
			const layer = await assembly.layer({ kind: 'input' }, { signal, input: archive });
			const created = rfc3339(nowNanoseconds());
			const { architecture, os, variant } = hostPlatform();
			const document = {
				...{ architecture, os, ...(variant === undefined ? {} : { variant }), created, config },
				history: [{ created, comment: options.message }],
				rootfs: { type: 'layers', diff_ids: [layer.diffId] },
			};
			const image = assembly.image(Buffer.from(JSON.stringify(document)), [layer]);
			names.forEach((name) => {
				assembly.tag(image, name);
			});
			return image;
		});
	} catch (error) {
		options.signal.throwIfAborted();
		throw error instanceof EngineError
			? new EngineError(error.code, `Cannot import image: ${error.message}`, { cause: error })
			: error;
	}
}

/**
 * One archive that is both a docker-archive and an OCI layout, as docker writes it since version 25; layers go in as they
 * are in the store, compressed.
 */
export async function* saveImages(root: string, saved: readonly SavedImage[]): AsyncGenerator<Buffer> {
	const index = saved.flatMap(({ image, descriptor, names }) => {
		const annotated = names.map((name) => ({
			'io.containerd.image.name': `${name.name}:${name.tag}`,
			'org.opencontainers.image.ref.name': name.tag,
		}));
		const entry = { ...descriptor, platform: image.platform };
		return annotated.length === 0 ? [entry] : annotated.map((annotations) => ({ ...entry, annotations }));
	});
	const docker = saved.map(({ image, manifest, names }) => ({
		Config: blobName(image.id),
		RepoTags: names.length === 0 ? null : names.map(familiarTag),
		Layers: manifest.layers.map(({ digest }) => blobName(digest)),
	}));
	const repositories: Record<string, Record<string, string>> = {};
	for (const { manifest, names } of saved) {
		for (const name of names) {
			const top = manifest.layers.at(-1)?.digest.slice('sha256:'.length) ?? '';
			repositories[familiarName(name.name)] = { ...repositories[familiarName(name.name)], [name.tag]: top };
		}
	}
	const mediaType = 'application/vnd.oci.image.index.v1+json';
	yield* document('oci-layout', { imageLayoutVersion: '1.0.0' });
	yield* document('index.json', { schemaVersion: 2, mediaType, manifests: index });
	yield* document('manifest.json', docker);
	if (Object.keys(repositories).length > 0) {
		yield* document('repositories', repositories);
	}
	for (const folder of ['blobs/', 'blobs/sha256/']) {
		yield encodeEntry({ ...MEMBER, type: 'directory', name: folder, mode: 0o755 });
	}
	const digests = saved.flatMap(({ descriptor, manifest }) =>
		[descriptor, manifest.config, ...manifest.layers].map(({ digest }) => digest),
	);
	for (const digest of new Set(digests)) {
		const { size } = fs.statSync(blobPath(root, digest));
		yield encodeEntry({ ...MEMBER, name: blobName(digest), size });
		yield* fs.createReadStream(blobPath(root, digest), { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
		yield padding(size);
	}
	yield endOfArchive();
}

const MEMBER: TarEntry = {
	...{ type: 'file', name: '', linkName: '', mode: 0o644, uid: 0, gid: 0, size: 0 },
	...{ mtime: 0, mtimeNanoseconds: 0, major: 0, minor: 0, xattrs: new Map() },
};

function document(name: string, value: unknown): Buffer[] {
	const bytes = Buffer.from(JSON.stringify(value));
	return [encodeEntry({ ...MEMBER, name, size: bytes.length }), bytes, padding(bytes.length)];
}

function blobName(digest: string): string {
	if (!isDigest(digest)) {
		throw corrupt(`"${digest}" is no digest`);
	}
	return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

function check<TSchema extends v.GenericSchema>(schema: TSchema, value: unknown, what: string): v.InferOutput<TSchema> {
	const result = v.safeParse(schema, value);
	if (!result.success) {
		throw corrupt(`${what} is malformed: ${result.issues[0].message}`);
	}
	return result.output;
}

function corrupt(reason: string): EngineError {
	return new EngineError('corrupt', reason);
}
