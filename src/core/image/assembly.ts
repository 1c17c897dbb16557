/** New images from layers that no registry gave: what archives and commits are made of. */
import * as fs from 'node:fs';
import { EngineError, fullDisk, isDiskFull, systemCode } from '../errors';
import { runJob } from '../job-thread';
import type { Image } from '../types';
import type { AbsorbedLayer, AbsorbJob } from './absorb';
import { blobPath } from './blobs';
import type { Blobs } from './blobs';
import type { TagName } from './image-records';
import type { Layers } from './layers';
import { checkLayerCount, digestOf, parseConfiguration } from './manifest';
import type { Descriptor, ImageConfiguration, ImageManifest } from './manifest';
import type { StoredManifest } from './pull';

export interface NewImage extends StoredManifest {
	readonly configuration: ImageConfiguration;
	readonly configurationBytes: Buffer;
}

/** What of an image goes into an archive. */
export interface SavedImage {
	readonly image: Image;
	readonly descriptor: Descriptor;
	readonly manifest: ImageManifest;
	/** Those that were asked for by name. */
	readonly names: readonly TagName[];
}

/** A layer in the store. */
export interface StoredLayer {
	readonly descriptor: Descriptor;
	readonly diffId: string;
}

export interface AssemblyOptions {
	readonly root: string;
	readonly blobs: Blobs;
	readonly layers: Layers;
	/** The bundle of worker.ts. */
	readonly worker: string;
	/** Saves the image; it stays without a name unless it has some already. */
	readonly save: (image: NewImage) => Image;
	readonly tag: (image: Image, name: TagName) => void;
}

const LAYER = {
	gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
	zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIGURATION = 'application/vnd.oci.image.config.v1+json';

/** One piece of work that makes images. What it has put into the store stays while it goes on (see Images.assemble). */
export class Assembly {
	/** Digests that must stay. */
	readonly blobs: string[] = [];
	readonly layers: string[] = [];

	constructor(private readonly options: AssemblyOptions) {}

	/**
	 * Brings in a layer. With `expected` its digests must be these, and one that is in the store already is not read.
	 * Throws EngineError with the bare reason.
	 */
	async layer(
		source: AbsorbJob['source'],
		options: {
			readonly signal: AbortSignal;
			readonly input?: AsyncIterable<Uint8Array>;
			readonly expected?: { readonly diffId?: string; readonly digest?: string };
		},
	): Promise<StoredLayer> {
		const { root, layers, worker } = this.options;
		const temporary = layers.temporaryFolder();
		let absorbed: AbsorbedLayer | undefined;
		try {
			const job: AbsorbJob = { kind: 'absorb', root, temporary, format: layers.format, source };
			absorbed = await runJob<AbsorbedLayer>(worker, job, options);
			this.check(absorbed, options.expected);
			const { digest, size, compression, file } = absorbed.blob;
			this.blobs.push(digest);
			this.layers.push(absorbed.diffId);
			fs.renameSync(file, blobPath(root, digest));
			await layers.adopt(absorbed.diffId, temporary, absorbed);
			return { descriptor: { mediaType: LAYER[compression], digest, size }, diffId: absorbed.diffId };
		} catch (error) {
			await layers.dropTemporary(temporary);
			if (absorbed) {
				fs.rmSync(absorbed.blob.file, { force: true });
			}
			throw diskError(error, root);
		}
	}

	/** Saves an image of layers that are in the store. Gives its first record. */
	image(configurationBytes: Buffer, layers: readonly StoredLayer[]): Image {
		const config = {
			mediaType: CONFIGURATION,
			digest: digestOf(configurationBytes),
			size: configurationBytes.length,
		};
		const manifest: ImageManifest = {
			...{ kind: 'manifest', mediaType: MANIFEST, config },
			layers: layers.map(({ descriptor }) => descriptor),
		};
		const document = { schemaVersion: 2, mediaType: MANIFEST, config, layers: manifest.layers };
		const bytes = Buffer.from(JSON.stringify(document));
		return this.imageWith({ manifest, bytes, mediaType: MANIFEST }, configurationBytes);
	}

	/** As `image`, with a manifest that was there before, whose digest stays. */
	imageWith(
		{ manifest, bytes, mediaType }: { manifest: ImageManifest; bytes: Buffer; mediaType: string },
		configurationBytes: Buffer,
	): Image {
		checkLayerCount(manifest.layers.length);
		const configuration = parseConfiguration(configurationBytes, manifest);
		if (configuration.platform.os !== 'linux') {
			const reason = `image operating system "${configuration.platform.os}" cannot be used on this platform`;
			throw new EngineError('unsupported', reason);
		}
		const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
		this.blobs.push(descriptor.digest, manifest.config.digest);
		try {
			return this.options.save({ descriptor, manifest, bytes, configuration, configurationBytes });
		} catch (error) {
			throw diskError(error, this.options.root);
		}
	}

	/** Keeps layers of other images that the new one shares. */
	keep(layers: readonly StoredLayer[]): void {
		this.blobs.push(...layers.map(({ descriptor }) => descriptor.digest));
		this.layers.push(...layers.map(({ diffId }) => diffId));
	}

	/** Gives a whole image a name; one that another image has moves. */
	tag(image: Image, name: TagName): void {
		this.options.tag(image, name);
	}

	private check(layer: AbsorbedLayer, expected: { diffId?: string; digest?: string } | undefined): void {
		const digest = expected?.digest ?? layer.blob.digest;
		const diffId = expected?.diffId ?? layer.diffId;
		if (layer.blob.digest !== digest) {
			throw new EngineError('corrupt', `a layer has digest ${layer.blob.digest} and should have ${digest}`);
		}
		if (layer.diffId !== diffId) {
			throw new EngineError(
				'corrupt',
				`the content of a layer has digest ${layer.diffId} and should have ${diffId}`,
			);
		}
	}
}

/** A full or read-only disk, with what to do about it. */
export function diskError(error: unknown, root: string): unknown {
	const code = systemCode(error);
	const text = error instanceof Error ? error.message : '';
	if (isDiskFull(error) || /\bENOSPC\b|\bEDQUOT\b/.test(text)) {
		return new EngineError('no-space', fullDisk(root), { cause: error });
	}
	if (code === 'EROFS' || /\bEROFS\b/.test(text)) {
		return new EngineError('denied', `the disk of "${root}" is read-only`, { cause: error });
	}
	return error;
}
