import type { Duplex } from 'node:stream';

/**
 * HTTP/1.1 (RFC 9112) over any connection, as far as a client of an engine needs it. Node's own client takes a third of
 * a short command's time to be loaded and set up.
 */
export interface HttpRequest {
	readonly method: string;
	/** With the query, percent-encoded. */
	readonly path: string;
	readonly headers: Readonly<Record<string, string | number>>;
	/** Sent with its length, or piece by piece. */
	readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
	/** Ends the connection, also while the answer is read. */
	readonly signal?: AbortSignal | undefined;
	/** Is given the connection when the answer was read to its end and another request may follow; else it is ended. */
	readonly keep?: (connection: Duplex) => void;
}

export interface HttpAnswer extends AsyncIterable<Buffer> {
	readonly status: number;
	readonly reason: string;
	/** By lower-case name; the values of a header that came several times are joined by ", ". */
	readonly headers: Readonly<Record<string, string | undefined>>;
	/** After 101 the connection, which is the caller's from now on. */
	readonly socket: Duplex | undefined;
	/** Ends the connection; whoever reads the body to its end, or stops in between, need not. */
	destroy(): void;
}

const LONGEST_HEAD = 64 * 1024;
/** Digits of a chunk's size that `chunks` reads; others are read one by one. */
const LONGEST_SIZE = 12;
const CRLF = 0x0d0a;
const LONGEST_CHUNK_LINE = 4096;

/**
 * Sends a request and gives its answer as soon as the head has come. Rejects with the connection's error, as the reading
 * of the body does: ECONNRESET where the other side ends too early. The body must be read or destroyed.
 */
export async function sendRequest(socket: Duplex, request: HttpRequest): Promise<HttpAnswer> {
	const reader = new ConnectionReader(socket);
	const over = new AbortController();
	try {
		request.signal?.throwIfAborted();
		const forget = endOnAbort(socket, request.signal);
		sendHeadAndBody(socket, request, over.signal);
		const answer = await readHead(reader);
		if (answer.status === 101) {
			reader.release();
			return { ...answer, ...bodyless(socket), socket };
		}
		const body = { length: bodyLength(request.method, answer), keep: keeper(request, answer), forget };
		return { ...answer, ...readBody(socket, reader, body), socket: undefined };
	} catch (error) {
		socket.destroy();
		throw error;
	} finally {
		// Who has answered reads no more of the body.
		over.abort();
	}
}

function sendHeadAndBody(socket: Duplex, request: HttpRequest, over: AbortSignal): void {
	const { body } = request;
	const head = requestHead(request);
	if (body === undefined || body instanceof Uint8Array) {
		socket.write(body === undefined ? head : Buffer.concat([head, body]));
		return;
	}
	socket.write(head);
	sendPieces(socket, body, over).catch((error: unknown) => {
		socket.destroy(error instanceof Error ? error : new Error(String(error)));
	});
}

/** A request with pieces may not have been taken whole when its answer comes. */
function keeper({ keep, body }: HttpRequest, { headers, isPersistent }: Head): HttpRequest['keep'] {
	const closes = /(^|,)\s*close\s*(,|$)/i.test(headers['connection'] ?? '');
	return isPersistent && !closes && (body === undefined || body instanceof Uint8Array) ? keep : undefined;
}

