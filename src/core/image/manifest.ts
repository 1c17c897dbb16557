/**
 * The documents of an image: index (or docker's manifest list), manifest and configuration (image-spec index.md,
 * manifest.md, config.md; Docker Image Manifest V2 schema 2). Everything here takes bytes whose digest the caller has
 * checked, and trusts nothing else about them.
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { EngineError } from '../errors';
import type { HealthConfig, ImageConfig, Platform } from '../types';
import { choosePlatform, formatPlatform } from './platform';
import { isDigest } from './reference';

export interface Descriptor {
	readonly mediaType: string;
	readonly digest: string;
	/** Bytes. */
	readonly size: number;
	readonly platform?: Platform;
}

export interface ImageIndex {
	readonly kind: 'index';
	readonly mediaType: string;
	readonly manifests: readonly Descriptor[];
}

export interface ImageManifest {
	readonly kind: 'manifest';
	readonly mediaType: string;
	readonly config: Descriptor;
	readonly layers: readonly Descriptor[];
}

/** What the engine needs of an image configuration. */
export interface ImageConfiguration {
	readonly platform: Platform;
	readonly created: string;
	/** Base layer first. */
	readonly diffIds: readonly string[];
	readonly config: ImageConfig;
}

/** A manifest and a configuration may not be larger than this (containers/image has the same limits). */
export const MAX_DOCUMENT_SIZE = 4 * 1024 * 1024;
/** So many lower directories overlayfs can be told in a page, and docker takes no more. */
const MAX_LAYERS = 127;
const MAX_INDEX_ENTRIES = 10_000;

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPES = [OCI_INDEX, 'application/vnd.docker.distribution.manifest.list.v2+json'];
const MANIFEST_TYPES = [OCI_MANIFEST, 'application/vnd.docker.distribution.manifest.v2+json'];
const CONFIG_TYPES = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const LAYER_TYPE =
	/^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;

/** Media types that a registry is asked for. */
export const MANIFEST_ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(', ');

