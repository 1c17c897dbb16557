/** Reads manifests and blobs of one repository (distribution-spec, "Pull"), from its mirrors or its own registry. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { EngineError, systemCode } from '../errors';
import { bodyOf } from './body';
import { ATTEMPTS, backOff } from './attempts';
import { Connection, shortened } from './connection';
import type { Refusal, RegistryAccess, RegistryRequest } from './connection';
import { digestOf, MANIFEST_ACCEPT, MAX_DOCUMENT_SIZE, parseDocument } from './manifest';
import type { Descriptor } from './manifest';
import { familiarName, formatReference, normalizedName } from './reference';
import type { Reference } from './reference';
import { connectionReason } from './transport';

export type { RegistryAccess } from './connection';

export interface FetchedManifest {
	/** Exactly as sent, and of `digest`. */
	readonly bytes: Buffer;
	readonly digest: string;
	/** As the Content-Type header says. */
	readonly mediaType: string;
	/** What it says, where that has been read already. */
	readonly document?: ReturnType<typeof parseDocument> | undefined;
}

export interface BlobOptions {
	readonly start?: number;
	readonly signal?: AbortSignal;
	/** Of `ask`, where nothing of the blob is there yet. */
	readonly answer?: Promise<IncomingMessage> | undefined;
}

interface ReadOptions {
	readonly start: number;
	readonly signal: AbortSignal | undefined;
	readonly first?: Promise<IncomingMessage> | undefined;
}

/** Status of an answer to a range that the server does not have. */
const UNFIT_RANGE = 416;
/** Bytes of a blob after which a connection was worth it, and the least that must come in the time of a dead server. */
const MIN_PROGRESS = 16 * 1024;

/**
 * Reads from the sources in their order: what one of them does not give, the next one is asked for. Methods throw
 * EngineError with docker's texts where it has one; what the last source says counts.
 */
export class Registry {
	private readonly sources: readonly Connection[];
	private users = 1;

	constructor(accesses: readonly RegistryAccess[]) {
		this.sources = accesses.map((access) => new Connection(access));
	}

	/** The same, for one more who will close it. */
	share(): this {
		this.users++;
		return this;
	}

	/** What another Registry needs to go on where this one is. */
	handover(): readonly RegistryAccess[] {
		return this.sources.map((source) => source.handover());
	}

	/** The manifest or index of a tag or digest. */
	async manifest(reference: Reference, signal?: AbortSignal): Promise<FetchedManifest> {
		return this.fromFirst(signal, (source) => this.manifestFrom(source, reference, signal));
	}

	/**
	 * The digest of what a tag names now, of which no pull limit takes account (distribution-spec, "Pulling manifests":
	 * HEAD); "" where the first source does not say it.
	 */
	async digest(reference: Reference, signal?: AbortSignal): Promise<string> {
		const [source] = this.sources;
		if (source === undefined) {
			return '';
		}
		try {
			const request = pullRequest(
				source,
				reference,
				manifestPath(reference),
				{ accept: MANIFEST_ACCEPT },
				signal,
			);
			const response = await source.open({ ...request, method: 'HEAD' });
			response.destroy();
			return digestIn(response.headers);
		} catch (error) {
			signal?.throwIfAborted();
			if (!(error instanceof EngineError) || (error.code === 'unreachable' && this.sources.length === 1)) {
				throw error;
			}
			return '';
		}
	}

	/** A small blob as a whole, its digest checked: an image configuration. */
	async document(reference: Reference, descriptor: Descriptor, signal?: AbortSignal): Promise<Buffer> {
		return this.fromFirst(signal, async (source) => {
			const chunks: Buffer[] = [];
			for await (const chunk of this.blobOf(source, reference, descriptor, { start: 0, signal })) {
				chunks.push(Buffer.from(chunk));
			}
			const bytes = Buffer.concat(chunks);
			if (digestOf(bytes) !== descriptor.digest) {
				throw corrupt(reference, `blob ${descriptor.digest} does not have its digest`);
			}
			return bytes;
		});
	}

	/** Sends the request for a blob to the first source, whose answer `blob` can begin with. It may come to nothing. */
	ask(reference: Reference, descriptor: Descriptor, signal: AbortSignal): Promise<IncomingMessage> {
		const [source] = this.sources;
		if (source === undefined) {
			throw new TypeError('A registry has at least one source');
		}
		const answer = source.open(pullRequest(source, reference, `blobs/${descriptor.digest}`, {}, signal));
		answer.then(
			// Whoever takes it looks whether it broke meanwhile.
			(response) => response.on('error', () => undefined),
			() => undefined,
		);
		return answer;
	}

