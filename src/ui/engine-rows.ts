import { l10n } from 'vscode';
import type { Doctor } from './doctor';
import { OWN, type Engine, type Engines } from './engines';
import { engineKey, engineOf } from './keys';
import type { Models } from './model';
import type { Drawing, RowSource } from './row-tree';
import { facts } from './tooltip';

/**
 * The rows of the Engine view: what the doctor found, below the first engine of this window when there are others as well.
 * Without others there is no row for the only one.
 */
export function engineSource(engines: Engines, doctor: Doctor, models: Models): RowSource {
	const isAlone = (): boolean => engines.isOwn && engines.all.length === 1;
	const checks = doctor.source;
	return {
		load: async () => {
			await engines.find();
			await checks.load();
		},
		keys: (parent) => {
			if (parent === undefined) {
				return isAlone() ? checks.keys() : engines.all.map(({ id }) => engineKey(id));
			}
			return engineOf(parent) === engines.chosen.id ? checks.keys() : [];
		},
		draw: (key) => {
			const engine = engines.get(engineOf(key) ?? '');
			return engine === undefined ? checks.draw(key) : drawEngine(engine, engines, models);
		},
		tooltip: (key) => {
			const engine = engines.get(engineOf(key) ?? '');
			return engine === undefined
				? checks.tooltip(key)
				: facts(engine.name, [
						[l10n.t('State'), stateWords(engine, engines, models)],
						[l10n.t('Address'), addressOf(engine)],
						[l10n.t('Docker context'), engine.context ?? ''],
					]);
		},
		parent: (key) => (isAlone() || engineOf(key) !== undefined ? undefined : engineKey(engines.chosen.id)),
	};
}

/** An engine as a row, here and in pickers. */
export function drawEngine(engine: Engine, engines: Engines, models: Models): Drawing {
	const isUsed = engines.isUsed(engine.id);
	const words = stateWords(engine, engines, models);
	return {
		label: engine.name,
		description: [words, engine.host].filter((word) => word !== '').join(' · '),
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
			[words, addressOf(engine)].filter((word) => word !== '').join(', '),
		),
		...(engine.id === engines.chosen.id ? { children: 'collapsed' as const } : {}),
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
			: { icon: 'pass-filled', color: 'testing.iconPassed' };
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
