import * as fs from 'node:fs';
import * as net from 'node:net';
import { EngineError, systemCode } from '../errors';

const BEGIN = "# MyDocker: names on this container's networks";
const END = '# MyDocker: end of names';
const LOCAL = [
	'127.0.0.1\tlocalhost',
	'::1\tlocalhost ip6-localhost ip6-loopback',
	'fe00::\tip6-localnet',
	'ff00::\tip6-mcastprefix',
	'ff02::1\tip6-allnodes',
	'ff02::2\tip6-allrouters',
];

/** One line of a hosts file. */
export interface HostEntry {
	readonly address: string;
	readonly names: readonly string[];
}

export interface HostsOptions {
	/** `--add-host`, parsed. */
	readonly extra: readonly HostEntry[];
	/** The container's own addresses with its hostname. */
	readonly own: readonly HostEntry[];
	/** Members of its user networks. */
	readonly members: readonly HostEntry[];
}

/** Content of a container's /etc/hosts at its start (docker's order: local names, added hosts, its own name). */
export function hostsFile({ extra, own, members }: HostsOptions): string {
	return [...LOCAL, ...[...extra, ...own].map(formatEntry), ...block(members), ''].join('\n');
}

/**
 * The file with the names of the members replaced and everything else, the container's own edits included, kept. A
 * container that has removed the markers gets a new block at the end.
 */
export function replaceMembers(content: string, members: readonly HostEntry[]): string {
	const lines = content.split('\n');
	const begin = lines.indexOf(BEGIN);
	const end = lines.indexOf(END, begin);
	if (begin < 0 || end < 0) {
		const kept = lines.filter((line) => line !== BEGIN && line !== END).join('\n');
		return [...(kept === '' ? [] : [kept.replace(/\n$/, '')]), ...block(members), ''].join('\n');
	}
	return [...lines.slice(0, begin), ...block(members), ...lines.slice(end + 1)].join('\n');
}

/** A container could write anything into its hosts file; what is bigger is not looked at. */
const MAX_SIZE = 1024 * 1024;

/**
 * Replaces the members in a file that a container may be reading. In place, since the file is bind-mounted: a new inode
 * would not be seen. A file that is not there belongs to a container that has not been given its files yet, or no more.
 */
export function rewriteMembers(file: string, members: readonly HostEntry[]): void {
	let descriptor: number;
	try {
		descriptor = fs.openSync(file, 'r+');
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return;
		}
		throw error;
	}
	try {
		if (fs.fstatSync(descriptor).size > MAX_SIZE) {
			return;
		}
		const content = fs.readFileSync(descriptor, 'utf8');
		const replaced = replaceMembers(content, members);
		if (replaced !== content) {
			fs.ftruncateSync(descriptor, 0);
			fs.writeSync(descriptor, replaced, 0);
		}
	} finally {
		fs.closeSync(descriptor);
	}
}

/** "name:address" or "name=address" of `--add-host`; "host-gateway" is `gateway`. */
export function parseExtraHost(text: string, gateway: string): HostEntry {
	const match = /^([^:=\s]+)[:=](.+)$/.exec(text);
	const address = match?.[2] === 'host-gateway' ? gateway : (match?.[2] ?? '').replace(/^\[(.*)\]$/, '$1');
	if (match === null) {
		throw new EngineError('invalid', `bad format for add-host: "${text}"`);
	}
	if (net.isIP(address) === 0) {
		throw new EngineError('invalid', `invalid IP address in add-host: "${match[2] ?? ''}"`);
	}
	return { address, names: [match[1] ?? ''] };
}

function block(members: readonly HostEntry[]): string[] {
	return [BEGIN, ...members.map(formatEntry), END];
}

/** Only names that are one word: a name from elsewhere must not add lines or comments. */
function formatEntry({ address, names }: HostEntry): string {
	return `${address}\t${names.filter((name) => /^[^\s#]+$/.test(name)).join(' ')}`;
}
