import { EventEmitter, workspace, type Disposable, type Memento } from 'vscode';
import { beside, lastingKey } from './engine-keys';
import type { Model } from './model';
import { isAlive, type ContainerRow } from './rows';

export type SortOrder = 'created' | 'name' | 'state';

/** What a person chose to see of the containers. */
export interface ScopeChoices {
	/** Words that all have to be in the name, the image, the state or a label; "-word" must not be. */
	readonly filter: string;
	readonly isRunningOnly: boolean;
	readonly isWorkspaceOnly: boolean;
	readonly sort: SortOrder;
	/** "" for none, "project", or "label:NAME". */
	readonly groupBy: string;
}

/** Which containers a compose project consists of, in docker compose's label. */
export const PROJECT_LABEL = 'com.docker.compose.project';
/** Folder of the workspace in which a container was run from VS Code. */
const WORKSPACE_LABEL = 'com.mydocker.workspace';
const FOLDER_LABELS = [WORKSPACE_LABEL, 'com.docker.compose.project.working_dir', 'devcontainer.local_folder'];

const DEFAULTS: ScopeChoices = {
	filter: '',
	isRunningOnly: false,
	isWorkspaceOnly: false,
	sort: 'created',
	groupBy: 'project',
};
const MEMENTO_KEY = 'containers.scope';

/** The containers that the view shows, in their order; the choices are kept for each workspace. */
export class Scope implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private current: ScopeChoices;
	private cached: { readonly from: readonly ContainerRow[]; readonly rows: readonly ContainerRow[] } | undefined;

	constructor(
		private readonly model: Model,
		private readonly memento: Memento,
	) {
		this.current = { ...DEFAULTS, ...memento.get<Partial<ScopeChoices>>(MEMENTO_KEY) };
	}

	get choices(): ScopeChoices {
		return this.current;
	}

	/** True when some containers may be hidden. */
	get isNarrowed(): boolean {
		const { filter, isRunningOnly, isWorkspaceOnly } = this.current;
		return filter !== '' || isRunningOnly || isWorkspaceOnly;
	}

	/** The containers to show. The same array until something changes. */
	get rows(): readonly ContainerRow[] {
		const from = this.model.containers;
		if (this.cached?.from !== from) {
			this.cached = { from, rows: sorted(from.filter(this.filter()), this.current.sort) };
		}
		return this.cached.rows;
	}

	/** The group that a container is in, as a name on the container's engine; undefined for one outside all groups. */
	groupOf(row: ContainerRow): string | undefined {
		const { groupBy } = this.current;
		const label = groupBy === 'project' ? PROJECT_LABEL : groupBy.replace(/^label:/, '');
		const name = row.labels[label];
		// What a label says is no engine.
		return name ? beside(name.startsWith('@') ? lastingKey(row.id) : row.id, name) : undefined;
	}

	update(choices: Partial<ScopeChoices>): void {
		this.current = { ...this.current, ...choices };
		this.cached = undefined;
		this.changed.fire();
		void this.memento.update(MEMENTO_KEY, this.current);
	}

	dispose(): void {
		this.changed.dispose();
	}

	private filter(): (row: ContainerRow) => boolean {
		const { filter, isRunningOnly, isWorkspaceOnly } = this.current;
		const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
		const folders = (workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
		return (row) =>
			(!isRunningOnly || isAlive(row.state)) &&
			(!isWorkspaceOnly || folders.some((folder) => isOfFolder(row, folder))) &&
			(words.length === 0 || hasWords(row, words));
	}
}

/** True when all words are in what is known of the row, and none of those with "-" before them. */
export function hasWords(row: ContainerRow, words: readonly string[]): boolean {
	const labels = Object.entries(row.labels).map(([name, value]) => `${name}=${value}`);
	const text = [row.name, row.image, row.state, row.health ?? '', row.id, ...labels].join(' ').toLowerCase();
	return words.every((word) => (/^-./.test(word) ? !text.includes(word.slice(1)) : text.includes(word)));
}

/** True for a container that was made for the folder, or has a part of it mounted. */
export function isOfFolder(row: Pick<ContainerRow, 'labels' | 'binds'>, folder: string): boolean {
	const isInside = (path: string): boolean => path === folder || path.startsWith(`${folder}/`);
	return FOLDER_LABELS.some((label) => isInside(row.labels[label] ?? '')) || row.binds.some(isInside);
}

const STATES = ['running', 'paused', 'restarting', 'stopping', 'starting', 'created', 'exited', 'dead'];

function sorted(rows: readonly ContainerRow[], order: SortOrder): readonly ContainerRow[] {
	const byName = (a: ContainerRow, b: ContainerRow): number => a.name.localeCompare(b.name, 'en', { numeric: true });
	switch (order) {
		case 'created':
			return rows;
		case 'name':
			return rows.toSorted(byName);
		case 'state':
			return rows.toSorted((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || byName(a, b));
	}
}

/** Labels of a container that is run from this window. */
export function workspaceLabels(): Readonly<Record<string, string>> {
	const folder = workspace.workspaceFolders?.[0]?.uri;
	return folder?.scheme === 'file' ? { [WORKSPACE_LABEL]: folder.fsPath } : {};
}
