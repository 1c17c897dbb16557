import { EngineError } from '../errors';

/**
 * The name of an image as the grammar of github.com/distribution/reference reads it, with docker's short forms filled
 * in: "nginx" is repository "library/nginx" of registry "docker.io". Parsed once, trusted afterwards.
 */
export interface Reference {
	/** Host with optional port, "docker.io" or "localhost:5000". */
	readonly registry: string;
	/** Path inside the registry, "library/nginx". */
	readonly repository: string;
	readonly tag?: string;
	/** "sha256:<64 hex>" */
	readonly digest?: string;
}

const DEFAULT_REGISTRY = 'docker.io';
const LEGACY_REGISTRY = 'index.docker.io';
const OFFICIAL_PREFIX = 'library/';
const MAX_NAME_LENGTH = 255;

const HOST_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const HOST = `(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const REFERENCE = new RegExp(`^(${HOST})/(${COMPONENT}(?:/${COMPONENT})*)(?::(${TAG}))?(?:@(${DIGEST}))?$`);
const IDENTIFIER = /^[a-f0-9]{64}$/;
const SHA256 = /^sha256:[a-f0-9]{64}$/;

/** Whether the text is a digest that this engine accepts: "sha256:" and 64 lower case hex digits. */
export function isDigest(text: string): boolean {
	return SHA256.test(text);
}

/**
 * Parses what a person or a client wrote. No tag is added; see withDefaultTag. Throws EngineError "invalid" with
 * docker's own text.
 */
export function parseReference(text: string): Reference {
	if (IDENTIFIER.test(text)) {
		throw new EngineError(
			'invalid',
			`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
		);
	}
	const { registry, rest } = splitRegistry(text);
	const name = rest.split(':', 1)[0] ?? '';
	if (name.toLowerCase() !== name) {
		throw new EngineError(
			'invalid',
			`invalid reference format: repository name (${printable(name)}) must be lowercase`,
		);
	}
	const match = REFERENCE.exec(`${registry}/${rest}`);
	const [, host, repository, tag, digest] = match ?? [];
	if (host === undefined || repository === undefined) {
		throw new EngineError('invalid', 'invalid reference format');
	}
	if (host.length + 1 + repository.length > MAX_NAME_LENGTH) {
		throw new EngineError('invalid', `repository name must not be more than ${MAX_NAME_LENGTH} characters`);
	}
	checkDigest(digest);
	return {
		registry: host,
		repository,
		...(tag === undefined ? {} : { tag }),
		...(digest === undefined ? {} : { digest }),
	};
}

/** Adds docker's default tag "latest" where there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
	return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** "docker.io/library/nginx": the full repository, as records keep it. */
export function normalizedName(reference: Reference): string {
	return `${reference.registry}/${reference.repository}`;
}

/** "nginx" for "docker.io/library/nginx": the shortest form that means the same. */
export function familiarName(normalized: string): string {
	if (!normalized.startsWith(`${DEFAULT_REGISTRY}/`)) {
		return normalized;
	}
	const path = normalized.slice(DEFAULT_REGISTRY.length + 1);
	if (path.startsWith(OFFICIAL_PREFIX) && !path.includes('/', OFFICIAL_PREFIX.length)) {
		return path.slice(OFFICIAL_PREFIX.length);
	}
	// "docker.io/my.org/app" must not become "my.org/app", which names another registry.
	return splitRegistry(path).registry === DEFAULT_REGISTRY ? path : normalized;
}

/** The reference as docker shows it: "nginx:latest", "localhost:5000/a@sha256:…". */
export function formatReference(reference: Reference): string {
	const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
	const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
	return familiarName(normalizedName(reference)) + tag + digest;
}

/** Decides, as docker does, whether what stands before the first slash names a registry. */
function splitRegistry(text: string): { registry: string; rest: string } {
	const slash = text.indexOf('/');
	const first = text.slice(0, slash);
	// An upper case first part cannot be a repository, so docker takes it for a host.
	const isRegistry = slash >= 0 && (first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first);
	const registry = !isRegistry || first === LEGACY_REGISTRY ? DEFAULT_REGISTRY : first;
	const rest = isRegistry ? text.slice(slash + 1) : text;
	return { registry, rest: registry === DEFAULT_REGISTRY && !rest.includes('/') ? OFFICIAL_PREFIX + rest : rest };
}

function checkDigest(digest: string | undefined): void {
	if (digest === undefined || isDigest(digest)) {
		return;
	}
	throw new EngineError(
		'invalid',
		digest.startsWith('sha256:') ? 'invalid checksum digest length' : 'unsupported digest algorithm',
	);
}

/** What comes from an archive may hold what drives a terminal. */
function printable(text: string): string {
	return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
}
