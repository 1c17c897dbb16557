import { l10n } from 'vscode';
import { bare, beside } from './engine-keys';
import { partsAt } from './one-engine';
import type { Parts } from './parts';
import { containersFor } from './pick';
import type { Change } from './remade';
import { envFileLines, formContext } from './run';
import { editPlan } from './run-form';
import { planOf } from '../api/run-plan';
import { isAlive } from './rows';

type Needs = Pick<Parts, 'client' | 'model' | 'models'>;

/**
 * Edit and Recreate…: a container with other settings. The old one goes only when the new one has started; before, it
 * is put back as it was.
 */
export async function recreateContainer(parts: Needs, ...called: unknown[]): Promise<string | undefined> {
	const [id] = await containersFor(parts.model, called, {
		title: l10n.t('Edit and Recreate Container'),
		none: l10n.t('There are no containers yet.'),
	});
	if (id === undefined) {
		return undefined;
	}
	const here = partsAt(parts, id);
	const { client, model } = here;
	const inspect = await client.containers.inspect(id);
	const { Config: image } = await client.images.inspect(inspect.Image);
	const before = planOf(inspect, { env: image.Env ?? [], cmd: image.Cmd ?? [] });
	const context = await formContext(here, inspect.Image, {
		title: l10n.t('Recreate {0}', before.name),
		action: l10n.t('Stop, remove and run anew'),
		hint: l10n.t('Volumes stay; other files that the container wrote go'),
		except: id,
	});
	const plan = await editPlan(before, context);
	if (plan === undefined || plan === 'back') {
		return undefined;
	}
	return model.act(id, async () => replaceContainer(here, id, { before, plan, env: await envFileLines(plan) }));
}

/** Puts a container with the changes in the place of another; gives its id. */
async function replaceContainer(
	{ client, model }: Pick<Needs, 'client' | 'model'>,
	id: string,
	change: Change,
): Promise<string> {
	const [{ remade }, old] = await Promise.all([import('./remade'), client.containers.inspect(id)]);
	const { body, networks } = remade(old, (await client.images.inspect(old.Image)).Config, change);
	const name = old.Name.replace(/^\//, '');
	const wasAlive = old.State.Running || isAlive(model.container(id)?.state ?? '');
	await client.containers.stop(id);
	// An engine that removes it when it ends has done so.
	const isGone = (await client.containers.list({ all: true, filters: { id: [bare(id)] } })).length === 0;
	if (!isGone) {
		await client.containers.rename(id, `${name}-before-${bare(id).slice(0, 6)}`);
	}
	let replacement: string | undefined;
	try {
		const wanted = change.plan.name === '' ? {} : { name: change.plan.name };
		replacement = beside(id, (await client.containers.create(body, wanted)).Id);
		for (const [network, endpoint] of networks) {
			await client.networks.connect(network, replacement, { endpoint });
		}
		await client.containers.start(replacement);
	} catch (error) {
		if (replacement !== undefined) {
			await client.containers.remove(replacement, { force: true });
		}
		if (!isGone) {
			await client.containers.rename(id, name);
			await (wasAlive ? client.containers.start(id) : undefined);
		}
		throw error;
	}
	if (!isGone) {
		await client.containers.remove(id);
	}
	return replacement;
}
