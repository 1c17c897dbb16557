/**
 * Which engine an id or a name is of. Those of our own engine stand as they are; before those of another one stands
 * `@<engine>/`, with the engine's id as of encodeURIComponent, so that they stay right whichever engines a window uses.
 * No id or name of an engine begins with "@".
 */

/** The id of our own engine. */
export const OWN_ID = 'mydocker';

const PREFIX = /^@([^/ ]+)\/(.*)$/s;

/** The id or name as a key that leads to the engine. */
export function keyOn(engine: string, id: string): string {
	return engine === OWN_ID ? id : `@${encodeURIComponent(engine)}/${id}`;
}

/** The same for what may outlive the choice of engines, such as a document: it names our own engine, too. */
export function lastingKey(key: string): string {
	return PREFIX.test(key) ? key : `@${OWN_ID}/${key}`;
}

/** The inverse: the key that the rows have. */
export function rowKey(key: string): string {
	const [, engine, id] = PREFIX.exec(key) ?? [];
	return engine === OWN_ID && id !== undefined ? id : key;
}

/** The engine that the key of an id or a name says; undefined when it says none. */
export function engineIn(key: string): string | undefined {
	const engine = PREFIX.exec(key)?.[1];
	return engine === undefined ? undefined : decoded(engine);
}

/** The engine of a row, also of one whose key has words before: "group @…/web". */
export function engineOfRow(key: string): string {
	const word = key.startsWith('@') ? key : key.slice(key.indexOf(' ') + 1);
	return engineIn(word) ?? OWN_ID;
}

/** The id or name as the engine has it. */
export function bare(key: string): string {
	return PREFIX.exec(key)?.[2] ?? key;
}

/** The key of something else on the same engine. */
export function beside(key: string, id: string): string {
	return key.slice(0, key.length - bare(key).length) + id;
}

/** What a URI was edited to is no escape. */
function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch (error) {
		if (error instanceof URIError) {
			return text;
		}
		throw error;
	}
}
