/**
 * Answers the challenges of registries: Basic (RFC 7617) and Bearer with docker's token service
 * (distribution-spec, "Token Authentication Specification" and "OAuth2 Token Authentication").
 */
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { EngineError } from '../errors';
import { isTemporary, longWait, retryAfter, TemporaryError } from './attempts';
import type { RegistryAuth } from './credentials';
import { readBody } from './transport';
import type { Transport } from './transport';

export interface Challenge {
	/** In lower case: "bearer", "basic". */
	readonly scheme: string;
	readonly parameters: Readonly<Record<string, string>>;
}

/** An Authorization header that holds for one scope. */
export interface Grant {
	readonly header: string;
	/** Unix milliseconds. */
	readonly expires: number;
}

const CLIENT_ID = 'mydocker';
const MAX_TOKEN_ANSWER = 1024 * 1024;
const DEFAULT_LIFETIME = 60;
/** Tokens are not used in their last seconds, so that they do not expire under way. */
const MARGIN_MILLISECONDS = 10_000;

const tokenSchema = v.object({
	token: v.nullish(v.string(), ''),
	access_token: v.nullish(v.string(), ''),
	expires_in: v.nullish(v.number(), DEFAULT_LIFETIME),
	refresh_token: v.nullish(v.string(), ''),
});

/** Holds the authorizations of one registry. */
export class Authorizer {
	/** A refresh token that the token service gave: it may be kept in place of the password. */
	identityToken: string | undefined;

	constructor(
		private readonly host: string,
		private readonly credentials: RegistryAuth | undefined,
		private readonly transport: Transport,
		/** By scope; may come from another Authorizer of the same registry. */
		readonly grants: Map<string, Grant>,
		/** Asks for a refresh token, which stays valid when this process is long gone. */
		private readonly isLogin = false,
	) {}

	/** The header to send, or undefined when nothing is known yet or it has expired. */
	header(scope: string): string | undefined {
		const grant = this.grants.get(scope);
		return grant && grant.expires > Date.now() ? grant.header : undefined;
	}

	/**
	 * Gets an authorization that answers one of the challenges; false when there is none that can be answered, so the
	 * registry's refusal stands. Throws TemporaryError when the token service says "later".
	 */
	async answer(challenges: readonly Challenge[], scope: string, signal: AbortSignal | undefined): Promise<boolean> {
		const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
		const header = bearer
			? await this.bearerHeader(bearer, scope, signal)
			: this.basicHeader(challenges.some(({ scheme }) => scheme === 'basic'));
		if (header === undefined) {
			return false;
		}
		this.grants.set(scope, header);
		return true;
	}

	private basicHeader(isAsked: boolean): Grant | undefined {
		const basic = basicOf(this.credentials);
		return isAsked && basic !== undefined ? { header: basic, expires: Infinity } : undefined;
	}

	private async bearerHeader(challenge: Challenge, scope: string, signal?: AbortSignal): Promise<Grant | undefined> {
		const given = this.credentials?.registrytoken;
		if (given !== undefined && given !== '') {
			return { header: `Bearer ${given}`, expires: Infinity };
		}
		const realm = this.realmOf(challenge);
		const service = challenge.parameters['service'];
		const refreshToken = this.identityToken ?? this.credentials?.identitytoken;
		const answer = refreshToken
			? await this.postToken(realm, service, scope, refreshToken, signal)
			: await this.getToken(realm, service, scope, signal);
		this.identityToken = answer.refresh_token || this.identityToken;
		const token = answer.access_token || answer.token;
		if (token === '') {
			throw this.failure('its token service gave no token');
		}
		const lifetime = Math.max(answer.expires_in, DEFAULT_LIFETIME) * 1000;
		return { header: `Bearer ${token}`, expires: Date.now() + lifetime - MARGIN_MILLISECONDS };
	}

	/** Credentials and tokens pass over this address, so it must be encrypted or on this machine. */
	private realmOf(challenge: Challenge): URL {
		const text = challenge.parameters['realm'] ?? '';
		const realm = URL.canParse(text) ? new URL(text) : undefined;
		if (realm?.protocol === 'https:' || (realm?.protocol === 'http:' && this.transport.isInsecure(realm))) {
			return realm;
		}
		throw this.failure(`its token service "${text.slice(0, 200)}" is not reached over https`);
	}

