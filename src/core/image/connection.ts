/** Requests to one registry of the distribution specification: protocol, authorization, redirects, repetition. */
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { EngineError, systemCode } from '../errors';
import type { ErrorCode } from '../errors';
import {
	ATTEMPTS,
	backOff,
	isTemporary,
	isTooLong,
	longWait,
	MIRROR_ATTEMPTS,
	retryAfter,
	TemporaryError,
} from './attempts';
import { Authorizer, parseChallenges } from './auth';
import type { Grant } from './auth';
import type { RegistryAuth } from './credentials';
import { isPlainText, tlsReason } from './tls-reason';
import { connectionReason, isLoopback, readBody, Transport } from './transport';
import type { HttpRequest, TransportOptions } from './transport';

/** How to reach a registry. Survives structured cloning, so that a worker can go on with the tokens of its parent. */
export interface RegistryAccess {
	/** As in references: "docker.io", "localhost:5000". */
	readonly host: string;
	readonly credentials?: RegistryAuth;
	/** The repository's name there, when it is not that of the reference: a mirror's. */
	readonly repository?: string;
	readonly isMirror?: boolean;
	readonly transport?: TransportOptions;
	/** When it has been found out already, or is prescribed. */
	readonly protocol?: Protocol;
	readonly grants?: ReadonlyMap<string, Grant>;
}

export type Protocol = 'http:' | 'https:';

export interface RegistryRequest {
	/** What is being done, for messages: `pull image "nginx"`. */
	readonly action: string;
	/** An absolute path, "/v2/…", or an address that the registry gave. */
	readonly target: string | URL;
	readonly method?: NonNullable<HttpRequest['method']>;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: NonNullable<HttpRequest['body']>;
	/** Token scopes that it needs: "repository:a:pull"; several are parted by blanks. */
	readonly scope: string;
	/** Statuses that are a success; 200 and 206 by default. */
	readonly statuses?: readonly number[];
	/** Tells what a refusal means; undefined leaves it to the general words. */
	readonly explain?: (refusal: Refusal) => EngineError | undefined;
	/** Milliseconds; see HttpRequest. */
	readonly idle?: number;
	/** Times that it may be sent. */
	readonly attempts?: number;
	readonly signal: AbortSignal | undefined;
}

/** An answer that is no success. */
export interface Refusal {
	readonly status: number;
	/** Of the distribution specification, "MANIFEST_UNKNOWN"; "" when the body has none. */
	readonly code: string;
	/** In docker's words: "manifest unknown: no such tag". */
	readonly text: string;
}

interface Answer {
	readonly response: IncomingMessage;
	/** False when a server answered that the registry redirected to. */
	readonly isFromRegistry: boolean;
}

const HUB = 'registry-1.docker.io';
export const MAX_ERROR_BODY = 64 * 1024;
const MAX_REDIRECTS = 10;
const MAX_PORT = 65_535;
/** Characters of a server's own words in a message. */
const LONGEST_WORDS = 500;

const errorsSchema = v.object({
	errors: v.pipe(
		v.array(v.object({ code: v.nullish(v.string(), ''), message: v.nullish(v.string(), '') })),
		v.minLength(1),
	),
});

/**
 * Talks to one registry: https, or plain http where the registry is on this machine or said to be insecure. Requests
 * are repeated after network errors and after answers that say "later". Methods throw EngineError.
 */
export class Connection {
	readonly transport: Transport;
	private readonly authorizer: Authorizer;
	private readonly address: string;
	private protocol: Protocol | undefined;

	/** `isLogin`: asks token services for a token that can be kept. Throws EngineError "invalid" for an address that is none. */
	constructor(
		readonly access: RegistryAccess,
		isLogin = false,
	) {
		this.transport = new Transport(access.transport);
		this.address = access.host === 'docker.io' ? HUB : access.host;
		if (!URL.canParse(`http://${this.address}/`)) {
			throw new EngineError('invalid', `Cannot reach registry "${access.host}": ${addressFault(this.address)}`);
		}
		const mayBePlain = this.transport.isInsecure(new URL(`http://${this.address}/`));
		this.protocol = access.protocol ?? (mayBePlain ? undefined : 'https:');
		const grants = new Map(access.grants);
		this.authorizer = new Authorizer(access.host, access.credentials, this.transport, grants, isLogin);
	}

