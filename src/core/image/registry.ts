/** Client of the distribution specification: reads manifests and blobs of one registry. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import { EngineError, systemCode } from '../errors';
import { Authorizer, parseChallenges } from './auth';
import type { Grant } from './auth';
import type { RegistryAuth } from './credentials';
import { digestOf, MANIFEST_ACCEPT, MAX_DOCUMENT_SIZE } from './manifest';
import type { Descriptor } from './manifest';
import { familiarName, formatReference, normalizedName } from './reference';
import type { Reference } from './reference';
import { connectionReason, isLoopback, readBody, Transport } from './transport';

/** How to reach a registry. Survives structured cloning, so that a worker can go on with the tokens of its parent. */
export interface RegistryAccess {
	/** As in references: "docker.io", "localhost:5000". */
	readonly host: string;
	readonly credentials?: RegistryAuth;
	/** When it has been found out already. */
	readonly protocol?: Protocol;
	readonly grants?: ReadonlyMap<string, Grant>;
}

export interface FetchedManifest {
	/** Exactly as sent, and of `digest`. */
	readonly bytes: Buffer;
	readonly digest: string;
	/** As the Content-Type header says. */
	readonly mediaType: string;
}

type Protocol = 'http:' | 'https:';

/** A request for a path below /v2/ of a repository. */
interface RegistryRequest {
	readonly reference: Reference;
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly signal: AbortSignal | undefined;
}

interface Answer {
	readonly response: IncomingMessage;
	/** False when a server answered that the registry redirected to. */
	readonly isFromRegistry: boolean;
}

const HUB = 'registry-1.docker.io';
const MAX_ERROR_BODY = 64 * 1024;
const MAX_REDIRECTS = 10;
const ATTEMPTS = 5;
/** Bytes of a blob after which a connection was worth it. */
const MIN_PROGRESS = 16 * 1024;
const FIRST_DELAY = 500;
const MAX_RETRY_AFTER = 60_000;

const errorsSchema = v.object({
	errors: v.pipe(
		v.array(v.object({ code: v.nullish(v.string(), ''), message: v.nullish(v.string(), '') })),
		v.minLength(1),
	),
});

/** A failure that another attempt may mend. */
class TemporaryError extends Error {
	constructor(
		readonly failure: EngineError,
		/** Milliseconds that the server asks for. */
		readonly wait?: number,
	) {
		super(failure.message, { cause: failure });
	}
}

/**
 * Reads from one registry: https, or plain http where the registry is on this machine. Requests are repeated after
 * network errors and after answers that say "later". Methods throw EngineError with docker's texts where it has one.
 */
export class Registry {
	private readonly transport = new Transport();
	private readonly authorizer: Authorizer;
	private readonly address: string;
	private protocol: Protocol | undefined;

	constructor(private readonly access: RegistryAccess) {
		this.address = access.host === 'docker.io' ? HUB : access.host;
		this.protocol = access.protocol ?? (isLoopback(hostOf(this.address)) ? undefined : 'https:');
		this.authorizer = new Authorizer(access.host, access.credentials, this.transport, new Map(access.grants));
	}

	/** What another Registry needs to go on where this one is. */
	handover(): RegistryAccess {
		const { host, credentials } = this.access;
		return {
			host,
			...(credentials === undefined ? {} : { credentials }),
			...(this.protocol === undefined ? {} : { protocol: this.protocol }),
			grants: new Map(this.authorizer.grants),
		};
	}

	/** The manifest or index of a tag or digest. */
	async manifest(reference: Reference, signal?: AbortSignal): Promise<FetchedManifest> {
		const name = reference.digest ?? reference.tag ?? 'latest';
		const response = await this.open({
			reference,
			path: `manifests/${name}`,
			headers: { accept: MANIFEST_ACCEPT },
			signal,
		});
		const bytes = await this.readDocument(response, reference, signal);
		const digest = digestOf(bytes);
		if (reference.digest !== undefined && digest !== reference.digest) {
			throw this.corrupt(reference, `the registry sent a manifest of digest ${digest}`);
		}
		return { bytes, digest, mediaType: response.headers['content-type'] ?? '' };
	}