	/**
	 * The bytes of a blob from `start` on, up to exactly `descriptor.size`. After a broken connection it goes on where it
	 * was, with the next source where there is one; so the whole must be checked against the digest by the caller. Each chunk
	 * is only valid until the next one is asked for.
	 */
	async *blob(
		reference: Reference,
		descriptor: Descriptor,
		{ start = 0, signal, answer }: BlobOptions = {},
	): AsyncGenerator<Buffer> {
		let received = start;
		for (const [index, source] of this.sources.entries()) {
			const from = { start: received, signal, first: index === 0 ? answer : undefined };
			try {
				for await (const chunk of this.blobOf(source, reference, descriptor, from)) {
					received += chunk.length;
					yield chunk;
				}
				return;
			} catch (error) {
				signal?.throwIfAborted();
				if (!(error instanceof EngineError) || index === this.sources.length - 1) {
					throw error;
				}
			}
		}
	}

	/** Ends all connections, when nobody else shares them. */
	close(): void {
		if (--this.users > 0) {
			return;
		}
		for (const source of this.sources) {
			source.close();
		}
	}

	private async fromFirst<T>(signal: AbortSignal | undefined, read: (source: Connection) => Promise<T>): Promise<T> {
		let failure: unknown;
		for (const source of this.sources) {
			try {
				return await read(source);
			} catch (error) {
				signal?.throwIfAborted();
				if (!(error instanceof EngineError)) {
					throw error;
				}
				failure = error;
			}
		}
		throw failure;
	}

	private async manifestFrom(
		source: Connection,
		reference: Reference,
		signal: AbortSignal | undefined,
	): Promise<FetchedManifest> {
		const request = pullRequest(source, reference, manifestPath(reference), { accept: MANIFEST_ACCEPT }, signal);
		const { response, body } = await source.read(request, MAX_DOCUMENT_SIZE);
		const digest = digestOf(body);
		if (reference.digest !== undefined && digest !== reference.digest) {
			throw corrupt(reference, `the registry sent a manifest of digest ${digest}`);
		}
		const mediaType = response.headers['content-type'] ?? '';
		const document = reference.digest === undefined ? read(source, reference, body, mediaType) : undefined;
		return { bytes: body, digest, mediaType, document };
	}

	private async *blobOf(
		source: Connection,
		reference: Reference,
		descriptor: Descriptor,
		{ start, signal, first }: ReadOptions,
	): AsyncGenerator<Buffer> {
		let received = start;
		let failures = 0;
		let answer = first;
		while (received < descriptor.size) {
			const before = received;
			let reason = '';
			const options = { start: received, signal, first: answer };
			answer = undefined;
			try {
				for await (const chunk of this.blobFrom(source, reference, descriptor, options)) {
					received += chunk.length;
					yield chunk;
				}
			} catch (error) {
				signal?.throwIfAborted();
				if (error instanceof EngineError) {
					throw error;
				}
				reason = systemCode(error) === 'ECONNRESET' ? '' : `: ${connectionReason(error)}`; // "aborted"
			}
			// A server that gives a little on each connection must not keep us busy for ever.
			failures = received - before >= MIN_PROGRESS ? 0 : failures + 1;
			if (failures === ATTEMPTS) {
				const place = `in the middle of blob ${descriptor.digest}`;
				throw source.brokenOff(`pull image "${formatReference(reference)}"`, place + reason);
			}
			if (received < descriptor.size && failures > 0) {
				await backOff(failures, signal);
			}
		}
	}

	/** Asks for a blob from `start` on, and for the whole where the server has not that part. */
	private async openBlob(
		source: Connection,
		reference: Reference,
		descriptor: Descriptor,
		{ start, signal }: ReadOptions,
	): Promise<IncomingMessage> {
		const path = `blobs/${descriptor.digest}`;
		if (start > 0) {
			const headers = { range: `bytes=${start}-` };
			const statuses = [200, 206, UNFIT_RANGE];
			const response = await source.open({ ...pullRequest(source, reference, path, headers, signal), statuses });
			if (isFrom(start, response)) {
				return response;
			}
			response.destroy();
		}
		const response = await source.open(pullRequest(source, reference, path, {}, signal));
		if (!isFrom(0, response)) {
			response.destroy();
			throw corrupt(reference, `the registry sent another part of blob ${descriptor.digest}`);
		}
		return response;
	}

