import { l10n, QuickInputButtons, ThemeIcon, window, type QuickPickItem } from 'vscode';
import { hideRule, imageName, PROJECT_LABEL, wrongRule, type RuleKind } from './hide-rules';
import { repositoryOfName } from './names';
import type { Parts } from './parts';
import { containersFor, imagesFor } from './pick';
import type { Scope, ScopeChoices, SortOrder } from './scope';

type Needs = Pick<Parts, 'scope'>;
type Hiding = Pick<Parts, 'model' | 'scope'>;

/** Filter Containers…: the view follows while a person types; Escape takes it back. */
export async function filterContainers({ scope }: Needs): Promise<void> {
	await narrowing({
		title: l10n.t('Filter Containers'),
		prompt: l10n.t('Words of the name, the image, the state or a label; -word leaves out what has it'),
		before: scope.choices.filter,
		apply: (filter) => {
			scope.update({ filter });
			return undefined;
		},
	});
}

/** Edit Hide Rules…: as words of one line; the views follow while a person types, Escape takes it back. */
export async function editHideRules({ scope }: Needs): Promise<void> {
	await narrowing({
		title: l10n.t('Hide Rules of This Workspace'),
		prompt: l10n.t(
			'Hides containers by name:, image:, project: or label:, images by repository:; * stands for anything',
		),
		before: scope.choices.hidden.join(' '),
		apply: (text) => {
			const hidden = text.split(/\s+/).filter(Boolean);
			const wrong = wrongRule(hidden);
			if (wrong === undefined) {
				scope.update({ hidden });
			}
			return wrong === undefined
				? undefined
				: l10n.t('“{0}” is no rule; one is name:web-*, another project:shop', wrong);
		},
	});
}

/** `apply` is called with each text that is typed, and tells what is wrong with it. */
async function narrowing(ask: {
	readonly title: string;
	readonly prompt: string;
	readonly before: string;
	readonly apply: (text: string) => string | undefined;
}): Promise<void> {
	const { title, prompt, before, apply } = ask;
	const box = window.createInputBox();
	try {
		box.title = title;
		box.prompt = prompt;
		box.value = before;
		box.buttons = before === '' ? [] : [{ iconPath: new ThemeIcon('clear-all'), tooltip: l10n.t('Show all') }];
		box.onDidChangeValue((value) => {
			box.validationMessage = apply(value.trim());
		});
		const isKept = await new Promise<boolean>((resolve) => {
			box.onDidAccept(() => {
				if (apply(box.value.trim()) === undefined) {
					resolve(true);
				}
			});
			box.onDidTriggerButton((button) => {
				if (button !== QuickInputButtons.Back) {
					apply('');
					resolve(true);
				}
			});
			box.onDidHide(() => {
				resolve(false);
			});
			box.show();
		});
		if (!isKept) {
			apply(before);
		}
	} finally {
		box.dispose();
	}
}

/** Show All Containers: takes back whatever leaves some out. */
export function showAllContainers({ scope }: Needs): void {
	scope.update({ filter: '', isRunningOnly: false, isWorkspaceOnly: false, areHiddenShown: true });
}

/** Show Hidden, and Hide Again. */
export function showHidden(areHiddenShown: boolean): (needs: Needs) => void {
	return ({ scope }) => {
		scope.update({ areHiddenShown });
	};
}

/** Hide… of containers: these, or all of their image or compose project, also those that are made later. */
export async function hideContainers({ model, scope }: Hiding, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Hide Containers');
	const ids = await containersFor(model, called, { title, none: l10n.t('There are no containers yet.') });
	const rows = ids.flatMap((id) => model.container(id) ?? []);
	const projects = rows.flatMap(({ labels }) => labels[PROJECT_LABEL] ?? []);
	await chooseRules(scope, title, [
		[
			l10n.t('With the name {0}', list(rows.map(({ name }) => name))),
			rules(
				'name',
				rows.map(({ name }) => name),
			),
		],
		[
			l10n.t('Of the image {0}', list(rows.map(({ image }) => image))),
			rules(
				'image',
				rows.map(({ image }) => image),
			),
		],
		...(projects.length < rows.length
			? []
			: [[l10n.t('Of the project {0}', list(projects)), rules('project', projects)] as const]),
	]);
}

/** Hide… of images: these names, or all of their repositories. */
export async function hideImages({ model, scope }: Hiding, ...called: unknown[]): Promise<void> {
	const title = l10n.t('Hide Images');
	const names = (await imagesFor(model, called, { title })).flatMap((name) => model.image(name) ?? []).map(imageName);
	const repositories = names.map(repositoryOfName);
	await chooseRules(scope, title, [
		[l10n.t('With the name {0}', list(names)), rules('repository', names)],
		[l10n.t('Of the repository {0}', list(repositories)), rules('repository', repositories)],
	]);
}

async function chooseRules(
	scope: Scope,
	title: string,
	choices: readonly (readonly [string, readonly string[]])[],
): Promise<void> {
	if (choices[0]?.[1].length === 0) {
		return;
	}
	const items = choices.map(([label, hidden]) => ({ label, hidden, description: hidden.join(' ') }));
	const placeHolder = l10n.t('Commands and prune still know them; Show Hidden in the view’s menu brings them back');
	const picked = await window.showQuickPick(items, { title, placeHolder });
	if (picked !== undefined) {
		const hidden = [...new Set([...scope.choices.hidden, ...picked.hidden])];
		scope.update({ hidden, areHiddenShown: false });
	}
}

function rules(kind: RuleKind, patterns: readonly string[]): string[] {
	return [...new Set(patterns.map((pattern) => hideRule(kind, pattern)))];
}

/** The words, once each. */
function list(words: readonly string[]): string {
	return [...new Set(words)].join(', ');
}

/** Sort Containers…. */
export async function sortContainers({ scope }: Needs): Promise<void> {
	const orders: readonly (readonly [SortOrder, string])[] = [
		['created', l10n.t('Newest first')],
		['name', l10n.t('By name')],
		['state', l10n.t('By state, running first')],
	];
	const sort = await choose(orders, scope.choices.sort, l10n.t('Sort Containers'));
	if (sort !== undefined) {
		scope.update({ sort });
	}
}

/** Group Containers…: by compose project, by a label that a container has, or not at all. */
export async function groupContainers({ model, scope }: Pick<Parts, 'model' | 'scope'>): Promise<void> {
	await model.load();
	const labels = new Set(model.containers.flatMap((row) => Object.keys(row.labels)));
	const groupBy = await choose(
		[
			['', l10n.t('No groups')],
			['project', l10n.t('By compose project')],
			...[...labels].sort().map((label) => [`label:${label}`, l10n.t('By label {0}', label)] as const),
		],
		scope.choices.groupBy,
		l10n.t('Group Containers'),
	);
	if (groupBy !== undefined) {
		scope.update({ groupBy });
	}
}

/** Turns a choice on or off. */
export function toggle(choice: 'isRunningOnly' | 'isWorkspaceOnly', { scope }: Needs): void {
	const { choices } = scope;
	scope.update({ [choice]: !choices[choice] } satisfies Partial<ScopeChoices>);
}

async function choose<T extends string>(
	values: readonly (readonly [T, string])[],
	current: T,
	title: string,
): Promise<T | undefined> {
	const items = values.map(([value, label]): QuickPickItem & { value: T } => ({
		value,
		label,
		...(value === current ? { iconPath: new ThemeIcon('check') } : { iconPath: new ThemeIcon('blank') }),
	}));
	return (await window.showQuickPick(items, { title }))?.value;
}
