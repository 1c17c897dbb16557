import { commands, env, EventEmitter, l10n, type Disposable, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import type { EventMessage } from '../api/types';
import { beside } from './engine-keys';
import type { EngineModel } from './engine-model';
import { EVENT_KINDS, EventLog, keyedEvent, type EventChoices, type EventEntry, type EventKind } from './event-log';
import { isAbort, sentence } from './failure';
import type { Models } from './model';
import { shortId, shortName } from './names';
import { pinned } from './routing-client';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { facts } from './tooltip';

/** Milliseconds in which the engine tells the events that it has kept. */
const HISTORY_TIME = 5000;
/** Processes in containers are many, those of health checks above all. */
const CHOICES: EventChoices = { kinds: EVENT_KINDS.filter((kind) => kind !== 'exec'), text: '' };

/** The Events view: what has happened in the engine, newest first. */
export class EventRows implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private events = new EventLog();
	private current = CHOICES;
	private rows: readonly EventEntry[] | undefined;
	private isRead = false;
	private reading: Promise<void> | undefined;
	private readonly abort = new AbortController();
	private readonly subscriptions: readonly Disposable[];

	constructor(
		private readonly client: Client,
		private readonly model: Models,
		private readonly log: LogOutputChannel,
	) {
		this.subscriptions = [
			model.onDidReceive((event) => {
				this.add([event]);
			}),
			model.onDidChangeState((state) => {
				// What happens while there is no connection is asked for the next time.
				this.isRead &&= state === 'ready';
			}),
		];
	}

	get choices(): EventChoices {
		return this.current;
	}

	/** What is left out, in words; "" when nothing is. */
	get narrowing(): string {
		const { kinds, text } = this.current;
		const isUsual = kinds.length === CHOICES.kinds.length && CHOICES.kinds.every((kind) => kinds.includes(kind));
		return [
			...(text === '' ? [] : [l10n.t('filter “{0}”', text)]),
			...(isUsual ? [] : [kinds.map(kindWords).join(', ')]),
		].join(' · ');
	}

	/** The rows of the view. */
	get source(): RowSource {
		return {
			load: () => this.load(),
			keys: (parent) => (parent === undefined ? this.shown.map(({ key }) => key) : []),
			draw: (key) => {
				const entry = this.events.find(key);
				return entry === undefined
					? GONE
					: drawEvent(entry, this.nameOfContainer, this.model.engineName(entry.id));
			},
			tooltip: (key) => {
				const entry = this.events.find(key);
				return (
					entry &&
					facts(`${nameOf(entry)}: ${actionWords(entry, this.nameOfContainer)}`, [
						[l10n.t('Time'), new Date(entry.time).toLocaleString(env.language)],
						[l10n.t('ID'), shortId(entry.id)],
						...Object.entries(entry.attributes).map(([name, value]) => [name, value] as const),
					])
				);
			},
		};
	}

	/** What has happened in another engine. */
	forget(): void {
		this.events = new EventLog();
		this.isRead = false;
		this.redraw();
	}

	choose(choices: Partial<EventChoices>): void {
		this.current = { ...this.current, ...choices };
		this.redraw();
	}

	/** Show Events: of everything, or of one container by its name. */
	async show(name?: string): Promise<void> {
		const refused = this.model.refusal;
		if (refused !== undefined) {
			throw refused;
		}
		this.choose(name === undefined ? CHOICES : { ...CHOICES, text: name });
		await commands.executeCommand('mydocker.events.focus');
	}

	/** Reads what the engine has kept, when somebody looks. Never throws. */
	async load(): Promise<void> {
		if (!this.isRead && this.model.refusal === undefined) {
			await (this.reading ??= this.read().finally(() => {
				this.reading = undefined;
			}));
		}
	}

	dispose(): void {
		this.abort.abort();
		for (const subscription of [...this.subscriptions, this.changed]) {
			subscription.dispose();
		}
	}

	/** Made anew only when there are other events or other choices. */
	private get shown(): readonly EventEntry[] {
		return (this.rows ??= this.events.shown(this.current));
	}

	private readonly nameOfContainer = (id: string): string => this.model.container(id)?.name ?? shortId(id);

	private add(messages: readonly EventMessage[]): void {
		if (this.events.add(messages)) {
			this.redraw();
		}
	}

	private redraw(): void {
		this.rows = undefined;
		this.changed.fire();
	}

	private async read(): Promise<void> {
		this.isRead = true;
		await Promise.all(this.model.all.map((model) => this.readOne(model)));
	}

	private async readOne(model: EngineModel): Promise<void> {
		const messages: EventMessage[] = [];
		try {
			const signal = AbortSignal.any([this.abort.signal, AbortSignal.timeout(HISTORY_TIME)]);
			const until = (Date.now() / 1000).toFixed(3);
			const { client } = this;
			for await (const message of pinned(client, model.keyOf('')).events({ since: '1', until, signal })) {
				messages.push(keyedEvent(message, model.keyOf));
			}
		} catch (error) {
			if (!isAbort(error)) {
				this.log.warn(`Cannot read the events: ${sentence(error)}`);
			}
		}
		this.add(messages);
	}
}