	/** What another Connection needs to go on where this one is. */
	handover(): RegistryAccess {
		return {
			...this.access,
			...(this.protocol === undefined ? {} : { protocol: this.protocol }),
			grants: new Map(this.authorizer.grants),
		};
	}

	/** A refresh token that the token service gave on the way, in place of the password. */
	get identityToken(): string | undefined {
		return this.authorizer.identityToken;
	}

	/** Ends all connections. */
	close(): void {
		this.transport.close();
	}

	/** Sends the request until it succeeds or the failure is final. The body must be read or destroyed. */
	async open(request: RegistryRequest): Promise<IncomingMessage> {
		const attempts = request.attempts ?? (this.access.isMirror === true ? MIRROR_ATTEMPTS : ATTEMPTS);
		for (let attempt = 1; ; attempt++) {
			try {
				return await this.tryOpen(request);
			} catch (error) {
				request.signal?.throwIfAborted();
				if (!(error instanceof TemporaryError)) {
					throw error;
				}
				if (attempt === attempts || isTooLong(error.wait)) {
					throw error.failure;
				}
				await backOff(attempt, request.signal, error.wait);
			}
		}
	}

	/** Sends the request and reads its answer as a whole, as far as it is not longer than `limit` bytes. */
	async read(request: RegistryRequest, limit: number): Promise<{ response: IncomingMessage; body: Buffer }> {
		const response = await this.open(request);
		const body = await readBody(response, limit, 5 * this.transport.idle).catch((error: unknown) => {
			request.signal?.throwIfAborted();
			const reason = systemCode(error) === 'ECONNRESET' ? '' : `: ${connectionReason(error)}`; // "aborted"
			throw this.brokenOff(request.action, `in the middle of its answer${reason}`, error);
		});
		if (body === undefined) {
			throw new EngineError(
				'corrupt',
				`Cannot ${request.action}: the registry's answer is larger than ${limit} bytes`,
			);
		}
		return { response, body };
	}

	/** The error of a server that does not do its part. */
	unreachable(action: string, reason: string, cause?: unknown): EngineError {
		const text = `Cannot ${action}: registry "${this.access.host}" does not answer: ${reason}`;
		return new EngineError('unreachable', text, { cause });
	}

	/** The error of a server that has begun to answer; `where` says how far it came, and why not further. */
	brokenOff(action: string, where: string, cause?: unknown): EngineError {
		const text = `Cannot ${action}: the connection to registry "${this.access.host}" broke off ${where}`;
		return new EngineError('unreachable', text, { cause });
	}

	/** Where an upload or a next page goes on: an address that the registry gave. */
	resolve(action: string, location: string): URL {
		const base = new URL(`${this.protocol ?? 'https:'}//${this.address}/`);
		return this.redirected(action, base, location);
	}

	private async tryOpen(request: RegistryRequest): Promise<IncomingMessage> {
		const { response } = await this.sendAuthorized(request);
		const status = response.statusCode ?? 0;
		if ((request.statuses ?? [200, 206]).includes(status)) {
			return response;
		}
		const wait = retryAfter(response.headers['retry-after']);
		const failure = await this.refusal(request, response, wait);
		if (isTemporary(status)) {
			throw new TemporaryError(failure, wait);
		}
		throw failure;
	}

	private async sendAuthorized(request: RegistryRequest): Promise<Answer> {
		const { scope } = request;
		const first = await this.send(request, this.authorizer.header(scope));
		const challenges = parseChallenges(first.response.headersDistinct['www-authenticate'] ?? []);
		// Only the registry itself may ask for credentials, not a server that it redirects to.
		if (first.response.statusCode !== 401 || challenges.length === 0 || !first.isFromRegistry) {
			return first;
		}
		const refused = await this.refusal(request, first.response, undefined);
		if (!(await this.authorizer.answer(challenges, scope, request.signal))) {
			throw refused;
		}
		return this.send(request, this.authorizer.header(scope));
	}

