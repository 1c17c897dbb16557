import { spawnSync } from 'node:child_process';
import * as os from 'node:os';
import * as path from 'node:path';
import { dockerEngine, embeddedEngine, enginePid, type EngineProcess } from '../test/engine/subject';
import { delay, hasProgram, processesOf, readOr, type Workspace } from '../test/engine/workspace';
import { freshDisk, settle } from './disk';
import { against, median, timed, type Figure } from './figure';
import type { Product } from './product';
import { imageNames, startImages, type BenchImage, type ImageName } from './pull-images';
import { clientEnvironment, execute, pull } from './rivals';

const ROUNDS = 5;
const ROUNDS_OF_TINY = 9;
/** What we want to reach: so many times as fast as docker and podman (issue 6). */
const GOALS: Readonly<Record<string, { readonly docker: number; readonly podman: number }>> = {
	'tiny, warm engine': { docker: 5, podman: 5 },
	'tiny, cold command line': { docker: 1.4, podman: 1.4 },
	typical: { docker: 4, podman: 3.5 },
	many: { docker: 3.7, podman: 3.7 },
	huge: { docker: 4.5, podman: 3 },
	zstd: { docker: 4, podman: 3.5 },
};
/** MiB. */
const MOST_MEMORY = 150;
/** Of /proc/<pid>/stat, on every Linux that Node runs on. */
const TICKS = 100;

/** One pull on a disk of its own. */
interface Sample {
	readonly milliseconds: number;
	/** Seconds of user and system time of the engine and what it started. */
	readonly cpu: number;
	/** MiB; of our engine. */
	readonly peak?: number;
}

type Contender = (image: BenchImage, disk: Workspace) => Promise<Sample>;

/**
 * Pulls images that the engine has nothing of, until they could be run: each time on a file system of its own with an
 * engine of its own that runs already, in turn with docker and podman, whose process is always a new one.
 * MYDOCKER_BENCH_PULL names images ("typical,huge"); all by default.
 */
export async function measurePull(workspace: Workspace, product: Product): Promise<Figure[]> {
	if (process.getuid?.() !== 0) {
		process.stderr.write('Pulls are measured on file systems of their own, which needs root.\n');
		return [];
	}
	const image = await startImages(workspace);
	const figures: Figure[] = [];
	for (const name of wantedImages()) {
		const other = await image('other');
		figures.push(...(await measureImage(name, await image(name), { product, other })));
	}
	return figures;
}

function wantedImages(): ImageName[] {
	const wanted = process.env['MYDOCKER_BENCH_PULL']?.split(',');
	return imageNames.filter((name) => wanted === undefined || wanted.includes(name));
}

async function measureImage(
	name: ImageName,
	image: BenchImage,
	{ product, other }: { readonly product: Product; readonly other: BenchImage },
): Promise<Figure[]> {
	const podman = hasProgram('podman') ? podmanPull : undefined;
	const skopeo = hasProgram('skopeo') ? skopeoCopy : undefined;
	const hasDocker = hasProgram('dockerd') && hasProgram('docker');
	if (name !== 'tiny') {
		const docker = hasDocker ? warmDocker() : undefined;
		return compare(name, image, { ours: warmOurs(product), docker, podman, skopeo });
	}
	return [
		...(await compare('tiny, warm engine', image, {
			ours: warmOurs(product, other),
			docker: hasDocker ? warmDocker(other) : undefined,
			podman,
			skopeo,
		})),
		...(await compare('tiny, cold command line', image, {
			ours: coldOurs(product),
			docker: hasDocker ? dockerCommand : undefined,
			podman,
		})),
	];
}

