import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Client } from '../src/api/client';
import { holdNamespace, inNamespace, isolatedEngine } from '../test/engine/namespace';
import {
	dockerEngine,
	pushImages,
	startRegistries,
	type EngineProcess,
	type Images,
	type Registries,
} from '../test/engine/subject';
import { runPodman } from '../test/rootless/podman';
import { inside, rootlessEngine, rootlessProblem } from '../test/rootless/user';
import { hasProgram, until, type Workspace } from '../test/engine/workspace';
import { paired, type Figure } from './figure';
import { execute, pull } from './rivals';

const PAIRS = 12;
const MILLISECONDS = { new: 500, 'keep-alive': 1000 };
const BYTES = 150_000_000;
const PORT = 8080;
const SERVER = ['/node', '/bench/net-server.js'];
/** The client's end of the wire to each rival is .1 of the third number, the rival's .2. */
const WIRE = '10.250';

/** An engine in a network namespace, with the server of the bench published at PORT. */
interface Contender {
	readonly name: 'ours' | 'theirs';
	/** Keeps the namespace. */
	readonly holder: number;
	/** As the client's namespace reaches it. */
	readonly address: string;
}

/** Ours and the one it is measured against, with the same rights. */
interface Contest {
	readonly rival: 'docker' | 'podman';
	/** Behind each figure's name. */
	readonly as: string;
	readonly ours: Contender;
	readonly theirs: Contender | undefined;
	/** What we want to reach, as a multiple of theirs. */
	readonly target: number;
	/** Why there is nobody to measure against. */
	readonly note?: string | undefined;
}

/** Requests and bytes through a published port, as root beside docker and as an ordinary user beside podman. */
export async function measureNet(workspace: Workspace): Promise<Figure[]> {
	if (process.getuid?.() !== 0) {
		return [];
	}
	const client = await holdNamespace(workspace);
	const registries = await startRegistries(workspace);
	const given = { client, registries, images: await pushImages(registries) };
	const only = process.env['MYDOCKER_BENCH_NET'] ?? '';
	const contests = {
		root: () => rootContest(workspace, given),
		rootless: () => rootlessContest(workspace, given),
	};
	const figures: Figure[] = [];
	for (const [name, prepare] of Object.entries(contests)) {
		const contest = only === '' || only === name ? await prepare() : undefined;
		figures.push(...(contest === undefined ? [] : await contend(contest, client)));
	}
	return figures;
}

async function contend(contest: Contest, client: number): Promise<Figure[]> {
	const { ours, theirs } = contest;
	const contenders = [ours, ...(theirs === undefined ? [] : [theirs])];
	for (const { name, holder: there } of contenders) {
		await until(`the server of ${name} answers`, () => {
			const probe = ['127.0.0.1', String(PORT), 'new', '100'];
			return inNamespace(there, [process.execPath, clientScript(), ...probe]) !== '';
		});
	}
	const figures: Figure[] = [];
	for (const place of ['from another machine', 'from the host by 127.0.0.1'] as const) {
		for (const [name, kind, amount, unit] of [
			['new connections', 'new', MILLISECONDS.new, 'requests/s'],
			['keep-alive', 'keep-alive', MILLISECONDS['keep-alive'], 'requests/s'],
			['download', 'bytes', BYTES, 'MB/s'],
		] as const) {
			const rate = (contender: Contender) => () =>
				Promise.resolve(load(contender, { client, place, kind, amount }));
			const measured = await paired(PAIRS, rate(ours), theirs && rate(theirs));
			figures.push({
				name: `published port, ${name}, ${place}${contest.as}`,
				unit,
				isRate: true,
				...measured,
				rival: contest.rival,
				target: { value: contest.target, of: 'ratio' },
				...(contest.note === undefined ? {} : { note: contest.note }),
			});
		}
	}
	return figures;
}

interface Given {
	/** The namespace of the other machine. */
	readonly client: number;
	readonly registries: Registries;
	readonly images: Images;
}

async function rootContest(workspace: Workspace, { client, ...given }: Given): Promise<Contest> {
	const image = given.images.busybox.reference;
	const { subject, holder } = await isolatedEngine(workspace, given);
	await serve(subject.client, image, serverFiles());
	const contest = { rival: 'docker', as: '', target: 0.9 } as const;
	const ours: Contender = { name: 'ours', holder, address: connect(client, holder, 1) };
	if (!hasProgram('dockerd') || !hasProgram('docker') || !hasProgram('skopeo')) {
		return { ...contest, ours, theirs: undefined, note: 'docker (with skopeo) is not installed' };
	}
	const namespace = await holdNamespace(workspace);
	const docker = await dockerEngine(workspace, namespace);
	await loadImage(workspace, docker, image);
	await serve(docker.client, image, serverFiles());
	return { ...contest, ours, theirs: { name: 'theirs', holder: namespace, address: connect(client, namespace, 2) } };
}

