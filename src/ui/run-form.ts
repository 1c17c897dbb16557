import {
	env,
	l10n,
	QuickInputButtons,
	QuickPickItemKind,
	ThemeIcon,
	Uri,
	window,
	workspace,
	type QuickPickItem,
} from 'vscode';
import { splitArguments } from '../api/arguments';
import { ask } from './ask';
import { listeningPorts } from './listening';
import type { Model } from './model';
import { isContainerName } from './names';
import { portProblem, takenPorts, type TakenPorts } from './port-conflicts';
import { localFolder, localFolders } from './saved-files';
import { parseSize, planCommandLine, type RunPlan } from '../api/run-plan';

/** Files with variables that are offered. */
const MOST_ENV_FILES = 20;

/** What the form works with. */
export interface FormContext {
	readonly model: Model;
	/** "80/tcp" */
	readonly exposed: readonly string[];
	readonly title: string;
	/** What the first row does, "Run". */
	readonly action: string;
	/** What a person should know before that. */
	readonly hint?: string;
	/** Keeps the plan for later. */
	readonly save: (plan: RunPlan) => Promise<void>;
	/** A container whose name and ports do not count as taken: the one that is made anew. */
	readonly except?: string;
}

interface Entry extends QuickPickItem {
	/** The plan after the entry was chosen; "done" to go on, undefined when nothing changed. */
	readonly change?: () => Promise<RunPlan | 'done' | undefined>;
}

/** Shows the plan as a list: Enter runs it, any other row changes a part of it. Undefined when the person left. */
export async function editPlan(plan: RunPlan, context: FormContext): Promise<RunPlan | 'back' | undefined> {
	for (let current = plan; ;) {
		const picked = await choose(entriesOf(current, context), context);
		if (picked === undefined || picked === 'back') {
			return picked;
		}
		const change = await picked.change?.();
		if (change !== 'done') {
			current = change ?? current;
			continue;
		}
		const question = openQuestion(current, context);
		if (question === undefined) {
			return current;
		}
		current = (await question(current, context)) ?? current;
	}
}

/** What has to be asked before the plan can be carried out: one of a preset may be out of date. */
function openQuestion(plan: RunPlan, context: FormContext): Question | undefined {
	if (portsMessage(plan.ports?.join(' ') ?? '', portsTaken(context), true) !== undefined) {
		return askPorts;
	}
	return plan.env.every(hasValue) ? undefined : askEnvironment;
}

type Question = (plan: RunPlan, context: FormContext) => Promise<RunPlan | undefined>;

/** Like showQuickPick, with a way back. */
async function choose(
	entries: readonly Entry[],
	{ title, hint = l10n.t('Enter takes all as it is; choose a line to change it') }: FormContext,
): Promise<Entry | 'back' | undefined> {
	const box = window.createQuickPick<Entry>();
	try {
		box.title = title;
		box.placeholder = hint;
		box.items = entries;
		box.matchOnDescription = true;
		box.buttons = [QuickInputButtons.Back];
		return await new Promise((resolve) => {
			box.onDidTriggerButton(() => {
				resolve('back');
			});
			box.onDidAccept(() => {
				resolve(box.activeItems[0]);
			});
			box.onDidHide(() => {
				resolve(undefined);
			});
			box.show();
		});
	} finally {
		box.dispose();
	}
}

