/** The JSON object that a line ends with, on several lines, and what stands before it; undefined when there is none. */
export function jsonIn(line: string): { readonly before: string; readonly json: string } | undefined {
	const start = line.indexOf('{');
	if (start < 0 || !line.trimEnd().endsWith('}')) {
		return undefined;
	}
	try {
		return { before: line.slice(0, start), json: JSON.stringify(JSON.parse(line.slice(start)), undefined, 2) };
	} catch (error) {
		if (error instanceof SyntaxError) {
			return undefined;
		}
		throw error;
	}
}