/** What a kind of events is called. */
export function kindWords(kind: EventKind): string {
	switch (kind) {
		case 'container':
			return l10n.t('Containers');
		case 'image':
			return l10n.t('Images');
		case 'network':
			return l10n.t('Networks');
		case 'volume':
			return l10n.t('Volumes');
		case 'exec':
			return l10n.t('Processes in containers');
	}
}

function drawEvent(entry: EventEntry, nameOfContainer: (id: string) => string, engine: string): Drawing {
	const words = [...(engine === '' ? [] : [engine]), actionWords(entry, nameOfContainer)].join(' · ');
	const time = new Date(entry.time).toLocaleTimeString(env.language);
	return {
		label: nameOf(entry),
		description: `${words} · ${time}`,
		...iconOf(entry),
		context: `event;${entry.kind}`,
		spoken: l10n.t('{0}: {1}', nameOf(entry), `${words}, ${time}`),
	};
}

function nameOf({ kind, name }: EventEntry): string {
	if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) {
		return shortId(name);
	}
	return kind === 'image' ? shortName(name) : name;
}

function hasFailed({ action, attributes }: EventEntry): boolean {
	return action === 'die' && !['0', '130', '137', '143'].includes(attributes['exitCode'] ?? '0');
}

const ICONS: Readonly<Record<string, string>> = {
	create: 'add',
	start: 'play',
	restart: 'debug-restart',
	stop: 'debug-stop',
	die: 'circle-large-outline',
	kill: 'zap',
	pause: 'debug-pause',
	unpause: 'debug-continue',
	destroy: 'trash',
	remove: 'trash',
	delete: 'trash',
	prune: 'clear-all',
	rename: 'edit',
	update: 'settings-gear',
	pull: 'cloud-download',
	push: 'cloud-upload',
	tag: 'tag',
	untag: 'tag',
	load: 'archive',
	save: 'save',
	import: 'archive',
	commit: 'git-commit',
	connect: 'plug',
	disconnect: 'debug-disconnect',
	mount: 'folder-opened',
	unmount: 'folder',
	attach: 'terminal',
	health_status: 'heart',
};

function iconOf(entry: EventEntry): Pick<Drawing, 'icon' | 'color'> {
	if (hasFailed(entry) || entry.action === 'oom') {
		return { icon: 'error', color: 'testing.iconFailed' };
	}
	if (entry.action === 'health_status' && entry.detail === 'unhealthy') {
		return { icon: 'warning', color: 'list.warningForeground' };
	}
	const icon = ICONS[entry.action] ?? (entry.kind === 'exec' ? 'terminal' : 'circle-small');
	return entry.action === 'start' ? { icon, color: 'charts.green' } : { icon };
}

/** What happened. An engine's verb without words here is shown as it is. */
function actionWords(
	{ id, kind, action, detail, attributes }: EventEntry,
	nameOfContainer: (id: string) => string,
): string {
	switch (action) {
		case 'create':
			return l10n.t('created');
		case 'start':
			return l10n.t('started');
		case 'restart':
			return l10n.t('restarted');
		case 'stop':
			return l10n.t('stopped');
		case 'die':
			return l10n.t('exited ({0})', attributes['exitCode'] ?? '');
		case 'kill':
			return l10n.t('got signal {0}', attributes['signal'] ?? '');
		case 'oom':
			return l10n.t('ran out of memory');
		case 'pause':
			return l10n.t('paused');
		case 'unpause':
			return l10n.t('resumed');
		case 'destroy':
		case 'remove':
		case 'delete':
			return l10n.t('removed');
		case 'rename':
			return l10n.t('renamed, was {0}', (attributes['oldName'] ?? '').replace(/^\//, ''));
		case 'update':
			return l10n.t('limits changed');
		case 'commit':
			return l10n.t('committed');
		case 'pull':
			return l10n.t('pulled');
		case 'push':
			return l10n.t('pushed');
		case 'tag':
			return l10n.t('tagged');
		case 'untag':
			return l10n.t('untagged');
		case 'prune':
			return l10n.t('pruned');
		case 'connect':
			return l10n.t('connected {0}', nameOfContainer(beside(id, attributes['container'] ?? '')));
		case 'disconnect':
			return l10n.t('disconnected {0}', nameOfContainer(beside(id, attributes['container'] ?? '')));
		case 'attach':
			return l10n.t('attached');
		case 'mount':
			return l10n.t('mounted');
		case 'unmount':
			return l10n.t('unmounted');
		case 'health_status':
			return detail === 'unhealthy' ? l10n.t('unhealthy') : l10n.t('healthy');
		default:
			return kind === 'exec' && detail !== '' ? `${action}: ${detail}` : action;
	}
}