function entriesOf(plan: RunPlan, context: FormContext): Entry[] {
	const { exposed } = context;
	const automatic = exposed.length === 0 ? l10n.t('none') : l10n.t('{0}, or the next free', exposed.join(', '));
	const limits = [plan.memory, plan.cpus === '' ? '' : l10n.t('{0} CPUs', plan.cpus)].filter(Boolean).join(', ');
	const taken = portsMessage(plan.ports?.join(' ') ?? '', portsTaken(context), true);
	const row = (icon: string, label: string, value: string, change: Entry['change']): Entry => ({
		label,
		description: value,
		iconPath: new ThemeIcon(icon),
		...(change === undefined ? {} : { change }),
	});
	return [
		row('play', context.action, plan.image, () => Promise.resolve('done')),
		{ label: '', kind: QuickPickItemKind.Separator },
		row('tag', l10n.t('Name'), plan.name || l10n.t('a made-up one'), () => askName(plan, context)),
		row(
			taken === undefined ? 'plug' : 'warning',
			l10n.t('Ports'),
			[
				plan.ports === undefined ? automatic : plan.ports.join(' ') || l10n.t('none'),
				...(taken ? [taken] : []),
			].join(' · '),
			() => askPorts(plan, context),
		),
		row(
			'symbol-variable',
			l10n.t('Environment'),
			plan.env.map(nameOf).join(' ') || l10n.t('that of the image'),
			() => askEnvironment(plan),
		),
		row('file', l10n.t('Environment file'), plan.envFile || l10n.t('none'), () => pickEnvFile(plan)),
		row('folder', l10n.t('Folders and volumes'), plan.mounts.join(' ') || l10n.t('none'), () =>
			changeMounts(plan, context),
		),
		row('type-hierarchy', l10n.t('Network'), plan.network || 'bridge', () => pickNetwork(plan, context)),
		row('dashboard', l10n.t('Limits'), limits || l10n.t('none'), () => askLimits(plan)),
		row('refresh', l10n.t('Restart'), plan.restart || 'no', () => pickRestart(plan)),
		row('terminal', l10n.t('Command'), plan.command.join(' ') || l10n.t('that of the image'), () =>
			askCommand(plan),
		),
		row('trash', l10n.t('Remove when it ends'), plan.isRemoved ? l10n.t('yes') : l10n.t('no'), () =>
			Promise.resolve({ ...plan, isRemoved: !plan.isRemoved }),
		),
		{ label: '', kind: QuickPickItemKind.Separator },
		row('save', l10n.t('Save as preset…'), '', async () => {
			await context.save(plan);
			return undefined;
		}),
		row('copy', l10n.t('Copy as docker run line'), planCommandLine(plan, 'docker', exposed), async () => {
			await env.clipboard.writeText(planCommandLine(plan, 'docker', exposed));
			window.setStatusBarMessage(l10n.t('Copied the docker run line'), 5000);
			return undefined;
		}),
	];
}

/** The values of an environment may be secrets; a list on the screen shows the names. */
function nameOf(line: string): string {
	return hasValue(line) ? line.replace(/=.*$/s, '') : l10n.t('{0} (value is asked for)', line);
}

function hasValue(line: string): boolean {
	return line.includes('=');
}

/** Asks for a name; undefined when the person left. */
export async function askName(plan: RunPlan, { model, title, except }: FormContext): Promise<RunPlan | undefined> {
	const taken = new Set(model.containers.filter((row) => row.id !== except).map((row) => row.name));
	const answer = await ask({
		title,
		prompt: l10n.t('Name of the container, or nothing for a made-up one'),
		value: plan.name,
		check: (value, isFinal) => nameMessage(value, taken, isFinal),
	});
	return typeof answer === 'string' ? { ...plan, name: answer } : undefined;
}

/** What is wrong with a container's name as typed. */
export function nameMessage(value: string, taken: ReadonlySet<string>, isFinal: boolean): string | undefined {
	if (value === '' || (value.length === 1 && !isFinal)) {
		return undefined;
	}
	if (!isContainerName(value)) {
		return l10n.t('A name has at least two letters, digits, "_", "." or "-", and begins with a letter or a digit');
	}
	return taken.has(value) ? l10n.t('Another container has this name') : undefined;
}

async function askPorts(plan: RunPlan, context: FormContext): Promise<RunPlan | undefined> {
	const { title, exposed } = context;
	const taken = portsTaken(context);
	const answer = await ask({
		title,
		prompt: l10n.t('Ports as host:container, several with blanks; nothing for none'),
		placeholder: '8080:80 5353:53/udp',
		value: (plan.ports ?? exposed.map((port) => `${Number.parseInt(port)}:${port.replace(/\/tcp$/, '')}`)).join(
			' ',
		),
		check: (value, isFinal) => portsMessage(value, taken, isFinal),
		isDoubtful: true,
	});
	return typeof answer === 'string' ? { ...plan, ports: answer.split(/\s+/).filter(Boolean) } : undefined;
}

function portsTaken({ model, except }: FormContext): TakenPorts {
	return takenPorts(model.containers, listeningPorts(model.machine), except);
}

