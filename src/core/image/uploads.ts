/** Writes to one repository of a registry (distribution-spec, "Push"). */
import * as fs from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { EngineError } from '../errors';
import { ATTEMPTS, backOff } from './attempts';
import { Connection } from './connection';
import type { Refusal, RegistryAccess, RegistryRequest } from './connection';
import type { Descriptor } from './manifest';
import { formatReference } from './reference';
import type { Reference } from './reference';
import { readBody } from './transport';

/** How a blob got there. */
export type Arrival = { readonly how: 'present' | 'uploaded' } | { readonly how: 'mounted'; readonly from: string };

export interface UploadOptions {
	/** Repositories of the same registry that have the blob already. */
	readonly mountFrom: readonly string[];
	/** Told how many bytes of the blob have been sent. */
	readonly onProgress: (sent: number) => void;
	readonly signal: AbortSignal;
}

/** Blobs longer than four of these are sent in pieces, so that a broken connection costs no more than one of them. */
const CHUNK = 64 * 1024 * 1024;
/** Bytes; servers in front of registries that refuse even less (status 413) are not set up for images. */
const LEAST_CHUNK = 512 * 1024;
/** Milliseconds: a registry may move and check a large blob before it answers. */
const COMMIT_IDLE = 300_000;
const MAX_ANSWER = 64 * 1024;
const PROGRESS_MILLISECONDS = 100;

export class Uploads {
	private readonly connection: Connection;
	private readonly base: string;

	constructor(
		access: RegistryAccess,
		private readonly reference: Reference,
		private readonly chunk = CHUNK,
	) {
		this.connection = new Connection(access);
		this.base = `/v2/${reference.repository}/`;
	}

	/** Ends all connections. */
	close(): void {
		this.connection.close();
	}

	/** Brings a blob, the content of `file`, to the repository: by name when it is there, else by its bytes. */
	async blob(descriptor: Descriptor, file: string, options: UploadOptions): Promise<Arrival> {
		const { signal } = options;
		if (await this.has(descriptor, signal)) {
			return { how: 'present' };
		}
		const [from] = options.mountFrom;
		let begun: IncomingMessage | undefined;
		if (from !== undefined) {
			begun = await this.mount(descriptor, from, signal);
			if (begun === undefined) {
				return { how: 'mounted', from };
			}
		}
		let chunk = descriptor.size > 4 * this.chunk ? this.chunk : descriptor.size;
		for (let attempt = 1; ; attempt++) {
			try {
				// A registry that did not like the pieces gets the whole at once.
				const size = attempt === 2 && chunk === this.chunk ? descriptor.size : chunk;
				await this.send(descriptor, file, options, { chunk: size, begun });
				return { how: 'uploaded' };
			} catch (error) {
				signal.throwIfAborted();
				if (error instanceof TooLarge && chunk > LEAST_CHUNK) {
					chunk = Math.max(Math.min(this.chunk, Math.floor(chunk / 4)), LEAST_CHUNK);
					attempt = 0;
				} else if (!(error instanceof EngineError) || error.code !== 'unreachable' || attempt === ATTEMPTS) {
					throw error;
				} else {
					await backOff(attempt, signal);
				}
			}
			begun = undefined; // an upload that went wrong is not gone on with
		}
	}

	/** Gives the manifest its tag. */
	async manifest(descriptor: Descriptor, bytes: Buffer, signal: AbortSignal): Promise<void> {
		await this.ask({
			target: `${this.base}manifests/${this.reference.tag ?? descriptor.digest}`,
			method: 'PUT',
			headers: { 'content-type': descriptor.mediaType, 'content-length': String(bytes.length) },
			body: bytes,
			statuses: [200, 201, 202],
			signal,
		});
	}

	private async has({ digest }: Descriptor, signal: AbortSignal): Promise<boolean> {
		const request = {
			target: `${this.base}blobs/${digest}`,
			method: 'HEAD' as const,
			statuses: [200, 404],
			signal,
		};
		return (await this.ask(request)).statusCode === 200;
	}

	/** Undefined when the registry has taken the blob over from the other repository, else an upload that has begun. */
	private async mount(
		{ digest }: Descriptor,
		from: string,
		signal: AbortSignal,
	): Promise<IncomingMessage | undefined> {
		const query = new URLSearchParams({ mount: digest, from });
		const response = await this.ask({
			target: `${this.base}blobs/uploads/?${query.toString()}`,
			method: 'POST',
			headers: { 'content-length': '0' },
			scope: `${this.scope} repository:${from}:pull`,
			statuses: [201, 202],
			signal,
		});
		return response.statusCode === 201 ? undefined : response;
	}

	/** `chunk`: bytes of a piece; `begun`: the registry's answer to the beginning of an upload that can be used. */
	private async send(
		descriptor: Descriptor,
		file: string,
		options: UploadOptions,
		{ chunk, begun }: { readonly chunk: number; readonly begun: IncomingMessage | undefined },
	): Promise<void> {
		const started = begun ?? (await this.begin(options.signal));
		const location = this.next(started);
		if (chunk >= descriptor.size) {
			await this.commit(descriptor, location, file, 0, options);
			return;
		}
		// distribution-spec, "Pushing a blob in chunks".
		const least = Number(/^\d{1,15}$/.exec(String(started.headers['oci-chunk-min-length']))?.[0] ?? 0);
		await this.sendPieces(descriptor, file, location, { ...options, chunk: Math.max(chunk, least) });
	}

