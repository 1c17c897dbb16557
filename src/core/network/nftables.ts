import type { Family } from './address';
import { isLoopback } from './address';
import type { FirewallNetwork, FirewallOwner, FirewallPort } from './rules';
import { formatTarget, isAnyAddress } from './rules';

/**
 * Input of `nft -f -`: the same rules as iptables.ts, in one table a family of our own that is replaced as a whole (one
 * transaction). A drop in another program's table still wins over our accepts; that is nftables' order of things.
 */
export function nftablesRules({ store, family }: FirewallOwner, networks: readonly FirewallNetwork[]): string {
	const table = `table ${family === 4 ? 'ip' : 'ip6'} mydocker_${store}`;
	// Adding first makes deleting a table that is not there no error.
	const replacement = [`add ${table}`, `delete ${table}`];
	if (networks.length > 0) {
		replacement.push(`${table} {`, ...chains(networks, family), '}');
	}
	return replacement.join('\n') + '\n';
}

function chains(networks: readonly FirewallNetwork[], family: Family): string[] {
	// See iptables.ts of what IPv6 does without.
	const named = family === 4 ? networks : [];
	const notLoopback = family === 4 ? '' : 'ip6 daddr != ::1 ';
	const ports = networks.flatMap((network) => network.ports);
	const open = networks.filter((network) => !network.internal);
	const internal = networks.filter((network) => network.internal);
	return [
		...chain('ports', undefined, ports.filter((port) => !isLoopback(port.host_ip)).map(translation)),
		...chain('loopback_ports', undefined, ports.filter((port) => isLoopback(port.host_ip)).map(translation)),
		...chain(
			'raw',
			'type filter hook prerouting priority -300',
			named.flatMap(({ bridge }) => [
				`iifname ${bridge} ip daddr 127.0.0.0/8 drop`,
				`iifname ${bridge} ip saddr 127.0.0.0/8 drop`,
			]),
		),
		...chain('prerouting', 'type nat hook prerouting priority -100', ['fib daddr type local jump ports']),
		...chain('output', 'type nat hook output priority -100', [
			'fib daddr type local jump loopback_ports',
			`${notLoopback}fib daddr type local jump ports`,
		]),
		...chain(
			'postrouting',
			'type nat hook postrouting priority 100',
			open.flatMap((network) => sourceRules(network, family)),
		),
		...chain(
			'input',
			'type filter hook input priority 0',
			named.flatMap(({ bridge, gateway }) =>
				['udp', 'tcp'].map((protocol) => `iifname ${bridge} ip daddr ${gateway} ${protocol} dport 53 accept`),
			),
		),
		...chain('forward', 'type filter hook forward priority 0', [
			...internal.flatMap(internalRules),
			...open.flatMap(inboundRules),
			...open.map(({ bridge }) => `iifname ${bridge} oifname != "md-*" accept`),
		]),
	];
}

function chain(name: string, hook: string | undefined, rules: readonly string[]): string[] {
	const lines = hook === undefined ? rules : [`${hook}; policy accept;`, ...rules];
	return [`\tchain ${name} {`, ...lines.map((line) => `\t\t${line}`), '\t}'];
}

function translation(port: FirewallPort): string {
	const family = port.host_ip.includes(':') ? 'ip6' : 'ip';
	const destination = isAnyAddress(port.host_ip) ? '' : `${family} daddr ${port.host_ip} `;
	return `${destination}${port.protocol} dport ${port.host_port} dnat to ${formatTarget(port)}`;
}

function sourceRules({ bridge, subnet, isMasqueraded }: FirewallNetwork, family: Family): string[] {
	const ip = family === 4 ? 'ip' : 'ip6';
	return [
		...(isMasqueraded ? [`${ip} saddr ${subnet} oifname != ${bridge} masquerade`] : []),
		...(family === 4 ? [`ip saddr 127.0.0.0/8 oifname ${bridge} masquerade`] : []),
		`${ip} saddr ${subnet} ${ip} daddr ${subnet} ct status dnat masquerade`,
	];
}

function internalRules({ bridge, isConnected }: FirewallNetwork): string[] {
	return [
		`iifname ${bridge} oifname ${bridge} ${isConnected ? 'accept' : 'drop'}`,
		`oifname ${bridge} drop`,
		`iifname ${bridge} drop`,
	];
}

function inboundRules({ bridge, isConnected }: FirewallNetwork): string[] {
	return [
		`oifname ${bridge} ct state established,related accept`,
		`oifname ${bridge} ct status dnat accept`,
		`iifname ${bridge} oifname ${bridge} ${isConnected ? 'accept' : 'drop'}`,
		`oifname ${bridge} drop`,
	];
}