function requestHead({ method, path, headers, body, keep }: HttpRequest): Buffer {
	const connection = keep === undefined ? 'close' : 'keep-alive';
	const lines = Object.entries({ Host: 'localhost', Connection: connection, ...headers, ...bodyHeaders(body) });
	const text = [`${method} ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
	// A line break would begin another header, or another request (RFC 9112, 11.1).
	if (/[^\u0021-\u00ff]/.test(path) || text.some((line) => /[\r\n\0]|[^\u0000-\u00ff]/.test(line))) {
		throw new TypeError(`Cannot ask the engine for "${path}": a character that HTTP does not allow`);
	}
	return Buffer.from(`${text.join('\r\n')}\r\n\r\n`, 'latin1');
}

function bodyHeaders(body: HttpRequest['body']): Record<string, string | number> {
	if (body === undefined) {
		return {};
	}
	return body instanceof Uint8Array ? { 'Content-Length': body.length } : { 'Transfer-Encoding': 'chunked' };
}

/** Until the returned function is called. */
function endOnAbort(socket: Duplex, signal: AbortSignal | undefined): () => void {
	if (signal === undefined) {
		return () => undefined;
	}
	const cancel = () => {
		socket.destroy(new DOMException('The operation was cancelled', { name: 'AbortError', cause: signal.reason }));
	};
	signal.addEventListener('abort', cancel, { once: true });
	const forget = () => {
		signal.removeEventListener('abort', cancel);
		socket.off('close', forget);
	};
	socket.once('close', forget);
	return forget;
}

/** Sends as fast as the engine takes it, until it is `over`. */
async function sendPieces(socket: Duplex, pieces: AsyncIterable<Uint8Array>, over: AbortSignal): Promise<void> {
	for await (const piece of pieces) {
		if (over.aborted || socket.destroyed) {
			return;
		}
		// A chunk of no bytes would end the body.
		if (piece.length > 0 && !writeChunk(socket, piece)) {
			await drained(socket, over);
		}
	}
	if (!over.aborted) {
		socket.write('0\r\n\r\n');
	}
}

function writeChunk(socket: Duplex, piece: Uint8Array): boolean {
	socket.cork();
	socket.write(`${piece.length.toString(16)}\r\n`);
	socket.write(piece);
	const isTaken = socket.write('\r\n');
	socket.uncork();
	return isTaken;
}

async function drained(socket: Duplex, over: AbortSignal): Promise<void> {
	await new Promise<void>((resolve) => {
		const done = () => {
			socket.off('drain', done).off('close', done);
			over.removeEventListener('abort', done);
			resolve();
		};
		socket.once('drain', done).once('close', done);
		over.addEventListener('abort', done, { once: true });
	});
}

type Head = Pick<HttpAnswer, 'status' | 'reason' | 'headers'> & { readonly isPersistent: boolean };

/** Interim answers (1xx) are passed over, but 101, which is the last one in HTTP. */
async function readHead(reader: ConnectionReader): Promise<Head> {
	for (;;) {
		const line = await reader.line(LONGEST_HEAD);
		const [, minor, status = '', reason = ''] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: (.*))?$/.exec(line) ?? [];
		if (status === '') {
			throw new Error(`Cannot read the engine's answer: it begins with ${JSON.stringify(line.slice(0, 100))}`);
		}
		const headers = await readHeaders(reader, LONGEST_HEAD - line.length);
		if (Number(status) >= 200 || status === '101') {
			return { status: Number(status), reason, headers, isPersistent: minor === '1' };
		}
	}
}

async function readHeaders(reader: ConnectionReader, limit: number): Promise<Record<string, string>> {
	const headers: Record<string, string> = Object.create(null) as Record<string, string>;
	let left = limit;
	for (let line = await reader.line(left); line !== ''; line = await reader.line(left)) {
		left -= line.length + 2;
		const colon = line.indexOf(':');
		if (colon <= 0 || /\s/.test(line.slice(0, colon))) {
			throw new Error(`Cannot read the engine's answer: ${JSON.stringify(line.slice(0, 100))} is no header`);
		}
		const name = line.slice(0, colon).toLowerCase();
		const value = line.slice(colon + 1).trim();
		headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
	}
	return headers;
}

type BodyLength = number | 'chunked' | 'until closed';

/** RFC 9112, 6.3: a number of bytes, or how their end is told. */
function bodyLength(method: string, { status, headers }: Head): BodyLength {
	if (method === 'HEAD' || status === 204 || status === 304) {
		return 0;
	}
	const encoding = headers['transfer-encoding'];
	if (encoding !== undefined) {
		return /(^|,)\s*chunked$/i.test(encoding) ? 'chunked' : 'until closed';
	}
	const length = headers['content-length'];
	if (length === undefined) {
		return 'until closed';
	}
	const [first = '', ...others] = length.split(', ');
	if (!/^\d{1,15}$/.test(first) || others.some((other) => other !== first)) {
		throw new Error(`Cannot read the engine's answer: it has no valid length: ${JSON.stringify(length)}`);
	}
	return Number(first);
}

type Body = Pick<HttpAnswer, 'destroy'> & AsyncIterable<Buffer>;

function readBody(
	socket: Duplex,
	reader: ConnectionReader,
	body: { readonly length: BodyLength; readonly keep: HttpRequest['keep']; readonly forget: () => void },
): Body {
	const { length, keep, forget } = body;
	const finish = (isWhole: boolean) => {
		if (isWhole && keep !== undefined && length !== 'until closed' && reader.leave()) {
			forget();
			keep(socket);
			return;
		}
		socket.destroy();
	};
	if (length === 0) {
		finish(true);
		return bodyless(undefined);
	}
	async function* read(): AsyncGenerator<Buffer, void> {
		let isWhole = false;
		try {
			yield* length === 'chunked' ? readChunks(reader) : readBytes(reader, length);
			isWhole = true;
		} finally {
			finish(isWhole);
		}
	}
	const destroy = () => {
		socket.destroy();
	};
	return { destroy, [Symbol.asyncIterator]: read };
}

function bodyless(upgraded: Duplex | undefined): Body {
	return {
		destroy: () => {
			upgraded?.destroy();
		},
		async *[Symbol.asyncIterator]() {
			// There is nothing to give.
		},
	};
}

async function* readBytes(reader: ConnectionReader, length: number | 'until closed'): AsyncGenerator<Buffer> {
	let left = typeof length === 'number' ? length : Infinity;
	while (left > 0) {
		const piece = await reader.some(left);
		if (piece === undefined) {
			if (left === Infinity) {
				return;
			}
			throw endedEarly();
		}
		left -= piece.length;
		yield piece;
	}
}

