/** Writes entries of archives to files: as files of their own, or as a small archive for GNU tar. */
import * as fs from 'node:fs';
import { encodeEntry, endOfArchive, padding, type TarEntry } from './tar';

/** A regular file that is being made of an entry. */
export interface OpenBody {
	readonly descriptor: number;
	readonly entry: TarEntry;
	/** Of a sparse entry: the fragment that comes next, and how many of its bytes are written. */
	fragment: number;
	written: number;
}

/** Writes what has come of an entry's body, a sparse one to the places of its fragments. */
export function writeBody(file: OpenBody, buffer: Buffer, start: number, length: number): void {
	const fragments = file.entry.sparse?.fragments;
	if (!fragments) {
		writeFully(file.descriptor, buffer, start, length);
		return;
	}
	let done = 0;
	for (let fragment = fragments[file.fragment]; fragment && done < length; fragment = fragments[file.fragment]) {
		const count = Math.min(length - done, fragment.length - file.written);
		writeFully(file.descriptor, buffer, start + done, count, fragment.offset + file.written);
		done += count;
		file.written += count;
		if (file.written === fragment.length) {
			file.fragment++;
			file.written = 0;
		}
	}
}

/** An archive of what Node cannot make itself; the file is there from the first entry on, for its maker alone. */
export class TarFile {
	private descriptor: number | undefined;
	private bodyLength = 0;

	constructor(readonly path: string) {}

	add(entry: TarEntry): void {
		this.descriptor ??= fs.openSync(this.path, 'wx', 0o600);
		this.bodyLength = 0;
		writeFully(this.descriptor, encodeEntry(entry));
	}

	write(buffer: Buffer, start: number, length: number): void {
		if (this.descriptor !== undefined) {
			writeFully(this.descriptor, buffer, start, length);
			this.bodyLength += length;
		}
	}

	endBody(): void {
		if (this.descriptor !== undefined) {
			writeFully(this.descriptor, padding(this.bodyLength));
		}
	}

	/** Makes it whole; false when nothing was added since it was made or removed. The file stays. */
	finish(): boolean {
		if (this.descriptor === undefined) {
			return false;
		}
		writeFully(this.descriptor, endOfArchive());
		this.closeDescriptor();
		return true;
	}

	/** Removes the file, whole or not. */
	remove(): void {
		this.closeDescriptor();
		fs.rmSync(this.path, { force: true });
	}

	private closeDescriptor(): void {
		if (this.descriptor !== undefined) {
			fs.closeSync(this.descriptor);
			this.descriptor = undefined;
		}
	}
}

function writeFully(descriptor: number, buffer: Buffer, start = 0, length = buffer.length, position?: number): void {
	let done = 0;
	while (done < length) {
		const at = position === undefined ? null : position + done;
		done += fs.writeSync(descriptor, buffer, start + done, length - done, at);
	}
}
