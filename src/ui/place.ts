import { Uri } from 'vscode';
import type { Archive, Client } from '../api/client';
import { bare, engineOfRow, keyOn, lastingKey, OWN_ID } from './engine-keys';

export const FILES_SCHEME = 'mydocker-files';

/** Whose files: a container's id or a volume's name, as a key that leads to its engine. */
export interface Owner {
	readonly kind: 'container' | 'volume';
	readonly key: string;
}

/**
 * `mydocker-files://container-<id>/etc/hosts`, `mydocker-files://volume-<name>/`; after what is of another engine than
 * ours stands "+" and the engine's id in hexadecimal digits. VS Code makes an authority lower-case, and names of volumes
 * are not: "_" stands before a letter that is upper-case, and before "_".
 */
export function filesUri({ kind, key }: Owner, path = '/'): Uri {
	const escaped = bare(key).replace(/[A-Z_]/g, (letter) => `_${letter.toLowerCase()}`);
	const engine = engineOfRow(key);
	const suffix = engine === OWN_ID ? '' : `+${Buffer.from(engine).toString('hex')}`;
	return Uri.from({ scheme: FILES_SCHEME, authority: `${kind}-${escaped}${suffix}`, path });
}

/** The inverse; undefined for a URI that is not ours. */
export function ownerOf({ scheme, authority }: Uri): Owner | undefined {
	const [, kind, escaped = '', engine = ''] =
		/^(container|volume)-([a-z0-9_][\w.-]*)(?:\+([0-9a-f]+))?$/.exec(authority) ?? [];
	if (scheme !== FILES_SCHEME || (kind !== 'container' && kind !== 'volume')) {
		return undefined;
	}
	const name = escaped.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
	return { kind, key: lastingKey(keyOn(engine === '' ? OWN_ID : Buffer.from(engine, 'hex').toString(), name)) };
}

/** The calls for its files. */
export function archiveOf(client: Client, { kind, key }: Owner): Archive {
	return kind === 'container' ? client.containers.archive(key) : client.volumes.archive(key);
}

export function folderOf(path: string): string {
	return path.slice(0, path.lastIndexOf('/')) || '/';
}

export function nameOf(path: string): string {
	return path.slice(path.lastIndexOf('/') + 1);
}
