import { l10n, QuickInputButtons, ThemeIcon, window, type QuickPickItem } from 'vscode';
import type { Parts } from './parts';
import type { ScopeChoices, SortOrder } from './scope';

type Needs = Pick<Parts, 'scope'>;

/** Filter Containers…: the view follows while a person types; Escape takes it back. */
export async function filterContainers({ scope }: Needs): Promise<void> {
	const before = scope.choices.filter;
	const box = window.createInputBox();
	try {
		box.title = l10n.t('Filter Containers');
		box.prompt = l10n.t('Words of the name, the image, the state or a label; -word leaves out what has it');
		box.value = before;
		box.buttons = before === '' ? [] : [{ iconPath: new ThemeIcon('clear-all'), tooltip: l10n.t('Show all') }];
		box.onDidChangeValue((value) => {
			scope.update({ filter: value.trim() });
		});
		const isKept = await new Promise<boolean>((resolve) => {
			box.onDidAccept(() => {
				resolve(true);
			});
			box.onDidTriggerButton((button) => {
				if (button !== QuickInputButtons.Back) {
					scope.update({ filter: '' });
					resolve(true);
				}
			});
			box.onDidHide(() => {
				resolve(false);
			});
			box.show();
		});
		if (!isKept) {
			scope.update({ filter: before });
		}
	} finally {
		box.dispose();
	}
}

/** Show All Containers: takes back whatever hides some. */
export function showAllContainers({ scope }: Needs): void {
	scope.update({ filter: '', isRunningOnly: false, isWorkspaceOnly: false });
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