	/** A small blob as a whole, its digest checked: an image configuration. */
	async document(reference: Reference, descriptor: Descriptor, signal?: AbortSignal): Promise<Buffer> {
		const chunks: Buffer[] = [];
		for await (const chunk of this.blob(reference, descriptor, signal)) {
			chunks.push(chunk);
		}
		const bytes = Buffer.concat(chunks);
		if (digestOf(bytes) !== descriptor.digest) {
			throw this.corrupt(reference, `blob ${descriptor.digest} does not have its digest`);
		}
		return bytes;
	}

	/**
	 * The bytes of a blob, exactly `descriptor.size` of them. After a broken connection it goes on where it was; so the
	 * whole must be checked against the digest by the caller.
	 */
	async *blob(reference: Reference, descriptor: Descriptor, signal?: AbortSignal): AsyncGenerator<Buffer> {
		let received = 0;
		let failures = 0;
		while (received < descriptor.size) {
			const before = received;
			let reason = 'the connection ended early';
			try {
				for await (const chunk of this.blobFrom(reference, descriptor, received, signal)) {
					received += chunk.length;
					yield chunk;
				}
			} catch (error) {
				signal?.throwIfAborted();
				if (error instanceof EngineError) {
					throw error;
				}
				reason = connectionReason(error);
			}
			// A server that gives a little on each connection must not keep us busy for ever.
			failures = received - before >= MIN_PROGRESS ? 0 : failures + 1;
			if (failures === ATTEMPTS) {
				throw this.unreachable(reference, reason);
			}
			if (received < descriptor.size && failures > 0) {
				await delay(FIRST_DELAY * 2 ** (failures - 1), undefined, { signal });
			}
		}
	}

	/** Ends all connections. */
	close(): void {
		this.transport.close();
	}

	/** One attempt at the bytes of a blob from `start` on. */
	private async *blobFrom(
		reference: Reference,
		descriptor: Descriptor,
		start: number,
		signal: AbortSignal | undefined,
	): AsyncGenerator<Buffer> {
		const headers: Record<string, string> = start === 0 ? {} : { range: `bytes=${start}-` };
		const response = await this.open({ reference, path: `blobs/${descriptor.digest}`, headers, signal });
		const isPart = response.statusCode === 206;
		if (isPart && !response.headers['content-range']?.startsWith(`bytes ${start}-`)) {
			response.destroy();
			throw this.corrupt(reference, `the registry sent another part of blob ${descriptor.digest}`);
		}
		let skip = isPart ? 0 : start; // a server that knows no ranges sends all of it again
		let left = descriptor.size - start;
		for await (const data of response) {
			const chunk = (data as Buffer).subarray(skip);
			skip = Math.max(0, skip - (data as Buffer).length);
			left -= chunk.length;
			if (left < 0) {
				throw this.corrupt(reference, `blob ${descriptor.digest} is larger than ${descriptor.size} bytes`);
			}
			yield chunk;
		}
	}

	private async readDocument(
		response: IncomingMessage,
		reference: Reference,
		signal: AbortSignal | undefined,
	): Promise<Buffer> {
		const bytes = await readBody(response, MAX_DOCUMENT_SIZE).catch((error: unknown) => {
			signal?.throwIfAborted();
			throw this.unreachable(reference, connectionReason(error), error);
		});
		if (bytes === undefined) {
			throw this.corrupt(reference, `its manifest is larger than ${MAX_DOCUMENT_SIZE} bytes`);
		}
		return bytes;
	}

	/** Sends the request until it succeeds or the failure is final. */
	private async open(request: RegistryRequest): Promise<IncomingMessage> {
		for (let attempt = 1; ; attempt++) {
			try {
				return await this.tryOpen(request);
			} catch (error) {
				request.signal?.throwIfAborted();
				if (!(error instanceof TemporaryError)) {
					throw error;
				}
				if (attempt === ATTEMPTS) {
					throw error.failure;
				}
				await delay(error.wait ?? FIRST_DELAY * 2 ** (attempt - 1), undefined, { signal: request.signal });
			}
		}
	}

