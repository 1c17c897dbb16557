import * as fs from 'node:fs';
import { EngineError, systemCode } from '../errors';
import { run } from '../exec';
import type { AddressPool, Endpoint, Network } from './network';
import { placesOf } from './network';
import type { NetworkPlace } from './place';
import { runIn } from './place';
import { parseAddress } from './address';
import { defaultInterface, hardwareAddress } from './ipam';

/**
 * `ip -batch` input that the shim runs in its own folder, where `netns` is the file of the container's network
 * namespace. Only names that we made (hex, digits) come into it.
 */
export function outsideBatch(endpoints: readonly (readonly [Network, Endpoint])[], mtu: number): string {
	return endpoints.map(([network, endpoint]) => vethLines(network, endpoint, { mtu, namespace: './netns' })).join('');
}

interface VethOptions {
	readonly mtu: number;
	/** A path, or a pid. */
	readonly namespace: string;
}

/** hairpin: a container may use its own published port by the host's address. */
export function vethLines(network: Network, endpoint: Endpoint, { mtu, namespace }: VethOptions): string {
	const size = `mtu ${mtuOf(network, mtu)}`;
	return [
		`link add ${endpoint.veth} ${size} type veth peer name ${endpoint.interface} ${size} netns ${namespace}`,
		`link set ${endpoint.veth} master ${network.bridge}`,
		`link set ${endpoint.veth} type bridge_slave hairpin on`,
		`link set ${endpoint.veth} up`,
		'',
	].join('\n');
}

/** `ip -batch` input for inside the namespace; the first network with a way out gets the default route. */
export function insideBatch(endpoints: readonly (readonly [Network, Endpoint])[]): string {
	return [
		'link set lo up',
		...endpoints.flatMap(([network, endpoint]) => addressLines(network, endpoint)),
		...gatewaysOf(endpoints).map((gateway) => `route add default via ${gateway}`),
		'',
	].join('\n');
}

/** Of each family, the gateway of the first network that has it and a way out. */
export function gatewaysOf(endpoints: readonly (readonly [Network, Endpoint])[]): string[] {
	const open = endpoints.map(([network]) => network).filter((network) => !network.internal);
	const ipv6 = open.flatMap((network) => network.ipv6 ?? []);
	return [...open.slice(0, 1), ...ipv6.slice(0, 1)].map(({ gateway }) => gateway);
}

export function addressLines(network: Network, endpoint: Endpoint): string[] {
	return [
		`link set ${endpoint.interface} address ${endpoint.mac_address}`,
		...placesOf(network, endpoint).map((place) => `addr add ${withLength(place)} dev ${endpoint.interface}`),
		`link set ${endpoint.interface} up`,
	];
}

/** nodad: nobody else can have an address that we give, and a program may use it at once. */
function withLength({ address, pool }: { readonly address: string; readonly pool: AddressPool }): string {
	const bits = pool.subnet.split('/')[1] ?? '24';
	return `${address}/${bits} ${address.includes(':') ? 'nodad' : 'broadcast +'}`;
}

/** The option com.docker.network.driver.mtu, else `fallback`. */
function mtuOf(network: Network, fallback: number): number {
	const option = Number(network.options['com.docker.network.driver.mtu'] ?? '');
	return Number.isInteger(option) && option >= 68 && option <= 65535 ? option : fallback;
}

/**
 * Makes the network's bridge, once. What a killed engine left half made is finished: the commands are the same, and
 * "File exists" is success.
 */
export async function makeBridge(
	place: NetworkPlace,
	network: Network,
	mtu: number,
	signal?: AbortSignal,
): Promise<void> {
	// A bridge without an address of its own takes that of a port, and another when the port goes: the neighbours that
	// know it by the old one lose their gateway for a while.
	const hardware = hardwareAddress(parseAddress(network.gateway) ?? 0n);
	await batch(
		place,
		[
			`link add ${network.bridge} mtu ${mtuOf(network, mtu)} address ${hardware} type bridge`,
			`addr replace ${withLength({ address: network.gateway, pool: network })} dev ${network.bridge}`,
			`link set ${network.bridge} up`,
		],
		{ forgive: 'File exists', signal },
	);
	await setKernelOptions(place, network, signal);
	if (network.ipv6 !== undefined) {
		const address = withLength({ address: network.ipv6.gateway, pool: network.ipv6 });
		await batch(place, [`addr replace ${address} dev ${network.bridge}`], { signal });
	}
}

