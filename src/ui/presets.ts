import { ConfigurationTarget, l10n, window, workspace, type Memento } from 'vscode';
import { ask } from './ask';
import { settings } from './settings';
import { compactPlan, readPlan, type RunPlan } from '../api/run-plan';

const RECENT_KEY = 'run.recent';
const MOST_RECENT = 5;

export interface Preset {
	readonly name: string;
	readonly plan: RunPlan;
}

/** The plans that a person saved, of the settings of user and workspace. What is no plan is left out. */
export function presets(): Preset[] {
	return Object.entries(settings.presets).flatMap(([name, value]) => {
		const plan = readPlan(value);
		return plan === undefined ? [] : [{ name, plan }];
	});
}

/** Asks for a name and keeps the plan in the settings of the workspace, or of the user where there is none. */
export async function savePreset(plan: RunPlan): Promise<void> {
	const name = await ask({
		title: l10n.t('Save as Preset'),
		prompt: l10n.t('Name of the preset; one of the same name is replaced'),
		value: plan.name,
		check: (value, isFinal) => (isFinal && value === '' ? l10n.t('Type a name') : undefined),
	});
	if (typeof name !== 'string') {
		return;
	}
	const target =
		workspace.workspaceFolders === undefined ? ConfigurationTarget.Global : ConfigurationTarget.Workspace;
	const configuration = workspace.getConfiguration('mydocker');
	const inspected = configuration.inspect<Record<string, unknown>>('run.presets');
	const own = target === ConfigurationTarget.Global ? inspected?.globalValue : inspected?.workspaceValue;
	await configuration.update('run.presets', { ...own, [name]: compactPlan(plan) }, target);
	void window.showInformationMessage(l10n.t('Saved the preset "{0}" in the settings.', name));
}

/** What was run last in this workspace, the last first. */
export function recentPlans(memento: Memento): RunPlan[] {
	return memento.get<unknown[]>(RECENT_KEY, []).flatMap((value) => readPlan(value) ?? []);
}

/** Keeps what was run; values of the environment may be secrets and are not kept. */
export async function rememberPlan(memento: Memento, plan: RunPlan): Promise<void> {
	const kept = { ...plan, env: [] };
	const key = (one: RunPlan): string => JSON.stringify({ ...one, env: [], name: '' });
	const others = recentPlans(memento).filter((other) => key(other) !== key(kept));
	await memento.update(RECENT_KEY, [kept, ...others].slice(0, MOST_RECENT).map(compactPlan));
}
