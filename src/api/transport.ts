import type { Duplex } from 'node:stream';
import { sendRequest, type HttpAnswer, type HttpRequest } from './http-client';
import { IdleConnections } from './idle-connections';
import { connectSocket } from './unix-socket';

/** An answer of the engine that is not a success. `message` is the engine's own sentence. */
export class ApiError extends Error {
	override readonly name = 'ApiError';
	constructor(
		message: string,
		/** HTTP status; 0 for an error inside a stream whose status was already sent. */
		readonly status: number,
		/** core/errors' ErrorCode when our engine answered, else undefined. */
		readonly code: string | undefined,
	) {
		super(message);
	}
}

export interface Cancel {
	readonly signal?: AbortSignal;
}

export interface Call {
	readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
	/** Without the version prefix, "/containers/json"; names in it are already percent-encoded. */
	readonly path: string;
	/** Undefined values are left out. */
	readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
	readonly body?: object;
	/** A body that is not JSON, sent as it comes. Such a call is never repeated. */
	readonly content?: AsyncIterable<Uint8Array> | Uint8Array | undefined;
	readonly headers?: Readonly<Record<string, string>>;
	/** True when asking twice does no harm, so that it may be repeated after a lost connection; GET and HEAD are. */
	readonly isIdempotent?: boolean;
	readonly signal?: AbortSignal | undefined;
}

/** An engine that was reached, with the version that it named when it was asked; without one it is asked again. */
export interface EngineAddress {
	readonly socketPath: string;
	readonly apiVersion: string | undefined;
	/** What answers there, where it was asked. */
	readonly program?: EngineProgram;
	/** Opens a connection to an engine that no path leads to; `socketPath` is only its name then. */
	readonly dial?: () => Duplex;
}

export type EngineProgram = 'mydocker' | 'docker' | 'podman';

/** A way to an engine, as `exchange` needs it. */
type Way = Pick<EngineAddress, 'socketPath' | 'dial'>;

/** The newest API version whose answers this client knows. */
const NEWEST_VERSION = '1.47';
const OLDEST_VERSION = '1.24';
const LONGEST_ANSWER = 256 * 1024 * 1024;
const LONGEST_ERROR = 64 * 1024;

/**
 * HTTP over the engine's unix socket: finds the engine, agrees on the API version, repeats what may be repeated when
 * the engine has left, and turns refusals into ApiError and cancellation into AbortError.
 */
export class Transport {
	/** Where connecting takes a while, short reads share connections; all else has a connection of its own. */
	private readonly idle = new IdleConnections();
	private reached: Promise<string | EngineAddress> | undefined;
	private version: Promise<string> | undefined;

	constructor(private readonly connect: (signal?: AbortSignal) => Promise<string | EngineAddress>) {}

	/** The API version agreed with the engine, "1.41". */
	async apiVersion(signal?: AbortSignal): Promise<string> {
		this.version ??= this.negotiate();
		const version = this.version;
		try {
			return await cancellable(version, signal);
		} catch (error) {
			if (!isAbort(error) && this.version === version) {
				this.version = undefined;
			}
			throw error;
		}
	}

	/** The parsed JSON body. Its shape is what the engine says it is: `T` is not checked. */
	async json<T>(call: Call): Promise<T> {
		const response = await this.send(call, 'shared');
		const text = (await readAll(response, LONGEST_ANSWER, call.signal)).toString();
		try {
			return JSON.parse(text) as T;
		} catch (error) {
			throw new ApiError(
				`Cannot read the engine's answer to ${call.method} ${call.path}: it is not JSON (${String(error)})`,
				response.status,
				undefined,
			);
		}
	}

	/** For calls whose answer has no content. */
	async done(call: Call): Promise<void> {
		const response = await this.send(call, 'own');
		await readAll(response, LONGEST_ANSWER, call.signal);
	}

	/** Resolves when the headers have come. The body must be read, with `bodyOf`, or destroyed. */
	async open(call: Call): Promise<HttpAnswer> {
		return this.send(call, 'own');
	}

