import { env, l10n, window } from 'vscode';
import type { CreateNetworkBody } from '../api/types';
import { ask } from './ask';
import { engineOfRow } from './engine-keys';
import { forEach } from './lifecycle';
import { memberOf, members } from './network-rows';
import { isContainerName } from './names';
import type { Parts } from './parts';
import { containersFor, loadOrThrow, networksFor } from './pick';
import type { NetworkRow } from './rows';
import { subnetProblem } from './subnet';

type Needs = Pick<Parts, 'client' | 'model'>;

/** Create Network…: asks for a name and, with Enter taking the engine's choice, for a subnet. Gives its id. */
export async function createNetwork({ client, model }: Needs, given?: unknown): Promise<string | undefined> {
	await loadOrThrow(model);
	const body = isBody(given) ? given : await askNetwork({ model });
	return body && model.keyOf((await model.during([], () => client.networks.create(body))).Id);
}

function isBody(value: unknown): value is CreateNetworkBody {
	return typeof value === 'object' && value !== null && 'Name' in value;
}

async function askNetwork({ model }: Pick<Parts, 'model'>): Promise<CreateNetworkBody | undefined> {
	const title = l10n.t('Create Network');
	const taken = new Set(model.networks.rows.map((network) => network.name));
	let name = '';
	for (;;) {
		const answer = await ask({
			title,
			step: [1, 2],
			prompt: l10n.t('Name of the network'),
			value: name,
			check: (value, isFinal) => nameMessage(value, taken, isFinal),
		});
		if (typeof answer !== 'string') {
			return undefined;
		}
		name = answer;
		const subnet = await ask({
			title,
			step: [2, 2],
			prompt: l10n.t('Subnet, or nothing for a free one'),
			placeholder: '10.90.0.0/24',
			check: (value, isFinal) => subnetMessage(value, model.networks.rows, isFinal),
		});
		if (subnet === undefined) {
			return undefined;
		}
		if (typeof subnet === 'string') {
			return {
				Name: name,
				...(subnet === '' ? {} : { EnableIPv6: subnet.includes(':'), IPAM: { Config: [{ Subnet: subnet }] } }),
			};
		}
	}
}

function nameMessage(value: string, taken: ReadonlySet<string>, isFinal: boolean): string | undefined {
	if (value.length < 2 && !isFinal) {
		return undefined;
	}
	if (!isContainerName(value)) {
		return l10n.t('A name has at least two letters, digits, "_", "." or "-", and begins with a letter or a digit');
	}
	return taken.has(value) ? l10n.t('Another network has this name') : undefined;
}

function subnetMessage(value: string, networks: readonly NetworkRow[], isFinal: boolean): string | undefined {
	const problem = subnetProblem(value, networks);
	switch (problem?.kind) {
		case undefined:
			return undefined;
		case 'malformed':
			return isFinal ? l10n.t('A subnet is an address and a length, for example 10.90.0.0/24') : undefined;
		case 'taken':
			return l10n.t('The network {0} has these addresses', problem.network);
	}
}

/** Remove Network…: asks once. The engine refuses a network that a running container is on. */
export async function removeNetworks({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const ids = await networksFor(model, called, {
		title: l10n.t('Remove Network'),
		none: l10n.t('There is no network to remove.'),
		fits: (network) => !network.isBuiltIn,
	});
	if (ids.length === 0) {
		return;
	}
	const names = ids.map((id) => model.networks.get(id)?.name ?? id);
	const users = ids.flatMap((id) => usersOf({ model }, id));
	const remove = l10n.t('Remove');
	const answer = await window.showWarningMessage(
		ids.length === 1
			? l10n.t('Remove network "{0}"?', names[0] ?? '')
			: l10n.t('Remove {0} networks?', ids.length.toLocaleString(env.language)),
		{
			modal: true,
			detail: [
				...(ids.length > 1 ? [names.join(', ')] : []),
				users.length === 0
					? l10n.t('No container uses it.')
					: l10n.t('Used by {0}: running ones have to be disconnected first.', users.join(', ')),
			].join('\n'),
		},
		remove,
	);
	if (answer === remove) {
		await forEach(ids, (id) => model.act(id, () => client.networks.remove(id)));
	}
}

function usersOf({ model }: Pick<Parts, 'model'>, id: string): string[] {
	const network = model.networks.get(id);
	return network === undefined ? [] : members(model, network).map((container) => container.name);
}

/** Connect Container…: puts a container on the network. */
export async function connectContainer({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const [id] = await networksFor(model, called.slice(0, 1), {
		title: l10n.t('Connect Container to Network'),
		none: l10n.t('There is no network to connect to. Create one first.'),
		fits: isJoinable,
	});
	const network = id === undefined ? undefined : model.networks.get(id);
	if (network === undefined) {
		return;
	}
	const chosen = typeof called[1] === 'string' ? [called[1]] : [];
	const containers = await containersFor(model, chosen, {
		title: l10n.t('Connect a Container to {0}', network.name),
		none: l10n.t('Every container is on this network already.'),
		fits: ({ id, networks }) => isBeside(id, network) && !(network.name in networks) && canJoin(networks),
	});
	await forEach(containers, (container) =>
		model.act(container, () => client.networks.connect(network.id, container)),
	);
}

/** A network with addresses; the built-in "host" and "none" are modes of a container. */
function isJoinable(network: NetworkRow): boolean {
	return network.driver !== 'host' && network.driver !== 'null';
}

/** True for a container of the network's engine. */
function isBeside(container: string, network: NetworkRow): boolean {
	return engineOfRow(container) === engineOfRow(network.id);
}

/** A container that shares a namespace cannot join networks of its own. */
function canJoin(networks: Readonly<Record<string, string>>): boolean {
	return Object.keys(networks).length > 0 && !('host' in networks) && !('none' in networks);
}

/** Disconnect Container…: on a row below a network, else a network and one of its containers are asked for. */
export async function disconnectContainer({ client, model }: Needs, ...called: unknown[]): Promise<void> {
	const [first, second] = called;
	const member = typeof first === 'string' ? memberOf(model, first) : undefined;
	if (member !== undefined && typeof first === 'string') {
		await model.act(first, () => client.networks.disconnect(member.network.id, member.container.id));
		return;
	}
	const [id] = await networksFor(model, [first], {
		title: l10n.t('Disconnect Container from Network'),
		none: l10n.t('No container is on a network.'),
		fits: (network) => isJoinable(network) && members(model, network).length > 0,
	});
	const network = id === undefined ? undefined : model.networks.get(id);
	if (network === undefined) {
		return;
	}
	const containers = await containersFor(model, typeof second === 'string' ? [second] : [], {
		title: l10n.t('Disconnect a Container from {0}', network.name),
		none: l10n.t('No container is on this network.'),
		fits: ({ id, networks }) => isBeside(id, network) && network.name in networks,
	});
	await forEach(containers, (container) =>
		model.act(container, () => client.networks.disconnect(network.id, container)),
	);
}
