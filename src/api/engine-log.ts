import * as fs from 'node:fs';

/** Bytes; a log that has grown longer is moved to engine.log.1. */
const LONGEST_LOG = 4 * 1024 * 1024;

/** engine.log: one line per request and per event of the process's life, with the time. Never a credential. */
export class EngineLog {
	private descriptor: number;
	private size: number;

	constructor(private readonly file: string) {
		this.descriptor = fs.openSync(file, 'a', 0o600);
		this.size = fs.fstatSync(this.descriptor).size;
	}

	write(line: string): void {
		// A path or a name in it may hold anything; a line stays a line.
		const text = `${new Date().toISOString()} ${line.replace(/[\0-\x08\x0b-\x1f\x7f]/g, '?')}\n`;
		this.size += fs.writeSync(this.descriptor, text);
		if (this.size > LONGEST_LOG) {
			this.rotate();
		}
	}

	/** An error that ends the process or should not have been. */
	fault(error: unknown): void {
		this.write(`Fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
	}

	private rotate(): void {
		fs.renameSync(this.file, `${this.file}.1`);
		fs.closeSync(this.descriptor);
		this.descriptor = fs.openSync(this.file, 'a', 0o600);
		this.size = 0;
	}
}
