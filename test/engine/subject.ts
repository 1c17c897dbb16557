import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createClient, type Client } from '../../src/api/client';
import { connectEngine } from '../../src/api/connect';
import {
	busyboxLayer,
	imageOf,
	indexOf,
	layerOf,
	noiseLayer,
	whiteoutLayers,
	architecture,
	defaultPath,
	type ImageFixture,
} from './fixture';
import type { Owner } from '../rootless/user';
import { startProxy, type Proxy } from './proxy';
import { account, basicAuthorization, request, startRegistry, type Answer, type Registry } from './registry';
import {
	controlGroupsOf,
	dist,
	endProcess,
	isAlive,
	mountsOf,
	processesOf,
	readOr,
	until,
	type Workspace,
} from './workspace';

/** "rootless" is ours, run by an ordinary user. */
export type EngineName = 'embedded' | 'docker' | 'rootless';

/** An engine that runs the contract, with the registries that it pulls from. */
export interface Subject {
	readonly name: EngineName;
	readonly client: Client;
	/** The engine's API socket. */
	readonly socket: string;
	readonly images: Images;
	readonly registries: Registries;
	/** Ids of all containers that the suite saw, to look for what they left behind. */
	readonly ids: Set<string>;
	/** The engine's own folder. */
	readonly root: string;
	/** Whose the engine is and what it mounts; by default the suite's own user. */
	readonly owner?: Owner;
}

/** References that the engine can pull, with what they hold. */
export interface Images {
	readonly busybox: Pushed;
	readonly whiteouts: Pushed;
	/** Every member of the run configuration set. */
	readonly app: Pushed;
	/** For three platforms. */
	readonly index: Pushed;
	/** Not runnable, a few megabytes that do not compress, in three layers. */
	readonly noise: Pushed;
}

export interface Pushed {
	/** "127.0.0.1:PORT/demo/name:1" */
	readonly reference: string;
	readonly repository: string;
	readonly fixture: ImageFixture;
}

export interface Registries {
	readonly open: Registry;
	/** In front of `open`; fails on demand. */
	readonly proxy: Proxy;
	/** Wants Basic credentials. */
	readonly basic: Registry;
	/** In front of `basic`; passes credentials on and fails on demand. */
	readonly basicProxy: Proxy;
	/** Wants Bearer tokens. */
	readonly bearer: Proxy;
}

export async function startRegistries(workspace: Workspace): Promise<Registries> {
	const open = await startRegistry(workspace);
	const basic = await startRegistry(workspace, { basic: true });
	const proxy = await startProxy(workspace, open);
	const basicProxy = await startProxy(workspace, basic);
	const bearer = await startProxy(workspace, basic, { bearer: true, authorization: basicAuthorization(account) });
	return { open, proxy, basic, basicProxy, bearer };
}

export async function pushImages({ open, basic }: Registries): Promise<Images> {
	const busybox = busyboxLayer();
	const base = imageOf([busybox]);
	const app = imageOf([busybox, layerOf([{ name: 'srv/', type: 'directory', uid: 1000, gid: 1000 }])], {
		format: 'oci',
		config: {
			Entrypoint: ['printf', '%s|'],
			Cmd: ['from', 'image'],
			Env: [`PATH=${defaultPath}`, 'FLAVOUR=plain', 'EMPTY='],
			WorkingDir: '/srv/work',
			User: 'demo',
			Labels: { maker: 'fixture', 'org.example.two words': 'a=b' },
			StopSignal: 'SIGUSR1',
			ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
		},
	});
	const fixtures = {
		busybox: base,
		whiteouts: imageOf([busybox, ...whiteoutLayers()], { format: 'oci' }),
		app,
		index: indexFixture(base),
		noise: imageOf([noiseLayer(2_000_000, 'a'), noiseLayer(1_500_000, 'b'), noiseLayer(1_000_000, 'c')]),
	};
	await basic.push('demo/private', '1', base);
	const pushed = await Promise.all(
		Object.entries(fixtures).map(async ([name, fixture]): Promise<[string, Pushed]> => {
			await open.push(`demo/${name}`, '1', fixture);
			return [name, pushedAt(open.host, name, fixture)];
		}),
	);
	const of = (name: keyof typeof fixtures): Pushed => {
		const found = new Map(pushed).get(name);
		if (found === undefined) {
			throw new Error(`No fixture ${name}`);
		}
		return found;
	};
	return {
		busybox: of('busybox'),
		whiteouts: of('whiteouts'),
		app: of('app'),
		index: of('index'),
		noise: of('noise'),
	};
}

