/** An IPv4 network. `base` is its first address as an unsigned 32-bit number, host bits zero. */
export interface Subnet {
	readonly base: number;
	readonly bits: number;
}

/** "10.1.2.3" as an unsigned number; undefined for anything but four plain decimal octets. */
export function parseAddress(text: string): number | undefined {
	const octets = text.split('.');
	if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) <= 255)) {
		return undefined;
	}
	return octets.reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

export function formatAddress(address: number): string {
	return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** "10.1.0.0/16"; host bits are cleared, as docker does. */
export function parseSubnet(text: string): Subnet | undefined {
	const [address, bits, ...rest] = text.split('/');
	const base = parseAddress(address ?? '');
	if (base === undefined || bits === undefined || rest.length > 0 || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) {
		return undefined;
	}
	return { base: base - (base % sizeOf(Number(bits))), bits: Number(bits) };
}

export function formatSubnet(subnet: Subnet): string {
	return `${formatAddress(subnet.base)}/${subnet.bits}`;
}

/** The highest address: the broadcast address of an ordinary subnet. */
export function lastAddress(subnet: Subnet): number {
	return subnet.base + sizeOf(subnet.bits) - 1;
}

export function containsAddress(subnet: Subnet, address: number): boolean {
	return address >= subnet.base && address <= lastAddress(subnet);
}

export function overlaps(one: Subnet, other: Subnet): boolean {
	return one.base <= lastAddress(other) && other.base <= lastAddress(one);
}

export function isLoopback(address: string): boolean {
	return address.startsWith('127.') || address === '::1';
}

function sizeOf(bits: number): number {
	return 2 ** (32 - bits);
}
