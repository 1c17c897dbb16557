import type { Family } from './address';
import { isLoopback } from './address';
import type { FirewallNetwork, FirewallOwner, FirewallPort } from './rules';
import { formatTarget, isAnyAddress } from './rules';

const TABLES = ['raw', 'nat', 'filter'] as const;
type Table = (typeof TABLES)[number];

/** A rule in a chain of the system that leads into one of ours. */
interface Jump {
	readonly table: Table;
	readonly from: string;
	readonly match: string;
	readonly chain: string;
}

/**
 * IPv6 has no such thing as route_localnet: no packet to or from ::1 leaves the loopback interface, so nothing has to
 * be kept shut, and published ports at ::1 are relayed.
 *
 * `-I`: ours must be seen before the ACCEPTs and DROPs of docker, ufw and the like. A packet that matches nothing of
 * ours goes on to theirs.
 */
function jumps({ store, family }: FirewallOwner): Jump[] {
	const chain = (name: string): string => `MYDOCKER-${name}-${store}`;
	const local = '-m addrtype --dst-type LOCAL ';
	const all: Jump[] = [
		{ table: 'raw', from: 'PREROUTING', match: '', chain: chain('RAW') },
		{ table: 'nat', from: 'PREROUTING', match: local, chain: chain('DNAT') },
		{ table: 'nat', from: 'OUTPUT', match: `${family === 4 ? '' : '! -d ::1/128 '}${local}`, chain: chain('OUT') },
		{ table: 'nat', from: 'POSTROUTING', match: '', chain: chain('POST') },
		{ table: 'filter', from: 'INPUT', match: '', chain: chain('IN') },
		{ table: 'filter', from: 'FORWARD', match: '', chain: chain('FWD') },
	];
	return all.filter(({ table }) => family === 4 || table !== 'raw');
}

/**
 * Input of `iptables-restore --noflush`, or ip6tables-restore. `saved` is what `iptables-save` prints: it tells which jumps are there.
 * Naming a chain of ours empties it, so the result does not depend on what was in it.
 */
export function iptablesRules(owner: FirewallOwner, networks: readonly FirewallNetwork[], saved: string): string {
	return TABLES.map((table) => {
		const own = jumps(owner).filter((jump) => jump.table === table);
		const lines =
			networks.length === 0
				? removal(own, saved)
				: [...presence(own, saved), ...tableRules(table, owner, networks)];
		return own.length === 0 || lines.length === 0 ? '' : [`*${table}`, ...lines, 'COMMIT', ''].join('\n');
	}).join('');
}

function presence(own: readonly Jump[], saved: string): string[] {
	const missing = own.filter((jump) => jumpsIn(saved, jump) === 0);
	return [
		...own.map((jump) => `:${jump.chain} - [0:0]`),
		...missing.map((jump) => `-I ${jump.from} ${jump.match}-j ${jump.chain}`),
	];
}

function removal(own: readonly Jump[], saved: string): string[] {
	const chains = own.filter((jump) => saved.includes(`\n:${jump.chain} `));
	return [
		...own.flatMap((jump) =>
			Array.from({ length: jumpsIn(saved, jump) }, () => `-D ${jump.from} ${jump.match}-j ${jump.chain}`),
		),
		...chains.map((jump) => `-F ${jump.chain}`),
		...chains.map((jump) => `-X ${jump.chain}`),
	];
}

function jumpsIn(saved: string, jump: Jump): number {
	return saved.split('\n').filter((line) => line === `-A ${jump.from} ${jump.match}-j ${jump.chain}`).length;
}

function tableRules(table: Table, { store, family }: FirewallOwner, networks: readonly FirewallNetwork[]): string[] {
	const rules = { raw: rawRules, nat: natRules, filter: filterRules }[table](networks, family);
	return rules.map(([chain, rule]) => `-A MYDOCKER-${chain}-${store} ${rule}`);
}

type Rule = readonly [chain: string, rule: string];

