import { env, EventEmitter, l10n, type Disposable, type Memento } from 'vscode';
import { Credentials } from '../api/credentials';
import { ApiError } from '../api/transport';
import type { RegistryCalls, RegistryPage } from '../api/registry-client';
import { bare } from './engine-keys';
import { formatBytes } from './amounts';
import { isAbort, localSentence } from './failure';
import type { Model } from './model';
import { shortId, splitRegistry } from './names';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { settings } from './settings';
import { facts } from './tooltip';

const HUB = 'docker.io';
/** Rows that are asked for at once. */
const PAGE = 100;
const ADDED_KEY = 'registries.added';

/** A row of the view, by its key: the kind, and what it names. */
interface Place {
	readonly kind: 'registry' | 'repository' | 'tag' | 'manifest' | 'note';
	/** "ghcr.io", "ghcr.io/owner/name", "ghcr.io/owner/name:tag" */
	readonly name: string;
}

/** What has been read of a registry, a repository or a tag. */
interface Reading {
	readonly items: readonly string[];
	/** For the next page; "" at the end. */
	readonly next: string;
	/** Why there is no more; "" while it is being read or when it went well. */
	readonly problem: string;
	/** The problem is that nobody is logged in, or the wrong person. */
	readonly needsLogin?: boolean;
	readonly isBusy: boolean;
}

const UNREAD: Reading = { items: [], next: '', problem: '', isBusy: true };

/**
 * The Registries view: registries that this machine knows, their repositories and tags. A registry is asked when a person
 * opens its row, and never by itself.
 */
