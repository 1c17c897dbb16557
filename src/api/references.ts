/**
 * Parts "repository[:tag][@digest]" as the API's query parameters want it. Only splits; what a name may contain is
 * the engine's business. A digest is given as the tag, as POST /images/create expects. Where a tag or digest is announced and
 * missing ("nginx:"), all is the name, which the engine refuses: no tag means other things.
 */
export function splitReference(reference: string): { readonly name: string; readonly tag: string | undefined } {
	if (/[:@]$/.test(reference)) {
		return { name: reference, tag: undefined };
	}
	const at = reference.indexOf('@');
	if (at >= 0) {
		return { name: withoutTag(reference.slice(0, at)), tag: reference.slice(at + 1) };
	}
	const name = withoutTag(reference);
	return { name, tag: name === reference ? undefined : reference.slice(name.length + 1) };
}

/** A colon after the last slash starts a tag; one before it belongs to the registry's port. */
function withoutTag(reference: string): string {
	const colon = reference.lastIndexOf(':');
	return colon > reference.lastIndexOf('/') ? reference.slice(0, colon) : reference;
}

/** The registry and the whole name of a reference: "docker.io" and "docker.io/library/nginx" for "nginx:1". */
export function registryOf(reference: string): { readonly registry: string; readonly name: string } {
	const { name } = splitReference(reference);
	const [first = '', ...rest] = name.split('/');
	const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
	const registry = !isHost || first === 'index.docker.io' ? 'docker.io' : first;
	const repository = isHost ? rest.join('/') : name;
	const isOfficial = registry === 'docker.io' && !repository.includes('/');
	return { registry, name: `${registry}/${isOfficial ? 'library/' : ''}${repository}` };
}

/** "repository" and "tag" or "sha256:…", as the API gives them, in one text. */
export function joinReference(repository: string, tagOrDigest: string | undefined): string {
	if (tagOrDigest === undefined) {
		return repository;
	}
	return `${repository}${tagOrDigest.includes(':') ? '@' : ':'}${tagOrDigest}`;
}