/** "sha256:<hex>" of the bytes. */
export function digestOf(bytes: Uint8Array): string {
	return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const sizeSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const digestSchema = v.pipe(v.string(), v.check(isDigest, 'not a sha256 digest'));
const platformSchema = v.object({
	os: v.string(),
	architecture: v.string(),
	variant: v.exactOptional(v.string()),
});
const descriptorSchema = v.object({
	mediaType: v.pipe(v.string(), v.maxLength(255)),
	digest: digestSchema,
	size: sizeSchema,
	platform: v.exactOptional(platformSchema),
});
const documentSchema = v.looseObject({ schemaVersion: v.literal(2), mediaType: v.optional(v.string()) });
const indexSchema = v.object({ manifests: v.pipe(v.array(descriptorSchema), v.maxLength(MAX_INDEX_ENTRIES)) });
const manifestSchema = v.object({
	config: descriptorSchema,
	layers: v.array(descriptorSchema),
});

// Go writes null for what is empty, so every list and map may be null.
const strings = v.nullish(v.array(v.string()), []);
const emptyObjects = v.nullish(v.record(v.string(), v.looseObject({})), {});
const number = v.nullish(v.number(), 0);
const rootfsSchema = v.object({
	rootfs: v.object({ type: v.literal('layers'), diff_ids: v.nullish(v.array(digestSchema), []) }),
});
const configurationSchema = v.object({
	...rootfsSchema.entries,
	os: v.string(),
	architecture: v.string(),
	variant: v.nullish(v.string(), ''),
	created: v.nullish(v.string(), ''),
	config: v.nullish(
		v.object({
			Cmd: strings,
			Entrypoint: strings,
			Env: strings,
			WorkingDir: v.nullish(v.string(), ''),
			ExposedPorts: emptyObjects,
			User: v.nullish(v.string(), ''),
			Volumes: emptyObjects,
			Labels: v.nullish(v.record(v.string(), v.string()), {}),
			StopSignal: v.nullish(v.string(), ''),
			Healthcheck: v.nullish(
				v.object({
					...{ Test: strings, Interval: number, Timeout: number },
					...{ StartPeriod: number, Retries: number },
				}),
			),
		}),
		{},
	),
});

/**
 * Reads an index or a manifest. `mediaType` is what the descriptor or the registry's answer says it is, or ""; a document
 * that says otherwise of itself is refused (CVE-2021-41190). Errors have the bare reason.
 */
export function parseDocument(bytes: Uint8Array, mediaType: string): ImageIndex | ImageManifest {
	const json = parseJson(bytes);
	if (isObject(json) && json['schemaVersion'] === 1) {
		throw new EngineError('unsupported', 'its manifest has the schema 1 that Docker gave up in 2019');
	}
	const document = check(documentSchema, json, 'the manifest');
	if ('manifests' in document && ('layers' in document || 'config' in document)) {
		throw new EngineError('corrupt', 'the manifest has both "manifests" and "layers"');
	}
	const guess = 'manifests' in document ? OCI_INDEX : OCI_MANIFEST;
	const type = mediaTypeOf(mediaType, document.mediaType) ?? guess;
	if (INDEX_TYPES.includes(type)) {
		return { kind: 'index', mediaType: type, ...check(indexSchema, document, 'the image index') };
	}
	if (MANIFEST_TYPES.includes(type)) {
		return checkManifest({ kind: 'manifest', mediaType: type, ...check(manifestSchema, document, 'the manifest') });
	}
	throw new EngineError('unsupported', `its manifest is of the unknown type "${type}"`);
}

/** Reads an image configuration and checks that it fits the manifest's layers. */
export function parseConfiguration(bytes: Uint8Array, manifest: ImageManifest): ImageConfiguration {
	const { config, rootfs, ...image } = check(configurationSchema, parseJson(bytes), 'the image configuration');
	const diffIds = rootfs.diff_ids;
	if (diffIds.length !== manifest.layers.length) {
		throw new EngineError(
			'corrupt',
			`the manifest has ${manifest.layers.length} layers and the configuration ${diffIds.length}`,
		);
	}
	return {
		platform: {
			os: image.os,
			architecture: image.architecture,
			...(image.variant === '' ? {} : { variant: image.variant }),
		},
		created: image.created,
		diffIds,
		config: {
			cmd: config.Cmd,
			entrypoint: config.Entrypoint,
			env: config.Env,
			working_dir: config.WorkingDir,
			exposed_ports: namesOf(config.ExposedPorts),
			user: config.User,
			volumes: namesOf(config.Volumes),
			labels: config.Labels,
			stop_signal: config.StopSignal,
			...(config.Healthcheck ? { health: healthOf(config.Healthcheck) } : {}),
		},
	};
}

/** Docker's extension of the image configuration. */
function healthOf(check: {
	readonly Test: readonly string[];
	readonly Interval: number;
	readonly Timeout: number;
	readonly StartPeriod: number;
	readonly Retries: number;
}): HealthConfig {
	return {
		test: check.Test,
		interval: check.Interval,
		timeout: check.Timeout,
		start_period: check.StartPeriod,
		retries: check.Retries,
	};
}

/** The DiffIDs of an image configuration, base layer first. */
export function parseDiffIds(bytes: Uint8Array): readonly string[] {
	return check(rootfsSchema, parseJson(bytes), 'the image configuration').rootfs.diff_ids;
}

/**
 * The entry of an index for this platform. Throws EngineError "not-found" with docker's text when there is none.
 */
export function chooseManifest(index: ImageIndex, platform: Platform): Descriptor {
	const [only] = index.manifests;
	if (only && index.manifests.length === 1 && only.platform === undefined) {
		return only; // an index around one image, as some builders push; its configuration names the platform
	}
	const chosen = choosePlatform(index.manifests, platform);
	if (!chosen) {
		throw new EngineError(
			'not-found',
			`no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
		);
	}
	return chosen;
}

/** The identity of a stack of layers (image-spec, config.md, Layer ChainID): one for each layer, base first. */
export function chainIds(diffIds: readonly string[]): string[] {
	const chain: string[] = [];
	for (const diffId of diffIds) {
		const below = chain[chain.length - 1];
		chain.push(below === undefined ? diffId : digestOf(Buffer.from(`${below} ${diffId}`)));
	}
	return chain;
}

/** Throws with docker's words when an image has too many layers. */
export function checkLayerCount(count: number): void {
	if (count > MAX_LAYERS) {
		throw new EngineError(
			'unsupported',
			`max depth exceeded: it has ${count} layers, and an image may have ${MAX_LAYERS} at most`,
		);
	}
}

function checkManifest(manifest: ImageManifest): ImageManifest {
	if (!CONFIG_TYPES.includes(manifest.config.mediaType)) {
		throw new EngineError(
			'unsupported',
			`it is an artifact of type "${manifest.config.mediaType}" and not a container image`,
		);
	}
	if (manifest.config.size > MAX_DOCUMENT_SIZE) {
		throw new EngineError('corrupt', `its configuration is larger than ${MAX_DOCUMENT_SIZE} bytes`);
	}
	checkLayerCount(manifest.layers.length);
	const foreign = manifest.layers.find((layer) => !LAYER_TYPE.test(layer.mediaType));
	if (foreign) {
		throw new EngineError('unsupported', `it has a layer of the unknown type "${foreign.mediaType}"`);
	}
	return manifest;
}

/**
 * What the answer's header and the document itself say must agree; a header that says nothing does not count. Undefined
 * when both say nothing.
 */
function mediaTypeOf(header: string, own: string | undefined): string | undefined {
	const outer = (header.split(';', 1)[0] ?? '').trim().toLowerCase();
	const saysNothing = ['', 'application/json', 'application/octet-stream', 'text/plain'].includes(outer);
	if (own === undefined) {
		return saysNothing ? undefined : outer;
	}
	if (!saysNothing && outer !== own) {
		throw new EngineError('corrupt', `the manifest calls itself "${own}" and was sent as "${outer}"`);
	}
	return own;
}

function namesOf(objects: Readonly<Record<string, unknown>>): Record<string, Record<string, never>> {
	return Object.fromEntries(Object.keys(objects).map((name) => [name, {}]));
}

function parseJson(bytes: Uint8Array): unknown {
	try {
		return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
	} catch (error) {
		if (error instanceof SyntaxError || error instanceof TypeError) {
			throw new EngineError('corrupt', 'the document is not JSON', { cause: error });
		}
		throw error;
	}
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null;
}

function check<TSchema extends v.GenericSchema>(schema: TSchema, value: unknown, what: string): v.InferOutput<TSchema> {
	const result = v.safeParse(schema, value);
	if (result.success) {
		return result.output;
	}
	const [issue] = result.issues;
	const where = v.getDotPath(issue);
	throw new EngineError('corrupt', `${what} is malformed${where === null ? '' : ` at ${where}`}: ${issue.message}`);
}
