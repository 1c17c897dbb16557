/** Bytes that are written without waiting for more. */
const MOST = 64 * 1024;

/**
 * Writes pieces that come in one turn of the event loop as one, so that a long log is not a chunk of HTTP and a system
 * call a line. `write` resolves when there is room for more.
 */
export class Gathered {
	private pieces: Uint8Array[] = [];
	private bytes = 0;
	private turn: NodeJS.Immediate | undefined;
	private failure: { readonly error: unknown } | undefined;

	constructor(private readonly write: (data: Uint8Array) => Promise<void>) {}

	/** Throws what the last write has thrown. */
	async add(piece: Uint8Array): Promise<void> {
		if (this.failure !== undefined) {
			throw this.failure.error;
		}
		this.pieces.push(piece);
		this.bytes += piece.length;
		if (this.bytes >= MOST) {
			return this.flush();
		}
		this.turn ??= setImmediate(() => {
			this.flush().catch((error: unknown) => {
				this.failure = { error };
			});
		});
	}

	/** Writes what is waiting. */
	async flush(): Promise<void> {
		clearImmediate(this.turn);
		this.turn = undefined;
		const { pieces } = this;
		this.pieces = [];
		this.bytes = 0;
		if (pieces.length > 0) {
			await this.write(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces));
		}
	}
}
