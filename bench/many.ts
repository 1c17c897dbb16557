import * as fs from 'node:fs';
import { busyboxLayer, imageOf } from '../test/engine/fixture';
import { embeddedEngine, enginePid, type EngineProcess } from '../test/engine/subject';
import { endProcess, processesOf, until, type Workspace } from '../test/engine/workspace';
import { against, interleaved, median, timed, type Figure } from './figure';
import { totalSize } from './memory';
import { pull, type Rivals } from './rivals';

const ROUNDS = 11;
const FEW = 20;
const MANY = 50;
const RECORDS = 1000;
/** Requests under way while containers are made. */
const AT_ONCE = 8;

/** What many containers cost: memory of 20, one more start beside 50, an engine that comes back to 50, a list of 1,000. */
export async function measureMany(workspace: Workspace, rivals: Rivals): Promise<Figure[]> {
	const { registries, ours, docker } = rivals;
	await registries.open.push('bench/busybox', '1', imageOf([busyboxLayer()]));
	const image = `${registries.open.host}/bench/busybox:1`;
	const engines = docker === undefined ? [ours] : [ours, docker];
	for (const engine of engines) {
		await pull(engine, image);
		await startMany(engine, image, FEW);
	}
	const figures: Figure[] = [
		{
			name: `memory of ${FEW} running containers`,
			unit: 'MiB',
			ours: totalSize(await monitors(ours)),
			...against(docker && totalSize(await monitors(docker))),
			target: { value: 0.6, of: 'ratio' },
			note: 'PSS of engine, shims, pumps and runtimes against dockerd, containerd and its shims',
		},
	];
	for (const engine of engines) {
		await startMany(engine, image, MANY - FEW);
	}
	const times = await interleaved(ROUNDS, {
		ours: async () => startOne(ours, image),
		docker: docker && (async () => startOne(docker, image)),
	});
	figures.push(
		{
			name: `start by the API, ${MANY} running`,
			unit: 'ms',
			ours: times.ours ?? NaN,
			...against(times.docker),
			target: { value: 0.3, of: 'ratio' },
			note: 'POST /containers/{id}/start alone, no network',
		},
		{
			name: `engine comes back to ${MANY} running`,
			unit: 'ms',
			ours: await comeBack(ours),
			target: { value: 1000, of: 'ours' },
			note: 'from the death of the engine by SIGKILL: a new one starts, adopts them and answers with their list',
		},
	);
	for (const engine of engines) {
		await removeAll(engine);
	}
	figures.push(await measureList(ours, image), await measureNothing(workspace));
	return figures;
}

async function create({ client }: EngineProcess, image: string): Promise<string> {
	const { Id } = await client.containers.create({
		Image: image,
		Cmd: ['tail', '-f', '/dev/null'],
		HostConfig: { NetworkMode: 'none' },
	});
	return Id;
}

async function startMany(engine: EngineProcess, image: string, count: number): Promise<void> {
	await inTurns(count, async () => {
		await engine.client.containers.start(await create(engine, image));
	});
}

async function startOne(engine: EngineProcess, image: string): Promise<number> {
	const id = await create(engine, image);
	const milliseconds = await timed(async () => engine.client.containers.start(id));
	await engine.client.containers.remove(id, { force: true });
	return milliseconds;
}

async function removeAll({ client }: EngineProcess): Promise<void> {
	const ids = (await client.containers.list({ all: true })).map(({ Id }) => Id);
	await inTurns(ids.length, async (index) => client.containers.remove(ids[index] ?? '', { force: true }));
}

/** Runs `work` for 0 to count - 1, a few at once. */
async function inTurns(count: number, work: (index: number) => Promise<void>): Promise<void> {
	let next = 0;
	const worker = async (): Promise<void> => {
		for (let index = next++; index < count; index = next++) {
			await work(index);
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Processes of an engine that are not its containers'. */
async function monitors({ client, root }: EngineProcess): Promise<number[]> {
	const ids = (await client.containers.list()).map(({ Id }) => Id);
	const inside = await Promise.all(ids.map(async (id) => (await client.containers.inspect(id)).State.Pid));
	return processesOf(root)
		.map(({ pid }) => pid)
		.filter((pid) => !inside.includes(pid));
}

async function comeBack(engine: EngineProcess): Promise<number> {
	const pid = enginePid(engine.root);
	if (pid === undefined) {
		throw new Error('Our engine does not run');
	}
	await endProcess(pid, 'SIGKILL');
	const times: number[] = [
		await timed(async () => {
			const { length } = await engine.client.containers.list();
			if (length !== MANY) {
				throw new Error(`${length} containers run, not ${MANY}`);
			}
		}),
	];
	return median(times);
}

async function measureList(engine: EngineProcess, image: string): Promise<Figure> {
	await inTurns(RECORDS, async () => {
		await create(engine, image);
	});
	const times = await interleaved(ROUNDS, {
		ours: async () => timed(async () => engine.client.containers.list({ all: true })),
	});
	await removeAll(engine);
	return {
		name: `list of ${RECORDS} containers by the API`,
		unit: 'ms',
		ours: times.ours ?? NaN,
		target: { value: 50, of: 'ours' },
	};
}

/** An engine that nobody needs leaves. */
async function measureNothing(workspace: Workspace): Promise<Figure> {
	const engine = embeddedEngine(workspace, { idleTimeout: 1 });
	await engine.client.version();
	await until('the engine has left', () => enginePid(engine.root) === undefined, 30_000);
	return {
		name: 'processes when nothing runs',
		unit: '',
		ours: fs.existsSync(engine.root) ? processesOf(engine.root).length : NaN,
		target: { value: 0, of: 'ours' },
	};
}