/** Removes devices of ours; one that is gone already, with its container's namespace, is no error. */
export async function removeDevices(place: NetworkPlace, names: readonly string[]): Promise<void> {
	if (names.length > 0) {
		await batch(
			place,
			names.map((name) => `link del ${name}`),
			{ forgive: 'Cannot find device' },
		);
	}
}

interface BatchOptions {
	/** What `ip` says of a command that was not needed; the only failure that is none. */
	readonly forgive?: string;
	/** Run inside this process's network namespace. */
	readonly pid?: number;
	readonly signal?: AbortSignal | undefined;
}

/** Runs lines of `ip -batch`, all of them, and throws what went wrong that is not forgiven. */
export async function batch(place: NetworkPlace, lines: readonly string[], options: BatchOptions = {}): Promise<void> {
	const enter = options.pid === undefined ? [] : ['nsenter', '-t', String(options.pid), '-n', '--'];
	const inside = { ...place, command: [...place.command, ...enter] };
	const signal = options.signal === undefined ? {} : { signal: options.signal };
	const input = [...lines, ''].join('\n');
	// -force goes on after a failed line; each failure is a line of text, then "Command failed -:1".
	const [program, ...args] = [
		...inside.command,
		'ip',
		...(options.forgive === undefined ? [] : ['-force']),
		'-batch',
		'-',
	];
	const result = await run(program, args, { timeout: 30_000, input, ...signal });
	const failures = result.stderr
		.split('\n')
		.filter((line) => line !== '' && !line.startsWith('Command failed'))
		.filter((line) => options.forgive === undefined || !line.includes(options.forgive));
	if (result.code !== 0 && (failures.length > 0 || options.forgive === undefined)) {
		throw new EngineError('internal', `Cannot set up the network: ${failures.join('; ')}`);
	}
}

/**
 * The bridge takes no router's word: any container could pretend to be one (CVE-2020-13401). A host that passes packets
 * on no longer listens to routers (RFC 4861, 6.2.6), unless told so by accept_ra=2; else it would lose its own way out.
 */
const IPV6_OPTIONS = `cd /proc/sys/net/ipv6/conf
echo 0 >"$0/accept_ra"
echo 0 >"$0/disable_ipv6"
if [ "$(cat all/forwarding)" != 1 ]; then
	for file in */accept_ra; do
		case $file in
			all/*|default/*|md-*) ;;
			*) [ "$(cat "$file")" != 1 ] || echo 2 >"$file" ;;
		esac
	done
	echo 1 >all/forwarding
fi`;

/**
 * ip_forward: packets pass between bridge and outside (it stays on, as with docker: others may rely on it by then).
 * route_localnet: 127.0.0.1 on the host reaches a published port; the firewall's raw rules keep the way back shut.
 */
async function setKernelOptions(place: NetworkPlace, network: Network, signal?: AbortSignal): Promise<void> {
	const script = [
		'[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo 1 >/proc/sys/net/ipv4/ip_forward',
		'echo 1 >"/proc/sys/net/ipv4/conf/$0/route_localnet"',
		network.ipv6 === undefined
			? '[ ! -e "/proc/sys/net/ipv6/conf/$0" ] || echo 1 >"/proc/sys/net/ipv6/conf/$0/disable_ipv6"'
			: IPV6_OPTIONS,
	].join('\n');
	await runIn(place, ['sh', '-e', '-c', script, network.bridge], signal === undefined ? {} : { signal });
}

/** The MTU of the way out, at most Ethernet's 1500; a bridge with a larger one loses big packets silently. */
export function hostMtu(place: NetworkPlace): number {
	const device = defaultInterface(readOr(`/proc/${place.process}/net/route`, ''));
	if (device === undefined || place.command.length > 0) {
		return 1500;
	}
	const mtu = Number(readOr(`/sys/class/net/${device}/mtu`, '1500'));
	return Math.min(1500, mtu);
}

export function readOr(file: string, otherwise: string): string {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EINVAL') {
			return otherwise;
		}
		throw error;
	}
}

/** Names of all bridge devices in this place. */
export async function listBridges(place: NetworkPlace): Promise<string[]> {
	const { stdout } = await runIn(place, ['ip', '-o', 'link', 'show', 'type', 'bridge']);
	return stdout.split('\n').flatMap((line) => /^\d+: ([^:@\s]+)/.exec(line)?.[1] ?? []);
}
