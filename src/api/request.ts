import { once } from 'node:events';
import type * as http from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import { EngineError } from '../core/errors';
import type { Containers } from '../core/container/containers';
import type { Events } from '../core/events';
import type { Images } from '../core/image/images';
import type { Registries } from '../core/image/registries';
import type { Networks } from '../core/network/networks';
import type { Finding } from '../core/system/doctor';
import type { EngineFacts } from '../core/system/info';
import type { Volumes } from '../core/volume/volumes';
import type { CommandLine } from './command-line';
import { parseFilters } from './filters';
import type { FilterValues } from './filters';
import { parseUnixTime } from './time';

/** What the routes work on. */
export interface Core {
	/** Folder of the store, absolute. */
	readonly root: string;
	readonly images: Images;
	readonly registries: Registries;
	readonly containers: Containers;
	readonly networks: Networks;
	readonly volumes: Volumes;
	readonly events: Events;
	/** By what bridge networks work; see network/way. */
	readonly bridgeWay: string;
	/** Waits, when it is first asked, until storage and runtime have been tried. */
	readonly facts: () => Promise<EngineFacts>;
	/** Looks at all that containers need on this machine. */
	readonly examine: () => Promise<readonly Finding[]>;
	readonly commandLine: CommandLine;
	/** Asks the process to leave; containers go on. */
	readonly shutdown: () => void;
}

/** A body longer than this is no container that anyone wrote. */
const LONGEST_BODY = 1024 * 1024;

/** One request: its parameters, checked as they are read, and the ways to answer it. */
export class ApiRequest {
	private readonly gone = new AbortController();
	private state: 'open' | 'answered' | 'streaming' = 'open';

	constructor(
		readonly core: Core,
		readonly incoming: http.IncomingMessage,
		private readonly response: http.ServerResponse,
		readonly parts: {
			/** API version that the client speaks, "1.47". */
			readonly version: string;
			/** Groups of the route's path, decoded. */
			readonly parameters: Readonly<Record<string, string>>;
			readonly query: URLSearchParams;
			/** When the client asked to upgrade the connection: the connection, and the body that came before. */
			readonly upgrade?: { readonly socket: Duplex; readonly body: Buffer } | undefined;
		},
	) {
		(parts.upgrade?.socket ?? response).once('close', () => {
			this.gone.abort();
		});
	}

	/** Aborts when the connection is gone, or the answer complete. */
	get signal(): AbortSignal {
		return this.gone.signal;
	}

	/** True as soon as a status has been sent. */
	get isAnswered(): boolean {
		return this.state !== 'open';
	}

	/** Breaks the connection: the only way left to tell a client that a stream is not complete. */
	cut(): void {
		(this.parts.upgrade?.socket ?? this.response).destroy();
	}

	/** Breaks the connection when it streams. */
	cutStream(): void {
		if (this.state === 'streaming') {
			this.cut();
		}
	}

	/** The body as it comes. Who stops reading leaves the rest to the server, which may still have an answer to give. */
	get content(): AsyncIterable<Buffer> {
		return contentOf(this.incoming);
	}

	parameter(name: string): string {
		const value = this.parts.parameters[name];
		if (value === undefined) {
			throw new TypeError(`The route has no parameter "${name}"`);
		}
		return value;
	}

	/** Undefined when it is not given or empty. */
	text(name: string): string | undefined {
		return this.parts.query.get(name) || undefined;
	}

	/** Docker's booleans: 1, true, yes, … and Python's True; "", 0, no, false and none are false. */
	flag(name: string): boolean {
		const value = (this.parts.query.get(name) ?? '').trim().toLowerCase();
		return !['', '0', 'no', 'false', 'none'].includes(value);
	}

	/** A whole number, or undefined when it is not given. */
	integer(name: string): number | undefined {
		const text = this.text(name);
		if (text === undefined) {
			return undefined;
		}
		if (!/^-?\d{1,9}$/.test(text)) {
			throw new EngineError('invalid', `strconv.Atoi: parsing "${text}": invalid syntax`);
		}
		return Number(text);
	}

	/** Unix nanoseconds of a time given in Unix seconds; undefined when it is not given or 0. */
	time(name: string): bigint | undefined {
		const text = this.text(name);
		if (text === undefined) {
			return undefined;
		}
		const time = parseUnixTime(text);
		if (time === undefined) {
			throw new EngineError('invalid', `invalid value for "${name}": "${text}" is not a Unix time`);
		}
		return time === 0n ? undefined : time;
	}