	private async tryOpen(request: RegistryRequest): Promise<IncomingMessage> {
		const { response } = await this.sendAuthorized(request);
		const status = response.statusCode ?? 0;
		if (status === 200 || status === 206) {
			return response;
		}
		const failure = refusal(request, status, await readBody(response, MAX_ERROR_BODY));
		if (status === 429 || status >= 500) {
			throw new TemporaryError(failure, retryAfter(response.headers['retry-after']));
		}
		throw failure;
	}

	private async sendAuthorized(request: RegistryRequest): Promise<Answer> {
		const scope = `repository:${request.reference.repository}:pull`;
		const first = await this.send(request, this.authorizer.header(scope));
		const challenges = parseChallenges(first.response.headersDistinct['www-authenticate'] ?? []);
		// Only the registry itself may ask for credentials, not a server that it redirects to.
		if (first.response.statusCode !== 401 || challenges.length === 0 || !first.isFromRegistry) {
			return first;
		}
		const body = await readBody(first.response, MAX_ERROR_BODY);
		if (!(await this.authorizer.answer(challenges, scope, request.signal))) {
			throw refusal(request, 401, body);
		}
		return this.send(request, this.authorizer.header(scope));
	}

	/** Sends the request over https, or over what a registry on this machine turns out to speak. */
	private async send(request: RegistryRequest, authorization: string | undefined): Promise<Answer> {
		if (this.protocol !== undefined) {
			return this.follow(this.protocol, request, authorization);
		}
		const plain = await this.attempt('http:', request, authorization);
		// A TLS server answers plain text with status 400, with an alert or not at all.
		const isTls = plain.answer ? plain.answer.response.statusCode === 400 : mayBeTls(plain.failure);
		const encrypted = isTls ? await this.attempt('https:', request, authorization) : undefined;
		if (encrypted?.answer) {
			plain.answer?.response.destroy();
			this.protocol = 'https:';
			return encrypted.answer;
		}
		if (!plain.answer) {
			throw plain.failure;
		}
		this.protocol = 'http:';
		return plain.answer;
	}

	private async attempt(
		protocol: Protocol,
		request: RegistryRequest,
		authorization: string | undefined,
	): Promise<{ answer?: Answer; failure?: unknown }> {
		try {
			return { answer: await this.follow(protocol, request, authorization) };
		} catch (failure) {
			request.signal?.throwIfAborted();
			return { failure };
		}
	}

	/** Follows redirects. The authorization is for the registry alone and goes to no other origin. */
	private async follow(
		protocol: Protocol,
		request: RegistryRequest,
		authorization: string | undefined,
	): Promise<Answer> {
		const { reference, path } = request;
		const origin = new URL(`${protocol}//${this.address}/`);
		let url = new URL(`/v2/${reference.repository}/${path}`, origin);
		for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
			const isFromRegistry = url.origin === origin.origin;
			const headers = {
				...request.headers,
				...(isFromRegistry && authorization !== undefined ? { authorization } : {}),
			};
			const response = await this.exchange(url, headers, request);
			const location = response.headers.location;
			if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) {
				return { response, isFromRegistry };
			}
			response.destroy();
			url = this.redirected(reference, url, location);
		}
		throw this.corrupt(reference, `the registry redirects more than ${MAX_REDIRECTS} times`);
	}

	private redirected(reference: Reference, from: URL, location: string): URL {
		const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
		const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
		if (!url || !isSafe) {
			throw this.corrupt(reference, `the registry redirects to "${location}", which is not https`);
		}
		url.username = url.password = '';
		return url;
	}

	private async exchange(
		url: URL,
		headers: Readonly<Record<string, string>>,
		{ reference, signal }: RegistryRequest,
	): Promise<IncomingMessage> {
		try {
			return await this.transport.send(url, { headers, ...(signal === undefined ? {} : { signal }) });
		} catch (error) {
			signal?.throwIfAborted();
			const server = url.host === this.address ? '' : `${url.host}: `;
			const failure = this.unreachable(reference, server + connectionReason(error), error);
			// A registry that has just sent half a blob is coming back, one that never answered is not there.
			throw isFinal(error) && headers['range'] === undefined ? failure : new TemporaryError(failure);
		}
	}

	private unreachable(reference: Reference, reason: string, cause?: unknown): EngineError {
		const text = `Cannot pull image "${formatReference(reference)}": registry "${this.access.host}" does not answer: ${reason}`;
		return new EngineError('unreachable', text, { cause });
	}

	private corrupt(reference: Reference, reason: string): EngineError {
		return new EngineError('corrupt', `Cannot pull image "${formatReference(reference)}": ${reason}`);
	}
}