function pushedAt(host: string, name: string, fixture: ImageFixture): Pushed {
	const repository = `${host}/demo/${name}`;
	return { reference: `${repository}:1`, repository, fixture };
}

/** This machine's platform, two others, and an attestation, as buildx writes them. */
function indexFixture(native: ImageFixture): ImageFixture {
	const own = imageOf(native.layers, { format: 'oci', created: '2024-05-06T07:08:09Z' });
	const foreign = imageOf(native.layers, { format: 'oci', architecture: 'riscv64' });
	const arm = imageOf(native.layers, { format: 'oci', architecture: 'arm', variant: 'v7' });
	const attestation = imageOf([layerOf([{ name: 'attestation.json', content: '{}' }])], { architecture: 'unknown' });
	return indexOf([
		{ image: foreign, platform: { os: 'linux', architecture: 'riscv64' } },
		{ image: arm, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
		{ image: own, platform: { os: 'linux', architecture } },
		{ image: attestation, platform: { os: 'unknown', architecture: 'unknown' } },
	]);
}

export interface EngineProcess {
	readonly client: Client;
	readonly socket: string;
	readonly root: string;
	readonly owner?: Owner;
}

export interface EmbeddedOptions {
	/** Seconds. */
	readonly idleTimeout?: number;
	/** The folder of the bundles. */
	readonly bundles?: string;
	/** The only runtime to use. */
	readonly runtime?: string;
	readonly storageDriver?: string;
	/** The store's folder, which must be there; by default a new one. */
	readonly root?: string;
}

/** Our engine on a store of its own, started as every client starts it: when it is first needed. */
export function embeddedEngine(workspace: Workspace, options: EmbeddedOptions = {}): EngineProcess {
	const root = options.root ?? workspace.folder('store');
	const { storageDriver } = options;
	const engine = path.join(options.bundles ?? dist, 'engine.js');
	const connect = (signal?: AbortSignal): Promise<string> =>
		connectEngine(
			{
				...{ root, engine, idleTimeout: options.idleTimeout ?? 300, runtime: options.runtime },
				...(storageDriver === undefined ? {} : { storageDriver }),
			},
			signal,
		);
	workspace.defer('end the embedded engine', () => endEmbedded(root, connect));
	return { client: createClient(connect), socket: path.join(root, 'run', 'api.sock'), root };
}

/** Pid of the engine that owns the store, or undefined when none runs. */
export function enginePid(root: string): number | undefined {
	const text = readOr(path.join(root, 'run', 'engine.json'), '');
	const record: unknown = text === '' ? undefined : JSON.parse(text);
	const isRecord = typeof record === 'object' && record !== null && 'pid' in record;
	return isRecord && typeof record.pid === 'number' && isAlive(record.pid) ? record.pid : undefined;
}

/** Removes the store's containers, ends its engine, and ends by force whatever still runs for it. */
async function endEmbedded(root: string, connect: () => Promise<string>): Promise<void> {
	const hasContainers =
		fs.existsSync(path.join(root, 'containers')) && fs.readdirSync(path.join(root, 'containers')).length > 0;
	if (enginePid(root) !== undefined || hasContainers) {
		await removeContainers(createClient(connect));
	}
	const pid = enginePid(root);
	if (pid !== undefined) {
		// It leaves when the layers that it has unpacked are on the disk.
		await endProcess(pid, 'SIGTERM', 60_000);
	}
}

/**
 * Debian's dockerd with all its files in the workspace, and no network of its own unless it is in a namespace that the
 * process `holder` keeps.
 */
export async function dockerEngine(workspace: Workspace, holder?: number): Promise<EngineProcess> {
	const root = workspace.folder('docker');
	const socket = path.join(root, 'docker.sock');
	const client = createClient(() => Promise.resolve(socket));
	// Undone last: dockerd keeps a namespace and folders mounted below its execution root.
	workspace.defer('unmount what dockerd left', () => unmountBelow(root));
	const [program, ...enter] = holder === undefined ? ['dockerd'] : ['nsenter', '-t', String(holder), '-n', 'dockerd'];
	const withoutNetwork = holder === undefined ? ['--iptables=false', '--ip6tables=false', '--bridge=none'] : [];
	workspace.start('dockerd', program, [
		...enter,
		...['--data-root', path.join(root, 'data'), '--exec-root', path.join(root, 'exec')],
		...['--pidfile', path.join(root, 'pid'), '-H', `unix://${socket}`, '--storage-driver', 'overlay2'],
		...[...withoutNetwork, '--max-download-attempts', '2'],
	]);
	workspace.defer('end containerd', () => endContainerd(root));
	workspace.defer('remove the containers of dockerd', () => removeContainers(client));
	await until('dockerd answers', () => answers(socket), 30_000);
	return { client, socket, root };
}

export async function answers(socketPath: string): Promise<boolean> {
	try {
		return (await request({ socketPath, path: '/_ping' })).status === 200;
	} catch (error) {
		const code = error instanceof Error && 'code' in error ? error.code : undefined;
		if (code === 'ENOENT' || code === 'ECONNREFUSED') {
			return false;
		}
		throw error;
	}
}

/** dockerd ends its containerd; one that survived a dockerd that was killed is ended here, by its own pid file. */
async function endContainerd(root: string): Promise<void> {
	const pid = Number(readOr(path.join(root, 'exec', 'containerd', 'containerd.pid'), '0'));
	if (pid > 0 && readOr(`/proc/${pid}/cmdline`, '').includes(root)) {
		await endProcess(pid);
	}
}

async function unmountBelow(root: string): Promise<void> {
	const { spawnSync } = await import('node:child_process');
	for (const line of mountsOf(root).reverse()) {
		spawnSync('umount', [line.split(' ')[4] ?? '']);
	}
}

export async function removeContainers(client: Client): Promise<void> {
	for (const container of await client.containers.list({ all: true })) {
		await client.containers.remove(container.Id, { force: true });
	}
}

/**
 * What an engine that ended with no container left must have left behind: nothing but files in its folder.
 * Gives one line a leak.
 */
export function leaksOf(root: string, ids: ReadonlySet<string>): string[] {
	return [
		...mountsOf(root).map((line) => `mount: ${line}`),
		...processesOf(root).map(({ pid, command }) => `process ${pid}: ${command}`),
		...controlGroupsOf(ids).map((folder) => `control group: ${folder}`),
	];
}

/** A folder for bind mounts that the engine's user owns; the caller removes it. */
export function hostFolder({ owner }: Pick<Subject, 'owner'>): string {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-bind-'));
	if (owner !== undefined) {
		fs.chownSync(folder, owner.uid, owner.gid);
	}
	return folder;
}

/** A request as it goes over the socket, for cases that the client does not show. */
export async function ask(
	subject: Pick<Subject, 'socket'>,
	method: string,
	url: string,
	body?: object | string,
	signal?: AbortSignal,
): Promise<Answer> {
	return request({
		socketPath: subject.socket,
		method,
		path: url,
		...(body === undefined
			? {}
			: {
					body: typeof body === 'string' ? body : JSON.stringify(body),
					headers: { 'content-type': 'application/json' },
				}),
		...(signal === undefined ? {} : { signal }),
	});
}
