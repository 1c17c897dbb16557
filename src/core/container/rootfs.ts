import * as fs from 'node:fs';
import { EngineError, systemCode } from '../errors';
import { bytesOf, partsOf, printable } from '../files/tree';
import type { LookupLayer } from '../storage/driver';
import { isWhiteout } from '../storage/whiteout';

const MAX_FILE = 1024 * 1024;
const MAX_LINKS = 40;

/**
 * Reads a small text file of a container's root without mounting it: layers are looked through top first as overlayfs
 * does, whiteouts and opaque folders hide, symbolic links are followed inside the root only. Undefined when there is no
 * such file. Throws EngineError "invalid" when it is not a regular file of at most 1 MiB: images are hostile, and a FIFO
 * or /dev/zero in the place of /etc/passwd must not hang the engine (CVE-2024-9676).
 */
export function readRootFile(layers: readonly LookupLayer[], file: string): string | undefined {
	const found = firstEntry(layers, resolve(layers, file));
	return found === undefined ? undefined : readRegular(found.path, file);
}

/**
 * The path inside the root that `file` means once all symbolic links are followed, as far as it exists there; it never
 * leaves the root. Throws EngineError "invalid" for links that run in a circle.
 */
export function resolveRootPath(layers: readonly LookupLayer[], file: string): string {
	return printable(`/${resolve(layers, file).join('/')}`);
}

/** What a path (one character a byte) is in the layers; links on the way are not followed. */
export function statInLayers(layers: readonly LookupLayer[], file: string): fs.Stats | undefined {
	return firstEntry(layers, partsOf(file))?.stat;
}

/** Names in a folder of the layers; path and names are one character a byte. */
export function namesInLayers(layers: readonly LookupLayer[], folder: string): string[] {
	const names = new Set<string>();
	const hidden = new Set<string>();
	for (const { path, stat } of entriesOf(layers, partsOf(folder))) {
		if (!stat.isDirectory()) {
			break;
		}
		for (const name of fs.readdirSync(bytes(path), 'latin1')) {
			const inside = lstat(`${path}/${name}`);
			if (inside !== undefined && isWhiteout(inside)) {
				hidden.add(name);
			} else if (!hidden.has(name)) {
				names.add(name);
			}
		}
	}
	return [...names];
}

/** Names on the way to what `file` means. */
function resolve(layers: readonly LookupLayer[], file: string): readonly string[] {
	let pending = partsOf(bytesOf(file));
	let resolved: string[] = [];
	let links = 0;
	for (let [name] = pending; name !== undefined; [name] = pending) {
		pending = pending.slice(1);
		if (name === '..') {
			resolved = resolved.slice(0, -1);
			continue;
		}
		const found = firstEntry(layers, [...resolved, name]);
		if (found?.stat.isSymbolicLink() !== true) {
			resolved = [...resolved, name];
			continue;
		}
		if (++links > MAX_LINKS) {
			throw new EngineError('invalid', `Cannot read "${file}" of the image: too many symbolic links`);
		}
		const target = fs.readlinkSync(bytes(found.path), 'latin1');
		resolved = target.startsWith('/') ? [] : resolved;
		pending = [...partsOf(target), ...pending];
	}
	return resolved;
}

interface LayerEntry {
	/** On the host, one character a byte. */
	readonly path: string;
	readonly stat: fs.Stats;
}

function firstEntry(layers: readonly LookupLayer[], names: readonly string[]): LayerEntry | undefined {
	for (const entry of entriesOf(layers, names)) {
		return entry;
	}
	return undefined;
}

/** What the layers have by that name, top first, as far down as nothing hides what is below. */
function* entriesOf(layers: readonly LookupLayer[], names: readonly string[]): Generator<LayerEntry> {
	for (const layer of layers) {
		const { entry, isLast } = entryIn(layer, names);
		if (entry !== undefined) {
			yield entry;
		}
		if (isLast) {
			return;
		}
	}
}

/** What one layer has by that name, and whether it hides what the layers below have. */
function entryIn(
	{ directory, opaque }: LookupLayer,
	names: readonly string[],
): { readonly entry?: LayerEntry; readonly isLast: boolean } {
	let path = bytesOf(directory);
	let inside = '';
	let stat = lstat(path);
	let isLast = false;
	for (const name of names) {
		if (stat?.isDirectory() === false) {
			return { isLast: true }; // it may be a symbolic link, which must not be followed here
		}
		path = `${path}/${name}`;
		inside = `${inside}/${name}`;
		stat = lstat(path);
		if (stat === undefined) {
			return { isLast };
		}
		if (isWhiteout(stat)) {
			return { isLast: true };
		}
		isLast ||= !stat.isDirectory() || opaque.has(inside);
	}
	return stat === undefined ? { isLast } : { entry: { path, stat }, isLast };
}

/** `file` is one character a byte. */
function readRegular(file: string, name: string): string {
	const descriptor = fs.openSync(
		bytes(file),
		fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK,
	);
	try {
		const stat = fs.fstatSync(descriptor);
		if (!stat.isFile() || stat.size > MAX_FILE) {
			throw new EngineError('invalid', `Cannot read "${name}" of the image: not a regular file of at most 1 MiB`);
		}
		return fs.readFileSync(descriptor, 'utf8');
	} finally {
		fs.closeSync(descriptor);
	}
}

function lstat(file: string): fs.Stats | undefined {
	try {
		return fs.lstatSync(bytes(file));
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENOTDIR') {
			return undefined;
		}
		throw error;
	}
}

function bytes(file: string): Buffer {
	return Buffer.from(file, 'latin1');
}
