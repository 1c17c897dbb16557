/** An archive of images on its way in: its files, one by one on the disk under numbers. Runs in a worker thread. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import type { JobContext } from '../job-thread';
import { inflateArchive } from './inflate-archive';
import { TarReader } from './tar';
import type { TarEntry, TarSink } from './tar';

export interface SpreadJob {
	readonly kind: 'spread';
	/** An empty folder. */
	readonly folder: string;
}

/** The regular files of an archive. */
export interface SpreadArchive {
	/** Clean path in the archive → file on the disk. Links to files are files too. */
	readonly files: ReadonlyMap<string, string>;
}

const MAX_ENTRIES = 100_000;
const MAX_RATIO = 200;
const ALWAYS_ALLOWED = 1024 ** 3;

/** Does the job: reads an archive, plain or compressed. Nothing of it decides a name on the disk. */
export async function spread({ folder }: SpreadJob, { input, signal }: JobContext): Promise<SpreadArchive> {
	const sink = new FileSink(folder);
	const reader = new TarReader(sink, MAX_ENTRIES);
	let read = 0;
	let unpacked = 0;
	async function* counted(): AsyncGenerator<Buffer> {
		for await (const chunk of input) {
			read += chunk.length;
			yield chunk;
		}
	}
	try {
		for await (const chunk of inflateArchive(counted(), signal)) {
			unpacked += chunk.length;
			if (unpacked > Math.max(ALWAYS_ALLOWED, MAX_RATIO * read)) {
				throw new EngineError('corrupt', 'it unpacks to far more than an archive of its size can hold');
			}
			reader.write(chunk);
			signal.throwIfAborted();
		}
		reader.finish();
	} finally {
		sink.close();
	}
	return { files: sink.allFiles() };
}

class FileSink implements TarSink {
	private readonly files = new Map<string, string>();
	private readonly links = new Map<string, string>();
	private descriptor: number | undefined;

	constructor(private readonly folder: string) {}

	begin(entry: TarEntry): void {
		const name = cleanName(entry.name);
		if (entry.type === 'file') {
			if (entry.sparse) {
				throw new EngineError('unsupported', `"${name}" is a sparse file`);
			}
			const file = path.join(this.folder, String(this.files.size));
			this.descriptor = fs.openSync(file, 'wx', 0o600);
			this.files.set(name, file);
		} else if (entry.type === 'symlink') {
			this.links.set(name, cleanName(path.posix.join(path.posix.dirname(name), entry.linkName)));
		} else if (entry.type === 'link') {
			this.links.set(name, cleanName(entry.linkName));
		}
	}

	data(buffer: Buffer, start: number, length: number): void {
		for (let done = 0; this.descriptor !== undefined && done < length;) {
			done += fs.writeSync(this.descriptor, buffer, start + done, length - done);
		}
	}

	end(): void {
		this.close();
	}

	close(): void {
		if (this.descriptor !== undefined) {
			fs.closeSync(this.descriptor);
			this.descriptor = undefined;
		}
	}

	/** A link counts for the file that it leads to in one step, as docker's old archives have them. */
	allFiles(): ReadonlyMap<string, string> {
		const linked = [...this.links].flatMap(([name, target]): [string, string][] => {
			const file = this.files.get(target);
			return file === undefined ? [] : [[name, file]];
		});
		return new Map([...linked, ...this.files]);
	}
}

/** Throws "corrupt" for a path that leaves the archive. */
function cleanName(name: string): string {
	const clean = path.posix.normalize(name).replace(/^\/+|\/+$/g, '');
	if (clean === '..' || clean.startsWith('../')) {
		throw new EngineError('corrupt', `the name "${Buffer.from(name, 'latin1').toString()}" leaves the archive`);
	}
	return clean;
}
