import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { Duplex } from 'node:stream';

const LONGEST_WORDS = 4096;

/**
 * A program's input and output as one connection. The end of writing is the end of the program's input; a program that
 * ends on its own gives the end of reading, or, when it failed, an error with what it said last.
 */
export class ProgramStream extends Duplex {
	private words = '';

	/** `describe` makes the message of a failure from the program's last words. */
	constructor(
		private readonly program: ChildProcessWithoutNullStreams,
		private readonly describe: (words: string) => string,
	) {
		super({ allowHalfOpen: true });
		const { stdin, stdout, stderr } = program;
		stdout.on('data', (piece: Buffer) => {
			if (!this.push(piece)) {
				stdout.pause();
			}
		});
		stderr.on('data', (piece: Buffer) => {
			this.words = (this.words + piece.toString()).slice(-LONGEST_WORDS);
		});
		// A program that ended reads nothing more; its exit tells why.
		stdin.on('error', () => undefined);
		program.once('error', (error) => {
			this.destroy(new Error(this.describe(error.message), { cause: error }));
		});
		program.once('close', (code, signal) => {
			if (code === 0) {
				this.push(null);
			} else {
				this.destroy(new Error(this.describe(this.words.trim() || `it ended with ${code ?? signal ?? ''}`)));
			}
		});
	}

	override _read(): void {
		this.program.stdout.resume();
	}

	override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
		this.program.stdin.write(chunk, encoding, (error) => {
			// A program that reads no more is about to end, which tells why.
			if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) {
				done(error);
			}
		});
	}

	override _final(done: (error?: Error | null) => void): void {
		this.program.stdin.end(() => {
			done();
		});
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.program.kill();
		done(error);
	}

	/** What http.Agent asks of a connection that it keeps for later. */
	ref(): this {
		return this.each('ref');
	}

	unref(): this {
		return this.each('unref');
	}

	setKeepAlive(): this {
		return this;
	}

	setNoDelay(): this {
		return this;
	}

	setTimeout(): this {
		return this;
	}

	private each(verb: 'ref' | 'unref'): this {
		const { stdin, stdout, stderr } = this.program;
		for (const one of [this.program, stdin, stdout, stderr]) {
			// The types say streams; pipes of a child are sockets.
			const method: unknown = Reflect.get(one, verb);
			if (typeof method === 'function') {
				Reflect.apply(method, one, []);
			}
		}
		return this;
	}
}
