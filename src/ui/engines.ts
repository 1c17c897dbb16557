import { homedir } from 'node:os';
import { EventEmitter, l10n, type Disposable, type LogOutputChannel, type Memento } from 'vscode';
import { attachEngine } from '../api/attach';
import { createClient, type Client } from '../api/client';
import { hostText, parseHost, type Endpoint } from '../api/endpoint';
import { findEngines, thisMachine, type FoundEngine } from '../api/engines';
import type { RegistryContext } from '../api/registry-client';
import type { EngineAddress } from '../api/transport';
import { isAbort, refusal, sentence } from './failure';
import { SwitchableClient } from './switchable-client';

/** An engine that a window can use. */
export type Engine = Pick<FoundEngine, 'id' | 'name' | 'host' | 'context'>;

/** What is known of an engine that is not in use: nothing before somebody looked. */
export type Reach =
	| { readonly state: 'unknown' }
	| { readonly state: 'asking' }
	| { readonly state: 'answers'; readonly program: string; readonly version: string }
	| { readonly state: 'silent'; readonly reason: string };

/** Our own engine, which is there always. */
export const OWN: Engine = { id: 'mydocker', name: 'MyDocker', host: '', context: undefined };

const CHOICE_KEY = 'engine';
const TYPED = 'host ';
const UNKNOWN: Reach = { state: 'unknown' };
/** Milliseconds that an engine has to say that it is there. */
const ANSWER_WITHIN = 5000;

/**
 * Which engine this window uses, kept for the workspace, and which others there are. They are found by files; one is
 * asked whether it answers only when somebody looks at it, and over ssh only when it is used.
 */
export class Engines implements Disposable {
	private readonly changed = new EventEmitter<void>();
	/** The list, the choice, or what is known of one. */
	readonly onDidChange = this.changed.event;
	private readonly switched = new EventEmitter<void>();
	/** Another engine is used from now on. */
	readonly onDidSwitch = this.switched.event;
	/** Leads to the chosen engine. */
	readonly client = new SwitchableClient(() => this.clientOf(this.current));

	private current: Engine;
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
		this.current = keptEngine(needs.memento.get<unknown>(CHOICE_KEY)) ?? OWN;
	}

	get chosen(): Engine {
		return this.current;
	}

	get isOwn(): boolean {
		return this.current.id === OWN.id;
	}

	/** Ours first. The chosen one is always there, found or not. */
	get all(): readonly Engine[] {
		const others = this.found.some(({ id }) => id === this.current.id) || this.isOwn ? [] : [this.current];
		return [OWN, ...this.found, ...others];
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
				.filter(({ id, endpoint }) => endpoint.kind !== 'ssh' && id !== this.current.id)
				.map((engine) => this.examine(engine)),
		);
	}

	/** Uses the engine in this window from now on, whether it answers or not. */
	async use(engine: Engine): Promise<void> {
		if (engine.id === this.current.id) {
			return;
		}
		const { id, name, host, context } = engine;
		this.needs.log.info(`This window uses the engine ${name} ${host}`.trim());
		this.current = { id, name, host, context };
		this.reaches.delete(id);
		this.switched.fire();
		this.changed.fire();
		await this.needs.memento.update(CHOICE_KEY, this.isOwn ? undefined : this.current);
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
		const client = this.clientOf(engine);
		const [version, info] = await Promise.all([client.version(), client.info()]);
		return { Engine: engine.name, Host: engine.host, Version: version, Info: info };
	}

	dispose(): void {
		this.changed.dispose();
		this.switched.dispose();
	}

	private clientOf(engine: Engine): Client {
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
			const reason = isAbort(error) ? l10n.t('it does not answer') : sentence(error).replace(/^.*?: /, '');
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

/** The choice as it was kept; another version may have written it. */
function keptEngine(value: unknown): Engine | undefined {
	if (typeof value !== 'object' || value === null) {
		return undefined;
	}
	const { id, name, host, context } = value as Partial<Record<keyof Engine, unknown>>;
	return typeof id === 'string' && typeof name === 'string' && typeof host === 'string'
		? { id, name, host, context: typeof context === 'string' ? context : undefined }
		: undefined;
}
