import { env, l10n, QuickPickItemKind, ThemeIcon, window, type QuickPickItem } from 'vscode';
import { InvalidHost } from '../api/endpoint';
import { drawEngine } from './engine-rows';
import type { Engine, Engines } from './engines';
import { refusal } from './failure';
import { engineOf } from './keys';
import type { Model } from './model';
import type { Parts } from './parts';

type Needs = Pick<Parts, 'engines' | 'model'>;

interface Choice extends QuickPickItem {
	readonly engine?: Engine;
	readonly isOther?: boolean;
}

/** Use Another Engine…: lists what there is, with what each answers, and takes an address. */
export async function switchEngine({ engines, model }: Needs, given?: unknown): Promise<void> {
	mayAttach();
	const engine =
		typeof given === 'string' && given !== '' && !given.includes(' ')
			? engines.typed(given)
			: await pickEngine(engines, model);
	if (engine !== undefined) {
		await use(engines, model, engine);
	}
}

/** Use in This Window: the engine of the row, or of the id that another caller hands in. */
export async function useEngine(needs: Needs, key?: unknown): Promise<void> {
	mayAttach();
	const { engines, model } = needs;
	await engines.find();
	const engine = typeof key === 'string' ? engines.get(engineOf(key) ?? key) : undefined;
	await (engine === undefined ? switchEngine(needs) : use(engines, model, engine));
}

export async function inspectEngine({ engines, model, inspections }: Parts, key?: unknown): Promise<void> {
	const engine = await engineFor({ engines, model }, key);
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

async function engineFor({ engines, model }: Needs, key: unknown): Promise<Engine | undefined> {
	mayAttach();
	const engine = typeof key === 'string' ? engines.get(engineOf(key) ?? key) : undefined;
	return engine ?? pickEngine(engines, model);
}

async function use(engines: Engines, model: Model, engine: Engine): Promise<void> {
	await engines.use(engine);
	await model.load();
}

/** Nothing is reached from a workspace that is not trusted. */
function mayAttach(): void {
	const refused = refusal(false);
	if (refused !== undefined) {
		throw refused;
	}
}

/** The picker is open at once; what was found and what answers comes into it. */
async function pickEngine(engines: Engines, model: Model): Promise<Engine | undefined> {
	const box = window.createQuickPick<Choice>();
	box.title = l10n.t('Use Another Engine');
	box.placeholder = l10n.t('The engine of this window');
	box.matchOnDescription = true;
	const show = (): void => {
		const active = box.activeItems[0]?.engine?.id;
		box.items = choices(engines, model);
		box.activeItems = box.items.filter(({ engine }) => engine !== undefined && engine.id === active);
	};
	show();
	const subscription = engines.onDidChange(show);
	box.busy = true;
	void engines.ask().finally(() => {
		box.busy = false;
	});
	try {
		const choice = await new Promise<Choice | undefined>((resolve) => {
			box.onDidAccept(() => {
				resolve(box.selectedItems[0]);
			});
			box.onDidHide(() => {
				resolve(undefined);
			});
			box.show();
		});
		return choice?.isOther === true ? await askAddress(engines) : choice?.engine;
	} finally {
		subscription.dispose();
		box.dispose();
	}
}

function choices(engines: Engines, model: Model): Choice[] {
	const listed = engines.all.map((engine): Choice => {
		const { label, description, icon } = drawEngine(engine, engines, model);
		return { label, description, engine, iconPath: new ThemeIcon(icon) };
	});
	return [
		...listed,
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
