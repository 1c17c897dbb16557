import { bare } from './engine-keys';

/** Why a reference cannot be right, as far as one can tell while it is being typed. */
export type ReferenceProblem = 'blank' | 'scheme' | 'space' | 'uppercase' | 'unfinished' | 'digest' | 'malformed';

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const DOMAIN = `(?:${LABEL}(?:\\.${LABEL})*|\\[[A-Fa-f0-9:]+\\])(?::[0-9]+)?`;
const REFERENCE = new RegExp(
	`^(?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-f0-9]{32,})?$`,
);
const LONGEST = 512;

/**
 * Looks at a reference while it is typed ("nginx", "ghcr.io/owner/app:1.2"). The engine has the last word; this only
 * spares a person the round trip. Grammar: distribution/reference. `noDigest` refuses "@sha256:…", as for a new tag.
 */
export function referenceProblem(text: string, options: { noDigest?: boolean } = {}): ReferenceProblem | undefined {
	if (text === '') {
		return 'blank';
	}
	if (/^[a-z]+:\/\//i.test(text)) {
		return 'scheme';
	}
	if (/\s/.test(text)) {
		return 'space';
	}
	if (/[:/@.-]$/.test(text)) {
		return 'unfinished';
	}
	if (/[A-Z]/.test(repositoryPath(text))) {
		return 'uppercase';
	}
	if (options.noDigest === true && text.includes('@')) {
		return 'digest';
	}
	return text.length <= LONGEST && REFERENCE.test(text) ? undefined : 'malformed';
}

/** The part in which capitals are forbidden: without registry, tag and digest. */
function repositoryPath(text: string): string {
	return splitRegistry(text)
		.rest.replace(/@.*$/, '')
		.replace(/:[^/]*$/, '');
}

/** Splits "localhost:5000/demo/web:latest" into its registry, "" for Docker Hub, and the rest. */
export function splitRegistry(reference: string): { readonly registry: string; readonly rest: string } {
	const [first = '', ...others] = reference.split('/');
	const isRegistry = others.length > 0 && (/[.:[\]]/.test(first) || first === 'localhost');
	return isRegistry ? { registry: first, rest: others.join('/') } : { registry: '', rest: reference };
}

/** "localhost:5000/demo/web" of "localhost:5000/demo/web:1.2". */
export function repositoryOfName(name: string): string {
	return name.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

/** "demo/web" of "localhost:5000/demo/web:latest"; a short way to say which image. */
export function shortName(reference: string): string {
	return splitRegistry(bare(reference))
		.rest.replace(/@.*$/, '')
		.replace(/:latest$/, '');
}

/** Docker's rule for container names. */
export function isContainerName(text: string): boolean {
	return /^[A-Za-z0-9][A-Za-z0-9_.-]+$/.test(text);
}

/** "web", or "web-2" … when that is taken: a name to offer for a container of the image. */
export function suggestName(reference: string, taken: ReadonlySet<string>): string {
	const last = shortName(reference).split('/').pop() ?? '';
	const base = last.replace(/:.*$/, '').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9_.-]/g, '') || 'container';
	const stem = isContainerName(base) ? base : `${base}-1`;
	for (let number = 2; ; number++) {
		const name = number === 2 && !taken.has(stem) ? stem : `${stem}-${number}`;
		if (!taken.has(name)) {
			return name;
		}
	}
}

/** Twelve hex digits, as docker shows ids. */
export function shortId(id: string): string {
	return bare(id)
		.replace(/^sha256:/, '')
		.slice(0, 12);
}

/** A path longer than this fills a notification, whose end with the reason is cut off then. */
const LONGEST_PATH = 40;

/** The sentence with "/home/…/mydocker.mydocker/run" for a long path; the log has it in full. */
export function shortenPaths(text: string): string {
	return text.replace(/\/[^\s"':,]+/g, (path) => {
		const parts = path.split('/');
		return path.length <= LONGEST_PATH || parts.length < 5
			? path
			: `/${parts[1] ?? ''}/…/${parts.slice(-2).join('/')}`;
	});
}
