import * as net from 'node:net';
import { EngineError } from '../errors';
import { isLoopback } from './address';

/** resolv.conf(5), as far as containers need it. */
export interface ResolvConf {
	readonly nameservers: readonly string[];
	readonly search: readonly string[];
	readonly options: readonly string[];
}

/** Unknown lines and addresses that are none are left out; the last `search` or `domain` counts. */
export function parseResolvConf(text: string): ResolvConf {
	const nameservers: string[] = [];
	let search: string[] = [];
	const options: string[] = [];
	for (const line of text.split('\n')) {
		const [keyword, ...values] = line
			.replace(/[#;].*/, '')
			.trim()
			.split(/\s+/);
		if (keyword === 'nameserver' && net.isIP((values[0] ?? '').replace(/%.*/, '')) !== 0) {
			nameservers.push(values[0] ?? '');
		} else if (keyword === 'search' || keyword === 'domain') {
			search = values;
		} else if (keyword === 'options') {
			options.push(...values);
		}
	}
	return { nameservers, search, options };
}

export function formatResolvConf({ nameservers, search, options }: ResolvConf): string {
	return [
		...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
		...nameservers.map((address) => `nameserver ${address}`),
		...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
		'',
	].join('\n');
}

/** `--dns`, `--dns-search`, `--dns-option`. */
export interface DnsConfig {
	readonly servers: readonly string[];
	/** ["."] means none at all. */
	readonly search: readonly string[];
	readonly options: readonly string[];
}

export function checkDnsConfig(config: DnsConfig): DnsConfig {
	for (const server of config.servers) {
		if (net.isIP(server) === 0) {
			throw new EngineError('invalid', `${server} is not an ip address`);
		}
	}
	const word = [...config.search, ...config.options].find((value) => !/^\S+$/.test(value));
	if (word !== undefined) {
		throw new EngineError('invalid', `Cannot use "${word}" in resolv.conf: it is not one word`);
	}
	return config;
}

export interface ResolverPlan {
	/** The host's own file. */
	readonly host: ResolvConf;
	/** The gateway of the container's first network, when a name server of ours listens there. */
	readonly gateway: string | undefined;
	/** Names of containers are known: user networks, not the default bridge. */
	readonly hasNames: boolean;
	/** No way out: a resolver elsewhere would never answer. */
	readonly internal: boolean;
	readonly dns: DnsConfig;
}

/**
 * The resolv.conf of a container on a bridge. On a user network our name server comes first and the outside ones after
 * it: while the engine is away its port is closed, which every resolver notices at once, and outside names keep
 * working. On the default bridge the outside ones serve alone, unless the host has only loopback resolvers
 * (systemd-resolved), which a container cannot reach: then ours forwards to them.
 */
export function planResolvConf({ host, gateway, hasNames, internal, dns }: ResolverPlan): ResolvConf {
	const reachable = host.nameservers.filter((address) => !isLoopback(address) && !address.includes('%'));
	const outside = internal ? [] : dns.servers.length > 0 ? dns.servers : reachable;
	const needsGateway = gateway !== undefined && (hasNames || outside.length === 0);
	const options = dns.options.length > 0 ? dns.options : host.options;
	const hasDots = options.some((option) => option.startsWith('ndots:'));
	return {
		// resolv.conf(5), MAXNS: more than three are not looked at.
		nameservers: [...(needsGateway ? [gateway] : []), ...outside].slice(0, 3),
		search: searchOf(dns.search.length > 0 ? dns.search : host.search),
		// A container's name has no dot: it must be asked for as it is, before any search domain (docker does this too).
		options: hasNames && !hasDots ? [...options, 'ndots:0'] : options,
	};
}

function searchOf(search: readonly string[]): readonly string[] {
	return search.length === 1 && search[0] === '.' ? [] : search;
}
