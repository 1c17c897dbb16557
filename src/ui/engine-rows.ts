import { l10n } from 'vscode';
import type { Doctor } from './doctor';
import { OWN, type Engine, type Engines, type Reach } from './engines';
import { engineKey, engineOf } from './keys';
import type { Model } from './model';
import type { Drawing, RowSource } from './row-tree';
import { facts } from './tooltip';

/**
 * The rows of the Engine view: what the doctor found, below the engine of this window when there are others as well.
 * Without others there is no row for the only one.
 */
export function engineSource(engines: Engines, doctor: Doctor, model: Model): RowSource {
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
			return engine === undefined ? checks.draw(key) : drawEngine(engine, engines, model);
		},
		tooltip: (key) => {
			const engine = engines.get(engineOf(key) ?? '');
			return engine === undefined
				? checks.tooltip(key)
				: facts(engine.name, [
						[l10n.t('State'), stateWords(engine, engines, model)],
						[l10n.t('Address'), addressOf(engine)],
						[l10n.t('Docker context'), engine.context ?? ''],
					]);
		},
		parent: (key) => (isAlone() || engineOf(key) !== undefined ? undefined : engineKey(engines.chosen.id)),
	};
}

/** An engine as a row, here and in pickers. */
export function drawEngine(engine: Engine, engines: Engines, model: Model): Drawing {
	const isChosen = engine.id === engines.chosen.id;
	const words = stateWords(engine, engines, model);
	return {
		label: engine.name,
		description: [words, engine.host].filter((word) => word !== '').join(' · '),
		...iconOf(isChosen, engines.reach(engine.id), model),
		context: `engine;${isChosen ? 'chosen' : 'other'};${engine.id === OWN.id ? 'own' : 'attached'}`,
		spoken: l10n.t(
			'Engine {0}, {1}',
			engine.name,
			[words, addressOf(engine)].filter((word) => word !== '').join(', '),
		),
		...(isChosen ? { children: 'collapsed' as const } : {}),
	};
}

function addressOf(engine: Engine): string {
	return engine.id === OWN.id ? l10n.t('built in') : engine.host;
}

function stateWords(engine: Engine, engines: Engines, model: Model): string {
	if (engine.id === engines.chosen.id) {
		return model.state === 'failed' ? l10n.t('in use, does not answer') : l10n.t('in use');
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

function iconOf(isChosen: boolean, reach: Reach, model: Model): Pick<Drawing, 'icon' | 'color'> {
	if (isChosen) {
		return model.state === 'failed'
			? { icon: 'error', color: 'testing.iconFailed' }
			: { icon: 'pass-filled', color: 'testing.iconPassed' };
	}
	switch (reach.state) {
		case 'asking':
			return { icon: 'loading~spin' };
		case 'silent':
			return { icon: 'circle-slash', color: 'disabledForeground' };
		default:
			return { icon: 'server' };
	}
}
