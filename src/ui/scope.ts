import { EventEmitter, workspace, type Disposable, type Memento } from 'vscode';
import { beside, lastingKey } from './engine-keys';
import { containerHider, imageHider, PROJECT_LABEL } from './hide-rules';
import type { Model } from './model';
import { isAlive, type ContainerRow, type ImageRow } from './rows';

export type SortOrder = 'created' | 'name' | 'state';

/** What a person chose to see of the containers and images. */
export interface ScopeChoices {
	/** Words that all have to be in the name, the image, the state or a label; "-word" must not be. */
	readonly filter: string;
	readonly isRunningOnly: boolean;
	readonly isWorkspaceOnly: boolean;
	readonly sort: SortOrder;
	/** "" for none, "project", or "label:NAME". */
	readonly groupBy: string;
	/** Rules that hide containers and images (hide-rules.ts). */
	readonly hidden: readonly string[];
	/** While it is true no rule counts. */
	readonly areHiddenShown: boolean;
}

/** Rows to show, the same array until something changes, and how many of the others the rules hide. */
interface Shown<Row> {
	readonly from: readonly Row[];
	readonly rows: readonly Row[];
	readonly hidden: number;
}

/** Folder of the workspace in which a container was run from VS Code. */
const WORKSPACE_LABEL = 'com.mydocker.workspace';
const FOLDER_LABELS = [WORKSPACE_LABEL, 'com.docker.compose.project.working_dir', 'devcontainer.local_folder'];

const DEFAULTS: ScopeChoices = {
	filter: '',
	isRunningOnly: false,
	isWorkspaceOnly: false,
	sort: 'created',
	groupBy: 'project',
	hidden: [],
	areHiddenShown: false,
};
const MEMENTO_KEY = 'containers.scope';

/** The containers and images that the views show, in their order; the choices are kept for each workspace. */
export class Scope implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private current: ScopeChoices;
	private shownContainers: Shown<ContainerRow> | undefined;
	private shownImages: Shown<ImageRow> | undefined;

	constructor(
		private readonly model: Model,
		private readonly memento: Memento,
	) {
		this.current = { ...DEFAULTS, ...memento.get<Partial<ScopeChoices>>(MEMENTO_KEY) };
	}

	get choices(): ScopeChoices {
		return this.current;
	}

	/** True when some containers may be left out, but for those that rules hide. */
	get isNarrowed(): boolean {
		const { filter, isRunningOnly, isWorkspaceOnly } = this.current;
		return filter !== '' || isRunningOnly || isWorkspaceOnly;
	}

	/** The containers to show. The same array until something changes. */
	get rows(): readonly ContainerRow[] {
		return this.containers.rows;
	}

	/** The images to show. The same array until something changes. */
	get images(): readonly ImageRow[] {
		return this.ofImages.rows;
	}

	/** How many containers and images the rules hide, or would hide. */
	get hidden(): { readonly containers: number; readonly images: number } {
		return { containers: this.containers.hidden, images: this.ofImages.hidden };
	}

	private get containers(): Shown<ContainerRow> {
		const from = this.model.containers;
		if (this.shownContainers?.from !== from) {
			const { rows, hidden } = this.withoutHidden(from, containerHider(this.current.hidden));
			this.shownContainers = { from, rows: sorted(rows.filter(this.filter()), this.current.sort), hidden };
		}
		return this.shownContainers;
	}

	private get ofImages(): Shown<ImageRow> {
		const from = this.model.images;
		if (this.shownImages?.from !== from) {
			this.shownImages = { from, ...this.withoutHidden(from, imageHider(this.current.hidden)) };
		}
		return this.shownImages;
	}

	private withoutHidden<Row>(from: readonly Row[], isHidden: (row: Row) => boolean): Omit<Shown<Row>, 'from'> {
		const others = from.filter((row) => !isHidden(row));
		return { rows: this.current.areHiddenShown ? from : others, hidden: from.length - others.length };
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
		this.shownContainers = undefined;
		this.shownImages = undefined;
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
