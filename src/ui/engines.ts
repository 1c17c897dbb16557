import { homedir } from 'node:os';
import { EventEmitter, l10n, type Disposable, type LogOutputChannel, type Memento } from 'vscode';
import { attachEngine } from '../api/attach';
import { createClient, type Client } from '../api/client';
import { hostText, parseHost, type Endpoint } from '../api/endpoint';
import { findEngines, thisMachine, type FoundEngine } from '../api/engines';
import type { RegistryContext } from '../api/registry-client';
import type { EngineAddress } from '../api/transport';
import { OWN_ID } from './engine-keys';
import { isAbort, refusal, sentence, localSentence } from './failure';
import { RoutingClient } from './routing-client';

/** An engine that a window can use. */
export type Engine = Pick<FoundEngine, 'id' | 'name' | 'host' | 'context'>;

/** What is known of an engine that is not in use: nothing before somebody looked. */
export type Reach =
	| { readonly state: 'unknown' }
	| { readonly state: 'asking' }
	| { readonly state: 'answers'; readonly program: string; readonly version: string }
	| { readonly state: 'silent'; readonly reason: string };

/** Our own engine, which is there always. */
export const OWN: Engine = { id: OWN_ID, name: 'MyDocker', host: '', context: undefined };

const CHOICE_KEY = 'engine';
const TYPED = 'host ';
const UNKNOWN: Reach = { state: 'unknown' };
/** Milliseconds that an engine has to say that it is there. */
const ANSWER_WITHIN = 5000;

/**
 * Which engines this window uses, kept for the workspace, and which others there are. They are found by files; one is
 * asked whether it answers only when somebody looks at it, and over ssh only when it is used.
 */
export class Engines implements Disposable {
	private readonly changed = new EventEmitter<void>();
	/** The list, the choice, or what is known of one. */
	readonly onDidChange = this.changed.event;
	private readonly switched = new EventEmitter<void>();
	/** Other engines are used from now on. */
	readonly onDidSwitch = this.switched.event;
	/** Leads to the engines in use. */
	readonly client = new RoutingClient((id) => this.clientOf(id ?? this.chosen.id));

	/** Never empty; ours first when it is one of them. */
	private current: readonly Engine[];
	private found: readonly FoundEngine[] = [];
	private readonly clients = new Map<string, Client>();
	private readonly reaches = new Map<string, Reach>();
	private looking: Promise<void> | undefined;

	constructor(
		private readonly needs: {
			/** The way to our own engine, which is started when it does not run. */
			readonly own: (signal?: AbortSignal) => Promise<string | EngineAddress>;
			readonly registries: RegistryContext;
			/** Of the workspace. */
			readonly memento: Memento;
			readonly log: LogOutputChannel;
		},
	) {
		this.current = keptEngines(needs.memento.get<unknown>(CHOICE_KEY));
	}

	/** Ours first when it is one of them. */
	get used(): readonly Engine[] {
		return this.current;
	}

	get usedIds(): readonly string[] {
		return this.current.map(({ id }) => id);
	}

	isUsed(id: string): boolean {
		return this.current.some((engine) => engine.id === id);
	}

	/** True while several are in use, and what is shown has to say of which. */
	get areSeveral(): boolean {
		return this.current.length > 1;
	}

	/** The first one in use: what names no engine is its. */
	get chosen(): Engine {
		return this.current[0] ?? OWN;
	}

	/** True when our own is in use. */
	get isOwn(): boolean {
		return this.chosen.id === OWN.id;
	}

	/** Ours first. Those in use are always there, found or not. */
	get all(): readonly Engine[] {
		const isListed = (engine: Engine): boolean =>
			engine.id === OWN.id || this.found.some(({ id }) => id === engine.id);
		return [OWN, ...this.found, ...this.current.filter((engine) => !isListed(engine))];
	}

	get(id: string): Engine | undefined {
		return this.all.find((engine) => engine.id === id);
	}

	reach(id: string): Reach {
		return this.reaches.get(id) ?? UNKNOWN;
	}

	/** Why nothing may be reached in this window; undefined when it may. Only our own engine needs Linux. */
	get refusal(): Error | undefined {
		return refusal(this.isOwn);
	}

	/** Looks for engines, by files alone. Never throws. */
	async find(): Promise<void> {
		await (this.looking ??= this.search().finally(() => {
			this.looking = undefined;
		}));
	}

	/** Asks those that are not in use whether they answer. Never throws. */
	async ask(): Promise<void> {
		await this.find();
		await Promise.all(
			this.found
				.filter(({ id, endpoint }) => endpoint.kind !== 'ssh' && !this.isUsed(id))
				.map((engine) => this.examine(engine)),
		);
	}

	/** Uses these engines in this window from now on, whether they answer or not; without any, our own. */
	async use(...engines: readonly Engine[]): Promise<void> {
		const wanted = inOrder(engines);
		if (wanted.map(({ id }) => id).join(' ') === this.usedIds.join(' ')) {
			return;
		}
		const names = wanted.map(({ name, host }) => `${name} ${host}`.trim());
		this.needs.log.info(`This window uses the engine ${names.join(', ')}`);
		this.current = wanted;
		for (const { id } of wanted) {
			this.reaches.delete(id);
		}
		this.switched.fire();
		this.changed.fire();
		await this.needs.memento.update(CHOICE_KEY, keptValue(wanted));
	}