	/** Sends the request over https, or over what a registry on this machine turns out to speak. */
	private async send(request: RegistryRequest, authorization: string | undefined): Promise<Answer> {
		if (this.protocol !== undefined) {
			return this.follow(this.protocol, request, authorization);
		}
		// On this machine registries mostly speak plain HTTP; elsewhere credentials are better kept for TLS first.
		return isLoopback(hostOf(this.address))
			? this.probePlain(request, authorization)
			: this.probeTls(request, authorization);
	}

	private async probePlain(request: RegistryRequest, authorization: string | undefined): Promise<Answer> {
		const plain = await this.attempt('http:', request, authorization);
		// A TLS server answers plain text with status 400, with an alert or not at all.
		const isTls = plain.answer ? plain.answer.response.statusCode === 400 : mayBeTls(plain.failure);
		const encrypted = isTls ? await this.attempt('https:', request, authorization) : undefined;
		if (encrypted?.answer) {
			plain.answer?.response.destroy();
			this.protocol = 'https:';
			return encrypted.answer;
		}
		if (encrypted && hasSpokenTls(encrypted.failure)) {
			plain.answer?.response.destroy();
			throw encrypted.failure;
		}
		if (!plain.answer) {
			throw plain.failure;
		}
		this.protocol = 'http:';
		return plain.answer;
	}

	private async probeTls(request: RegistryRequest, authorization: string | undefined): Promise<Answer> {
		const encrypted = await this.attempt('https:', request, authorization);
		if (encrypted.answer) {
			this.protocol = 'https:';
			return encrypted.answer;
		}
		const plain = await this.attempt('http:', request, authorization);
		if (!plain.answer) {
			throw isPlainText(causeOf(encrypted.failure)) ? plain.failure : encrypted.failure;
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
		const origin = new URL(`${protocol}//${this.address}/`);
		const isReading = request.method === undefined || request.method === 'GET' || request.method === 'HEAD';
		let url = new URL(request.target, origin);
		for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
			const isFromRegistry = url.origin === origin.origin;
			const headers = {
				...request.headers,
				...(isFromRegistry && authorization !== undefined ? { authorization } : {}),
			};
			const response = await this.exchange(url, headers, request);
			const location = response.headers.location;
			const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0);
			if (!isReading || !isRedirect || location === undefined) {
				return { response, isFromRegistry };
			}
			response.destroy();
			url = this.redirected(request.action, url, location);
		}
		const reason = `the registry redirects more than ${MAX_REDIRECTS} times`;
		throw new EngineError('corrupt', `Cannot ${request.action}: ${reason}`);
	}

	private redirected(action: string, from: URL, location: string): URL {
		const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
		const isSafe =
			url?.protocol === 'https:' ||
			(url?.protocol === 'http:' && (this.transport.isInsecure(url) || url.origin === from.origin));
		if (!url || !isSafe) {
			const reason = `the registry redirects to "${shortened(location)}", which is not https`;
			throw new EngineError('corrupt', `Cannot ${action}: ${reason}`);
		}
		url.username = url.password = '';
		return url;
	}

	private async exchange(
		url: URL,
		headers: Readonly<Record<string, string>>,
		{ action, method, body, signal, idle }: RegistryRequest,
	): Promise<IncomingMessage> {
		try {
			return await this.transport.send(url, {
				headers,
				...(method === undefined ? {} : { method }),
				...(body === undefined ? {} : { body }),
				...(idle === undefined ? {} : { idle }),
				...(signal === undefined ? {} : { signal }),
			});
		} catch (error) {
			signal?.throwIfAborted();
			const server = url.host === this.address ? '' : `${url.host}: `;
			const failure = this.unreachable(
				action,
				server + this.transport.reason(error, url, this.access.host),
				error,
			);
			// A registry that has just sent half a blob is coming back, one that never answered is not there.
			throw isFinal(error) && headers['range'] === undefined ? failure : new TemporaryError(failure);
		}
	}

	/** The error for an answer that is not a success. Reads the body, so that the connection can be used again. */
	private async refusal(
		request: RegistryRequest,
		response: IncomingMessage,
		wait: number | undefined,
	): Promise<EngineError> {
		const status = response.statusCode ?? 0;
		const refused = { status, ...errorIn(await errorBody(response, this.transport.idle), status) };
		return request.explain?.(refused) ?? this.generalRefusal(request, refused, wait);
	}

	private generalRefusal(
		{ action }: RegistryRequest,
		{ status, text }: Refusal,
		wait: number | undefined,
	): EngineError {
		const words = text === '' ? '' : `: ${text}`;
		const reason = `registry "${this.access.host}" answered with status ${status}${words}${longWait(wait)}`;
		return new EngineError(codeOf(status), `Cannot ${action}: ${reason}`);
	}
}