export class RegistryRows implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private readonly readings = new Map<string, Reading>();
	private readonly abort = new AbortController();

	constructor(
		private readonly registries: RegistryCalls,
		private readonly model: Model,
		private readonly memento: Memento,
	) {}

	get source(): RowSource {
		return {
			load: () => this.model.ready(),
			keys: (parent) =>
				parent === undefined ? this.hosts().map((host) => `registry ${host}`) : this.below(parent),
			draw: (key) => this.draw(placeOf(key)),
			tooltip: (key) => {
				const place = placeOf(key);
				return place && facts(place.name, [[l10n.t('Failed'), this.readings.get(key)?.problem ?? '']]);
			},
		};
	}

	/** Adds "ghcr.io/" or "ghcr.io/owner/name" to what is shown. */
	async add(name: string): Promise<void> {
		const whole = splitRegistry(name).registry === '' ? `${HUB}/${name}` : name;
		await this.memento.update(ADDED_KEY, [...new Set([...this.added, whole])]);
		this.changed.fire();
	}

	/** Takes away what was added; false when it is there for another reason. */
	async forget(name: string): Promise<boolean> {
		const rest = this.added.filter((one) => one !== name && !one.startsWith(`${name}/`));
		const isKnown = rest.length < this.added.length;
		await this.memento.update(ADDED_KEY, rest);
		this.changed.fire();
		return isKnown;
	}

	/** Forgets what was read of a row and all below it, or of everything. */
	refresh(key?: string): void {
		const name = key === undefined ? undefined : placeOf(key)?.name;
		for (const known of [...this.readings.keys()]) {
			if (name === undefined || placeOf(known)?.name.startsWith(name) === true) {
				this.readings.delete(known);
			}
		}
		this.changed.fire();
	}

	/** Reads the next page below a row. Never throws. */
	async more(key: string): Promise<void> {
		const before = this.readings.get(key) ?? UNREAD;
		if (!before.isBusy) {
			this.readings.set(key, { ...before, isBusy: true });
			this.changed.fire();
		}
		try {
			const { Items, Next } = await this.page(key, before.next);
			this.readings.set(key, { items: [...before.items, ...Items], next: Next, problem: '', isBusy: false });
		} catch (error) {
			const problem = isAbort(error) ? '' : localSentence(error);
			const needsLogin = error instanceof ApiError && error.code === 'unauthorized';
			this.readings.set(key, { ...before, problem, needsLogin, isBusy: false });
		}
		this.changed.fire();
	}

	dispose(): void {
		this.abort.abort();
		this.changed.dispose();
	}

	private get added(): readonly string[] {
		return this.memento.get<readonly string[]>(ADDED_KEY, []);
	}

	/** Docker Hub, those of the images here, of the logins, of the settings, and what a person has added. */
	private hosts(): string[] {
		const hosts = [
			...this.model.images.map(({ name }) => hostOfName(bare(name))),
			...new Credentials().registries(),
			...(settings.insecureRegistries ?? []).filter((entry) => !entry.includes('/')),
			...this.added.map(hostOfName),
		];
		return [HUB, ...[...new Set(hosts)].filter((host) => host !== HUB).sort()];
	}

	/** Rows below a row that VS Code shows open; asks for them the first time. */
	private below(parent: string): string[] {
		const place = placeOf(parent);
		if (place === undefined || place.kind === 'manifest' || place.kind === 'note') {
			return [];
		}
		const reading = this.readings.get(parent);
		if (reading === undefined) {
			this.readings.set(parent, UNREAD);
			void this.more(parent);
		}
		const { items, next, problem, isBusy } = reading ?? UNREAD;
		// Sorted together: a row does not move when its image comes here.
		const known = place.kind === 'registry' ? [...this.knownRepositories(place.name), ...items].sort() : items;
		const child = { registry: 'repository', repository: 'tag', tag: 'manifest' }[place.kind];
		return [
			...[...new Set(known)].map((item) => `${child} ${childName(place, item)}`),
			...(isBusy || problem !== '' || next !== '' || known.length === 0 ? [`note ${parent}`] : []),
		];
	}

	/** Of the images here and of what was added: a registry may keep its list to itself. */
	private knownRepositories(host: string): string[] {
		const names = [...this.model.images.flatMap(({ tag }) => tag?.replace(/:[^/:]*$/, '') ?? []), ...this.added];
		return names.filter((name) => hostOfName(name) === host && pathOfName(name) !== '').map(pathOfName);
	}

	private async page(key: string, next: string): Promise<RegistryPage> {
		const { kind, name } = placeOf(key) ?? { kind: 'note', name: '' };
		const options = { limit: PAGE, signal: this.abort.signal, ...(next === '' ? {} : { next }) };
		if (kind === 'registry') {
			// Docker Hub has no catalog.
			return name === HUB ? { Items: [], Next: '' } : this.registries.catalog(name, options);
		}
		if (kind === 'repository') {
			return this.registries.tags(name, options);
		}
		const { Digest, Size, Platforms, Platform } = await this.registries.image(name, options);
		const platforms = Platforms.length > 0 ? Platforms.join(', ') : Platform;
		return { Items: [`${Digest} ${formatBytes(Size, env.language)} · ${platforms}`], Next: '' };
	}

	private draw(place: Place | undefined): Drawing {
		switch (place?.kind) {
			case 'registry':
				return row(place.name, 'server', 'registry;host', l10n.t('Registry {0}', place.name), true);
			case 'repository': {
				const label = pathOfName(place.name);
				return row(label, 'library', 'registry;repository', l10n.t('Repository {0}', label), true);
			}
			case 'tag': {
				const label = place.name.replace(/^.*:/, '');
				const isHere = this.model.images.some(({ name }) => bare(name) === shown(place.name));
				const drawing = row(label, 'tag', 'registry;tag', l10n.t('Tag {0}', label), true);
				return isHere ? { ...drawing, description: l10n.t('on this machine') } : drawing;
			}
			case 'manifest': {
				const [digest = '', ...rest] = place.name.replace(/^\S+ /, '').split(' ');
				const words = rest.join(' ');
				return {
					...row(shortId(digest), 'file', 'registry;manifest', `${shortId(digest)}, ${words}`),
					description: words,
				};
			}
			case 'note':
				return this.drawNote(place.name);
			default:
				return GONE;
		}
	}

	private drawNote(parent: string): Drawing {
		const { problem, needsLogin, isBusy, next } = this.readings.get(parent) ?? UNREAD;
		const isRegistry = parent.startsWith('registry ');
		if (isBusy) {
			return row(l10n.t('Asking the registry…'), 'loading~spin', 'registry;note');
		}
		if (needsLogin === true) {
			const label = l10n.t('Log in to see what is there');
			return { ...row(label, 'lock', 'registry;login', `${label}, ${problem}`), description: problem };
		}
		if (problem !== '') {
			const label = isRegistry
				? l10n.t('No list of repositories: add one by its name')
				: l10n.t('Cannot be read');
			const drawing = row(
				label,
				'warning',
				isRegistry ? 'registry;add' : 'registry;note',
				`${label}, ${problem}`,
			);
			return { ...drawing, description: problem };
		}
		if (next !== '') {
			return row(l10n.t('There is more'), 'ellipsis', 'registry;more');
		}
		return isRegistry
			? row(l10n.t('Add a repository by its name'), 'add', 'registry;add')
			: row(l10n.t('Nothing is there'), 'info', 'registry;note');
	}
}

/** What a command of the view is for; undefined for another row. */
export function registryPlace(key: unknown): { readonly kind: string; readonly name: string } | undefined {
	const place = typeof key === 'string' ? placeOf(key) : undefined;
	return place?.kind === 'note' ? placeOf(place.name) : place;
}

/** The row that a note stands below. */
export function ownerOfNote(key: unknown): string | undefined {
	return typeof key === 'string' && key.startsWith('note ') ? key.slice('note '.length) : undefined;
}

function placeOf(key: string): Place | undefined {
	const [, kind, name] = /^(registry|repository|tag|manifest|note) (.+)$/s.exec(key) ?? [];
	return kind === undefined || name === undefined ? undefined : { kind: kind as Place['kind'], name };
}

function childName({ kind, name }: Place, item: string): string {
	return kind === 'registry' ? `${name}/${item}` : kind === 'repository' ? `${name}:${item}` : `${name} ${item}`;
}

function hostOfName(name: string): string {
	return splitRegistry(name).registry || HUB;
}

function pathOfName(name: string): string {
	return splitRegistry(name).rest;
}

/** As images here are named: those of Docker Hub without its name. */
function shown(name: string): string {
	return name.replace(/^docker\.io\/(library\/)?/, '');
}

function row(label: string, icon: string, context: string, spoken = label, hasChildren = false): Drawing {
	return { label, description: '', icon, context, spoken, ...(hasChildren ? { children: 'collapsed' } : {}) };
}
