import { EngineError } from '../../core/errors';
import type { Network } from '../../core/network/network';
import { PREDEFINED } from '../../core/network/network';
import type { PoolOptions } from '../../core/network/pool';
import { ANY_POOL } from '../../core/network/pool';
import { endpointConfig } from '../create';
import { Fields, object } from '../fields';
import { booleanFilter, hasLabels, matches } from '../filters';
import type { FilterValues } from '../filters';
import { networkJson } from '../network-shapes';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

const LIST_FILTERS = ['id', 'name', 'driver', 'label', 'type', 'dangling', 'scope'];

export const networkRoutes: readonly Route[] = [
	route('GET', '/networks', list),
	route('POST', '/networks/create', create),
	route('POST', '/networks/{id}/connect', connect),
	route('POST', '/networks/{id}/disconnect', disconnect),
	route('GET', '/networks/{id}', inspect),
	route('DELETE', '/networks/{id}', remove),
];

function list(request: ApiRequest): void {
	const filters = request.filters(LIST_FILTERS);
	checkType(filters);
	const dangling = booleanFilter(filters, 'dangling');
	const wanted = request.core.networks
		.list()
		.filter(
			(network) =>
				matches(filters, 'id', (value) => network.id.startsWith(value)) &&
				matches(filters, 'name', (value) => network.name.includes(value)) &&
				matches(filters, 'driver', (value) => network.driver === value) &&
				matches(filters, 'scope', (value) => value === 'local') &&
				matches(filters, 'type', (value) => (value === 'builtin') === isPredefined(network)) &&
				(dangling === undefined || dangling === (!isPredefined(network) && !isInUse(network))) &&
				hasLabels(filters, network.labels),
		);
	request.json(wanted.map((network) => networkJson(network, false)));
}

function checkType(filters: FilterValues): void {
	for (const value of filters.get('type') ?? []) {
		if (value !== 'custom' && value !== 'builtin') {
			throw new EngineError('invalid', `invalid filter: 'type'='${value}'`);
		}
	}
}

function isPredefined({ name }: Network): boolean {
	return PREDEFINED.includes(name);
}

function isInUse({ endpoints }: Network): boolean {
	return Object.keys(endpoints).length > 0;
}

async function create(request: ApiRequest): Promise<void> {
	const body = new Fields(object(await request.body(), 'body'), '');
	body.refuse({ ConfigOnly: [], ConfigFrom: [{ Network: '' }], Ingress: [], Scope: ['local'] });
	const pools = body.fields('IPAM').objects('Config').map(poolOptions);
	const ipv6 = pools.filter(({ subnet }) => subnet.includes(':'));
	const ipv4 = pools.filter(({ subnet }) => !subnet.includes(':'));
	if (ipv4.length > 1 || ipv6.length > 1) {
		throw new EngineError('denied', "bridge driver doesn't support multiple subnets");
	}
	const hasIpv6 = body.flag('EnableIPv6');
	const { id } = request.core.networks.create({
		name: body.string('Name'),
		driver: body.string('Driver'),
		internal: body.flag('Internal'),
		labels: body.record('Labels'),
		options: body.record('Options'),
		...(ipv4[0] ?? ANY_POOL),
		ipv6: hasIpv6 ? (ipv6[0] ?? ANY_POOL) : undefined,
	});
	const unused = hasIpv6 ? undefined : ipv6[0]?.subnet;
	const warning = unused === undefined ? '' : `Subnet ${unused} is not used: the network was made without IPv6`;
	request.json({ Id: id, Warning: warning }, 201);
}

function poolOptions(pool: Fields): PoolOptions {
	return { subnet: pool.string('Subnet'), gateway: pool.string('Gateway'), ip_range: pool.string('IPRange') };
}

function inspect(request: ApiRequest): void {
	request.json(networkJson(request.core.networks.get(request.parameter('id')), true));
}

async function remove(request: ApiRequest): Promise<void> {
	await request.core.networks.remove(request.parameter('id'));
	request.empty();
}

async function connect(request: ApiRequest): Promise<void> {
	const body = new Fields(object(await request.body(), 'body'), '');
	const network = request.core.networks.get(request.parameter('id'));
	const config = endpointConfig(network.id, body.fields('EndpointConfig'));
	await request.core.containers.connect(body.string('Container'), config);
	request.empty(200);
}

/** Also with "Force": a container that is gone has no endpoint left. */
async function disconnect(request: ApiRequest): Promise<void> {
	const body = new Fields(object(await request.body(), 'body'), '');
	const network = request.core.networks.get(request.parameter('id'));
	await request.core.containers.disconnect(body.string('Container'), network.id);
	request.empty(200);
}
