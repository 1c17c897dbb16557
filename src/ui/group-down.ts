import { l10n, ProgressLocation, window } from 'vscode';
import { check, type Candidate } from './checklist';
import { bare, engineOfRow } from './engine-keys';
import { sentence } from './failure';
import { members } from './network-rows';
import type { Parts } from './parts';
import { loadOrThrow } from './pick';
import { isAlive, type ContainerRow } from './rows';
import { PROJECT_LABEL } from './hide-rules';

type Needs = Pick<Parts, 'client' | 'model' | 'scope'>;
type Kind = 'container' | 'network' | 'volume';

interface Part extends Candidate {
	readonly kind: Kind;
}

/**
 * Down…: stops and removes the containers of a group and, of a compose project, its networks, as `docker compose down`.
 * Asks once, in a list that says what goes; volumes go only when they are ticked there.
 */
export async function takeGroupDown(needs: Needs, ...called: unknown[]): Promise<void> {
	const { model, scope } = needs;
	await loadOrThrow(model);
	const row = typeof called[0] === 'string' ? model.container(called[0]) : undefined;
	const group = row === undefined ? await pickGroup(needs) : scope.groupOf(row);
	if (group === undefined) {
		return;
	}
	// Also of what a filter hides.
	const rows = model.containers.filter((row) => scope.groupOf(row) === group);
	const parts = partsOf(needs, group, rows);
	const name = bare(group);
	const title = l10n.t('Take Down {0}', name);
	const keys = new Set(
		await check(parts, {
			title,
			none: l10n.t('Nothing of {0} is there.', name),
			warning: l10n.t('What is checked is stopped and removed for good, with files written inside and logs.'),
		}),
	);
	const chosen = parts.filter(({ key }) => keys.has(key));
	if (chosen.length === 0) {
		return;
	}
	await window.withProgress({ location: ProgressLocation.Notification, title }, () => removeAll(needs, chosen));
}

/** The groups that are shown. */
async function pickGroup({ model, scope }: Needs): Promise<string | undefined> {
	const groups = [...new Set(scope.rows.map((row) => scope.groupOf(row)))].filter((name) => name !== undefined);
	const items = groups.sort().map((group) => ({ group, label: bare(group), description: model.engineName(group) }));
	return (await window.showQuickPick(items, { title: l10n.t('Take Down Group') }))?.group;
}

function partsOf({ model, scope }: Needs, group: string, rows: readonly ContainerRow[]): Part[] {
	const containers = rows.map((row): Part => ({
		...{ kind: 'container', key: row.id, label: row.name, bytes: undefined, isPicked: true },
		description: isAlive(row.state) ? l10n.t('is stopped first') : '',
		group: l10n.t('Containers'),
	}));
	if (scope.choices.groupBy !== 'project') {
		return containers;
	}
	const isOfGroup = (key: string, labels: ContainerRow['labels']): boolean =>
		engineOfRow(key) === engineOfRow(group) && labels[PROJECT_LABEL] === bare(group);
	const own = new Set(rows.map(({ id }) => id));
	const networks = model.networks.rows
		.filter(({ id, labels }) => isOfGroup(id, labels))
		.map((network): Part => {
			const others = members(model, network).filter(({ id }) => !own.has(id));
			return {
				...{ kind: 'network', key: network.id, label: network.name, bytes: undefined },
				// An engine refuses to remove a network that others use.
				isPicked: others.length === 0,
				description:
					others.length === 0 ? '' : l10n.t('used by {0}', others.map(({ name }) => name).join(', ')),
				group: l10n.t('Networks'),
			};
		});
	const volumes = model.volumes.rows
		.filter(({ name, labels }) => isOfGroup(name, labels))
		.map((volume): Part => ({
			...{ kind: 'volume', key: volume.name, label: bare(volume.name), bytes: undefined, isPicked: false },
			description: l10n.t('its files go for good'),
			group: l10n.t('Volumes'),
		}));
	return [...containers, ...networks, ...volumes];
}

/** Kind after kind. What cannot go is told in one message, after all have been tried. */
async function removeAll(needs: Needs, parts: readonly Part[]): Promise<void> {
	const errors: unknown[] = [];
	for (const kind of ['container', 'network', 'volume'] as const) {
		const results = await Promise.allSettled(
			parts.filter((part) => part.kind === kind).map((part) => remove(needs, part)),
		);
		errors.push(...results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])));
	}
	if (errors.length > 0) {
		throw errors.length === 1 ? errors[0] : new AggregateError(errors, errors.map(sentence).join('\n'));
	}
}

async function remove({ client, model }: Needs, { kind, key }: Part): Promise<void> {
	await model.act(key, async () => {
		switch (kind) {
			case 'container':
				await client.containers.stop(key);
				return client.containers.remove(key);
			case 'network':
				return client.networks.remove(key);
			case 'volume':
				return client.volumes.remove(key);
		}
	});
}
