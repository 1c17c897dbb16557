/**
 * Keys of rows. A container's row has its id, an image's its name, a network's its id and a volume's its name; none of
 * them has a space. Those of other engines than ours begin with the engine (engine-keys.ts). All other rows have keys of
 * words: the kind first; the name in a group's, a repository's or a pull's key begins with the engine, too.
 */

/** A row that holds containers. */
export function groupKey(name: string): string {
	return `group ${name}`;
}

/** The name in a group's key; undefined for another key. */
export function groupOf(key: string): string | undefined {
	return nameAfter('group ', key);
}

/** A row that holds images: all tags of a repository, or with "" those without a name. */
export function repositoryKey(name: string): string {
	return `repository ${name}`;
}

/** The name in a repository's key; undefined for another key. */
export function repositoryOf(key: string): string | undefined {
	return nameAfter('repository ', key);
}

/** The row of an engine: in the Engine view, and at the top of the others while several are in use. */
export function engineKey(id: string): string {
	return `engine ${id}`;
}

/** The id in an engine's key; undefined for another key. */
export function engineOf(key: string): string | undefined {
	return nameAfter('engine ', key);
}

/** The row of a pull under way. */
export function pullKey(reference: string): string {
	return `pull ${reference}`;
}

/** What a pull's row pulls; undefined for another key. */
export function pullOf(key: string): string | undefined {
	return nameAfter('pull ', key);
}

function nameAfter(prefix: string, key: string): string | undefined {
	return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}

/** A row about `part` of the row `owner`: a container on a network, a published port of a container. */
export function partKey(kind: string, owner: string, part: string): string {
	return `${kind} ${owner} ${part}`;
}

/** The words of such a key; undefined for a key of another kind. */
export function partOf(key: string, kind: string): { readonly owner: string; readonly part: string } | undefined {
	const [first, owner, ...part] = key.split(' ');
	return first === kind && owner !== undefined && part.length > 0 ? { owner, part: part.join(' ') } : undefined;
}
