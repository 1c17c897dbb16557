import { readFileSync } from 'node:fs';

/**
 * TCP ports that a program of this machine listens on, from the kernel's own tables (proc(5): /proc/net/tcp). None is
 * known of another machine.
 */
export function listeningPorts(machine: string): ReadonlySet<number> {
	if (machine !== '') {
		return new Set();
	}
	return new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => parseListening(readOrEmpty(file))));
}

/** The ports of a table's lines in state 0A, LISTEN. */
export function parseListening(table: string): number[] {
	return [...table.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)].map((match) =>
		Number.parseInt(match[1] ?? '', 16),
	);
}

/** A kernel without IPv6 has no second table. */
function readOrEmpty(file: string): string {
	try {
		return readFileSync(file, 'latin1');
	} catch (error) {
		if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
			return '';
		}
		throw error;
	}
}