/** What is wrong with ports as typed; one that another container or program has is told before anything starts. */
function portsMessage(value: string, taken: TakenPorts, isFinal: boolean): string | undefined {
	const problem = portProblem(value, taken, isFinal);
	switch (problem?.kind) {
		case undefined:
			return undefined;
		case 'invalid':
			return l10n.t('"{0}" is no port; write 8080:80', problem.text);
		case 'container':
			return l10n.t('The container {0} has port {1}', problem.name, problem.port);
		case 'twice':
			return l10n.t('Port {0} is there twice', problem.port);
		case 'listening':
			return l10n.t('Another program listens on port {0}', problem.port);
	}
}

async function askEnvironment(plan: RunPlan): Promise<RunPlan | undefined> {
	const answer = await ask({
		title: l10n.t('Environment'),
		prompt: l10n.t('Variables as NAME=value, several with blanks, values with blanks in quotation marks'),
		value: plan.env
			.map((line) => (hasValue(line) ? line : `${line}=`))
			.map((line) => (/[\s"'\\]/.test(line) ? `"${line.replace(/["\\$`]/g, '\\$&')}"` : line))
			.join(' '),
		check: (value, isFinal) => {
			const lines = splitArguments(value);
			if (lines === undefined) {
				return isFinal ? l10n.t('A quotation mark is not closed') : undefined;
			}
			const wrong = lines.find((line) => !/^[^=\s]+=/.test(line));
			return isFinal && wrong !== undefined ? l10n.t('"{0}" is not NAME=value', wrong) : undefined;
		},
	});
	return typeof answer === 'string' ? { ...plan, env: splitArguments(answer) ?? [] } : undefined;
}

/** A file of the workspace, which a dialog would hide when it is called ".env", another one, or none. */
async function pickEnvFile(plan: RunPlan): Promise<RunPlan | undefined> {
	const here = await envFilesHere();
	const item = (icon: string, label: string, change: () => Promise<string | undefined>) => ({
		label,
		change,
		iconPath: new ThemeIcon(icon),
	});
	const picked = await window.showQuickPick(
		[
			...here.map((uri) => item('file', workspace.asRelativePath(uri), () => Promise.resolve(uri.fsPath))),
			item('folder-opened', l10n.t('Another file…'), browseForEnvFile),
			...(plan.envFile === '' ? [] : [item('close', l10n.t('None'), () => Promise.resolve(''))]),
		],
		{ title: l10n.t('Environment file') },
	);
	const envFile = await picked?.change();
	return envFile === undefined ? undefined : { ...plan, envFile };
}

/** Those that lie in the folders of the workspace themselves. */
async function envFilesHere(): Promise<Uri[]> {
	const files = await Promise.all(
		localFolders().map(async (uri) => {
			const names = (await workspace.fs.readDirectory(uri)).map(([name]) => name);
			return names.filter((name) => /^\.env(\.|$)|\.env$/.test(name)).map((name) => Uri.joinPath(uri, name));
		}),
	);
	return files.flat().slice(0, MOST_ENV_FILES);
}

async function browseForEnvFile(): Promise<string | undefined> {
	const [file] = (await window.showOpenDialog({ title: l10n.t('Environment file'), ...besideWorkspace() })) ?? [];
	return file?.fsPath;
}

/** Where a dialog begins. */
function besideWorkspace(): { readonly defaultUri?: Uri } {
	const folder = localFolder();
	return folder === undefined ? {} : { defaultUri: folder };
}

/** A folder of this machine or a volume, and where the container sees it; or one less. */
async function changeMounts(plan: RunPlan, { model }: FormContext): Promise<RunPlan | undefined> {
	const item = (icon: string, label: string, source: string): QuickPickItem & { source: string } => ({
		label,
		source,
		iconPath: new ThemeIcon(icon),
	});
	const picked = await window.showQuickPick(
		[
			...plan.mounts.map((mount) => item('close', l10n.t('Leave out {0}', mount), `-${mount}`)),
			...localFolders().map(({ fsPath }) => item('root-folder', fsPath, fsPath)),
			item('folder-opened', l10n.t('Another folder…'), ''),
			...model.volumes.rows
				.filter((volume) => !volume.isAnonymous)
				.map(({ name }) => item('database', l10n.t('Volume {0}', name), name)),
		],
		{ title: l10n.t('Folders and volumes') },
	);
	if (picked === undefined) {
		return undefined;
	}
	if (picked.source.startsWith('-')) {
		return { ...plan, mounts: plan.mounts.filter((mount) => `-${mount}` !== picked.source) };
	}
	const source = picked.source || (await pickFolder());
	const target = source === undefined ? undefined : await askTarget(source);
	return target === undefined || source === undefined
		? undefined
		: { ...plan, mounts: [...plan.mounts, `${source}:${target}`] };
}

async function pickFolder(): Promise<string | undefined> {
	const title = l10n.t('Folder to mount');
	const only = { canSelectFolders: true, canSelectFiles: false };
	const [folder] = (await window.showOpenDialog({ title, ...only, ...besideWorkspace() })) ?? [];
	return folder?.fsPath;
}

async function askTarget(source: string): Promise<string | undefined> {
	const answer = await ask({
		title: l10n.t('Mount {0}', source),
		prompt: l10n.t('Path inside the container; with :ro it cannot write there'),
		value: source.startsWith('/') ? `/${source.split('/').pop() ?? ''}` : '/data',
		check: (value, isFinal) =>
			isFinal && !/^\/[^:]*(:r[ow])?$/.test(value) ? l10n.t('Type a path that begins with "/"') : undefined,
	});
	return typeof answer === 'string' ? answer : undefined;
}

async function pickNetwork(plan: RunPlan, { model }: FormContext): Promise<RunPlan | undefined> {
	const items = model.networks.rows.map((network) => ({
		label: network.name,
		description: network.subnets.join(', '),
		iconPath: new ThemeIcon(network.name === (plan.network || 'bridge') ? 'check' : 'blank'),
	}));
	const picked = await window.showQuickPick(items, { title: l10n.t('Network') });
	return picked && { ...plan, network: picked.label === 'bridge' ? '' : picked.label };
}

async function askLimits(plan: RunPlan): Promise<RunPlan | undefined> {
	const memory = await ask({
		title: l10n.t('Limits'),
		step: [1, 2],
		prompt: l10n.t('Memory, such as 512m or 2g; nothing for no limit'),
		value: plan.memory,
		check: (value, isFinal) =>
			isFinal && value !== '' && (parseSize(value) ?? 0) < 6 * 1024 ** 2
				? l10n.t('Type a size of at least 6m')
				: undefined,
	});
	if (typeof memory !== 'string') {
		return undefined;
	}
	const cpus = await ask({
		title: l10n.t('Limits'),
		step: [2, 2],
		prompt: l10n.t('CPUs, such as 0.5 or 2; nothing for no limit'),
		value: plan.cpus,
		check: (value, isFinal) =>
			isFinal && value !== '' && !/^\d*\.?\d+$/.test(value) ? l10n.t('Type a number') : undefined,
	});
	return typeof cpus === 'string' ? { ...plan, memory, cpus } : undefined;
}

/** Picks a restart policy; undefined when the person left. */
export async function pickRestart(plan: RunPlan): Promise<RunPlan | undefined> {
	const policies = [
		['no', l10n.t('never by itself')],
		['on-failure', l10n.t('when it fails')],
		['unless-stopped', l10n.t('always, unless it was stopped')],
		['always', l10n.t('always')],
	] as const;
	const items = policies.map(([label, description]) => ({
		label,
		description,
		iconPath: new ThemeIcon(label === (plan.restart || 'no') ? 'check' : 'blank'),
	}));
	const picked = await window.showQuickPick(items, { title: l10n.t('Restart') });
	return picked && { ...plan, restart: picked.label === 'no' ? '' : picked.label };
}

async function askCommand(plan: RunPlan): Promise<RunPlan | undefined> {
	const answer = await ask({
		title: l10n.t('Command'),
		prompt: l10n.t('Command, or nothing for the one of the image'),
		placeholder: l10n.t('for example: sh -c "echo hello"'),
		value: plan.command
			.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
			.join(' '),
		check: (value, isFinal) =>
			isFinal && splitArguments(value) === undefined ? l10n.t('A quotation mark is not closed') : undefined,
	});
	return typeof answer === 'string' ? { ...plan, command: splitArguments(answer) ?? [] } : undefined;
}