	filters(known: readonly string[]): FilterValues {
		return parseFilters(this.parts.query.get('filters'), known);
	}

	/** The JSON body, of any shape. */
	async body(): Promise<unknown> {
		const type = this.incoming.headers['content-type'] ?? '';
		if (!/^application\/json\s*(;|$)/.test(type)) {
			const reason = `unsupported Content-Type header (${type}): must be 'application/json'`;
			throw new EngineError('invalid', reason);
		}
		const body = this.parts.upgrade?.body ?? (await readBody(this.incoming));
		try {
			return JSON.parse(body.toString());
		} catch (error) {
			throw new EngineError('invalid', `invalid JSON: ${String(error)}`, { cause: error });
		}
	}

	json(value: unknown, status = 200): void {
		this.send(status, JSON.stringify(value) + '\n', 'application/json');
	}

	send(status: number, text: string, type: string): void {
		this.state = 'answered';
		const body = Buffer.from(text);
		this.response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length });
		this.response.end(this.incoming.method === 'HEAD' ? undefined : body);
	}

	/** Sets a header of the answer to come. */
	header(name: string, value: string): this {
		this.response.setHeader(name, value);
		return this;
	}

	/** For answers without content: 204, 304. */
	empty(status = 204): void {
		this.state = 'answered';
		this.response.writeHead(status).end();
	}

	/** Sends status 200 at once; the body comes with `write` and ends with `end`. */
	begin(type: string): void {
		this.state = 'streaming';
		this.response.writeHead(200, { 'Content-Type': type }).flushHeaders();
	}

	/** Sends a piece of the body; resolves when the client has room for more. Throws when it is gone. */
	async write(data: string | Uint8Array): Promise<void> {
		await writeTo(this.response, data, this.signal);
	}

	end(data?: string): void {
		this.response.end(data);
	}

	/**
	 * Makes the connection a two-way stream: by 101 when the client asked for it, else (dockerode) by an answer that
	 * goes on until the connection closes, with the request's body as input.
	 */
	hijack(type: string): { readonly input: Readable; readonly output: Writable } {
		this.state = 'streaming';
		const socket = this.parts.upgrade?.socket;
		if (socket === undefined) {
			this.response.useChunkedEncodingByDefault = false;
			this.response.writeHead(200, { 'Content-Type': type, Connection: 'close' }).flushHeaders();
			return { input: this.incoming, output: this.response };
		}
		this.response.statusCode = 101;
		socket.write(
			`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n` +
				`Api-Version: ${this.response.getHeader('Api-Version') as string}\r\n\r\n`,
		);
		return { input: socket, output: socket };
	}
}

function contentOf(incoming: Readable): AsyncIterable<Buffer> {
	return incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

async function readBody(incoming: Readable): Promise<Buffer> {
	const pieces: Buffer[] = [];
	let length = 0;
	for await (const piece of contentOf(incoming)) {
		length += piece.length;
		if (length > LONGEST_BODY) {
			throw tooLarge();
		}
		pieces.push(piece);
	}
	return Buffer.concat(pieces);
}

/**
 * Takes the body off an upgraded connection: Node hands it over right behind the headers, so the body is still in it,
 * before what the client streams (dockerode repeats its options there).
 */
export async function takeBody(socket: Duplex, headers: http.IncomingHttpHeaders): Promise<Buffer> {
	const length = Number(headers['content-length'] ?? 0);
	if (headers['transfer-encoding'] !== undefined) {
		throw new EngineError('invalid', 'Cannot upgrade connection: the body needs a Content-Length');
	}
	if (!(length <= LONGEST_BODY)) {
		throw tooLarge();
	}
	while (length > 0) {
		const body = socket.read(length) as Buffer | null;
		if (body !== null && body.length === length) {
			return body;
		}
		if (body !== null || socket.readableEnded || socket.destroyed) {
			throw new EngineError('invalid', 'unexpected EOF');
		}
		await once(socket, 'readable');
	}
	return Buffer.alloc(0);
}

function tooLarge(): EngineError {
	return new EngineError('invalid', `http: request body too large (more than ${LONGEST_BODY} bytes)`);
}

/** Writes with back-pressure: never more than one piece beyond the stream's own limit waits in memory. */
export async function writeTo(stream: Writable, data: string | Uint8Array, signal: AbortSignal): Promise<void> {
	signal.throwIfAborted();
	if (!stream.write(data)) {
		await once(stream, 'drain', { signal });
	}
}