	private begin(signal: AbortSignal): Promise<IncomingMessage> {
		return this.ask({
			target: `${this.base}blobs/uploads/`,
			method: 'POST',
			headers: { 'content-length': '0' },
			statuses: [202],
			signal,
		});
	}

	private async sendPieces(
		descriptor: Descriptor,
		file: string,
		location: URL,
		options: UploadOptions & { readonly chunk: number },
	): Promise<void> {
		let sent = 0;
		let target = location;
		let failures = 0;
		while (sent < descriptor.size) {
			const end = Math.min(sent + options.chunk, descriptor.size);
			try {
				const response = await this.ask({
					target,
					method: 'PATCH',
					headers: {
						'content-type': 'application/octet-stream',
						'content-length': String(end - sent),
						'content-range': `${sent}-${end - 1}`,
					},
					body: piece(file, sent, end, options.onProgress),
					statuses: [202],
					attempts: 1,
					signal: options.signal,
				});
				target = this.next(response);
				sent = end;
				failures = 0;
			} catch (error) {
				options.signal.throwIfAborted();
				failures++;
				if (!(error instanceof EngineError) || error.code !== 'unreachable' || failures === ATTEMPTS) {
					throw error;
				}
				await backOff(failures, options.signal);
				({ sent, target } = await this.progressOf(target, options.signal));
			}
		}
		await this.commit(descriptor, target, file, descriptor.size, options);
	}

	/** How much of an upload the registry has, and where it goes on. */
	private async progressOf(target: URL, signal: AbortSignal): Promise<{ sent: number; target: URL }> {
		const response = await this.ask({ target, method: 'GET', statuses: [204], signal });
		const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.headers.range ?? '')?.[1];
		// "0-0" is what registries say of an upload that has nothing.
		const sent = last === undefined || last === '0' ? 0 : Number(last) + 1;
		return { sent, target: response.headers.location === undefined ? target : this.next(response) };
	}

	private async commit(
		descriptor: Descriptor,
		location: URL,
		file: string,
		start: number,
		{ onProgress, signal }: UploadOptions,
	): Promise<void> {
		const target = new URL(location);
		target.searchParams.set('digest', descriptor.digest);
		const length = descriptor.size - start;
		await this.ask({
			target,
			method: 'PUT',
			headers: { 'content-type': 'application/octet-stream', 'content-length': String(length) },
			...(length === 0 ? {} : { body: piece(file, start, descriptor.size, onProgress) }),
			statuses: [201, 204],
			// What was half sent must not be sent to the same upload again.
			attempts: 1,
			idle: COMMIT_IDLE,
			signal,
		});
	}

	private next(response: IncomingMessage): URL {
		const location = response.headers.location;
		if (location === undefined) {
			const reason = 'the registry does not say where the upload goes';
			throw new EngineError('corrupt', `Cannot ${this.action}: ${reason}`);
		}
		return this.connection.resolve(this.action, location);
	}

	/** An answer whose body has been read. */
	private async ask(
		request: Omit<RegistryRequest, 'action' | 'scope' | 'explain'> & { readonly scope?: string },
	): Promise<IncomingMessage> {
		const response = await this.connection.open({
			scope: this.scope,
			...request,
			action: this.action,
			explain: (refusal) => explain(this.action, refusal),
		});
		await readBody(response, MAX_ANSWER).catch((error: unknown) => {
			request.signal?.throwIfAborted();
			throw this.connection.unreachable(this.action, String(error), error);
		});
		return response;
	}

	private get scope(): string {
		return `repository:${this.reference.repository}:pull,push`;
	}

	private get action(): string {
		return `push image "${formatReference(this.reference)}"`;
	}
}

/** The registry, or a server in front of it, takes no request of that size. */
class TooLarge extends EngineError {}

/** Docker's words for who may not push. */
function explain(action: string, { status, code, text }: Refusal): EngineError | undefined {
	if (status === 413) {
		const reason = 'the registry takes no request of that size (status 413)';
		return new TooLarge('denied', `Cannot ${action}: ${reason}`);
	}
	if (status === 401 || code === 'UNAUTHORIZED') {
		return new EngineError('unauthorized', text || 'unauthorized: authentication required');
	}
	if (status === 403 || code === 'DENIED') {
		return new EngineError('denied', text || 'denied: requested access to the resource is denied');
	}
	if (status === 405) {
		return new EngineError('unsupported', `Cannot ${action}: the registry takes no images${text && `: ${text}`}`);
	}
	return undefined;
}

/** A part of the file, as a body that can be asked for again. */
function piece(
	file: string,
	start: number,
	end: number,
	onProgress: (sent: number) => void,
): () => AsyncIterable<Uint8Array> {
	return async function* () {
		let sent = start;
		let last = 0;
		onProgress(sent);
		for await (const chunk of fs.createReadStream(file, { start, end: end - 1, highWaterMark: 256 * 1024 })) {
			yield chunk as Buffer;
			sent += (chunk as Buffer).length;
			const now = Date.now();
			if (now - last >= PROGRESS_MILLISECONDS) {
				last = now;
				onProgress(sent);
			}
		}
		onProgress(sent);
	};
}