/** Undefined where nobody can be an ordinary user. */
async function rootlessContest(workspace: Workspace, { client, ...given }: Given): Promise<Contest | undefined> {
	if (rootlessProblem() !== undefined) {
		return undefined;
	}
	const image = given.images.busybox.reference;
	const engine = await rootlessEngine(workspace);
	// The registry is on the machine's loopback, so the image comes before the engine moves away from there.
	await pull(engine, image);
	const holder = await holdNamespace(workspace);
	await engine.moveTo(inside(workspace, holder));
	const files = serverFiles(engine.node, copyOfScripts(workspace));
	await serve(engine.client, image, files);
	const contest = { rival: 'podman', as: ', ordinary user', target: 1 } as const;
	const ours: Contender = { name: 'ours', holder, address: connect(client, holder, 3) };
	if (!hasProgram('podman') || !hasProgram('slirp4netns')) {
		return { ...contest, ours, theirs: undefined, note: 'podman (with slirp4netns) is not installed' };
	}
	const namespace = await holdNamespace(workspace);
	runPodman(workspace, {
		...{ owner: engine.owner, holder: namespace, mounts: files },
		...{ command: SERVER, publish: `${PORT}:80` },
	});
	return { ...contest, ours, theirs: { name: 'theirs', holder: namespace, address: connect(client, namespace, 4) } };
}

/** Debian's docker has no way to our registry from its namespace. */
async function loadImage(workspace: Workspace, docker: EngineProcess, image: string): Promise<void> {
	const archive = path.join(workspace.folder('image'), 'image.tar');
	const copy = ['copy', '--src-tls-verify=false', `docker://${image}`, `docker-archive:${archive}:${image}`];
	await execute('skopeo', copy, process.env);
	await execute('docker', ['load', '-i', archive], { ...process.env, DOCKER_HOST: `unix://${docker.socket}` });
}

/**
 * Bind mounts for the server, a script for Node, which the container has from this machine. An ordinary user may need
 * them from elsewhere.
 */
function serverFiles(node = fs.realpathSync(process.execPath), scripts = __dirname): string[] {
	const libraries = ['/usr', '/lib', '/lib64'].filter((folder) => fs.existsSync(folder));
	return [`${node}:/node:ro`, `${scripts}:/bench:ro`, ...libraries.map((name) => `${name}:${name}:ro`)];
}

function copyOfScripts(workspace: Workspace): string {
	const folder = workspace.folder('scripts');
	fs.cpSync(__dirname, folder, { recursive: true });
	fs.chmodSync(folder, 0o755);
	return folder;
}

async function serve(client: Client, image: string, binds: readonly string[]): Promise<void> {
	const { Id } = await client.containers.create({
		Image: image,
		Cmd: SERVER,
		// dockerd publishes only what is exposed as well.
		ExposedPorts: { '80/tcp': {} },
		HostConfig: {
			NetworkMode: 'bridge',
			Binds: [...binds],
			PortBindings: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: String(PORT) }] },
		},
	});
	await client.containers.start(Id);
}

/** A wire between the client's namespace and another; gives the other's address on it. */
function connect(client: number, other: number, number: number): string {
	const [here, there] = [`${WIRE}.${number}.1`, `${WIRE}.${number}.2`];
	const lines = (device: string, address: string): string =>
		`addr add ${address}/30 dev ${device}\nlink set ${device} up\n`;
	inNamespace(client, ['ip', 'link', 'add', `wire${number}`, 'type', 'veth', 'peer', 'wire', 'netns', String(other)]);
	inNamespace(client, ['ip', '-batch', '-'], lines(`wire${number}`, here));
	inNamespace(other, ['ip', '-batch', '-'], lines('wire', there));
	return there;
}

interface Load {
	/** The namespace of the other machine. */
	readonly client: number;
	readonly place: 'from another machine' | 'from the host by 127.0.0.1';
	readonly kind: string;
	readonly amount: number;
}

/** One sample: requests, or megabytes, per second. */
function load(contender: Contender, { client, place, kind, amount }: Load): number {
	const isNear = place !== 'from another machine';
	const host = isNear ? '127.0.0.1' : contender.address;
	const command = [process.execPath, clientScript(), host, String(PORT), kind, String(amount)];
	const enter = ['-t', String(isNear ? contender.holder : client), '-n'];
	const { stdout, stderr } = spawnSync('nsenter', [...enter, ...command], { encoding: 'utf8' });
	if (stdout === '') {
		throw new Error(`${contender.name}, ${kind} ${place}: ${stderr}`);
	}
	return kind === 'bytes' ? Number(stdout) / 1e6 : Number(stdout);
}

function clientScript(): string {
	return path.join(__dirname, 'net-client.js');
}
