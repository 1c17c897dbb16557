import type { CreateContainerBody, EndpointJson } from '../api/types';
import { CommandError, FlagError } from './errors';
import { createFlags } from './run-flags';
import type { CreateFlags } from './run-flags';

/** One `--network`. */
interface NetworkFlag {
	readonly name: string;
	readonly aliases: readonly string[];
	readonly ip: string;
	readonly ip6: string;
	readonly mac: string;
}

export interface Networking {
	/** HostConfig.NetworkMode; undefined leaves it to the engine. */
	readonly mode: string | undefined;
	readonly config: Pick<CreateContainerBody, 'NetworkingConfig'>;
}

/**
 * The networks of `run` and `create`: each `--network`, in its short or long form, with `--ip`, `--ip6`,
 * `--network-alias`, `--mac-address` and `--link` for the first. Throws CommandError and FlagError with docker's words.
 */
export function networking(flags: CreateFlags): Networking {
	const [first, ...others] = flags.network.map(parseNetwork);
	if (others.length > 0 && [first, ...others].some((network) => network !== undefined && isSpecial(network.name))) {
		throw new CommandError(
			'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
			125,
		);
	}
	const main = withOwnFlags(first ?? { name: 'default', aliases: [], ip: '', ip6: '', mac: '' }, flags);
	const endpoints = new Map<string, EndpointJson>();
	for (const network of [main, ...others]) {
		if (endpoints.has(network.name)) {
			throw new CommandError(`network ${JSON.stringify(network.name)} is specified multiple times`, 125);
		}
		endpoints.set(network.name, endpoint(network));
	}
	const isPlain = others.length === 0 && Object.keys(endpoint(main)).length === 0;
	return {
		mode: first?.name,
		config: isPlain ? {} : { NetworkingConfig: { EndpointsConfig: Object.fromEntries(endpoints) } },
	};
}

/** "NETWORK", or "name=NETWORK,alias=…,ip=…"; an alias may be given several times. */
function parseNetwork(value: string): NetworkFlag {
	if (!value.includes('=')) {
		return { name: value, aliases: [], ip: '', ip6: '', mac: '' };
	}
	const refuse = (reason: string) => new FlagError(createFlags.network.spelling, value, reason);
	const fields = value.split(',').map((field): [string, string] => {
		const equals = field.indexOf('=');
		if (equals < 0) {
			throw refuse(`invalid field ${field}`);
		}
		return [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1).trim()];
	});
	const unknown = fields.find(([key]) => !['name', 'alias', 'ip', 'ip6', 'mac-address'].includes(key));
	if (unknown !== undefined) {
		throw refuse(`invalid field key ${unknown[0]}`);
	}
	const last = (wanted: string): string => fields.findLast(([key]) => key === wanted)?.[1] ?? '';
	if (last('name') === '') {
		throw refuse('network name is not specified');
	}
	const aliases = fields.filter(([key]) => key === 'alias').map(([, alias]) => alias);
	return { name: last('name'), aliases, ip: last('ip'), ip6: last('ip6'), mac: last('mac-address') };
}

function withOwnFlags(network: NetworkFlag, flags: CreateFlags): NetworkFlag {
	const pick = (own: string | undefined, fieldValue: string, what: string): string => {
		if (own !== undefined && fieldValue !== '') {
			throw new CommandError(`conflicting options: cannot specify both --${what} and per-network ${what}`, 125);
		}
		return own ?? fieldValue;
	};
	if (flags.networkAlias.length > 0 && network.aliases.length > 0) {
		throw new CommandError('conflicting options: cannot specify both --network-alias and per-network alias', 125);
	}
	return {
		name: network.name,
		aliases: [...network.aliases, ...flags.networkAlias],
		ip: pick(flags.ip, network.ip, 'ip'),
		ip6: pick(flags.ip6, network.ip6, 'ip6'),
		mac: pick(flags.macAddress, network.mac, 'mac-address'),
	};
}

function endpoint({ aliases, ip, ip6, mac }: NetworkFlag): EndpointJson {
	const ipam = { ...(ip !== '' && { IPv4Address: ip }), ...(ip6 !== '' && { IPv6Address: ip6 }) };
	return {
		...(aliases.length > 0 && { Aliases: aliases }),
		...(Object.keys(ipam).length > 0 && { IPAMConfig: ipam }),
		...(mac !== '' && { MacAddress: mac }),
	};
}

function isSpecial(name: string): boolean {
	return ['host', 'none', 'bridge', 'default'].includes(name) || name.startsWith('container:');
}

/** `--link CONTAINER[:ALIAS]` as the API wants it. */
export function parseLink(value: string): string {
	const [target = '', alias = target, ...rest] = value.split(':');
	if (target === '' || alias === '' || rest.length > 0) {
		throw new FlagError(createFlags.link.spelling, value, `bad format for links: ${value}`);
	}
	return `${target}:${alias}`;
}
