import { l10n } from 'vscode';
import { engineOfRow, OWN_ID } from './engine-keys';
import type { EngineModel } from './engine-model';
import { addressOf } from './engine-rows';
import type { Engine, Engines } from './engines';
import { sentence } from './failure';
import { engineKey, engineOf } from './keys';
import type { Models } from './model';
import type { Drawing, RowSource } from './row-tree';
import { facts } from './tooltip';

/** What a view counts on an engine, in words: "3 running". */
export type Count = (model: EngineModel) => string;

/**
 * The rows of a view below a row for each engine, while the window uses several; with one they are as they are. What only
 * our engine can is not offered on rows of another: their context ends with ";attached".
 */
export function byEngine(source: RowSource, engines: Engines, models: Models, count: Count): RowSource {
	const rootOf = (key: string): Engine | undefined =>
		engines.areSeveral ? engines.used.find(({ id }) => id === engineOf(key)) : undefined;
	const under = (engine: string): readonly string[] => source.keys().filter((key) => engineOfRow(key) === engine);
	return {
		// An engine that is slow to answer does not hold the rows of the others back.
		load: async () => {
			const loaded = source.load();
			await (engines.areSeveral ? Promise.resolve() : loaded);
		},
		keys: (parent) => {
			if (!engines.areSeveral) {
				return source.keys(parent);
			}
			if (parent === undefined) {
				return engines.usedIds.map(engineKey);
			}
			const engine = rootOf(parent);
			return engine === undefined ? source.keys(parent) : under(engine.id);
		},
		draw: (key) => {
			const engine = rootOf(key);
			if (engine !== undefined) {
				return drawRoot(engine, models.of(engine.id), count);
			}
			const drawing = source.draw(key);
			return engineOfRow(key) === OWN_ID ? drawing : { ...drawing, context: `${drawing.context};attached` };
		},
		tooltip: (key) => {
			const engine = rootOf(key);
			return engine === undefined
				? source.tooltip(key)
				: facts(engine.name, [
						[l10n.t('State'), stateWords(models.of(engine.id), count).join(', ')],
						[l10n.t('Address'), addressOf(engine)],
						[l10n.t('Docker context'), engine.context ?? ''],
					]);
		},
		parent: (key) => {
			const parent = source.parent?.(key);
			return parent !== undefined || !engines.areSeveral || rootOf(key) !== undefined
				? parent
				: engineKey(engineOfRow(key));
		},
	};
}

function drawRoot({ id, name }: Engine, model: EngineModel, count: Count): Drawing {
	const words = stateWords(model, count);
	return {
		label: name,
		description: words.join(' · '),
		...iconOf(model),
		context: `engine;root;${id === OWN_ID ? 'own' : 'attached'};${model.state}`,
		spoken: l10n.t('Engine {0}, {1}', name, words.join(', ')),
		// Always: VS Code closes a row that gets its first rows later.
		children: 'expanded',
	};
}

function stateWords(model: EngineModel, count: Count): string[] {
	switch (model.state) {
		case 'ready':
			return [l10n.t('connected'), count(model)].filter((word) => word !== '');
		case 'failed':
			return [l10n.t('does not answer: {0}', sentence(model.failure).replace(/^.*?: /, ''))];
		case 'unsupported':
			return [l10n.t('needs Linux')];
		case 'restricted':
			return [l10n.t('not in a workspace that is not trusted')];
		case 'idle':
		case 'loading':
			return [l10n.t('is being asked')];
	}
}

function iconOf({ state }: EngineModel): Pick<Drawing, 'icon' | 'color'> {
	switch (state) {
		case 'ready':
			return { icon: 'server' };
		case 'failed':
			return { icon: 'error', color: 'testing.iconFailed' };
		case 'loading':
			return { icon: 'loading~spin' };
		default:
			return { icon: 'server', color: 'disabledForeground' };
	}
}