	/** Turns the connection into a two-way stream (101 Upgrade). */
	async upgrade(call: Call): Promise<{ readonly socket: Duplex; readonly contentType: string }> {
		const headers = { ...call.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
		const version = await this.apiVersion(call.signal);
		return this.withRetry(call, async (way) => {
			const answer = await exchange(way, { ...call, path: `/v${version}${call.path}`, headers });
			if (answer.socket !== undefined) {
				return { socket: answer.socket, contentType: answer.headers['content-type'] ?? '' };
			}
			const response = await refuseErrors(answer, call.signal);
			response.destroy();
			throw new ApiError(`The engine did not open a stream for ${call.path}`, response.status, undefined);
		});
	}

	private async send(call: Call, connection: 'shared' | 'own'): Promise<HttpAnswer> {
		const version = await this.apiVersion(call.signal);
		const idle = connection === 'shared' && call.method === 'GET' ? this.idle : undefined;
		return this.withRetry(call, async (way, isRepeated) => {
			const versioned = { ...call, path: `/v${version}${call.path}` };
			// Of idle connections more than one may have died with the engine.
			return refuseErrors(await exchange(way, versioned, isRepeated ? undefined : idle), call.signal);
		});
	}

	private async negotiate(): Promise<string> {
		const { apiVersion } = await this.address(undefined);
		if (apiVersion !== undefined) {
			return agreedVersion(apiVersion);
		}
		const call: Call = { method: 'GET', path: '/_ping' };
		const response = await this.withRetry(call, async (way) => {
			return refuseErrors(await exchange(way, call, this.idle), undefined);
		});
		await readAll(response, LONGEST_ERROR, undefined);
		return agreedVersion(response.headers['api-version']);
	}

	/** Asks `connect` again, once, when the engine is not there (any more). */
	private async withRetry<T>(call: Call, attempt: (way: Way, isRepeated: boolean) => Promise<T>): Promise<T> {
		const first = await this.address(call.signal);
		refuseForeign(call, first);
		try {
			return await attempt(first, false);
		} catch (error) {
			if (!mayRepeat(error, call)) {
				throw error;
			}
		}
		this.reached = undefined;
		return attempt(await this.address(call.signal), true);
	}

	private async address(signal: AbortSignal | undefined): Promise<EngineAddress> {
		signal?.throwIfAborted();
		// One question for all callers: none of them may cancel it for the others.
		this.reached ??= this.connect();
		const reached = this.reached;
		try {
			const address = await cancellable(reached, signal);
			return typeof address === 'string' ? { socketPath: address, apiVersion: undefined } : address;
		} catch (error) {
			if (!isAbort(error) && this.reached === reached) {
				this.reached = undefined;
			}
			throw error;
		}
	}
}

/** The body, piece by piece. Ends the connection when the reader stops early. */
export async function* bodyOf(
	response: AsyncIterable<Buffer>,
	signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
	try {
		yield* response;
	} catch (error) {
		throw asCallersError(error, signal);
	}
}

/** The version both sides know; docker's oldest when the engine names none. */
export function agreedVersion(engines: string | string[] | undefined): string {
	if (typeof engines !== 'string' || !/^\d+\.\d+$/.test(engines)) {
		return OLDEST_VERSION;
	}
	return isOlderVersion(engines, NEWEST_VERSION) ? engines : NEWEST_VERSION;
}

/** Compares "major.minor" numerically. */
export function isOlderVersion(version: string, other: string): boolean {
	const [major = 0, minor = 0] = version.split('.').map(Number);
	const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
	return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

/**
 * Calls of our own are not sent to an engine that is known to be another: Podman would answer with a page of its own
 * and Docker would take a dry run for a real one.
 */
function refuseForeign({ path, query }: Call, { program }: EngineAddress): void {
	const isOwn = path.startsWith('/mydocker/') || query?.['dry-run'] === true;
	if (isOwn && program !== undefined && program !== 'mydocker') {
		const name = program === 'docker' ? 'Docker' : 'Podman';
		throw new ApiError(`${name} cannot do this; only MyDocker's own engine can`, 501, 'unsupported');
	}
}

/**
 * One request and the head of its answer, without retry or version. Also used by the handshake in connect.ts. With
 * `idle`, a connection that was dialled comes from there and goes back.
 */
export async function exchange(way: Way | string, call: Call, idle?: IdleConnections): Promise<HttpAnswer> {
	const { socketPath, dial } = typeof way === 'string' ? { socketPath: way } : way;
	const kept = dial === undefined ? undefined : idle;
	try {
		return await sendRequest(kept?.take() ?? dial?.() ?? connectSocket(socketPath), {
			method: call.method,
			path: call.path + queryString(call.query),
			...requestBody(call),
			signal: call.signal,
			...(kept !== undefined && {
				keep: (connection: Duplex) => {
					kept.keep(connection);
				},
			}),
		});
	} catch (error) {
		throw asCallersError(error, call.signal);
	}
}

function requestBody({ method, body, content, headers }: Call): Pick<HttpRequest, 'headers' | 'body'> {
	if (content !== undefined) {
		return { headers: { 'Content-Type': 'application/x-tar', ...headers }, body: content };
	}
	if (body === undefined && method !== 'POST') {
		return { headers: { ...headers } };
	}
	const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
	return { headers: { ...type, ...headers }, body: Buffer.from(body === undefined ? '' : JSON.stringify(body)) };
}

async function refuseErrors(response: HttpAnswer, signal: AbortSignal | undefined) {
	const { status } = response;
	if (status < 400) {
		return response;
	}
	const text = (await readAll(response, LONGEST_ERROR, signal)).toString();
	const { message, code } = parseRefusal(text);
	throw new ApiError(message ?? `The engine answered ${status} ${response.reason}`.trim(), status, code);
}

/** {"message", "code"?} of our engine and Docker; a proxy or an old engine may answer with plain text. */
function parseRefusal(text: string): { message: string | undefined; code: string | undefined } {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		if (!(error instanceof SyntaxError)) {
			throw error;
		}
		return { message: text.trim() || undefined, code: undefined };
	}
	const member = (name: string): string | undefined => {
		const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
		return typeof found === 'string' && found !== '' ? found : undefined;
	};
	return { message: member('message'), code: member('code') };
}

async function readAll(response: HttpAnswer, limit: number, signal: AbortSignal | undefined) {
	const pieces: Buffer[] = [];
	let length = 0;
	for await (const piece of bodyOf(response, signal)) {
		length += piece.length;
		if (length > limit) {
			throw new Error(`Cannot read the engine's answer: it is longer than ${limit} bytes`);
		}
		pieces.push(piece);
	}
	return Buffer.concat(pieces);
}

function queryString(query: Call['query']): string {
	const parameters = new URLSearchParams();
	for (const [name, value] of Object.entries(query ?? {})) {
		if (value !== undefined) {
			parameters.set(name, value === true ? '1' : value === false ? '0' : String(value));
		}
	}
	return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

/**
 * A refused connection has carried no request, so anything may be sent again. A connection lost before the answer may
 * have carried it: only what may happen twice is repeated.
 */
function mayRepeat(error: unknown, call: Call): boolean {
	if (call.content !== undefined && !(call.content instanceof Uint8Array)) {
		return false; // a part of it may be gone
	}
	const code = errorCode(error);
	if (code === 'ECONNREFUSED' || code === 'ENOENT') {
		return true;
	}
	const isIdempotent = call.isIdempotent ?? (call.method === 'GET' || call.method === 'HEAD');
	return isIdempotent && (code === 'ECONNRESET' || code === 'EPIPE');
}

/** Node's code of a system error ("ENOENT"), or undefined. */
export function errorCode(error: unknown): string | undefined {
	return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** AbortError when the caller has cancelled, whatever that did to the connection; else the error itself. */
export function asCallersError(error: unknown, signal: AbortSignal | undefined): Error {
	if (signal?.aborted === true && !isAbort(error)) {
		return abortError(signal);
	}
	return error instanceof Error ? error : new Error(String(error));
}

export function abortError(signal: AbortSignal): Error {
	return new DOMException('The operation was cancelled', { name: 'AbortError', cause: signal.reason });
}

function isAbort(error: unknown): boolean {
	return error instanceof Error && error.name === 'AbortError';
}

/** Waits for what others wait for too: the signal ends this caller's wait only. */
async function cancellable<T>(shared: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
	if (signal === undefined) {
		return shared;
	}
	return new Promise((resolve, reject) => {
		const cancel = () => {
			reject(abortError(signal));
		};
		if (signal.aborted) {
			cancel();
			return;
		}
		signal.addEventListener('abort', cancel, { once: true });
		shared.then(resolve, reject).finally(() => {
			signal.removeEventListener('abort', cancel);
		});
	});
}
