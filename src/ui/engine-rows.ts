import { l10n } from 'vscode';
import type { Doctor } from './doctor';
import { engineOfRow } from './engine-keys';
import { OWN, type Engine, type Engines } from './engines';
import { engineKey, engineOf } from './keys';
import type { Models } from './model';
import type { Drawing, RowSource } from './row-tree';
import { facts } from './tooltip';

/**
 * The rows of the Engine view: what the doctor found, below each engine that this window uses. Without others there is no row
 * for the only one.
 */
export function engineSource(engines: Engines, doctor: Doctor, models: Models): RowSource {
	const isAlone = (): boolean => engines.isOwn && engines.all.length === 1;
	return {
		load: async () => {
			await engines.find();
			const loaded = doctor.load();
			// An engine that is slow to answer does not hold the rows of the others back.
			await (engines.areSeveral ? Promise.resolve() : loaded);
		},
		keys: (parent) => {
			if (parent === undefined) {
				return isAlone() ? doctor.keys(OWN.id) : engines.all.map(({ id }) => engineKey(id));
			}
			return doctor.keys(engineOf(parent) ?? '');
		},
		draw: (key) => {
			const engine = engines.get(engineOf(key) ?? '');
			return engine === undefined
				? doctor.draw(key)
				: drawEngine(engine, engines, models, doctor.whatIs(engine.id));
		},
		tooltip: (key) => {
			const engine = engines.get(engineOf(key) ?? '');
			return engine === undefined
				? doctor.tooltip(key)
				: facts(engine.name, [
						[l10n.t('State'), stateWords(engine, engines, models)],
						[l10n.t('Found'), doctor.whatIs(engine.id)],
						[l10n.t('Address'), addressOf(engine)],
						[l10n.t('Docker context'), engine.context ?? ''],
					]);
		},
		parent: (key) => (isAlone() || engineOf(key) !== undefined ? undefined : engineKey(engineOfRow(key))),
	};
}

/** An engine as a row, here and in pickers; `found` is what the doctor says that it is. */
export function drawEngine(engine: Engine, engines: Engines, models: Models, found = ''): Drawing {
	const isUsed = engines.isUsed(engine.id);
	const isFailed = isUsed && models.of(engine.id).state === 'failed';
	const words = stateWords(engine, engines, models);
	return {
		label: engine.name,
		description: [words, isFailed ? '' : found, engine.host].filter((word) => word !== '').join(' · '),
		...iconOf(engine, engines, models),
		context: [
			'engine',
			engine.id === engines.chosen.id ? 'chosen' : isUsed ? 'used' : 'other',
			engine.id === OWN.id ? 'own' : 'attached',
			...(isUsed && engines.areSeveral ? ['several'] : []),
		].join(';'),
		spoken: l10n.t(
			'Engine {0}, {1}',
			engine.name,
			[words, found, addressOf(engine)].filter((word) => word !== '').join(', '),
		),
		...(isUsed ? { children: 'collapsed' as const } : {}),
	};
}

/** Where the engine is, as a person writes it. */
export function addressOf(engine: Engine): string {
	return engine.id === OWN.id ? l10n.t('built in') : engine.host;
}

function stateWords(engine: Engine, engines: Engines, models: Models): string {
	if (engines.isUsed(engine.id)) {
		return models.of(engine.id).state === 'failed' ? l10n.t('in use, does not answer') : l10n.t('in use');
	}
	const reach = engines.reach(engine.id);
	switch (reach.state) {
		case 'unknown':
			return engine.id === OWN.id ? l10n.t('built in') : '';
		case 'asking':
			return l10n.t('is being asked');
		case 'answers':
			return `${reach.program} ${reach.version}`;
		case 'silent':
			return l10n.t('not reachable: {0}', reach.reason);
	}
}

function iconOf({ id }: Engine, engines: Engines, models: Models): Pick<Drawing, 'icon' | 'color'> {
	if (engines.isUsed(id)) {
		return models.of(id).state === 'failed'
			? { icon: 'error', color: 'testing.iconFailed' }
			: { icon: 'pass-filled', color: 'charts.green' };
	}
	switch (engines.reach(id).state) {
		case 'asking':
			return { icon: 'loading~spin' };
		case 'silent':
			return { icon: 'circle-slash', color: 'disabledForeground' };
		default:
			return { icon: 'server' };
	}
}
