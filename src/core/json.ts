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
