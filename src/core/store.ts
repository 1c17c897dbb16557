import * as fs from 'node:fs';
import * as path from 'node:path';
import { randomBytes } from 'node:crypto';
import { EngineError, systemCode } from './errors';
import { jsonIn } from './json';

const TEMPORARY = /\.json\.[0-9a-f]{8}\.tmp$/;
const KEY = /^[a-z0-9][a-z0-9._-]{0,200}$/;

/**
 * The seed's Store: one JSON document a key, `<dir>/<key>.json`, with Save, Get and List by prefix. A write is atomic
 * and durable: temporary file, fsync, rename, fsync of the folder. A record that cannot be read is set aside as
 * `<key>.json.corrupt-<time>` with a warning and counts as absent, so one bad file never stops the engine.
 *
 * Invariant: only the one engine process of a store writes here (see engine.ts); reads need no lock.
 */
export class Store {
	/** Files whose content was not waited for. */
	private readonly unsynced = new Set<string>();

	constructor(
		private readonly dir: string,
		private readonly warn: (message: string) => void,
	) {}

	/** Writes `value` under `key`; throws EngineError "invalid" for a key that cannot be a file name. */
	save(key: string, value: object, durability: RecordDurability = 'at once'): void {
		const file = this.file(key);
		const content = JSON.stringify(value, undefined, '\t') + '\n';
		if (durability === 'beside' && !fs.existsSync(file)) {
			replaceFile(file, content);
			this.unsynced.add(file);
			return;
		}
		writeAtomically(file, content, { durability: durability === 'at once' ? 'at once' : 'soon' });
	}

	/** Makes what was saved "soon" or beside survive a power cut from now on. */
	async sync(): Promise<void> {
		const files = [...this.unsynced];
		this.unsynced.clear();
		await Promise.all(files.map((file) => syncFileBeside(file)));
		await syncBeside(this.dir);
	}

	/** The record, when `check` accepts it; undefined when there is none or it was corrupt. */
	get<T>(key: string, check: (value: unknown) => value is T): T | undefined {
		const file = this.file(key);
		let text: string;
		try {
			text = fs.readFileSync(file, 'utf8');
		} catch (error) {
			if (systemCode(error) === 'ENOENT') {
				return undefined;
			}
			throw error;
		}
		const value = jsonIn(text);
		if (check(value)) {
			return value;
		}
		const aside = `${file}.corrupt-${Date.now()}`;
		fs.renameSync(file, aside);
		this.warn(`Record "${key}" is corrupt and was set aside as ${aside}`);
		return undefined;
	}

	/** Removes what a crash left half-written; for the store's owner, at its start. */
	removeTemporary(): void {
		for (const name of fs.readdirSync(this.dir).filter((file) => TEMPORARY.test(file))) {
			fs.rmSync(path.join(this.dir, name), { force: true });
		}
	}

	/** Keys that start with `prefix`, sorted. */
	list(prefix: string): string[] {
		return fs
			.readdirSync(this.dir)
			.filter((name) => name.startsWith(prefix) && name.endsWith('.json'))
			.map((name) => name.slice(0, -'.json'.length))
			.sort();
	}

	/** Removes the record; removing what is not there is no error. */
	remove(key: string, durability: Durability = 'at once'): void {
		fs.rmSync(this.file(key), { force: true });
		if (durability === 'at once') {
			syncFolder(this.dir);
		}
	}

	private file(key: string): string {
		if (!KEY.test(key)) {
			throw new EngineError('invalid', `Cannot store record "${key}": the key is not a plain file name`);
		}
		return path.join(this.dir, `${key}.json`);
	}
}

/** Whether a machine that loses power has the change when the call returns, or a little later (the old one until then). */
export type Durability = 'at once' | 'soon';

/**
 * "beside", for a record that can be made again: of a new one the disk is not waited for at all before the store's `sync`, and
 * a power cut until then may leave it empty, or half, which the next start sets aside; one that replaces another is "soon".
 */
export type RecordDurability = Durability | 'beside';

/** Replaces `file` so that a reader, or a machine that loses power, sees the old content or the new, never half. */
export function writeAtomically(file: string, content: string | Uint8Array, options: WriteOptions = {}): void {
	writeTogether(new Map([[file, content]]), options);
}

export interface WriteOptions {
	/** 0600 by default. */
	readonly mode?: number;
	/** "at once" by default. */
	readonly durability?: Durability;
}

/** As writeAtomically, for files of one folder: the disk is waited for as seldom as that takes. */
export function writeTogether(
	files: ReadonlyMap<string, string | Uint8Array>,
	{ mode = 0o600, durability = 'at once' }: WriteOptions = {},
): void {
	const written = new Map<string, string>();
	try {
		for (const [file, content] of files) {
			const temporary = temporaryFor(file);
			written.set(temporary, file);
			fs.writeFileSync(temporary, content, { flag: 'wx', mode });
		}
		for (const temporary of written.keys()) {
			syncFile(temporary);
		}
		for (const [temporary, file] of written) {
			fs.renameSync(temporary, file);
		}
	} catch (error) {
		for (const temporary of written.keys()) {
			fs.rmSync(temporary, { force: true });
		}
		throw error;
	}
	if (durability === 'soon') {
		return;
	}
	for (const folder of new Set([...files.keys()].map((file) => path.dirname(file)))) {
		syncFolder(folder);
	}
}

/**
 * Replaces `file` so that a reader sees the old content or the new. After a power cut it may hold neither: for what is
 * made again then.
 */
export function replaceFile(file: string, content: string | Uint8Array, mode = 0o600): void {
	const temporary = temporaryFor(file);
	try {
		fs.writeFileSync(temporary, content, { flag: 'wx', mode });
		fs.renameSync(temporary, file);
	} catch (error) {
		fs.rmSync(temporary, { force: true });
		throw error;
	}
}

function temporaryFor(file: string): string {
	return `${file}.${randomBytes(4).toString('hex')}.tmp`;
}

/** Of a file that may have been removed meanwhile. */
async function syncFileBeside(file: string): Promise<void> {
	try {
		await syncBeside(file);
	} catch (error) {
		if (systemCode(error) !== 'ENOENT') {
			throw error;
		}
	}
}

function syncFile(file: string): void {
	const descriptor = fs.openSync(file, 'r');
	try {
		fs.fsyncSync(descriptor);
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Makes renames and removals in `dir` survive a power cut. */
export function syncFolder(dir: string): void {
	const descriptor = fs.openSync(dir, 'r');
	try {
		fs.fsyncSync(descriptor);
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Makes a file's content, or renames and removals in a folder, survive a power cut, while other work goes on. */
export async function syncBeside(fileOrFolder: string): Promise<void> {
	const handle = await fs.promises.open(fileOrFolder, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