async function* readChunks(reader: ConnectionReader): AsyncGenerator<Buffer> {
	for (;;) {
		const ready = reader.chunks();
		if (ready !== undefined) {
			yield ready;
			continue;
		}
		const line = await reader.line(LONGEST_CHUNK_LINE);
		const size = chunkSize(line);
		if (size === undefined) {
			throw new Error(
				`Cannot read the engine's answer: ${JSON.stringify(line.slice(0, 100))} is no chunk's size`,
			);
		}
		if (size === 0) {
			await readHeaders(reader, LONGEST_HEAD);
			return;
		}
		yield* readBytes(reader, size);
		if ((await reader.line(LONGEST_CHUNK_LINE)) !== '') {
			throw new Error("Cannot read the engine's answer: a chunk is longer than its size");
		}
	}
}

/** The size that a chunk's first line tells; undefined when it tells none. */
function chunkSize(line: string): number | undefined {
	const [, size] = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line) ?? [];
	return size === undefined ? undefined : parseInt(size, 16);
}

function endedEarly(): Error {
	return Object.assign(new Error('The engine closed the connection in the middle of its answer'), {
		code: 'ECONNRESET',
	});
}

/** Takes bytes of a socket when they are asked for, so that a slow reader slows the sender. */
class ConnectionReader {
	private held: Buffer = Buffer.alloc(0);
	private failure: Error | undefined;
	private isOver = false;
	private wake: () => void = () => undefined;

	constructor(private readonly socket: Duplex) {
		socket.on('readable', this.notice).on('end', this.end).on('close', this.end);
		// Stays behind `release`: an error that comes when nobody reads must not end the process.
		socket.on('error', this.fail);
	}

	/** The bytes up to the next line break, without it; as latin1. Rejects for a line longer than `limit` bytes. */
	async line(limit: number): Promise<string> {
		for (let from = 0; ;) {
			const end = this.held.indexOf(0x0a, from);
			if (end > limit || (end < 0 && this.held.length > limit)) {
				throw new Error(`Cannot read the engine's answer: a line is longer than ${limit} bytes`);
			}
			if (end >= 0) {
				const line = this.held.toString('latin1', 0, end);
				this.held = this.held.subarray(end + 1);
				return line.endsWith('\r') ? line.slice(0, -1) : line;
			}
			from = this.held.length;
			if (!(await this.fill())) {
				throw endedEarly();
			}
		}
	}

	/**
	 * What is in the whole chunks that are there already; undefined when none is, or the next one is the last or wrong.
	 * Engines send each line of a log as a chunk: one by one, a long log takes several times as long.
	 */
	chunks(): Buffer | undefined {
		const { held } = this;
		const pieces: Buffer[] = [];
		let at = 0;
		for (;;) {
			const lineEnd = held.indexOf('\r\n', at, 'latin1');
			const isShort = lineEnd >= 0 && lineEnd - at <= LONGEST_SIZE;
			const size = isShort ? (chunkSize(held.toString('latin1', at, lineEnd)) ?? 0) : 0;
			const end = lineEnd + 2 + size;
			if (size === 0 || held.length < end + 2 || held.readUInt16BE(end) !== CRLF) {
				break;
			}
			pieces.push(held.subarray(lineEnd + 2, end));
			at = end + 2;
		}
		this.held = held.subarray(at);
		return pieces.length === 0 ? undefined : Buffer.concat(pieces);
	}

	/** What is there, at least one byte and at most `limit`; undefined at the end. */
	async some(limit: number): Promise<Buffer | undefined> {
		if (this.held.length === 0 && !(await this.fill())) {
			return undefined;
		}
		const piece = this.held.subarray(0, limit);
		this.held = this.held.subarray(piece.length);
		return piece;
	}

	/** Leaves the connection to another reader, as if nothing behind the last line had been taken. */
	release(): void {
		const { held, socket } = this;
		this.forget();
		if (held.length > 0) {
			socket.unshift(held);
		}
	}

	/** Leaves an open connection of which all has been taken; false when it is neither. */
	leave(): boolean {
		if (this.held.length > 0 || this.isOver || this.failure !== undefined || this.socket.destroyed) {
			return false;
		}
		this.forget();
		this.socket.off('error', this.fail);
		return true;
	}

	private forget(): void {
		this.socket.off('readable', this.notice).off('end', this.end).off('close', this.end);
	}

	/** False when no more will come. */
	private async fill(): Promise<boolean> {
		for (;;) {
			const piece = this.socket.read() as Buffer | null;
			if (piece !== null) {
				this.held = this.held.length === 0 ? piece : Buffer.concat([this.held, piece]);
				return true;
			}
			if (this.failure !== undefined) {
				throw this.failure;
			}
			if (this.isOver) {
				return false;
			}
			await new Promise<void>((resolve) => {
				this.wake = resolve;
			});
		}
	}

	private readonly notice = (): void => {
		this.wake();
	};

	private readonly end = (): void => {
		this.isOver = true;
		this.wake();
	};

	private readonly fail = (error: Error): void => {
		this.failure = error;
		this.wake();
	};
}
