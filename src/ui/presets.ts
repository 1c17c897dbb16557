import * as path from 'node:path';
import { ConfigurationTarget, l10n, window, workspace, type Memento } from 'vscode';
import { ask } from './ask';
import { localFolder } from './saved-files';
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
		return plan === undefined ? [] : [{ name, plan: withPaths(plan, absolute) }];
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
	await configuration.update(
		'run.presets',
		{ ...own, [name]: compactPlan(target === ConfigurationTarget.Global ? plan : withPaths(plan, relative)) },
		target,
	);
	void window.showInformationMessage(l10n.t('Saved the preset "{0}" in the settings.', name));
}

/** The plan with other paths on this machine: of its environment file and its folders. */
function withPaths(plan: RunPlan, change: (path: string) => string): RunPlan {
	return {
		...plan,
		envFile: plan.envFile && change(plan.envFile),
		mounts: plan.mounts.map((mount) => {
			const [source = '', ...rest] = mount.split(':');
			return [/^[./]/.test(source) ? change(source) : source, ...rest].join(':');
		}),
	};
}

/** A preset of the workspace is shared with others, whose folder is elsewhere. */
function relative(file: string): string {
	const folder = localFolder()?.fsPath;
	const inside = path.relative(folder ?? '/', file);
	return folder === undefined || inside.startsWith('..') ? file : `./${inside}`;
}

function absolute(file: string): string {
	return path.resolve(localFolder()?.fsPath ?? '/', file);
}

/** What was run last in this workspace, the last first. */
export function recentPlans(memento: Memento): RunPlan[] {
	return memento.get<unknown[]>(RECENT_KEY, []).flatMap((value) => readPlan(value) ?? []);
}

/** Keeps what was run; values of the environment may be secrets: of them only the names are kept, and asked for again. */
export async function rememberPlan(memento: Memento, plan: RunPlan): Promise<void> {
	const kept = { ...plan, env: plan.env.map((line) => line.replace(/=.*$/s, '')) };
	const key = (one: RunPlan): string => JSON.stringify({ ...one, name: '' });
	const others = recentPlans(memento).filter((other) => key(other) !== key(kept));
	await memento.update(RECENT_KEY, [kept, ...others].slice(0, MOST_RECENT).map(compactPlan));
}
