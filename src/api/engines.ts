/** The engines that this machine knows: found by files alone; nothing is started and nothing is connected to. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { currentContext, DEFAULT_CONTEXT, readContexts, type Context, type Place } from './contexts';
import { hostText, type Endpoint } from './endpoint';
import { errorCode } from './transport';

export interface FoundEngine {
	/** "context desktop-linux", "socket /run/podman/podman.sock": the same each time, for keeping a choice. */
	readonly id: string;
	/** For people: the context's name, or "Docker", "Podman", "Colima", … */
	readonly name: string;
	/** "unix:///…", "tcp://…", "ssh://…" */
	readonly host: string;
	readonly endpoint: Endpoint;
	/** The context that names it. */
	readonly context: string | undefined;
	/** True for what the `docker` command line would use now. */
	readonly isCurrent: boolean;
}

/** Where to look. */
export interface Machine extends Place {
	/** Numeric id of the user; undefined where there is none (Windows). */
	readonly uid: number | undefined;
	readonly platform: NodeJS.Platform;
	/** In place of "/" for sockets of the whole machine; for tests. */
	readonly root?: string;
}

export function thisMachine(home: string): Machine {
	return { env: process.env, home, uid: process.getuid?.(), platform: process.platform };
}

/**
 * Contexts of docker, DOCKER_HOST among them as "default", then sockets of Docker and Podman that exist and that no
 * context names. An engine that has several names is there once, under the first.
 */
export async function findEngines(machine: Machine): Promise<FoundEngine[]> {
	const [contexts, current] = await Promise.all([readContexts(machine), currentContext(machine)]);
	const isChosen = (machine.env['DOCKER_HOST'] ?? '') !== '';
	const named = contexts
		// The usual socket is one of the sockets below, unless somebody said that it is there.
		.filter(({ name }) => name !== DEFAULT_CONTEXT || isChosen)
		.flatMap((context) => fromContext(context, current));
	const sockets = await Promise.all(
		usualSockets(machine).map(async ({ name, file }) => ((await isSocket(file)) ? [fromSocket(name, file)] : [])),
	);
	return unique([...named, ...sockets.flat()]);
}

function fromContext(context: Context, current: string): FoundEngine[] {
	const { name, endpoint } = context;
	if (endpoint === undefined) {
		return [];
	}
	return [
		{
			id: `context ${name}`,
			name: name === DEFAULT_CONTEXT ? 'DOCKER_HOST' : name,
			host: hostText(endpoint),
			endpoint,
			context: name,
			isCurrent: name === current,
		},
	];
}

function fromSocket(name: string, file: string): FoundEngine {
	const endpoint = { kind: 'unix', path: file } as const;
	return { id: `socket ${file}`, name, host: hostText(endpoint), endpoint, context: undefined, isCurrent: false };
}

/** Where engines put their sockets, those of the user first. */
function usualSockets({ env, home, uid, platform, root = '/' }: Machine): { name: string; file: string }[] {
	if (platform === 'win32') {
		return ['docker_engine', 'podman-machine-default'].map((name) => ({ name, file: `\\\\.\\pipe\\${name}` }));
	}
	const run = env['XDG_RUNTIME_DIR'] || (uid === undefined ? undefined : path.join(root, 'run/user', String(uid)));
	const ofUser = (name: string, file: string) => (run === undefined ? [] : [{ name, file: path.join(run, file) }]);
	const atHome = (name: string, file: string) => [{ name, file: path.join(home, file) }];
	const ofMachine = (name: string, file: string) => [{ name, file: path.join(root, file) }];
	return [
		...ofMachine('Docker', 'var/run/docker.sock'),
		...ofUser('Docker (rootless)', 'docker.sock'),
		...ofUser('Podman', 'podman/podman.sock'),
		...ofMachine(uid === 0 ? 'Podman' : 'Podman (root)', 'run/podman/podman.sock'),
		...atHome('Docker Desktop', '.docker/desktop/docker.sock'),
		...atHome('Docker Desktop', '.docker/run/docker.sock'),
		...atHome('Colima', '.colima/default/docker.sock'),
		...atHome('Colima', '.config/colima/default/docker.sock'),
		...atHome('Rancher Desktop', '.rd/docker.sock'),
		...atHome('OrbStack', '.orbstack/run/docker.sock'),
		...atHome('Lima', '.lima/docker/sock/docker.sock'),
		...atHome('Podman Machine', '.local/share/containers/podman/machine/podman.sock'),
	];
}

async function isSocket(file: string): Promise<boolean> {
	try {
		return (await fs.stat(file)).isSocket() || file.startsWith('\\\\');
	} catch (error) {
		if (['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP'].includes(errorCode(error) ?? '')) {
			return false;
		}
		throw error;
	}
}

async function unique(engines: readonly FoundEngine[]): Promise<FoundEngine[]> {
	const places = await Promise.all(engines.map(realPlace));
	return engines.filter((_, index) => places.indexOf(places[index] ?? '') === index);
}

/** /var/run is a link to /run, and Docker Desktop makes a link where Docker's socket would be. */
async function realPlace({ endpoint, host }: FoundEngine): Promise<string> {
	if (endpoint.kind !== 'unix') {
		return host;
	}
	try {
		return `unix://${await fs.realpath(endpoint.path)}`;
	} catch (error) {
		if (errorCode(error) === undefined) {
			throw error;
		}
		return host;
	}
}
