/** The value that a JSON text holds; undefined when it is no JSON, as from a proxy's page or a record that was cut off. */
export function jsonIn(text: string | Buffer): unknown {
	try {
		return JSON.parse(text.toString());
	} catch (error) {
		if (error instanceof SyntaxError) {
			return undefined;
		}
		throw error;
	}
}

/** Whether a value of JSON is an object; a list is none. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
