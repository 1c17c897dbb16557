import { l10n, ThemeIcon, window } from 'vscode';
import { engineIn } from './engine-keys';
import { drawEngine } from './engine-rows';
import { engineOf } from './keys';
import type { Parts } from './parts';
import { pinned } from './routing-client';

/** The same parts for a command that is about one engine: the one of the key. */
export function partsAt<Some extends Pick<Parts, 'client' | 'model' | 'models'>>(parts: Some, key: string): Some {
	const model = parts.models.at(key);
	return { ...parts, model, client: pinned(parts.client, model.keyOf('')) };
}

/**
 * The parts for what is made or pulled on one engine: the only one, that of the row or the name that the command was
 * called with, else the one that a person picks. Undefined when the person leaves.
 */
export async function partsOfOne(parts: Parts, called: readonly unknown[]): Promise<Parts | undefined> {
	const { engines, models } = parts;
	const [first] = called;
	const known = engines.areSeveral ? engineCalled(parts, first) : engines.chosen.id;
	const id = known ?? (await pickUsed(parts));
	return id === undefined ? undefined : partsAt(parts, models.of(id).keyOf(''));
}

function engineCalled({ engines, models }: Parts, first: unknown): string | undefined {
	if (typeof first !== 'string') {
		return undefined;
	}
	const engine = engineOf(first) ?? engineIn(first) ?? models.engineOfImage(first);
	return engine !== undefined && engines.isUsed(engine) ? engine : undefined;
}

async function pickUsed({ engines, models }: Parts): Promise<string | undefined> {
	const items = engines.used.map((engine) => {
		const { label, description, icon } = drawEngine(engine, engines, models);
		return { id: engine.id, label, description, iconPath: new ThemeIcon(icon) };
	});
	return (await window.showQuickPick(items, { title: l10n.t('On Which Engine?') }))?.id;
}
