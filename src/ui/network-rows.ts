import { env, l10n, type MarkdownString } from 'vscode';
import { engineOfRow } from './engine-keys';
import { partKey, partOf } from './keys';
import type { Model } from './model';
import { shortId } from './names';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { isAlive, type ContainerRow, type NetworkRow } from './rows';
import { facts } from './tooltip';

/** The rows of the Networks view: networks, and below each the containers on it. */
export function networkSource(model: Model): RowSource {
	return {
		load: () => model.ready(),
		keys: (parent) => {
			if (parent === undefined) {
				return model.networks.keys;
			}
			const network = model.networks.get(parent);
			return network === undefined
				? []
				: members(model, network).map((container) => partKey('member', network.id, container.id));
		},
		draw: (key) => {
			const member = memberOf(model, key);
			if (member !== undefined) {
				return drawMember(member.container, member.network, model.isBusy(key));
			}
			const network = model.networks.get(key);
			return network === undefined ? GONE : drawNetwork(network, model);
		},
		tooltip: (key) => {
			const network = model.networks.get(key);
			return network && networkTooltip(network, model);
		},
		parent: (key) => partOf(key, 'member')?.owner,
	};
}

/** The network and the container that a row below a network is about. */
export function memberOf(
	model: Model,
	key: string,
): { readonly network: NetworkRow; readonly container: ContainerRow } | undefined {
	const part = partOf(key, 'member');
	const network = part && model.networks.get(part.owner);
	const container = part && model.container(part.part);
	return network && container && { network, container };
}

/** Containers that are on the network, running or not. */
export function members(model: Model, network: NetworkRow): readonly ContainerRow[] {
	const engine = engineOfRow(network.id);
	return model.containers.filter(({ id, networks }) => network.name in networks && engineOfRow(id) === engine);
}

/** A network's row. */
export function drawNetwork(network: NetworkRow, model: Model): Drawing {
	const on = members(model, network);
	const fault = model.fault(network.id);
	const failure = fault === undefined ? [] : [l10n.t('failed: {0}', fault)];
	const words = [
		...failure,
		network.driver === network.name || network.driver === 'null' ? l10n.t('built in') : network.driver,
		...network.subnets,
		...(network.scope === 'local' ? [] : [network.scope]),
		...(network.isInternal ? [l10n.t('internal')] : []),
		memberWords(on.length),
	];
	const isBusy = model.isBusy(network.id);
	return {
		label: network.name,
		description: words.join(' · '),
		...(isBusy ? { icon: 'loading~spin' } : networkIcon(on, fault)),
		context: `network;${isBusy ? 'busy' : network.isBuiltIn ? 'builtin' : 'own'};${on.length > 0 ? 'used' : 'unused'}`,
		spoken: l10n.t('Network {0}, {1}', network.name, words.join(', ')),
		...(on.length > 0 ? { children: 'collapsed' as const } : {}),
	};
}

function networkIcon(on: readonly ContainerRow[], fault: string | undefined): Pick<Drawing, 'icon' | 'color'> {
	if (fault !== undefined) {
		return { icon: 'error', color: 'testing.iconFailed' };
	}
	return on.some((container) => isAlive(container.state))
		? { icon: 'type-hierarchy', color: 'charts.green' }
		: { icon: 'type-hierarchy' };
}

function drawMember(container: ContainerRow, network: NetworkRow, isBusy: boolean): Drawing {
	const address = container.networks[network.name] ?? '';
	const words = isAlive(container.state) ? address || l10n.t('running') : l10n.t('not running');
	return {
		label: container.name,
		description: words,
		icon: isBusy ? 'loading~spin' : isAlive(container.state) ? 'circle-large-filled' : 'circle-large-outline',
		color: isAlive(container.state) ? 'charts.green' : 'disabledForeground',
		context: `member;${isBusy ? 'busy' : network.driver === 'bridge' ? 'removable' : 'fixed'}`,
		spoken: l10n.t('Container {0} on network {1}, {2}', container.name, network.name, words),
	};
}

function memberWords(count: number): string {
	if (count === 0) {
		return l10n.t('not in use');
	}
	return count === 1 ? l10n.t('1 container') : l10n.t('{0} containers', count.toLocaleString(env.language));
}

function networkTooltip(network: NetworkRow, model: Model): MarkdownString {
	const labels = Object.entries(network.labels).map(([name, value]) => `${name}=${value}`);
	return facts(network.name, [
		[l10n.t('Failed'), model.fault(network.id) ?? ''],
		[l10n.t('Driver'), network.driver],
		[l10n.t('Subnet'), network.subnets.join(', ')],
		[l10n.t('Gateway'), network.gateway],
		[l10n.t('Leads out'), network.driver === 'bridge' ? (network.isInternal ? l10n.t('no') : l10n.t('yes')) : ''],
		[
			l10n.t('Used by'),
			members(model, network)
				.map((container) => container.name)
				.join(', '),
		],
		[l10n.t('Labels'), labels.join(', ')],
		[l10n.t('Created'), network.created > 0 ? new Date(network.created).toLocaleString(env.language) : ''],
		[l10n.t('ID'), shortId(network.id)],
	]);
}
