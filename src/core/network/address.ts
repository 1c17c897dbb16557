import { isIPv6 } from 'node:net';

export type Family = 4 | 6;

/**
 * A network. Addresses of both families are 128-bit numbers, IPv4 in ::ffff:0:0/96 (RFC 4291, 2.5.5.2), so that they
 * are compared and counted alike. `base` is the first address, host bits zero; `bits` counts from the first of 128.
 */
export interface Subnet {
	readonly base: bigint;
	readonly bits: number;
}

/** Bits of an address before those of IPv4. */
export const IPV4_BITS = 96;
const IPV4_MARK = 0xffffn;

/** "10.1.2.3" or "fd00::2"; undefined for anything but four plain decimal octets or an IPv6 address without a zone. */
export function parseAddress(text: string): bigint | undefined {
	return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): bigint | undefined {
	const octets = text.split('.');
	if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) <= 255)) {
		return undefined;
	}
	return octets.reduce((sum, octet) => sum * 256n + BigInt(octet), IPV4_MARK);
}

function parseIpv6(text: string): bigint | undefined {
	if (!isIPv6(text) || text.includes('%')) {
		return undefined;
	}
	// The URL parser turns every notation, also a last part like 10.1.2.3, into groups.
	const [before = '', after] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
	const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
	const [first, last] = [groups(before), groups(after ?? '')];
	const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
	return [...first, ...zeros, ...last].reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

export function familyOf(address: bigint): Family {
	return address >> 32n === IPV4_MARK ? 4 : 6;
}

/** IPv6 as RFC 5952 wants it. */
export function formatAddress(address: bigint): string {
	if (familyOf(address) === 4) {
		return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.');
	}
	const groups = Array.from({ length: 8 }, (_, index) =>
		((address >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
	);
	return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

/** "10.1.0.0/16" or "fd00::/64"; host bits are cleared, as docker does. */
export function parseSubnet(text: string): Subnet | undefined {
	const [address, length, ...rest] = text.split('/');
	const base = parseAddress(address ?? '');
	if (base === undefined || length === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length)) {
		return undefined;
	}
	const bits = Number(length) + (familyOf(base) === 4 ? IPV4_BITS : 0);
	return bits > 128 ? undefined : { base: base - (base % sizeOf(bits)), bits };
}

export function formatSubnet(subnet: Subnet): string {
	return `${formatAddress(subnet.base)}/${prefixLength(subnet)}`;
}

/** 16 of "10.1.0.0/16". */
export function prefixLength({ base, bits }: Subnet): number {
	return familyOf(base) === 4 ? bits - IPV4_BITS : bits;
}

/** The highest address: the broadcast address of an ordinary IPv4 subnet. */
export function lastAddress(subnet: Subnet): bigint {
	return subnet.base + sizeOf(subnet.bits) - 1n;
}

export function containsAddress(subnet: Subnet, address: bigint): boolean {
	return address >= subnet.base && address <= lastAddress(subnet);
}

export function overlaps(one: Subnet, other: Subnet): boolean {
	return one.base <= lastAddress(other) && other.base <= lastAddress(one);
}

export function isLoopback(address: string): boolean {
	return address.startsWith('127.') || address === '::1';
}

function sizeOf(bits: number): bigint {
	return 1n << BigInt(128 - bits);
}
