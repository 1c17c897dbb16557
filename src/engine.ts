/**
 * The engine process: owns one store, serves the Docker Engine API on `<root>/run/api.sock`, and leaves when nobody is
 * connected and no container runs. Clients start it on demand (api/connect):
 *
 *   node dist/engine.js --root DIR [--idle SECONDS] [--runtime NAME] [--report DESCRIPTOR]
 *
 * Started by an ordinary user it makes or finds the namespaces of the store's holder and goes on inside (`--inside`).
 *
 * It reports on the given file descriptor and closes it: "ready" as soon as the store's socket answers, its own or that of
 * an engine that was quicker, else why it cannot. Containers never depend on this process.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { build } from './api/build';
import { keepCode } from './api/code-cache';
import { Ownership, ownerIsReady } from './api/election';
import { EngineLog } from './api/engine-log';
import type { CommandBundle, CommandLine } from './api/command-line';
import { continueInside, insideDescriptors, type InsideDescriptors } from './api/enter-holder';
import { API_VERSION } from './api/route';
import { ApiServer } from './api/server';
import { openStoreFolder } from './api/store-folder';
import { containerFolder } from './core/container/bundle';
import { Containers } from './core/container/containers';
import { currentBootId, identify, isAlive } from './core/container/process';
import { isLive } from './core/container/record';
import { mountedVolumes } from './core/container/volume-content';
import { parseRuntimeName, RUNTIME_NAMES, type RuntimeName } from './core/container/runtime';
import { Runtimes } from './core/container/runtimes';
import { readText } from './core/container/shim';
import { EngineError, messageOf, systemCode } from './core/errors';
import { Events } from './core/events';
import { diskError } from './core/image/assembly';
import { Images } from './core/image/images';
import { Registries } from './core/image/registries';
import { probeNetwork } from './core/network/firewall';
import { Networks } from './core/network/networks';
import { holderPlace } from './core/network/holder-place';
import { Outbound, probeOutbound } from './core/network/outbound';
import { HOST, type NetworkPlace } from './core/network/place';
import { bridgeWay } from './core/network/way';
import { remoteFileSystem } from './core/storage/file-system';
import { openStorage } from './core/storage/storage';
import { replaceFile, Store } from './core/store';
import { closeInherited } from './core/system/descriptors';
import { examine, type Finding, type RootlessFacts } from './core/system/doctor';
import { findHolder, holdFile, holding, type Holder } from './core/system/holder';
import { engineFacts, type EngineFacts } from './core/system/info';
import { Reserve } from './core/system/reserve';
import type { ProcessIdentity } from './core/types';
import { Volumes } from './core/volume/volumes';

/** Milliseconds for a quicker engine to become ready. */
const OWNER_READY_WITHIN = 30_000;
/** Milliseconds for the requests at work when the engine is asked to leave; what does not end by then is cut off. */
const GRACE = 2_000;

/** Milliseconds after the start, when a command that needs no container has been answered. */
const TRY_AFTER = 1_000;
/** Milliseconds after the start, when the first requests have shown which code is used. */
const KEEP_CODE_AFTER = 10_000;

interface Arguments {
	readonly root: string;
	/** Seconds. */
	readonly idle: number;
	/** Open file descriptor, a pipe. */
	readonly report: number | undefined;
	/** The only runtime to use; by default the first that works. */
	readonly runtime: RuntimeName | undefined;
	/** Descriptors from the process that made the namespaces of an ordinary user; see api/enter-holder. */
	readonly inside: InsideDescriptors | undefined;
}

class Engine {
	private readonly socketPath: string;
	private readonly server: ApiServer;
	private idleTimer: NodeJS.Timeout | undefined;
	private trial: Promise<void> | undefined;
	private isLeaving = false;

	constructor(
		private readonly options: Arguments,
		private readonly ownership: Ownership,
		private readonly log: EngineLog,
		private readonly core: OpenCore,
	) {
		this.socketPath = path.join(options.root, 'run', 'api.sock');
		this.server = new ApiServer(
			{
				...core,
				root: options.root,
				commandLine: commandLine(options.root, this.socketPath, core.images),
				shutdown: () => void this.leave('a client asked for it'),
			},
			{
				log: (line) => {
					log.write(line);
				},
				onQuiet: () => {
					this.waitForIdle();
				},
			},
		);
	}

	async start(): Promise<void> {
		fs.rmSync(this.socketPath, { force: true });
		fs.rmSync(`${this.socketPath}.leaving`, { force: true });
		await this.server.listen(this.socketPath);
		for (const signal of ['SIGTERM', 'SIGINT'] as const) {
			process.on(signal, () => void this.leave(signal));
		}
		this.core.events.subscribe(({ type, action }) => {
			if (type === 'container' && (action === 'die' || action === 'destroy')) {
				this.waitForIdle();
			}
		});
		setTimeout(keepCode, KEEP_CODE_AFTER).unref();
		setTimeout(() => {
			this.tryMachine();
		}, TRY_AFTER).unref();
		this.waitForIdle();
	}

