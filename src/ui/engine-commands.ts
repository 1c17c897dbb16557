import { env, l10n, QuickPickItemKind, ThemeIcon, window, type QuickPick, type QuickPickItem } from 'vscode';
import { InvalidHost } from '../api/endpoint';
import { drawEngine } from './engine-rows';
import type { Engine, Engines } from './engines';
import { refusal } from './failure';
import { engineOf } from './keys';
import type { Models } from './model';
import type { Parts } from './parts';

type Needs = Pick<Parts, 'engines' | 'models'>;

interface Choice extends QuickPickItem {
	readonly engine?: Engine;
	readonly isOther?: boolean;
}

/** Use Another Engine…: lists what there is, with what each answers, and takes an address. */
export async function switchEngine({ engines, models }: Needs, given?: unknown): Promise<void> {
	mayAttach();
	const engine =
		typeof given === 'string' && given !== '' && !given.includes(' ')
			? engines.typed(given)
			: await pickEngine(engines, models);
	if (engine !== undefined) {
		await use(engines, models, engine);
	}
}

/** Use in This Window: the engine of the row, or of the id that another caller hands in. */
export async function useEngine(needs: Needs, key?: unknown): Promise<void> {
	mayAttach();
	const { engines, models } = needs;
	await engines.find();
	const engine = typeof key === 'string' ? engines.get(engineOf(key) ?? key) : undefined;
	await (engine === undefined ? switchEngine(needs) : use(engines, models, engine));
}

/** Use Also in This Window: the engine of the row beside those that are used, or one that is picked. */
export async function showEngine({ engines, models }: Needs, key?: unknown): Promise<void> {
	const engine = await engineFor({ engines, models }, key);
	if (engine !== undefined) {
		await engines.show(engine);
		await models.of(engine.id).load();
	}
}

/** Stop Using in This Window: the engine of the row, or one of those in use that is picked. */
export async function hideEngine(needs: Needs, key?: unknown): Promise<void> {
	const engine = await usedEngine(needs, key);
	if (engine !== undefined) {
		await needs.engines.hide(engine);
	}
}

/** Ask Engine Again: lists what it has anew, over a new connection. */
export async function refreshEngine(needs: Needs, key?: unknown): Promise<void> {
	const engine = await usedEngine(needs, key);
	if (engine !== undefined) {
		await needs.models.of(engine.id).reload();
	}
}

/** Choose Engines…: which of those that are there this window uses, in one list. */
export async function chooseEngines({ engines, models }: Needs): Promise<void> {
	mayAttach();
	const box = window.createQuickPick<Choice>();
	box.title = l10n.t('Choose Engines');
	box.placeholder = l10n.t('The engines of this window');
	box.canSelectMany = true;
	box.matchOnDescription = true;
	box.items = listed(engines, models);
	box.selectedItems = box.items.filter(({ engine }) => engine !== undefined && engines.isUsed(engine.id));
	const chosen = await answerOf(box, engines, () => {
		const selected = new Set(box.selectedItems.map(({ engine }) => engine?.id));
		box.items = listed(engines, models);
		box.selectedItems = box.items.filter(({ engine }) => selected.has(engine?.id));
	});
	const wanted = chosen?.flatMap(({ engine }) => engine ?? []) ?? [];
	if (wanted.length > 0) {
		await engines.use(...wanted);
		await models.load();
	}
}

async function usedEngine({ engines, models }: Needs, key: unknown): Promise<Engine | undefined> {
	const called = typeof key === 'string' ? engines.used.find(({ id }) => id === (engineOf(key) ?? key)) : undefined;
	const items = listed(engines, models).filter(({ engine }) => engine !== undefined && engines.isUsed(engine.id));
	return called ?? (await window.showQuickPick(items, { title: l10n.t('On Which Engine?') }))?.engine;
}

export async function inspectEngine({ engines, models, inspections }: Parts, key?: unknown): Promise<void> {
	const engine = await engineFor({ engines, models }, key);
	if (engine !== undefined) {
		await inspections.showEngine(engine);
	}
}

export async function copyEngineAddress(needs: Needs, key?: unknown): Promise<void> {
	const engine = await engineFor(needs, key);
	if (engine !== undefined) {
		await env.clipboard.writeText(engine.host);
	}
}

async function engineFor({ engines, models }: Needs, key: unknown): Promise<Engine | undefined> {
	mayAttach();
	const engine = typeof key === 'string' ? engines.get(engineOf(key) ?? key) : undefined;
	return engine ?? pickEngine(engines, models);
}

async function use(engines: Engines, models: Models, engine: Engine): Promise<void> {
	await engines.use(engine);
	await models.load();
}

/** Nothing is reached from a workspace that is not trusted. */
function mayAttach(): void {
	const refused = refusal(false);
	if (refused !== undefined) {
		throw refused;
	}
}

/** The picker is open at once; what was found and what answers comes into it. */
async function pickEngine(engines: Engines, models: Models): Promise<Engine | undefined> {
	const box = window.createQuickPick<Choice>();
	box.title = l10n.t('Use Another Engine');
	box.placeholder = l10n.t('The engine of this window');
	box.matchOnDescription = true;
	const show = (): void => {
		const active = box.activeItems[0]?.engine?.id;
		box.items = choices(engines, models);
		box.activeItems = box.items.filter(({ engine }) => engine !== undefined && engine.id === active);
	};
	show();
	const [choice] = (await answerOf(box, engines, show)) ?? [];
	return choice?.isOther === true ? askAddress(engines) : choice?.engine;
}

/** What is accepted in the box; undefined when it is left. `redraw` is called with all that becomes known meanwhile. */
async function answerOf(
	box: QuickPick<Choice>,
	engines: Engines,
	redraw: () => void,
): Promise<readonly Choice[] | undefined> {
	const subscription = engines.onDidChange(redraw);
	box.busy = true;
	void engines.ask().finally(() => {
		box.busy = false;
	});
	try {
		return await new Promise<readonly Choice[] | undefined>((resolve) => {
			box.onDidAccept(() => {
				resolve(box.selectedItems);
			});
			box.onDidHide(() => {
				resolve(undefined);
			});
			box.show();
		});
	} finally {
		subscription.dispose();
		box.dispose();
	}
}

function listed(engines: Engines, models: Models): Choice[] {
	return engines.all.map((engine): Choice => {
		const { label, description, icon } = drawEngine(engine, engines, models);
		return { label, description, engine, iconPath: new ThemeIcon(icon) };
	});
}

function choices(engines: Engines, models: Models): Choice[] {
	return [
		...listed(engines, models),
		{ label: '', kind: QuickPickItemKind.Separator },
		{ label: l10n.t('Enter an Address…'), isOther: true, alwaysShow: true, iconPath: new ThemeIcon('edit') },
	];
}

async function askAddress(engines: Engines): Promise<Engine | undefined> {
	const text = await window.showInputBox({
		title: l10n.t('Use Another Engine'),
		prompt: l10n.t('The address of an engine of Docker or Podman'),
		placeHolder: 'ssh://me@host',
		ignoreFocusOut: true,
		validateInput: (value) => {
			try {
				engines.typed(value.trim());
				return undefined;
			} catch (error) {
				if (!(error instanceof InvalidHost)) {
					throw error;
				}
				return l10n.t('Write unix:///path, tcp://host:port or ssh://user@host');
			}
		},
	});
	return text === undefined ? undefined : engines.typed(text.trim());
}