async function compare(
	name: string,
	image: BenchImage,
	contenders: Readonly<Record<string, Contender | undefined>>,
): Promise<Figure[]> {
	const { samples, failures } = await interleaved(name, image, contenders);
	const wall = (who: string): number | undefined => medianOf(samples.get(who), (sample) => sample.milliseconds);
	const goal = GOALS[name];
	const pulled = { name: `pull ${name}`, unit: 'ms', ours: wall('ours') ?? NaN };
	const rivals = (['docker', 'podman'] as const).filter((rival) => wall(rival) !== undefined);
	const note = noteOf(image, samples, failures);
	const peak = medianOf(samples.get('ours'), (sample) => sample.peak ?? NaN) ?? NaN;
	const times: Figure[] = rivals.map((rival, index) => ({
		...pulled,
		...against(wall(rival)),
		rival,
		...(goal === undefined ? {} : { target: { value: 1 / goal[rival], of: 'ratio' as const } }),
		...(index === 0 ? { note } : {}),
	}));
	return [
		...(times.length > 0 ? times : [{ ...pulled, note }]),
		...(Number.isNaN(peak)
			? []
			: [
					{
						name: `pull ${name}, peak of the engine`,
						unit: 'MiB',
						ours: peak,
						target: { value: MOST_MEMORY, of: 'ours' as const },
					},
				]),
	];
}

/** Runs the contenders in turn; one that fails is not tried again. */
async function interleaved(
	name: string,
	image: BenchImage,
	contenders: Readonly<Record<string, Contender | undefined>>,
): Promise<{ samples: Map<string, Sample[]>; failures: string[] }> {
	const samples = new Map<string, Sample[]>();
	const failures: string[] = [];
	const there = new Map(Object.entries(contenders));
	const rounds = Number(process.env['MYDOCKER_BENCH_ROUNDS'] ?? (name.startsWith('tiny') ? ROUNDS_OF_TINY : ROUNDS));
	// The first round brings the registry's files into memory, and counts for nobody.
	for (let round = -1; round < rounds; round++) {
		for (const [who, contender] of there) {
			if (contender === undefined || (round < 0 && who !== 'ours')) {
				continue;
			}
			try {
				const sample = await onFreshDisk(image, contender);
				process.stderr.write(`${name}: ${who} ${sample.milliseconds.toFixed(0)} ms, CPU ${sample.cpu} s\n`);
				if (round >= 0) {
					samples.set(who, [...(samples.get(who) ?? []), sample]);
				}
			} catch (error) {
				if (who === 'ours' || !(error instanceof Error)) {
					throw error;
				}
				there.delete(who);
				failures.push(`${who} fails: ${error.message.trim().split('\n').at(-1) ?? ''}`);
			}
		}
	}
	return { samples, failures };
}

async function onFreshDisk(image: BenchImage, contender: Contender): Promise<Sample> {
	const disk = freshDisk(process.env['MYDOCKER_BENCH_DISK'] ?? os.tmpdir());
	try {
		return await contender(image, disk);
	} finally {
		await disk.dispose();
	}
}

function medianOf(samples: readonly Sample[] | undefined, of: (sample: Sample) => number): number | undefined {
	return samples === undefined || samples.length === 0 ? undefined : median(samples.map(of));
}

function noteOf(
	{ layers, files, compressed, unpacked }: BenchImage,
	samples: ReadonlyMap<string, readonly Sample[]>,
	failures: readonly string[],
): string {
	const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
	const cpu = [...samples].map(
		([who, list]) => `${who} ${(medianOf(list, (sample) => sample.cpu) ?? NaN).toFixed(1)}`,
	);
	const copied = medianOf(samples.get('skopeo'), (sample) => sample.milliseconds);
	return [
		`${layers} layers, ${files} files, ${megabytes(compressed)} → ${megabytes(unpacked)}, loopback registry, fresh ext4 each`,
		`CPU seconds: ${cpu.join(', ')}`,
		...(copied === undefined ? [] : [`skopeo copy, not unpacked: ${copied.toFixed(0)} ms`]),
		...failures,
	].join('; ');
}

/** An engine that runs, and has pulled `before`. */
function warmOurs({ bundles }: Product, before?: BenchImage): Contender {
	return async ({ reference }, disk) => {
		const engine = embeddedEngine(disk, { bundles });
		await engine.client.version();
		await (before && pullAndRest(engine, before.reference));
		const pid = enginePid(engine.root) ?? NaN;
		return {
			...(await measured(() => pull(engine, reference), [pid])),
			peak: peakOf(pid),
		};
	};
}