	private async getToken(
		realm: URL,
		service: string | undefined,
		scope: string,
		signal?: AbortSignal,
	): Promise<Token> {
		const url = new URL(realm);
		if (service !== undefined) {
			url.searchParams.set('service', service);
		}
		for (const each of scope.split(' ').filter((part) => part !== '')) {
			url.searchParams.append('scope', each);
		}
		if (this.isLogin) {
			url.searchParams.set('offline_token', 'true');
			url.searchParams.set('client_id', CLIENT_ID);
		}
		const basic = basicOf(this.credentials);
		if (basic !== undefined) {
			url.searchParams.set('account', this.credentials?.username ?? '');
		}
		return this.fetchToken(url, { headers: basic === undefined ? {} : { authorization: basic } }, signal);
	}

	private postToken(
		realm: URL,
		service: string | undefined,
		scope: string,
		refreshToken: string,
		signal: AbortSignal | undefined,
	): Promise<Token> {
		const body = new URLSearchParams({
			grant_type: 'refresh_token',
			client_id: CLIENT_ID,
			...(service === undefined ? {} : { service }),
			scope,
			refresh_token: refreshToken,
		});
		const headers = { 'content-type': 'application/x-www-form-urlencoded' };
		return this.fetchToken(realm, { method: 'POST', headers, body: body.toString() }, signal);
	}

	private async fetchToken(
		url: URL,
		request: { method?: 'POST'; headers: Record<string, string>; body?: string },
		signal: AbortSignal | undefined,
	): Promise<Token> {
		const response = await this.transport
			.send(url, { ...request, ...(signal === undefined ? {} : { signal }) })
			.catch((error: unknown) => {
				signal?.throwIfAborted();
				const words = this.transport.reason(error, url, this.host);
				const reason = `its token service "${url.host}" does not answer: ${words}`;
				throw this.failure(reason, 'unreachable', error);
			});
		const body = await readBody(response, MAX_TOKEN_ANSWER, 5 * this.transport.idle);
		if (response.statusCode !== 200 || body === undefined) {
			throw this.refusal(url, response);
		}
		return this.parseToken(body);
	}

	private refusal(url: URL, { statusCode: status = 0, headers }: IncomingMessage): Error {
		if (status === 401 || status === 403) {
			return this.failure('the user name or password is wrong, or may not do this');
		}
		const wait = retryAfter(headers['retry-after']);
		const reason = `its token service "${url.host}" answered with status ${status}${longWait(wait)}`;
		const failure = this.failure(reason, 'unreachable');
		return isTemporary(status) ? new TemporaryError(failure, wait) : failure;
	}

	private parseToken(body: Buffer): Token {
		try {
			return v.parse(tokenSchema, JSON.parse(body.toString('utf8')));
		} catch (error) {
			if (error instanceof SyntaxError || error instanceof v.ValiError) {
				throw this.failure('its token service gave an answer that is no token'); // the cause would quote it
			}
			throw error;
		}
	}

	private failure(
		reason: string,
		code: 'unauthorized' | 'unreachable' = 'unauthorized',
		cause?: unknown,
	): EngineError {
		return new EngineError(code, `Cannot log in to registry "${this.host}": ${reason}`, { cause });
	}
}

type Token = v.InferOutput<typeof tokenSchema>;

function basicOf(credentials: RegistryAuth | undefined): string | undefined {
	const { username, password } = credentials ?? {};
	return username && password !== undefined
		? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
		: undefined;
}

/**
 * Parses the WWW-Authenticate headers of an answer (RFC 9110, 11.6.1). What does not fit the grammar ends the list.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
	return headers.flatMap(parseChallengeHeader);
}

const SCHEME = /[\s,]*([A-Za-z][A-Za-z0-9._~+-]*)(?:\s+|$)(?!=)/y;
const PARAMETER = /[\s,]*([A-Za-z][A-Za-z0-9._~-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;

function parseChallengeHeader(header: string): Challenge[] {
	const challenges: Challenge[] = [];
	let position = 0;
	const next = (pattern: RegExp): RegExpExecArray | null => {
		pattern.lastIndex = position;
		const match = pattern.exec(header);
		position = match ? pattern.lastIndex : position;
		return match;
	};
	for (let scheme = next(SCHEME); scheme; scheme = next(SCHEME)) {
		const parameters: Record<string, string> = {};
		for (let parameter = next(PARAMETER); parameter; parameter = next(PARAMETER)) {
			const [, name = '', quoted, plain = ''] = parameter;
			parameters[name.toLowerCase()] = quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1');
		}
		challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters });
	}
	return challenges;
}