function codeOf(status: number): ErrorCode {
	switch (status) {
		case 401:
			return 'unauthorized';
		case 403:
			return 'denied';
		case 404:
			return 'not-found';
		default:
			return isTemporary(status) ? 'unreachable' : 'internal';
	}
}

function hostOf(address: string): string {
	return address.replace(/:[0-9]+$/, '');
}

/** Why an address is none: the grammar of references lets any number be a port. */
function addressFault(address: string): string {
	const port = /:([0-9]+)$/.exec(address)?.[1];
	return port !== undefined && Number(port) > MAX_PORT
		? `its port ${port} is out of range (1 to ${MAX_PORT})`
		: 'its address is not valid';
}

/** Nobody listens, no such host, a proxy that will not, or a certificate that is not trusted: the same tomorrow. */
function isFinal(error: unknown): boolean {
	const code = systemCode(error) ?? '';
	return /^(?:ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|EPROTO|PROXY_REFUSED|CERT_|ERR_TLS|ERR_SSL|ERR_OSSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(
		code,
	);
}

/** What the transport said. */
function causeOf(error: unknown): unknown {
	const failure = error instanceof TemporaryError ? error.failure : error;
	return failure instanceof EngineError ? failure.cause : undefined;
}

function mayBeTls(error: unknown): boolean {
	return /^(?:HPE_|ECONNRESET|EPIPE)/.test(systemCode(causeOf(error)) ?? '');
}

/** Whether an attempt over https failed at a server that does speak TLS. */
function hasSpokenTls(error: unknown): boolean {
	const cause = causeOf(error);
	return tlsReason(cause) !== undefined && !isPlainText(cause);
}

/** The body of a refusal; undefined when it does not come, or is too long to be an explanation. */
async function errorBody(response: IncomingMessage, within: number): Promise<Buffer | undefined> {
	try {
		return await readBody(response, MAX_ERROR_BODY, within);
	} catch (error) {
		if (systemCode(error) === undefined) {
			throw error;
		}
		return undefined; // the status says enough
	}
}

/** The first error of the body, in docker's words: "manifest unknown: no such tag". */
function errorIn(body: Buffer | undefined, status: number): { code: string; text: string } {
	const parsed = v.safeParse(errorsSchema, jsonIn(body));
	const [first] = parsed.success ? parsed.output.errors : [];
	if (first === undefined || first.code === '') {
		return { code: '', text: status === 404 ? '' : shortened(first?.message ?? '') };
	}
	return {
		code: first.code,
		text: shortened(`${first.code.toLowerCase().replace(/_/g, ' ')}: ${first.message}`),
	};
}

/** A server's words: not too many, and none that could drive a terminal. */
export function shortened(text: string): string {
	const safe = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
	return safe.length > LONGEST_WORDS ? `${safe.slice(0, LONGEST_WORDS)}…` : safe;
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