	/** Tries storage and runtime before the first container would wait for it. */
	private tryMachine(): void {
		new Reserve(this.options.root).take();
		this.trial = this.core.facts().then(
			() => undefined,
			(error: unknown) => {
				this.log.write(`Warning: ${messageOf(error)}`);
			},
		);
	}

	private get isIdle(): boolean {
		return this.server.isQuiet && !this.core.containers.hasRunning();
	}

	/** Counts the idle time anew; whatever makes the engine busy is noticed when the time is over. */
	private waitForIdle(): void {
		clearTimeout(this.idleTimer);
		this.idleTimer = setTimeout(() => {
			this.leaveIfIdle().catch((error: unknown) => {
				this.fail(error);
			});
		}, this.options.idle * 1000);
	}

	/**
	 * Leaves without losing a client that connects at this very moment: the socket is first moved out of sight, so that
	 * nobody else can come, and then who came before is let in, which a connection of our own, the last in the queue,
	 * tells. When somebody came, the socket goes back.
	 */
	private async leaveIfIdle(): Promise<void> {
		if (!this.isIdle || this.isLeaving) {
			return;
		}
		const hidden = `${this.socketPath}.leaving`;
		fs.renameSync(this.socketPath, hidden);
		const others = await this.server.admitWaiting(hidden);
		if ((others > 0 || this.core.containers.hasRunning()) && !this.hasBegunToLeave()) {
			fs.renameSync(hidden, this.socketPath);
			this.waitForIdle();
			return;
		}
		fs.rmSync(hidden, { force: true });
		await this.leave(`idle for ${this.options.idle} s`);
	}

	/** Asked after an await: a signal may have come meanwhile. */
	private hasBegunToLeave(): boolean {
		return this.isLeaving;
	}

	/** Ends this process; containers go on and the next engine takes them over. */
	private async leave(reason: string): Promise<void> {
		if (this.isLeaving) {
			return;
		}
		this.isLeaving = true;
		clearTimeout(this.idleTimer);
		this.log.write(`Leaving: ${reason}`);
		try {
			this.ownership.leaving();
			await this.server.close(GRACE);
			await this.trial; // it cleans up after itself
			await this.core.containers.close();
			await this.core.networks.close();
			await this.core.images.close();
			new Reserve(this.options.root).take();
			fs.rmSync(this.socketPath, { force: true });
			fs.rmSync(recordFile(this.options.root), { force: true });
		} catch (error) {
			this.fail(error);
		}
		process.exit(0);
	}

	private fail(error: unknown): never {
		this.log.fault(error);
		process.exit(1);
	}
}

interface OpenCore {
	readonly images: Images;
	readonly registries: Registries;
	readonly containers: Containers;
	readonly networks: Networks;
	readonly volumes: Volumes;
	readonly events: Events;
	readonly bridgeWay: string;
	readonly facts: () => Promise<EngineFacts>;
	readonly examine: () => Promise<readonly Finding[]>;
}