/**
 * route_localnet on the bridge (for 127.0.0.1 → container) would let containers talk to the host's loopback services,
 * and pretend to be one (CVE-2020-8558): nothing with a loopback address comes in from a bridge.
 */
function rawRules(networks: readonly FirewallNetwork[]): Rule[] {
	return networks.flatMap(({ bridge }): Rule[] => [
		['RAW', `-i ${bridge} -d 127.0.0.0/8 -j DROP`],
		['RAW', `-i ${bridge} -s 127.0.0.0/8 -j DROP`],
	]);
}

function natRules(networks: readonly FirewallNetwork[], family: Family): Rule[] {
	const ports = networks.flatMap((network) => network.ports);
	return [
		// Ports on a loopback address are for this host's programs only, so they are no business of PREROUTING, where
		// a neighbour could send a packet for 127.0.0.1 (moby CVE-2025-54388's class).
		...ports.filter((port) => isLoopback(port.host_ip)).map((port): Rule => ['OUT', translation(port)]),
		...ports
			.filter((port) => !isLoopback(port.host_ip))
			.flatMap((port): Rule[] => [
				['OUT', translation(port)],
				['DNAT', translation(port)],
			]),
		...networks.filter((network) => !network.internal).flatMap((network) => sourceRules(network, family)),
	];
}

function translation(port: FirewallPort): string {
	const bits = port.host_ip.includes(':') ? 128 : 32;
	const destination = isAnyAddress(port.host_ip) ? '' : `-d ${port.host_ip}/${bits} `;
	const match = `${destination}-p ${port.protocol} -m ${port.protocol} --dport ${port.host_port}`;
	return `${match} -j DNAT --to-destination ${formatTarget(port)}`;
}

function sourceRules({ bridge, subnet, isMasqueraded }: FirewallNetwork, family: Family): Rule[] {
	return [
		...(isMasqueraded ? [['POST', `-s ${subnet} ! -o ${bridge} -j MASQUERADE`] as const] : []),
		...(family === 4 ? [['POST', `-s 127.0.0.0/8 -o ${bridge} -j MASQUERADE`] as const] : []),
		// A container that uses the host's address of a port on its own network: the answer must come back this way.
		['POST', `-s ${subnet} -d ${subnet} -m conntrack --ctstate DNAT -j MASQUERADE`],
	];
}

function filterRules(networks: readonly FirewallNetwork[], family: Family): Rule[] {
	return [
		// The name server of a network is at its IPv4 gateway.
		...(family === 4 ? networks : []).flatMap(({ bridge, gateway }): Rule[] =>
			['udp', 'tcp'].map((protocol) => [
				'IN',
				`-d ${gateway}/32 -i ${bridge} -p ${protocol} -m ${protocol} --dport 53 -j ACCEPT`,
			]),
		),
		...networks.filter((network) => network.internal).flatMap(internalRules),
		// All that decides who gets in, before anything that lets out: so no network's way out is a way into another.
		...networks.filter((network) => !network.internal).flatMap(inboundRules),
		// Bridges of other stores judge for themselves what comes in.
		...networks
			.filter((network) => !network.internal)
			.map(({ bridge }): Rule => ['FWD', `-i ${bridge} ! -o md-+ -j ACCEPT`]),
	];
}

function internalRules({ bridge, isConnected }: FirewallNetwork): Rule[] {
	return [
		['FWD', `-i ${bridge} -o ${bridge} -j ${isConnected ? 'ACCEPT' : 'DROP'}`],
		['FWD', `-o ${bridge} -j DROP`],
		['FWD', `-i ${bridge} -j DROP`],
	];
}

function inboundRules({ bridge, isConnected }: FirewallNetwork): Rule[] {
	return [
		['FWD', `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`],
		['FWD', `-o ${bridge} -m conntrack --ctstate DNAT -j ACCEPT`],
		['FWD', `-i ${bridge} -o ${bridge} -j ${isConnected ? 'ACCEPT' : 'DROP'}`],
		['FWD', `-o ${bridge} -j DROP`],
	];
}
