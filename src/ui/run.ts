import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { l10n, QuickPickItemKind, ThemeIcon, window, workspace, type QuickPickItem } from 'vscode';
import type { Client } from '../api/client';
import { createPlanned } from '../api/planned-container';
import { bare } from './engine-keys';
import { drawImage } from './image-rows';
import { shortName, suggestName } from './names';
import type { Parts } from './parts';
import { loadOrThrow } from './pick';
import { presets, recentPlans, rememberPlan, savePreset } from './presets';
import { pullImage } from './pull';
import { askName, editPlan, type FormContext } from './run-form';
import { EMPTY_PLAN, parseEnvFile, readPlan, type RunPlan } from '../api/run-plan';
import { workspaceLabels } from './scope';
import { settings } from './settings';

/**
 * Run…: asks for the image when it has none, for a name and, in a list of which Enter takes all as it is, for the rest
 * unless `choices` are given; then creates and starts a container and follows its log. Gives the container's id,
 * undefined when the user left.
 */
export async function runContainer(parts: Parts, given?: unknown, choices?: unknown): Promise<string | undefined> {
	await loadOrThrow(parts.model);
	// Without an image the arguments are VS Code's, not a caller's.
	const isChosen = typeof given === 'string' && typeof choices === 'object' && choices !== null;
	const plan = isChosen
		? readPlan({ ...choices, image: bare(given) })
		: await askPlan(
				parts,
				typeof given === 'string' ? { ...EMPTY_PLAN, image: bare(given) } : await pickStart(parts),
			);
	return plan && runPlan(parts, plan);
}

/** Creates and starts what the plan says. */
async function runPlan(parts: Parts, plan: RunPlan): Promise<string> {
	const { client, model, logs, memento } = parts;
	return model.during([model.keyOf(plan.image)], async () => {
		const id = model.keyOf(await createContainer(client, plan));
		await client.containers.start(id);
		await rememberPlan(memento, plan);
		if (settings.showLogsOnRun) {
			await logs.show(id);
		}
		return id;
	});
}

/** Creates a container; gives its id. */
async function createContainer(client: Client, plan: RunPlan): Promise<string> {
	return createPlanned(client, plan, { env: await envFileLines(plan), labels: workspaceLabels() });
}

/** The lines of the plan's environment file, none when it names none. */
export async function envFileLines({ envFile }: RunPlan): Promise<string[]> {
	return envFile === '' ? [] : parseEnvFile(await readFile(inWorkspace(envFile), 'utf8'), process.env);
}

/** A preset that is shared with others names files of the workspace. */
function inWorkspace(file: string): string {
	return path.resolve(workspace.workspaceFolders?.[0]?.uri.fsPath ?? '/', file);
}

/** What the list asks about; also for a container that is made anew. */
export async function formContext(
	{ client, model }: Pick<Parts, 'client' | 'model'>,
	image: string,
	words: Pick<FormContext, 'title' | 'action' | 'hint' | 'except'>,
): Promise<FormContext> {
	const { Config: config } = await client.images.inspect(image);
	return { ...words, model, exposed: Object.keys(config.ExposedPorts ?? {}), save: savePreset };
}

async function askPlan(parts: Parts, start: RunPlan | undefined): Promise<RunPlan | undefined> {
	if (start === undefined) {
		return undefined;
	}
	const { model } = parts;
	const label = model.image(start.image)?.tag ?? start.image;
	const taken = new Set(model.containers.map((row) => row.name));
	const context = await formContext(parts, start.image, {
		title: l10n.t('Run {0}', label),
		action: l10n.t('Run'),
	});
	let plan: RunPlan = {
		...start,
		name: start.name === '' || taken.has(start.name) ? suggestName(start.name || label, taken) : start.name,
	};
	for (;;) {
		const named = await askName(plan, context);
		const edited = named && (await editPlan(named, context));
		if (edited !== 'back') {
			return edited;
		}
		plan = named ?? plan;
	}
}

interface Start extends QuickPickItem {
	readonly plan?: RunPlan;
}

/** What was run last, a preset, an image that is here, or one that is pulled first. */
async function pickStart(parts: Parts): Promise<RunPlan | undefined> {
	const { model, memento } = parts;
	const used = new Set(model.containers.map((container) => container.imageId));
	const separator = (label: string): Start => ({ label, kind: QuickPickItemKind.Separator });
	const item = (plan: RunPlan, label: string, icon: string): Start => ({
		plan,
		label,
		description: [shortName(plan.image), plan.ports?.join(' ') ?? '', plan.command.join(' ')]
			.filter(Boolean)
			.join(' · '),
		iconPath: new ThemeIcon(icon),
	});
	const recent = recentPlans(memento).map((plan) => item(plan, plan.name || shortName(plan.image), 'history'));
	const saved = presets().map(({ name, plan }) => item(plan, name, 'save'));
	const images = model.images.map((row): Start => {
		const drawing = drawImage(row, { model, isUsed: used.has(row.id) });
		return {
			plan: { ...EMPTY_PLAN, image: bare(row.name) },
			label: drawing.label,
			description: drawing.description,
			iconPath: new ThemeIcon(drawing.icon),
		};
	});
	const pullFirst: Start = { label: l10n.t('Pull another image…'), iconPath: new ThemeIcon('cloud-download') };
	const picked = await window.showQuickPick<Start>(
		[
			...(saved.length > 0 ? [separator(l10n.t('Presets')), ...saved] : []),
			...(images.length > 0 ? [separator(l10n.t('Images')), ...images] : []),
			...(recent.length > 0 ? [separator(l10n.t('Run lately')), ...recent] : []),
			separator(''),
			pullFirst,
		],
		{ title: l10n.t('Run Container'), placeHolder: l10n.t('Image to run'), matchOnDescription: true },
	);
	if (picked === pullFirst) {
		const image = await pullImage(parts);
		return image === undefined ? undefined : { ...EMPTY_PLAN, image: bare(image) };
	}
	return picked?.plan;
}
