/** What a pull needs to know from the registry before it fetches layers. */
import { EngineError } from '../errors';
import type { Platform } from '../types';
import { chooseManifest, digestOf, parseConfiguration, parseDocument } from './manifest';
import type { Descriptor, ImageConfiguration, ImageManifest } from './manifest';
import { shortened } from './connection';
import { formatPlatform, hostPlatform, isRunnable } from './platform';
import { formatReference } from './reference';
import type { Reference } from './reference';
import { documentOf, type FetchedManifest, type Registry } from './registry';

/** A manifest with its bytes, as it goes into the store. */
export interface StoredManifest {
	readonly descriptor: Descriptor;
	readonly manifest: ImageManifest;
	readonly bytes: Buffer;
}

export interface ResolvedImage extends StoredManifest {
	/** What the reference named: the digest of the index, or of the manifest itself. */
	readonly digest: string;
	readonly configuration: ImageConfiguration;
	readonly configurationBytes: Buffer;
}

export interface ResolveOptions {
	/** As the caller asked; this machine's by default. */
	readonly platform: Platform | undefined;
	/** A small blob that is in the store already, its digest checked. */
	readonly known: (digest: string) => Buffer | undefined;
	/** Called when it is known which layers the image has. */
	readonly onManifest?: (manifest: ImageManifest) => void;
	readonly signal: AbortSignal;
}

const MAX_INDEX_DEPTH = 3;

/**
 * Follows what the reference names through indexes to the manifest for the platform, and reads its configuration. All
 * bytes have been checked against their digests. Throws EngineError as Registry does, "corrupt" and "unsupported" for
 * documents that are not an image, and "not-found" when there is none for the platform.
 */
export async function resolveImage(
	registry: Registry,
	reference: Reference,
	fetched: FetchedManifest,
	options: ResolveOptions,
): Promise<ResolvedImage> {
	const stored = await manifestFor(registry, reference, fetched, options);
	const { manifest } = stored;
	options.onManifest?.(manifest);
	const configurationBytes =
		options.known(manifest.config.digest) ?? (await registry.document(reference, manifest.config, options.signal));
	const configuration = explained(reference, () => parseConfiguration(configurationBytes, manifest));
	checkPlatform(reference, configuration.platform, options.platform);
	return { ...stored, digest: fetched.digest, configuration, configurationBytes };
}

/** Reads a manifest from the store again; undefined when it is none that this engine understands. */
export function readManifest(bytes: Buffer): StoredManifest | undefined {
	try {
		const manifest = parseDocument(bytes, '');
		return manifest.kind === 'manifest' ? storedManifest(bytes, manifest) : undefined;
	} catch (error) {
		if (error instanceof EngineError) {
			return undefined;
		}
		throw error;
	}
}

async function manifestFor(
	registry: Registry,
	reference: Reference,
	fetched: FetchedManifest,
	options: ResolveOptions,
): Promise<StoredManifest> {
	const platform = options.platform ?? hostPlatform();
	let found: Omit<FetchedManifest, 'digest'> = fetched;
	for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
		const document = explained(reference, () => documentOf(found));
		if (document.kind === 'manifest') {
			return storedManifest(found.bytes, document);
		}
		const chosen = chooseManifest(document, platform);
		const named = { registry: reference.registry, repository: reference.repository, digest: chosen.digest };
		const known = options.known(chosen.digest);
		found = known ? { bytes: known, mediaType: '' } : await registry.manifest(named, options.signal);
		checkDescriptor(reference, chosen, found.bytes, found.mediaType);
		found = { bytes: found.bytes, mediaType: chosen.mediaType };
	}
	throw new EngineError('corrupt', `Cannot pull image "${formatReference(reference)}": its indexes lie too deep`);
}

function storedManifest(bytes: Buffer, manifest: ImageManifest): StoredManifest {
	const { mediaType } = manifest;
	return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, manifest, bytes };
}

function checkDescriptor(reference: Reference, descriptor: Descriptor, bytes: Buffer, mediaType: string): void {
	const sent = (mediaType.split(';', 1)[0] ?? '').trim();
	if (bytes.length !== descriptor.size || (sent !== '' && sent !== descriptor.mediaType)) {
		const reason = `manifest ${descriptor.digest} is not what the index says of it`;
		throw new EngineError('corrupt', `Cannot pull image "${formatReference(reference)}": ${reason}`);
	}
}

function checkPlatform(reference: Reference, actual: Platform, wanted: Platform | undefined): void {
	if (actual.os !== 'linux') {
		throw new EngineError('unsupported', `image operating system "${actual.os}" cannot be used on this platform`);
	}
	if (wanted && !isRunnable(actual, wanted)) {
		throw new EngineError(
			'not-found',
			`image with reference ${formatReference(reference)} was found but does not match the specified platform: wanted ${formatPlatform(wanted)}, actual: ${formatPlatform(actual)}`,
		);
	}
}

/** Puts the name of the image before the bare reason of a document's parser. */
function explained<T>(reference: Reference, parse: () => T): T {
	try {
		return parse();
	} catch (error) {
		if (error instanceof EngineError) {
			const message = `Cannot pull image "${formatReference(reference)}": ${shortened(error.message)}`;
			throw new EngineError(error.code, message, { cause: error });
		}
		throw error;
	}
}
