import { addressPools } from './address-pools';
import { eachInTurn } from './in-turn';
import { shortId } from './format';
import { parseLink } from './network-flag';
import type { Action } from './row';
import { renderList } from './table';

interface ListFlags {
	readonly filter: Readonly<Record<string, readonly string[]>>;
	readonly format: string | undefined;
	readonly noTrunc: boolean;
	readonly quiet: boolean;
}

const LISTING = {
	headers: { Driver: 'DRIVER', ID: 'NETWORK ID', Internal: 'INTERNAL', Name: 'NAME', Scope: 'SCOPE' },
	columns: ['ID', 'Name', 'Driver', 'Scope'],
};

/** `mydocker network list` */
export const list: Action<ListFlags> = async (session, _operands, flags) => {
	const networks = await session.client.networks.list({ signal: session.signal, filters: flags.filter });
	const items = networks.map((network) => ({
		Driver: network.Driver,
		ID: flags.noTrunc ? network.Id : shortId(network.Id),
		Internal: String(network.Internal),
		Name: network.Name,
		Scope: network.Scope,
	}));
	session.output.stdout.write(
		flags.quiet ? items.map(({ ID }) => `${ID}\n`).join('') : renderList(flags.format, items, LISTING),
	);
	return 0;
};

interface CreateFlags {
	readonly driver: string | undefined;
	readonly gateway: readonly string[];
	readonly internal: boolean;
	readonly ipRange: readonly string[];
	readonly ipv6: boolean;
	readonly label: readonly string[];
	readonly opt: readonly string[];
	readonly subnet: readonly string[];
}

/** `mydocker network create`: prints the id. */
export const create: Action<CreateFlags> = async (session, [name = ''], flags) => {
	const body = {
		Name: name,
		Driver: flags.driver ?? 'bridge',
		Internal: flags.internal,
		...(flags.ipv6 && { EnableIPv6: true }),
		IPAM: { Config: addressPools(flags) },
		Labels: keyValues(flags.label),
		Options: keyValues(flags.opt),
	};
	const { Id: id, Warning: warning } = await session.client.networks.create(body, { signal: session.signal });
	if (warning !== '') {
		session.output.stderr.write(`WARNING: ${warning}\n`);
	}
	session.output.line(id);
	return 0;
};

/** "key=value" words as an object; a word without "=" has the value "". */
export function keyValues(words: readonly string[]): Record<string, string> {
	return Object.fromEntries(
		words.map((word) => {
			const equals = word.indexOf('=');
			return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
		}),
	);
}

/** `mydocker network remove` */
export const remove: Action<object> = (session, names) =>
	eachInTurn(session, names, async (name) => {
		await session.client.networks.remove(name, { signal: session.signal });
		return name;
	});

interface ConnectFlags {
	readonly alias: readonly string[];
	readonly ip: string | undefined;
	readonly ip6: string | undefined;
	readonly link: readonly string[];
}

/** `mydocker network connect NETWORK CONTAINER` */
export const connect: Action<ConnectFlags> = async (session, [network = '', container = ''], flags) => {
	const addresses = {
		...(flags.ip !== undefined && { IPv4Address: flags.ip }),
		...(flags.ip6 !== undefined && { IPv6Address: flags.ip6 }),
	};
	const endpoint = {
		...(flags.alias.length > 0 && { Aliases: flags.alias }),
		...(flags.link.length > 0 && { Links: flags.link.map(parseLink) }),
		...(Object.keys(addresses).length > 0 && { IPAMConfig: addresses }),
	};
	await session.client.networks.connect(network, container, { signal: session.signal, endpoint });
	return 0;
};

/** `mydocker network disconnect NETWORK CONTAINER` */
export const disconnect: Action<{ readonly force: boolean }> = async (
	session,
	[network = '', container = ''],
	flags,
) => {
	await session.client.networks.disconnect(network, container, { signal: session.signal, force: flags.force });
	return 0;
};
