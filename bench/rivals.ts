import { spawn, spawnSync } from 'node:child_process';
import * as path from 'node:path';
import {
	dockerEngine,
	embeddedEngine,
	startRegistries,
	type EngineProcess,
	type Registries,
} from '../test/engine/subject';
import { hasProgram, mountsOf, type Workspace } from '../test/engine/workspace';
import type { Product } from './product';
import { timed } from './figure';

/** Both engines, warm, with the command lines that drive them. */
export interface Rivals {
	readonly registries: Registries;
	readonly ours: EngineProcess;
	/** Undefined where dockerd cannot run. */
	readonly docker: EngineProcess | undefined;
	/** Runs our command line; gives milliseconds. */
	mydocker(...args: string[]): Promise<number>;
	/** Gives what runs podman, root's and with its files in the workspace, once it has the image; undefined without podman. */
	podman(image: string): Promise<((...args: string[]) => Promise<number>) | undefined>;
	/** Runs the docker program on an engine; gives milliseconds. */
	dockerOn(engine: EngineProcess, ...args: string[]): Promise<number>;
}

export async function startRivals(workspace: Workspace, product: Product): Promise<Rivals> {
	const registries = await startRegistries(workspace);
	const ours = embeddedEngine(workspace, { bundles: product.bundles });
	const isRoot = process.getuid?.() === 0;
	const docker = isRoot && hasProgram('dockerd') && hasProgram('docker') ? await dockerEngine(workspace) : undefined;
	const environment = clientEnvironment(workspace);
	return {
		registries,
		ours,
		docker,
		mydocker: (...args) =>
			timed(() =>
				execute(path.join(product.bundles, 'mydocker'), args, {
					...environment,
					MYDOCKER_NODE: process.execPath,
					DOCKER_HOST: undefined,
					MYDOCKER_ROOT: ours.root,
				}),
			),
		podman: async (image) => (isRoot && hasProgram('podman') ? openPodman(workspace, image) : undefined),
		dockerOn: (engine, ...args) =>
			timed(() => execute('docker', args, { ...environment, DOCKER_HOST: `unix://${engine.socket}` })),
	};
}

/** For command lines: with no configuration of the person who measures. */
export function clientEnvironment(workspace: Workspace): NodeJS.ProcessEnv {
	return { ...process.env, DOCKER_CONFIG: workspace.folder('config'), DOCKER_CONTEXT: undefined };
}

async function openPodman(workspace: Workspace, image: string): Promise<(...args: string[]) => Promise<number>> {
	const root = workspace.folder('podman');
	const options = ['--root', path.join(root, 'data'), '--runroot', path.join(root, 'run')];
	options.push('--tmpdir', path.join(root, 'tmp'), '--cgroup-manager', 'cgroupfs', '--events-backend', 'none');
	// The runtime that the others use.
	options.push('--runtime', 'runc');
	workspace.defer('unmount what podman left', () => {
		for (const line of mountsOf(root).reverse()) {
			spawnSync('umount', ['--lazy', line.split(' ')[4] ?? '']);
		}
	});
	await execute('podman', [...options, 'pull', '--quiet', '--tls-verify=false', image], process.env);
	return async (...args) => timed(async () => execute('podman', [...options, ...args], process.env));
}

/** Runs a program to its end, silently; throws with its complaint when it fails. */
export async function execute(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
	const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
	let complaint = '';
	child.stderr.on('data', (piece: Buffer) => (complaint += piece.toString()));
	const code = await new Promise<number | null>((resolve, reject) => {
		child.once('error', reject);
		child.once('close', resolve);
	});
	if (code !== 0) {
		throw new Error(`${program} ${args.join(' ')} ended with ${code ?? 'a signal'}: ${complaint}`);
	}
}

/** Pulls by the API. */
export async function pull(engine: Pick<EngineProcess, 'client'>, reference: string): Promise<void> {
	for await (const message of engine.client.images.pull(reference)) {
		if (message.error !== undefined) {
			throw new Error(message.error);
		}
	}
}