	/** Uses the engine beside those that are used. */
	async show(engine: Engine): Promise<void> {
		await this.use(...this.current, engine);
	}

	/** Uses the engine no more; the last one stays. */
	async hide({ id }: Engine): Promise<void> {
		if (this.areSeveral) {
			await this.use(...this.current.filter((engine) => engine.id !== id));
		}
	}

	/** An engine that a person wrote down, "ssh://me@box". Throws InvalidHost. */
	typed(text: string): Engine {
		const host = hostText(parseHost(text));
		return (
			this.all.find((engine) => engine.host === host) ?? {
				id: TYPED + host,
				name: host,
				host,
				context: undefined,
			}
		);
	}

	/** What the engine tells of itself, whether it is in use or not. */
	async describe(id: string): Promise<object> {
		const engine = this.get(id);
		if (engine === undefined) {
			throw gone(id);
		}
		const client = this.clientFor(engine);
		const [version, info] = await Promise.all([client.version(), client.info()]);
		return { Engine: engine.name, Host: engine.host, Version: version, Info: info };
	}

	dispose(): void {
		this.changed.dispose();
		this.switched.dispose();
	}

	/** The client of an engine that is in use, or was. A document may name any; nobody has chosen that one. */
	clientOf(id: string): Client {
		const used = this.current.find((engine) => engine.id === id);
		const client = used === undefined ? this.clients.get(id) : this.clientFor(used);
		if (client === undefined) {
			throw new Error(
				l10n.t('The engine {0} is not in use in this window. Use it to see this.', this.get(id)?.name ?? id),
			);
		}
		return client;
	}

	private clientFor(engine: Engine): Client {
		const known = this.clients.get(engine.id);
		if (known !== undefined) {
			return known;
		}
		const connect = engine.id === OWN.id ? this.needs.own : this.attacher(engine);
		const client = createClient(connect, this.needs.registries);
		this.clients.set(engine.id, client);
		return client;
	}

	private attacher(engine: Engine) {
		return async (signal?: AbortSignal): Promise<EngineAddress> => {
			const refused = refusal(false);
			if (refused !== undefined) {
				throw refused;
			}
			return attachEngine(await this.endpointOf(engine), { signal });
		};
	}

	/** Read anew each time: a context may lead elsewhere by now. */
	private async endpointOf({ id, host }: Engine): Promise<Endpoint> {
		if (id.startsWith(TYPED)) {
			return parseHost(host);
		}
		await this.find();
		const engine = this.found.find((one) => one.id === id);
		if (engine === undefined) {
			throw gone(host);
		}
		return engine.endpoint;
	}

	private async search(): Promise<void> {
		try {
			this.found = await findEngines(thisMachine(homedir()));
		} catch (error) {
			this.needs.log.warn(`Cannot look for other engines: ${sentence(error)}`);
		}
		this.changed.fire();
	}

	private async examine({ id, endpoint }: FoundEngine): Promise<void> {
		if (this.reach(id).state === 'asking' || refusal(false) !== undefined) {
			return;
		}
		if (this.reach(id).state === 'unknown') {
			this.setReach(id, { state: 'asking' });
		}
		try {
			const address = await attachEngine(endpoint, { answerWithin: ANSWER_WITHIN });
			const client = createClient(() => Promise.resolve(address));
			const { Version: version } = await client.version({ signal: AbortSignal.timeout(ANSWER_WITHIN) });
			const programs = { mydocker: 'MyDocker', docker: 'Docker', podman: 'Podman' };
			this.setReach(id, { state: 'answers', version, program: programs[address.program ?? 'docker'] });
		} catch (error) {
			const reason = isAbort(error)
				? l10n.t('it does not answer')
				: localSentence(sentence(error).replace(/^.*?: /, ''));
			this.setReach(id, { state: 'silent', reason });
		}
	}

	private setReach(id: string, reach: Reach): void {
		this.reaches.set(id, reach);
		this.changed.fire();
	}
}

function gone(host: string): Error {
	return new Error(l10n.t('The engine at {0} is not there any more. Use another one.', host));
}

/** Each once, ours first. */
function inOrder(engines: readonly Engine[]): readonly Engine[] {
	const unique = new Map(engines.map(({ id, name, host, context }) => [id, { id, name, host, context }] as const));
	const others = [...unique.values()].filter(({ id }) => id !== OWN.id);
	return unique.has(OWN.id) || others.length === 0 ? [OWN, ...others] : others;
}

/** One engine is kept as before there could be several; our own alone needs no choice. */
function keptValue(engines: readonly Engine[]): Engine | readonly Engine[] | undefined {
	const [only] = engines;
	return engines.length > 1 ? engines : only?.id === OWN.id ? undefined : only;
}

/** The choice as it was kept; another version may have written it. */
function keptEngines(value: unknown): readonly Engine[] {
	const values: readonly unknown[] = Array.isArray(value) ? value : [value];
	return inOrder(values.flatMap((one) => keptEngine(one) ?? []));
}

function keptEngine(value: unknown): Engine | undefined {
	if (typeof value !== 'object' || value === null) {
		return undefined;
	}
	const { id, name, host, context } = value as Partial<Record<keyof Engine, unknown>>;
	return typeof id === 'string' && typeof name === 'string' && typeof host === 'string'
		? { id, name, host, context: typeof context === 'string' ? context : undefined }
		: undefined;
}
