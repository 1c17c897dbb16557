import type { NetworkRow } from './rows';

export type SubnetProblem =
	{ readonly kind: 'malformed' } | { readonly kind: 'taken'; /** Name. */ readonly network: string };

interface Range {
	/** First address and the address after the last. */
	readonly start: number;
	readonly end: number;
}

/** What is wrong with a subnet as typed ("10.90.0.0/24", "" is fine). The engine has the last word. */
export function subnetProblem(text: string, networks: readonly NetworkRow[]): SubnetProblem | undefined {
	if (text === '') {
		return undefined;
	}
	const range = rangeOf(text);
	if (range === undefined) {
		return text.includes(':') ? undefined : { kind: 'malformed' };
	}
	const other = networks.find(({ subnets }) => subnets.some((subnet) => overlaps(range, rangeOf(subnet))));
	return other && { kind: 'taken', network: other.name };
}

function rangeOf(subnet: string): Range | undefined {
	const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(subnet);
	if (match === null) {
		return undefined;
	}
	const [a = 0, b = 0, c = 0, d = 0, length = 0] = match.slice(1).map(Number);
	if ([a, b, c, d].some((part) => part > 255) || length > 32) {
		return undefined;
	}
	const size = 2 ** (32 - length);
	const address = ((a * 256 + b) * 256 + c) * 256 + d;
	const start = Math.floor(address / size) * size;
	return { start, end: start + size };
}

function overlaps(one: Range, other: Range | undefined): boolean {
	return other !== undefined && one.start < other.end && other.start < one.end;
}
