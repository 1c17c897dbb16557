/**
 * Parts "repository[:tag][@digest]" as the API's query parameters want it. Only splits; what a name may contain is
 * the engine's business. A digest is given as the tag, as POST /images/create expects.
 */
export function splitReference(reference: string): { readonly name: string; readonly tag: string | undefined } {
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