function hostOf(address: string): string {
	return address.replace(/:[0-9]+$/, '');
}

/** Nobody listens, no such host, or a certificate that is not trusted: the same tomorrow. */
function isFinal(error: unknown): boolean {
	const code = systemCode(error) ?? '';
	return /^(?:ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|EPROTO|CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(
		code,
	);
}

function mayBeTls(error: unknown): boolean {
	const failure = error instanceof TemporaryError ? error.failure : error;
	const code = failure instanceof EngineError ? systemCode(failure.cause) : undefined;
	return code !== undefined && /^(?:HPE_|ECONNRESET|EPIPE)/.test(code);
}

/** "Retry-After" in seconds or as a date, as milliseconds. */
function retryAfter(header: string | undefined): number | undefined {
	if (header === undefined) {
		return undefined;
	}
	const milliseconds = /^[0-9]+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
	return Number.isFinite(milliseconds) ? Math.min(Math.max(milliseconds, 0), MAX_RETRY_AFTER) : undefined;
}

/** The error for an answer that is not a success, with docker's text where it has one. */
function refusal({ reference, path }: RegistryRequest, status: number, body: Buffer | undefined): EngineError {
	const { code, text } = errorIn(body, status);
	const name = familiarName(normalizedName(reference));
	if (code === 'MANIFEST_UNKNOWN' || (code === '' && status === 404 && path.startsWith('manifests/'))) {
		const cause = text || 'manifest unknown: manifest unknown';
		return new EngineError('not-found', `manifest for ${formatReference(reference)} not found: ${cause}`);
	}
	if (code === 'NAME_UNKNOWN') {
		return new EngineError('not-found', `repository ${name} not found: ${text}`);
	}
	if (status === 401 || status === 403 || code === 'DENIED' || code === 'UNAUTHORIZED') {
		const cause = text || (status === 401 ? 'unauthorized: authentication required' : 'denied: access is denied');
		return new EngineError(
			status === 401 ? 'unauthorized' : 'denied',
			`pull access denied for ${name}, repository does not exist or may require 'docker login': ${cause}`,
		);
	}
	const reason = `registry "${reference.registry}" answered with status ${status}${text === '' ? '' : `: ${text}`}`;
	const isServerFault = status === 429 || status >= 500;
	return new EngineError(
		isServerFault ? 'unreachable' : status === 404 ? 'not-found' : 'internal',
		`Cannot pull image "${formatReference(reference)}": ${reason}`,
	);
}

/** The first error of the body, in docker's words: "manifest unknown: no such tag". */
function errorIn(body: Buffer | undefined, status: number): { code: string; text: string } {
	const parsed = v.safeParse(errorsSchema, jsonIn(body));
	const [first] = parsed.success ? parsed.output.errors : [];
	if (first === undefined || first.code === '') {
		return { code: '', text: status === 404 ? '' : (first?.message ?? '') };
	}
	return { code: first.code, text: `${first.code.toLowerCase().replace(/_/g, ' ')}: ${first.message}` };
}

function jsonIn(body: Buffer | undefined): unknown {
	try {
		return JSON.parse(body?.toString('utf8') ?? 'null');
	} catch (error) {
		if (error instanceof SyntaxError) {
			return null; // a proxy's HTML page
		}
		throw error;
	}
}
