import { l10n } from 'vscode';
import { engineOfRow, OWN_ID } from './engine-keys';
import type { EngineModel } from './engine-model';
import { addressOf } from './engine-rows';
import type { Engine, Engines } from './engines';
import { sentence, localSentence } from './failure';
import { engineKey, engineOf } from './keys';
import type { Models } from './model';
import type { Drawing, RowSource } from './row-tree';
import { facts } from './tooltip';

/**
 * What a view counts on an engine, in words: "3 running"; and what stands there instead of rows when there are none, "" for
 * nothing.
 */
export type Count = (model: EngineModel) => readonly [figure: string, none: string];

/** Of the row that says that an engine has none: no engine has such an id, so that no command takes it for a row of its. */
const NONE = ' none';

/**
 * The rows of a view below a row for each engine, while the window uses several; with one they are as they are. What only
 * our engine can is not offered on rows of another: their context ends with ";attached".
 */
export function byEngine(source: RowSource, engines: Engines, models: Models, count: Count): RowSource {
	const rootOf = (key: string): Engine | undefined =>
		engines.areSeveral ? engines.used.find(({ id }) => id === engineOf(key)) : undefined;
	const noneOf = (key: string): Engine | undefined =>
		key.endsWith(NONE) ? rootOf(key.slice(0, -NONE.length)) : undefined;
	const under = (engine: string): readonly string[] => {
		const keys = source.keys().filter((key) => engineOfRow(key) === engine);
		return keys.length > 0 || noneWords(models.of(engine), count) === '' ? keys : [engineKey(engine) + NONE];
	};
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
			const empty = noneOf(key);
			if (empty !== undefined) {
				return drawNone(models.of(empty.id), count);
			}
			const drawing = source.draw(key);
			return engineOfRow(key) === OWN_ID ? drawing : { ...drawing, context: `${drawing.context};attached` };
		},
		tooltip: (key) => {
			const engine = rootOf(key) ?? noneOf(key);
			return engine === undefined
				? source.tooltip(key)
				: facts(engine.name, [
						[l10n.t('State'), stateWords(models.of(engine.id), count).join(', ')],
						[l10n.t('Reason'), reasonOf(models.of(engine.id))],
						[l10n.t('Address'), addressOf(engine)],
						[l10n.t('Docker context'), engine.context ?? ''],
					]);
		},
		parent: (key) => {
			const empty = noneOf(key);
			const parent = empty === undefined ? source.parent?.(key) : engineKey(empty.id);
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
		spoken: l10n.t('Engine {0}, {1}', name, [...words, reasonOf(model)].filter((word) => word !== '').join(', ')),
		// Always: VS Code closes a row that gets its first rows later.
		children: 'expanded',
	};
}

/** In the place of rows, as in the views of VS Code's own extensions: an open row with nothing below it looks broken. */
function drawNone(model: EngineModel, count: Count): Drawing {
	const label = noneWords(model, count);
	return { label, description: '', icon: 'dash', color: 'disabledForeground', context: 'none', spoken: label };
}

function stateWords(model: EngineModel, count: Count): string[] {
	switch (model.state) {
		case 'ready':
			return [l10n.t('connected'), count(model)[0]].filter((word) => word !== '');
		case 'failed':
			return [l10n.t('does not answer')];
		case 'unsupported':
			return [l10n.t('needs Linux')];
		case 'restricted':
			return [l10n.t('not in a workspace that is not trusted')];
		case 'idle':
		case 'loading':
			return [l10n.t('is being asked')];
	}
}

function noneWords(model: EngineModel, count: Count): string {
	return model.state === 'ready' ? count(model)[1] : reasonOf(model);
}

/** Why the engine does not answer, which is too long for a row; "" when it does. */
function reasonOf({ state, failure }: EngineModel): string {
	return state === 'failed' ? localSentence(sentence(failure).replace(/^.*?: /, '')) : '';
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
