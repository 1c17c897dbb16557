import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';

/** A member of a layer archive, as the fixtures write it. */
export interface Entry {
	readonly name: string;
	readonly type?: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character';
	readonly content?: string | Buffer;
	/** Permission bits; 0644 for files, 0755 for directories by default. */
	readonly mode?: number;
	readonly uid?: number;
	readonly gid?: number;
	/** Unix seconds. */
	readonly time?: number;
	/** Where a symlink points, or which earlier member a hardlink names. */
	readonly target?: string;
	/** Extended attributes, written as PAX records. */
	readonly attributes?: Readonly<Record<string, Buffer>>;
	/** Major and minor number of a character device. */
	readonly device?: readonly [number, number];
}

const TYPE = { file: '0', hardlink: '1', symlink: '2', character: '3', directory: '5', fifo: '6' } as const;

/**
 * Writes a POSIX (pax) archive. It shares no code with the engine's reader on purpose: a common mistake would hide
 * itself. Contents are what the caller says, hostile names included.
 */
export function archiveOf(entries: readonly Entry[]): Buffer {
	return Buffer.concat([...entries.flatMap(memberOf), Buffer.alloc(1024)]);
}

export function gzip(data: Buffer): Buffer {
	return zlib.gzipSync(data, { level: 6 });
}

/** "sha256:<hex>" of the bytes. */
export function digestOf(data: Buffer | string): string {
	return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

function memberOf(entry: Entry): Buffer[] {
	const content = Buffer.from(entry.content ?? '');
	return [...extensionOf(entry), headerOf(entry, content.length), ...padded(content)];
}

/** The PAX header in front of a member whose name, target or attributes do not fit the plain one. */
function extensionOf(entry: Entry): Buffer[] {
	const records: Buffer[] = [];
	if (Buffer.byteLength(entry.name) > 99 || /[^\x20-\x7e]/.test(entry.name)) {
		records.push(recordOf('path', Buffer.from(entry.name)));
	}
	if (entry.target !== undefined && Buffer.byteLength(entry.target) > 99) {
		records.push(recordOf('linkpath', Buffer.from(entry.target)));
	}
	for (const [name, value] of Object.entries(entry.attributes ?? {})) {
		records.push(recordOf(`SCHILY.xattr.${name}`, value));
	}
	if (records.length === 0) {
		return [];
	}
	const body = Buffer.concat(records);
	return [headerOf({ name: 'PaxHeaders/0' }, body.length, 'x'), ...padded(body)];
}

function recordOf(key: string, value: Buffer): Buffer {
	const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
	let length = rest.length;
	while (String(length).length + rest.length !== length) {
		length = String(length).length + rest.length;
	}
	return Buffer.concat([Buffer.from(String(length)), rest]);
}

function headerOf(entry: Entry, size: number, type: string = TYPE[entry.type ?? 'file']): Buffer {
	const header = Buffer.alloc(512);
	const octal = (value: number, offset: number, width: number): void => {
		header.write(value.toString(8).padStart(width - 1, '0'), offset);
	};
	header.write(entry.name.slice(0, 99), 0);
	octal(entry.mode ?? (entry.type === 'directory' ? 0o755 : 0o644), 100, 8);
	octal(entry.uid ?? 0, 108, 8);
	octal(entry.gid ?? 0, 116, 8);
	octal(size, 124, 12);
	octal(entry.time ?? 1_600_000_000, 136, 12);
	header.fill(' ', 148, 156);
	header.write(type, 156);
	header.write((entry.target ?? '').slice(0, 99), 157);
	header.write('ustar\x0000', 257);
	octal(entry.device?.[0] ?? 0, 329, 8);
	octal(entry.device?.[1] ?? 0, 337, 8);
	const sum = header.reduce((total, byte) => total + byte, 0);
	header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
	return header;
}

function padded(content: Buffer): Buffer[] {
	return content.length === 0 ? [] : [content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
