/** The records of images on disk: their check, their keys, and the names in them. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { Image } from '../types';
import { familiarName, isDigest } from './reference';

/** A name with a tag. */
export interface TagName {
	/** Normalised repository. */
	readonly name: string;
	readonly tag: string;
}

const digestSchema = v.pipe(v.string(), v.check(isDigest));
const strings = v.array(v.string());
const emptyObjects = v.record(v.string(), v.strictObject({}));
const imageSchema = v.looseObject({
	id: digestSchema,
	name: v.string(),
	tag: v.string(),
	layers: v.array(digestSchema),
	config: v.looseObject({
		cmd: strings,
		entrypoint: strings,
		env: strings,
		working_dir: v.string(),
		exposed_ports: emptyObjects,
		user: v.string(),
		volumes: emptyObjects,
		labels: v.record(v.string(), v.string()),
		stop_signal: v.string(),
		health: v.optional(
			v.object({
				...{ test: strings, interval: v.number(), timeout: v.number() },
				...{ start_period: v.number(), retries: v.number() },
			}),
		),
	}),
	size: v.number(),
	created: v.string(),
	digest: digestSchema,
	repo_digests: strings,
	platform: v.looseObject({ os: v.string(), architecture: v.string(), variant: v.optional(v.string()) }),
	pulled_at: v.string(),
});

/** Whether a value read from disk is an image's record. */
export function isImage(value: unknown): value is Image {
	return v.is(imageSchema, value);
}

/** The key of the record in the store. An image without a tag has one record, under its id. */
export function recordKey(image: Pick<Image, 'id' | 'name' | 'tag'>): string {
	const name = image.tag === '' ? image.id : `${image.name}:${image.tag}`;
	return `image-${createHash('sha256').update(name).digest('hex')}`;
}

/** "nginx:latest" */
export function familiarTag({ name, tag }: TagName): string {
	return `${familiarName(name)}:${tag}`;
}

/** The repository of "nginx@sha256:…", in its familiar form. */
export function repositoryOf(repoDigest: string): string {
	return repoDigest.slice(0, repoDigest.lastIndexOf('@'));
}
