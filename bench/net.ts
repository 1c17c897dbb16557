import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Client } from '../src/api/client';
import { holdNamespace, inNamespace, isolatedEngine } from '../test/engine/namespace';
import { dockerEngine, pushImages, startRegistries, type EngineProcess } from '../test/engine/subject';
import { hasProgram, until, type Workspace } from '../test/engine/workspace';
import { against, interleaved, type Figure } from './figure';
import { execute } from './rivals';

const ROUNDS = 11;
const MILLISECONDS = 400;
const BYTES = 150_000_000;
const PORT = 8080;
/** The client's end of the wire to each rival is .1 of the third number, the rival's .2. */
const WIRE = '10.250';

/** An engine in a network namespace, with the server of the bench published at PORT. */
interface Contender {
	readonly name: 'ours' | 'docker';
	/** Keeps the namespace. */
	readonly holder: number;
	/** As the client's namespace reaches it. */
	readonly address: string;
}

/** Requests and bytes through a published port. Another rival is one more contender. */
export async function measureNet(workspace: Workspace): Promise<Figure[]> {
	if (process.getuid?.() !== 0) {
		return [];
	}
	const client = await holdNamespace(workspace);
	const contenders = await startContenders(workspace, client);
	const figures: Figure[] = [];
	for (const place of ['from another machine', 'from the host by 127.0.0.1'] as const) {
		for (const [name, kind, amount, unit] of [
			['new connections', 'new', MILLISECONDS, 'requests/s'],
			['keep-alive', 'keep-alive', MILLISECONDS, 'requests/s'],
			['download', 'bytes', BYTES, 'MB/s'],
		] as const) {
			const rate = (rival: Contender['name']): (() => Promise<number>) | undefined => {
				const contender = contenders.find((one) => one.name === rival);
				return contender && (() => Promise.resolve(load(contender, { client, place, kind, amount })));
			};
			const rates = await interleaved(ROUNDS, { ours: rate('ours'), docker: rate('docker') });
			figures.push({
				name: `published port, ${name}, ${place}`,
				unit,
				isRate: true,
				ours: rates.ours ?? NaN,
				...against(rates.docker),
				target: { value: 0.9, of: 'ratio' },
			});
		}
	}
	return figures;
}

async function startContenders(workspace: Workspace, client: number): Promise<Contender[]> {
	const registries = await startRegistries(workspace);
	const images = await pushImages(registries);
	const image = images.busybox.reference;
	const { subject, holder } = await isolatedEngine(workspace, { images, registries });
	await serve(subject.client, image);
	const contenders: Contender[] = [{ name: 'ours', holder, address: connect(client, holder, 1) }];
	if (hasProgram('dockerd') && hasProgram('docker') && hasProgram('skopeo')) {
		const namespace = await holdNamespace(workspace);
		const docker = await dockerEngine(workspace, namespace);
		await loadImage(workspace, docker, image);
		await serve(docker.client, image);
		contenders.push({ name: 'docker', holder: namespace, address: connect(client, namespace, 2) });
	}
	for (const { name, holder: there } of contenders) {
		await until(`the server of ${name} answers`, () => {
			const probe = ['127.0.0.1', String(PORT), 'new', '100'];
			return inNamespace(there, [process.execPath, clientScript(), ...probe]) !== '';
		});
	}
	return contenders;
}

/** Debian's docker has no way to our registry from its namespace. */
async function loadImage(workspace: Workspace, docker: EngineProcess, image: string): Promise<void> {
	const archive = path.join(workspace.folder('image'), 'image.tar');
	const copy = ['copy', '--src-tls-verify=false', `docker://${image}`, `docker-archive:${archive}:${image}`];
	await execute('skopeo', copy, process.env);
	await execute('docker', ['load', '-i', archive], { ...process.env, DOCKER_HOST: `unix://${docker.socket}` });
}

/** The server is a script for Node, which the container has from this machine. */
async function serve(client: Client, image: string): Promise<void> {
	const node = fs.realpathSync(process.execPath);
	const libraries = ['/usr', '/lib', '/lib64'].filter((folder) => fs.existsSync(folder));
	const { Id } = await client.containers.create({
		Image: image,
		Cmd: ['/node', '/bench/net-server.js'],
		// dockerd publishes only what is exposed as well.
		ExposedPorts: { '80/tcp': {} },
		HostConfig: {
			NetworkMode: 'bridge',
			Binds: [`${node}:/node:ro`, `${__dirname}:/bench:ro`, ...libraries.map((name) => `${name}:${name}:ro`)],
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
