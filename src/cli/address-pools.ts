import { BlockList, isIP } from 'node:net';
import { CommandError } from './errors';

/** A member of IPAM.Config of POST /networks/create. */
export interface AddressPool {
	readonly Subnet?: string;
	readonly Gateway?: string;
	readonly IPRange?: string;
}

/**
 * docker's `--subnet`, `--gateway` and `--ip-range`, each given several times for several subnets (IPv4 and IPv6): a
 * gateway or a range belongs to the subnet that it lies in. Throws CommandError with docker's words.
 */
export function addressPools(flags: {
	readonly subnet: readonly string[];
	readonly gateway: readonly string[];
	readonly ipRange: readonly string[];
}): AddressPool[] {
	const { subnet: subnets, gateway: gateways, ipRange: ranges } = flags;
	if (subnets.length < ranges.length || subnets.length < gateways.length) {
		throw new CommandError('every ip-range or gateway must have a corresponding subnet');
	}
	const overlapping = subnets.some((subnet, index) =>
		subnets.slice(0, index).some((other) => lies(subnet, other) || lies(other, subnet)),
	);
	if (overlapping) {
		throw new CommandError('multiple overlapping subnet configuration is not supported');
	}
	const homeless = (values: readonly string[]): string | undefined =>
		values.find((value) => !subnets.some((subnet) => lies(value, subnet)));
	const [range, gateway] = [homeless(ranges), homeless(gateways)];
	if (range !== undefined) {
		throw new CommandError(`no matching subnet for range ${range}`);
	}
	if (gateway !== undefined) {
		throw new CommandError(`no matching subnet for gateway ${gateway}`);
	}
	return subnets.map((subnet) => ({
		Subnet: subnet,
		...pick('IPRange', ranges, subnet),
		...pick('Gateway', gateways, subnet),
	}));
}

function pick(name: 'IPRange' | 'Gateway', values: readonly string[], subnet: string): AddressPool {
	const [value, another] = values.filter((candidate) => lies(candidate, subnet));
	if (another !== undefined) {
		const what = name === 'Gateway' ? 'gateway' : 'ip-range';
		throw new CommandError(`cannot configure multiple ${what}s (${value ?? ''}, ${another}) on the same subnet`);
	}
	return value === undefined ? {} : { [name]: value };
}

/** Whether an address, or the beginning of a subnet, is in a subnet. */
function lies(value: string, subnet: string): boolean {
	const [address = ''] = value.split('/');
	const [base = '', bits = ''] = subnet.split('/');
	const family = isIP(base) === 6 ? 'ipv6' : 'ipv4';
	if (isIP(base) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 'ipv6' ? 128 : 32)) {
		throw new CommandError(`invalid CIDR address: ${subnet}`);
	}
	const list = new BlockList();
	list.addSubnet(base, Number(bits), family);
	return isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
