import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import { isWhiteout } from '../storage/whiteout';

const MAX_FILE = 1024 * 1024;
const MAX_LINKS = 40;

/**
 * Reads a small text file of a container's root without mounting it: layers are looked through top first as overlayfs
 * does, whiteouts hide, symbolic links are followed inside the root only. Undefined when there is no such file.
 * Throws EngineError "invalid" when it is not a regular file of at most 1 MiB: images are hostile, and a FIFO or
 * /dev/zero in the place of /etc/passwd must not hang the engine (CVE-2024-9676).
 *
 * Node cannot read extended attributes, so a folder marked opaque still shows what lies below it.
 */
export function readRootFile(layers: readonly string[], file: string): string | undefined {
	const found = findEntry(layers, split(resolveRootPath(layers, file)));
	return found === undefined ? undefined : readRegular(found.path, file);
}

/**
 * The path inside the root that `file` means once all symbolic links are followed, as far as it exists there; it never
 * leaves the root. Throws EngineError "invalid" for links that run in a circle.
 */
export function resolveRootPath(layers: readonly string[], file: string): string {
	let pending = split(file);
	let resolved: string[] = [];
	let links = 0;
	for (let [name] = pending; name !== undefined; [name] = pending) {
		pending = pending.slice(1);
		if (name === '..') {
			resolved = resolved.slice(0, -1);
			continue;
		}
		const found = findEntry(layers, [...resolved, name]);
		if (found?.stat.isSymbolicLink() !== true) {
			resolved = [...resolved, name];
			continue;
		}
		if (++links > MAX_LINKS) {
			throw new EngineError('invalid', `Cannot read "${file}" of the image: too many symbolic links`);
		}
		const target = fs.readlinkSync(found.path);
		resolved = target.startsWith('/') ? [] : resolved;
		pending = [...split(target), ...pending];
	}
	return `/${resolved.join('/')}`;
}

/** What a path is in the layers; links on the way are not followed. */
export function statInLayers(layers: readonly string[], file: string): fs.Stats | undefined {
	return findEntry(layers, split(file))?.stat;
}

/** Names in a folder of the layers. */
export function namesInLayers(layers: readonly string[], folder: string): string[] {
	const names = new Set<string>();
	const hidden = new Set<string>();
	for (const layer of layers) {
		const place = path.join(layer, ...split(folder));
		if (lstat(place)?.isDirectory() !== true) {
			continue;
		}
		for (const name of fs.readdirSync(place)) {
			const stat = lstat(path.join(place, name));
			if (stat !== undefined && isWhiteout(stat)) {
				hidden.add(name);
			} else if (!hidden.has(name)) {
				names.add(name);
			}
		}
	}
	return [...names];
}

function findEntry(
	layers: readonly string[],
	names: readonly string[],
): { readonly path: string; readonly stat: fs.Stats } | undefined {
	for (const layer of layers) {
		let current = layer;
		for (const [depth, name] of names.entries()) {
			current = path.join(current, name);
			const stat = lstat(current);
			if (stat === undefined) {
				break;
			}
			if (isWhiteout(stat)) {
				return undefined;
			}
			if (depth === names.length - 1) {
				return { path: current, stat };
			}
			// What lies here in the place of a folder hides this layer and all below it.
			if (!stat.isDirectory()) {
				return undefined;
			}
		}
	}
	return undefined;
}

function readRegular(file: string, name: string): string {
	const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
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
		return fs.lstatSync(file);
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENOTDIR') {
			return undefined;
		}
		throw error;
	}
}

function split(file: string): string[] {
	return file.split('/').filter((name) => name !== '' && name !== '.');
}