/** Opens the store: makes its folders, reads its records, takes over the containers that run. */
async function openCore(
	{ root, runtime: wanted }: Pick<Arguments, 'root' | 'runtime'>,
	log: EngineLog,
): Promise<OpenCore> {
	for (const folder of ['records', 'containers', 'run']) {
		fs.mkdirSync(path.join(root, folder), { recursive: true, mode: 0o700 });
	}
	const warn = (message: string) => {
		log.write(`Warning: ${message}`);
	};
	const store = new Store(path.join(root, 'records'), warn);
	store.removeTemporary();
	const events = new Events();
	const runtime = new Runtimes(path.join(root, 'run'), wanted);
	const users = (imageId: string) =>
		containers
			.list()
			.filter((container) => container.image_id === imageId)
			.map(({ id, name, status }) => ({
				id,
				name,
				isRunning: isLive(status),
			}));
	const wantedDriver = process.env['MYDOCKER_STORAGE_DRIVER'] ?? '';
	const storage = await openStorage(root, wantedDriver);
	const layerFormat = wantedDriver === 'erofs' ? 'erofs' : 'files';
	const images = new Images({ root, store, events, warn, users, layerFormat });
	const mounted = (name: string) =>
		containers
			.list()
			.filter(({ config }) => config.mounts.some((mount) => mount.type === 'volume' && mount.source === name));
	const volumes = new Volumes({
		...{ root, store, events, warn, prefix: [] },
		users: (name) => mounted(name).map(({ id }) => id),
		activeUsers: (name) =>
			mounted(name)
				.filter(({ status }) => isLive(status))
				.map(({ id }) => id),
	});
	const rootless = rootlessFacts(root);
	const place = networkPlace(root, rootless);
	const networkFacts = probeNetwork(place);
	const networks = new Networks({
		...{ store, events, warn, place, facts: networkFacts },
		hostsFile: (id) => path.join(containerFolder(root, id).etc, 'hosts'),
	});
	const containers: Containers = new Containers({
		...{ root, store, events, images, storage, runtime, networks, volumes, warn },
		bridgeWarning: rootless?.outbound.problem ?? '',
		shimPrefix: rootless === undefined ? [] : holding(path.join(root, 'run')),
		bridgeProblem: networkFacts.hasBridge ? undefined : networkFacts.problems[0],
	});
	await volumes.load();
	// Images and networks ask which of them are in use, so the containers come first.
	await containers.load();
	const live = containers.list().filter(({ status }) => isLive(status) && status !== 'restarting');
	await networks.load(new Set(live.map(({ id }) => id)));
	await volumes.adopt(mountedVolumes(live));
	await images.load();
	const bootFile = path.join(root, 'run', 'boot');
	const lastBoot = readText(bootFile);
	containers.resume(lastBoot !== undefined && lastBoot !== currentBootId());
	if (lastBoot !== currentBootId()) {
		// What the power leaves of it is another boot's.
		replaceFile(bootFile, currentBootId());
	}
	setTimeout(() => {
		store.sync().catch((error: unknown) => {
			warn(`Cannot write records to the disk: ${messageOf(error)}`);
		});
	}, TRY_AFTER).unref();
	const registries = new Registries(root);
	let facts: Promise<EngineFacts> | undefined;
	return {
		images,
		registries,
		containers,
		networks,
		volumes,
		events,
		bridgeWay: bridgeWay(networkFacts, rootless?.outbound),
		facts: async () => {
			facts ??= engineFacts({ runtime, network: networkFacts, rootless, storage }).catch((error: unknown) => {
				facts = undefined;
				throw error;
			});
			return facts;
		},
		examine: () => examine({ root, runtime, network: networkFacts, rootless, storage }),
	};
}

/** The command line of the same build, loaded when the first command is handed over. */
function commandLine(root: string, socketPath: string, images: Images): CommandLine {
	const load = async () => {
		const bundle = createRequire(__filename)(path.join(__dirname, 'commands.js')) as CommandBundle;
		const { serveCommands } = await bundle.loadServed();
		const address = { socketPath, apiVersion: API_VERSION, program: 'mydocker' } as const;
		return serveCommands({ root, address, hasImage: (name) => images.find(name) !== undefined });
	};
	let served: ReturnType<typeof load> | undefined;
	return async (command) => {
		served ??= load();
		return (await served)(command);
	};
}

/** Of the holder in whose namespaces this process is; undefined for root. */
function rootlessFacts(root: string): (RootlessFacts & { readonly holder: Holder }) | undefined {
	const holder = findHolder(path.join(root, 'run'));
	return holder === undefined ? undefined : { holder, singleReason: holder.singleReason, outbound: probeOutbound() };
}

/** Where the bridges are. */
function networkPlace(root: string, rootless: ReturnType<typeof rootlessFacts>): NetworkPlace {
	if (rootless === undefined) {
		return HOST;
	}
	const { pid } = rootless.holder.process;
	const run = path.join(root, 'run');
	return holderPlace({
		...{ pid, run },
		agent: path.join(__dirname, 'socket-agent.js'),
		outbound: new Outbound({ facts: rootless.outbound, pid, fifo: holdFile(run), run }),
	});
}

async function main(): Promise<void> {
	// The store's folder is its owner's alone (openStoreFolder): what layers hold need no mode of their own beside open's.
	process.umask(0o022);
	// Standard streams, report, and what the process outside hands on (api/enter-holder).
	closeInherited(7);
	const options = parseArguments(process.argv.slice(2));
	reportTo = options.report;
	try {
		await serve(options);
	} catch (error) {
		throw diskError(error, options.root);
	}
}

async function serve(options: Arguments): Promise<void> {
	openStoreFolder(options.root);
	refuseRemote(options.root);
	new Reserve(options.root).release();
	const log = new EngineLog(path.join(options.root, 'engine.log'));
	process.on('uncaughtException', (error) => {
		log.fault(error);
		report(messageOf(error));
		process.exit(1);
	});
	const ownership =
		options.inside === undefined ? await becomeOwner(options.root) : await Ownership.inherit(options.inside.lock);
	if (ownership === undefined) {
		log.write('Another engine owns this store');
		report('ready');
		return;
	}
	refuseSecondOwner(options.root);
	if (options.inside === undefined && process.getuid?.() !== 0) {
		await continueInside(ownership, { ...options, log });
		// The other process reports.
		return process.exit(0);
	}
	options.inside?.arrived();
	const core = await openCore(options, log);
	writeRecord(options.root);
	await new Engine(options, ownership, log, core).start();
	ownership.ready();
	log.write(`Engine ${build.version} is ready, pid ${process.pid}`);
	report('ready');
}

