import * as path from 'node:path';
import { createHash } from 'node:crypto';
import { EngineError } from '../errors';
import { isObject } from '../json';

/** The record of a volume. Its data lies in `<root>/volumes/<name>/_data`. */
export interface Volume {
	readonly name: string;
	readonly created: string;
	readonly labels: Readonly<Record<string, string>>;
	/** docker's options of its driver "local": none, or type, o and device of a bind mount. */
	readonly options: Readonly<Record<string, string>>;
	/** Made for a container that named none; `docker volume prune` takes only these unless told otherwise. */
	readonly is_anonymous: boolean;
	/** No container has used it yet: the only time when an image's content is copied into it. */
	readonly is_new: boolean;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** A file name's limit; docker has none of its own. */
const MAX_NAME = 255;

/** Throws "invalid" with docker's text for a name that docker refuses. */
export function checkVolumeName(name: string): string {
	if (!NAME.test(name) || name.length > MAX_NAME) {
		throw new EngineError(
			'invalid',
			`create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
		);
	}
	if (name.length < 2) {
		throw new EngineError(
			'invalid',
			`create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
		);
	}
	return name;
}

/** Key of the record: names may be longer than a key, and differ by case only. */
export function volumeKey(name: string): string {
	return `volume-${createHash('sha256').update(name).digest('hex')}`;
}

/**
 * The options of docker's driver "local" that make sense without a mount helper: none, a folder of the host
 * (`type=none, o=bind[,ro|rw], device=/absolute/path`), or memory (`type=tmpfs, device=tmpfs, o=size=…`). NFS and the
 * like are "unsupported".
 */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>): void {
	const unknown = Object.keys(options).find((option) => !['type', 'o', 'device'].includes(option));
	if (unknown !== undefined) {
		throw new EngineError('invalid', `create ${name}: invalid option: "${unknown}"`);
	}
	if (Object.keys(options).length === 0) {
		return;
	}
	const device = options['device'] ?? '';
	if (device === '') {
		throw new EngineError('invalid', `create ${name}: missing required option: "device"`);
	}
	if (tmpfsOptions(options) !== undefined) {
		return;
	}
	const flags = mountFlags(options);
	const isBind = ['', 'none', 'bind'].includes(options['type'] ?? '') && flags.some((flag) => /^r?bind$/.test(flag));
	if (!isBind || !flags.every((flag) => ['bind', 'rbind', 'ro', 'rw'].includes(flag))) {
		throw new EngineError(
			'unsupported',
			`Cannot create volume "${name}": only type=none with o=bind, ro or rw, and type=tmpfs are supported, not type=${options['type'] ?? ''} with o=${options['o'] ?? ''}`,
		);
	}
	if (!path.isAbsolute(device) || device.includes('\0')) {
		throw new EngineError(
			'invalid',
			`Cannot create volume "${name}": the device "${device}" is not an absolute path`,
		);
	}
}

/** The mount options of a volume in memory, "" for none; undefined for a volume of another kind. */
export function tmpfsOptions(options: Readonly<Record<string, string>>): string | undefined {
	return options['type'] === 'tmpfs' ? (options['o'] ?? '') : undefined;
}

/** What a container mounts for this volume. */
export interface VolumeSource {
	/** On the host. */
	readonly path: string;
	readonly read_only: boolean;
}

/** `data` is the volume's own folder; a bind volume leads elsewhere. */
export function sourceOf(volume: Volume, data: string): VolumeSource {
	const device = volume.options['device'];
	return device === undefined || tmpfsOptions(volume.options) !== undefined
		? { path: data, read_only: false }
		: { path: path.normalize(device), read_only: mountFlags(volume.options).includes('ro') };
}

/** Whether a record on disk can be used. */
export function isVolume(value: unknown): value is Volume {
	return (
		isObject(value) &&
		typeof value['name'] === 'string' &&
		NAME.test(value['name']) &&
		typeof value['created'] === 'string' &&
		isStringMap(value['labels']) &&
		isStringMap(value['options']) &&
		typeof value['is_anonymous'] === 'boolean' &&
		typeof value['is_new'] === 'boolean'
	);
}

function mountFlags(options: Readonly<Record<string, string>>): string[] {
	return (options['o'] ?? '').split(',').filter((flag) => flag !== '');
}

function isStringMap(value: unknown): value is Record<string, string> {
	return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}
