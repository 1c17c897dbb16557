import * as fs from 'node:fs';
import { messageOf, systemCode } from '../core/errors';

/** Bytes; a log that has grown longer is moved to engine.log.1. */
const LONGEST_LOG = 4 * 1024 * 1024;

/** engine.log: one line per request and per event of the process's life, with the time. Never a credential. */
export class EngineLog {
	private descriptor: number;
	private size: number;
	/** Lines in a row that could not be written, and why. */
	private missing = 0;
	private reason = '';
	private isTorn = false;

	constructor(private readonly file: string) {
		this.descriptor = fs.openSync(file, 'a', 0o600);
		this.size = fs.fstatSync(this.descriptor).size;
	}

	/** A disk that takes no more (the system's error) ends nothing: the next line that can be written tells of it. */
	write(line: string): void {
		const reason = refusalOf(() => {
			this.append(`${this.isTorn ? '\n' : ''}${this.gap()}${stamped(line)}`);
		});
		if (reason !== undefined) {
			this.missing++;
			this.reason = reason;
			return;
		}
		this.missing = 0;
		if (this.size > LONGEST_LOG) {
			// What fails is tried again after the next line.
			refusalOf(() => {
				this.rotate();
			});
		}
	}

	/** An error that ends the process or should not have been. */
	fault(error: unknown): void {
		this.write(`Fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
	}

	private gap(): string {
		return this.missing === 0 ? '' : stamped(`Warning: ${this.missing} lines are missing here: ${this.reason}`);
	}

	private append(text: string): void {
		const data = Buffer.from(text);
		for (let done = 0; done < data.length;) {
			done += fs.writeSync(this.descriptor, data, done);
			this.isTorn = done < data.length;
		}
		this.size += data.length;
	}

	private rotate(): void {
		// First what may fail for want of room: the file that is open stays the one that is written.
		const next = fs.openSync(`${this.file}.next`, 'a', 0o600);
		try {
			fs.renameSync(this.file, `${this.file}.1`);
			fs.renameSync(`${this.file}.next`, this.file);
		} catch (error) {
			fs.closeSync(next);
			throw error;
		}
		fs.closeSync(this.descriptor);
		this.descriptor = next;
		this.size = 0;
	}
}

/** Why the system did not let that be done; undefined when it did. */
function refusalOf(action: () => void): string | undefined {
	try {
		action();
		return undefined;
	} catch (error) {
		if (systemCode(error) === undefined) {
			throw error;
		}
		return messageOf(error);
	}
}

/** A path or a name in it may hold anything; a line stays a line. */
function stamped(line: string): string {
	return `${new Date().toISOString()} ${line.replace(/[\0-\x08\x0b-\x1f\x7f]/g, '?')}\n`;
}