/** The ownership, or undefined when another engine has it and is ready. */
async function becomeOwner(root: string): Promise<Ownership | undefined> {
	const deadline = AbortSignal.timeout(OWNER_READY_WITHIN);
	for (;;) {
		const ownership = await Ownership.acquire(root);
		if (ownership !== undefined) {
			return ownership;
		}
		if (await ownerIsReady(root, deadline)) {
			return undefined;
		}
	}
}

function parseArguments(words: string[]): Arguments {
	const { values } = parseArgs({
		args: words,
		options: {
			root: { type: 'string' },
			idle: { type: 'string', default: '30' },
			report: { type: 'string' },
			runtime: { type: 'string', default: 'auto' },
			inside: { type: 'boolean', default: false },
		},
	});
	const idle = Number(values.idle);
	if (values.root === undefined || values.root === '') {
		throw new EngineError('invalid', 'Cannot start engine: --root DIR is missing');
	}
	if (!(idle >= 1 && idle <= 1_000_000)) {
		throw new EngineError('invalid', `Cannot start engine: --idle "${values.idle}" is not a number of seconds`);
	}
	const report = values.report === undefined ? undefined : Number(values.report);
	return {
		...{ root: path.resolve(values.root), idle, report },
		runtime: wantedRuntime(values.runtime),
		inside: values.inside ? insideDescriptors : undefined,
	};
}

function wantedRuntime(text: string): RuntimeName | undefined {
	try {
		return text === '' || text === 'auto' ? undefined : parseRuntimeName(text);
	} catch (error) {
		const reason = `Cannot start engine: runtime "${text}" is none of auto, ${RUNTIME_NAMES.join(', ')}`;
		throw new EngineError('invalid', reason, { cause: error });
	}
}

/** Overlays, sockets and locks need a local disk. */
function refuseRemote(root: string): void {
	const kind = remoteFileSystem(fs.statfsSync(root).type);
	if (kind !== undefined) {
		throw new EngineError(
			'unsupported',
			`Cannot open store "${root}": it is on ${kind}, where containers cannot run; choose a folder on a local disk, such as ~/.local/share/mydocker`,
		);
	}
}

function recordFile(root: string): string {
	return path.join(root, 'run', 'engine.json');
}

/**
 * The lock's name is seen within one network namespace only. The record of a living engine tells of one in another
 * (started by `ip netns exec`, or in a container that shares the store).
 */
function refuseSecondOwner(root: string): void {
	const file = recordFile(root);
	if (!fs.existsSync(file)) {
		return;
	}
	let value: unknown;
	try {
		value = JSON.parse(fs.readFileSync(file, 'utf8'));
	} catch (error) {
		if (!(error instanceof SyntaxError)) {
			throw error;
		}
		return;
	}
	if (isIdentity(value) && value.pid !== process.pid && isAlive(value)) {
		throw new EngineError(
			'conflict',
			`Cannot open store "${root}": engine process ${value.pid} owns it from another network namespace`,
		);
	}
}

function isIdentity(value: unknown): value is ProcessIdentity {
	return (
		typeof value === 'object' &&
		value !== null &&
		['start_time', 'boot_id'].every((name) => typeof Reflect.get(value, name) === 'string') &&
		Number.isSafeInteger(Reflect.get(value, 'pid'))
	);
}

function writeRecord(root: string): void {
	const record = { ...identify(process.pid), version: build.version, build: build.time };
	replaceFile(recordFile(root), JSON.stringify(record, undefined, '\t') + '\n');
}

/** Tells whoever started this process, once. Started by hand, there is nobody. */
function report(word: string): void {
	const descriptor = reportTo;
	reportTo = undefined;
	if (descriptor === undefined) {
		return;
	}
	try {
		fs.writeSync(descriptor, `${word}\n`);
	} catch (error) {
		if (systemCode(error) !== 'EPIPE') {
			throw error;
		}
		// Whoever started this process is gone; others will come.
	} finally {
		fs.closeSync(descriptor);
	}
}

let reportTo: number | undefined;

main().catch((error: unknown) => {
	// A refusal is a sentence; anything else is a fault, and a maintainer wants to see where.
	const text =
		error instanceof Error && !(error instanceof EngineError) ? (error.stack ?? error.message) : messageOf(error);
	process.stderr.write(`${text}\n`);
	report(messageOf(error));
	process.exit(1);
});
