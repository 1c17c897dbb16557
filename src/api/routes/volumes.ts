import { Fields, object } from '../fields';
import { booleanFilter, hasLabels, matches } from '../filters';
import { volumeJson } from '../network-shapes';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

export const volumeRoutes: readonly Route[] = [
	route('GET', '/volumes', list),
	route('POST', '/volumes/create', create),
	route('GET', '/volumes/{id}', inspect),
	route('DELETE', '/volumes/{id}', remove),
];

function list(request: ApiRequest): void {
	const { core } = request;
	const filters = request.filters(['name', 'label', 'dangling', 'driver']);
	const dangling = booleanFilter(filters, 'dangling');
	const wanted = core.volumes
		.list()
		.filter(
			(volume) =>
				matches(filters, 'name', (value) => volume.name.includes(value)) &&
				matches(filters, 'driver', (value) => value === 'local') &&
				(dangling === undefined || dangling === (core.volumes.usersOf(volume.name).length === 0)) &&
				hasLabels(filters, volume.labels),
		);
	request.json({ Volumes: wanted.map((volume) => volumeJson(volume, core)), Warnings: null });
}

async function create(request: ApiRequest): Promise<void> {
	const body = new Fields(object(await request.body(), 'body'), '');
	body.refuse({ ClusterVolumeSpec: [] });
	const volume = request.core.volumes.create({
		name: body.string('Name'),
		driver: body.string('Driver'),
		labels: body.record('Labels'),
		options: body.record('DriverOpts'),
	});
	request.json(volumeJson(volume, request.core), 201);
}

function inspect(request: ApiRequest): void {
	request.json(volumeJson(request.core.volumes.get(request.parameter('id')), request.core));
}

async function remove(request: ApiRequest): Promise<void> {
	await request.core.volumes.remove(request.parameter('id'), { force: request.flag('force') });
	request.empty();
}