	/** One attempt at the bytes of a blob from `start` on. */
	private async *blobFrom(
		source: Connection,
		reference: Reference,
		descriptor: Descriptor,
		{ start, signal, first }: ReadOptions,
	): AsyncGenerator<Buffer> {
		const early = await first;
		signal?.throwIfAborted();
		const response =
			early?.destroyed === false ? early : await this.openBlob(source, reference, descriptor, { start, signal });
		const pace = new Pace(source.transport.idle);
		let skip = response.statusCode === 206 ? 0 : start; // a server that knows no ranges sends all of it again
		let left = descriptor.size - start;
		for await (const data of bodyOf(response)) {
			pace.count(data.length);
			const chunk = data.subarray(skip);
			skip = Math.max(0, skip - data.length);
			left -= chunk.length;
			if (left < 0) {
				throw corrupt(reference, `blob ${descriptor.digest} is larger than ${descriptor.size} bytes`);
			}
			yield chunk;
		}
	}
}

/** A tag says nothing of what it stands for: the answer may be the page of a network that wants a login first. */
function read(
	source: Connection,
	reference: Reference,
	bytes: Buffer,
	mediaType: string,
): ReturnType<typeof parseDocument> {
	try {
		return parseDocument(bytes, mediaType);
	} catch (error) {
		if (!(error instanceof EngineError)) {
			throw error;
		}
		const reason = `registry "${source.access.host}" sent no image that can be used: ${shortened(error.message)}`;
		throw new EngineError(error.code, `Cannot pull image "${formatReference(reference)}": ${reason}`, {
			cause: error,
		});
	}
}

function isFrom(start: number, { statusCode, headers }: IncomingMessage): boolean {
	return (
		statusCode === 200 || (statusCode === 206 && headers['content-range']?.startsWith(`bytes ${start}-`) === true)
	);
}

/** Refuses a connection on which bytes come, but too few to ever arrive. */
class Pace {
	private since = Date.now();
	private bytes = 0;

	constructor(private readonly milliseconds: number) {}

	count(bytes: number): void {
		this.bytes += bytes;
		const now = Date.now();
		if (now - this.since < this.milliseconds) {
			return;
		}
		if (this.bytes < MIN_PROGRESS) {
			throw new Error(`only ${this.bytes} bytes came in ${Math.round((now - this.since) / 1000)} seconds`);
		}
		this.since = now;
		this.bytes = 0;
	}
}

/** Of what the reference names, behind the repository's own path. */
export function manifestPath({ digest, tag = 'latest' }: Reference): string {
	return `manifests/${digest ?? tag}`;
}

/** What it says; throws as parseDocument. */
export function documentOf({
	bytes,
	mediaType,
	document,
}: Omit<FetchedManifest, 'digest'>): ReturnType<typeof parseDocument> {
	return document ?? parseDocument(bytes, mediaType);
}

/** What the answer to a request for a manifest says of its digest; "" when it is none. */
export function digestIn(headers: IncomingHttpHeaders): string {
	const digest = headers['docker-content-digest'];
	return typeof digest === 'string' && /^[a-z0-9]+:[0-9a-f]{32,128}$/.test(digest) ? digest : '';
}

function pullRequest(
	source: Connection,
	reference: Reference,
	path: string,
	headers: Readonly<Record<string, string>>,
	signal: AbortSignal | undefined,
): RegistryRequest {
	const repository = source.access.repository ?? reference.repository;
	return {
		action: `pull image "${formatReference(reference)}"`,
		target: `/v2/${repository}/${path}`,
		headers,
		scope: `repository:${repository}:pull`,
		explain: (refusal) => explain(reference, path, refusal),
		signal,
	};
}

/** The error for an answer that is not a success, with docker's text where it has one. */
function explain(reference: Reference, path: string, { status, code, text }: Refusal): EngineError | undefined {
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
	return undefined;
}

function corrupt(reference: Reference, reason: string): EngineError {
	return new EngineError('corrupt', `Cannot pull image "${formatReference(reference)}": ${reason}`);
}