/** No engine runs: the command starts it. */
function coldOurs({ bundles }: Product): Contender {
	return ({ reference }, disk) => {
		const { root } = embeddedEngine(disk, { bundles });
		const own = { DOCKER_HOST: undefined, MYDOCKER_ROOT: root, MYDOCKER_NODE: process.execPath };
		const environment = { ...clientEnvironment(disk), ...own };
		const command = [path.join(bundles, 'mydocker'), 'pull', reference];
		const sample = measuredCommand(command, environment);
		const pid = enginePid(root) ?? NaN;
		return Promise.resolve({ ...sample, cpu: sample.cpu + cpuOf([pid]), peak: peakOf(pid) });
	};
}

function warmDocker(before?: BenchImage): Contender {
	return async ({ reference }, disk) => {
		const engine = await dockerEngine(disk);
		await (before && pullAndRest(engine, before.reference));
		return measured(() => pull(engine, reference), daemonsOf(engine.root));
	};
}

/** A new process of docker's program; its daemon runs, as it always does. */
const dockerCommand: Contender = async ({ reference }, disk) => {
	const engine = await dockerEngine(disk);
	const environment = { ...clientEnvironment(disk), DOCKER_HOST: `unix://${engine.socket}` };
	return measured(() => execute('docker', ['pull', reference], environment), daemonsOf(engine.root));
};

const podmanPull: Contender = ({ reference }, disk) => {
	const folder = disk.folder('podman');
	const store = ['--root', path.join(folder, 'root'), '--runroot', path.join(folder, 'run')];
	const command = ['podman', ...store, '--storage-driver', 'overlay', 'pull', '-q', '--tls-verify=false', reference];
	return Promise.resolve(measuredCommand(command, process.env));
};

/** The download and its check, without unpacking. */
const skopeoCopy: Contender = ({ reference }, disk) => {
	const target = `oci:${disk.folder('skopeo')}:1`;
	const command = ['skopeo', 'copy', '-q', '--src-tls-verify=false', `docker://${reference}`, target];
	return Promise.resolve(measuredCommand(command, process.env));
};

/** Waits also until the engine has done what it does after a pull. */
async function pullAndRest(engine: EngineProcess, reference: string): Promise<void> {
	await pull(engine, reference);
	await delay(2000);
}

async function measured(work: () => Promise<void>, pids: readonly number[]): Promise<Sample> {
	settle();
	const before = cpuOf(pids);
	const milliseconds = await timed(work);
	return { milliseconds, cpu: cpuOf(pids) - before };
}

/** A command from its start to its end, with the shell's account of what it used. */
function measuredCommand(command: readonly string[], env: NodeJS.ProcessEnv): Sample {
	settle();
	const script = '"$@" > /dev/null; code=$?; times; exit $code';
	const start = process.hrtime.bigint();
	const { status, stdout, stderr } = spawnSync('sh', ['-c', script, 'sh', ...command], { env, encoding: 'utf8' });
	const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
	if (status !== 0) {
		throw new Error(`${command.join(' ')}: ${stderr}`);
	}
	const times = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
	return {
		milliseconds,
		cpu: times.reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0),
	};
}

function daemonsOf(root: string): number[] {
	return processesOf(root)
		.filter(({ command }) => /(^|\/)(dockerd|containerd)( |$)/.test(command.split(' ')[0] ?? ''))
		.map(({ pid }) => pid);
}

/** Seconds of user and system time of the processes and of those that they have waited for. */
function cpuOf(pids: readonly number[]): number {
	const ticks = pids.map((pid) => {
		const stat = readOr(`/proc/${pid}/stat`, '');
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
	});
	return ticks.reduce((sum, count) => sum + count, 0) / TICKS;
}

/** The most memory that the process ever had, in MiB. */
function peakOf(pid: number): number {
	return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readOr(`/proc/${pid}/status`, ''))?.[1] ?? NaN) / 1024;
}
