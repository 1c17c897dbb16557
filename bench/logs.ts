import { busyboxLayer, imageOf } from '../test/engine/fixture';
import type { EngineProcess } from '../test/engine/subject';
import { against, interleaved, timed, type Figure } from './figure';
import { pull, type Rivals } from './rivals';

const ROUNDS = 7;
const LINES = 100_000;
/** Bytes of a line, its newline included. */
const WIDTH = 101;

/** A container that writes lines as fast as it can: from its start until the log has them all. */
export async function measureLogs({ registries, ours, docker }: Rivals): Promise<Figure[]> {
	await registries.open.push('bench/busybox', '1', imageOf([busyboxLayer()]));
	const reference = `${registries.open.host}/bench/busybox:1`;
	const write = async (engine: EngineProcess): Promise<number> => {
		const { client } = engine;
		const { Id } = await client.containers.create({
			Image: reference,
			Cmd: ['sh', '-c', `yes ${'x'.repeat(WIDTH - 1)} | head -n ${LINES}`],
			HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: { 'max-size': '1g' } } },
		});
		const milliseconds = await timed(async () => {
			const { exit } = await client.containers.wait(Id, { condition: 'next-exit' });
			await client.containers.start(Id);
			await exit;
		});
		await client.containers.remove(Id);
		return milliseconds;
	};
	await pull(ours, reference);
	if (docker !== undefined) {
		await pull(docker, reference);
	}
	const times = await interleaved(ROUNDS, { ours: () => write(ours), docker: docker && (() => write(docker)) });
	const rate = (milliseconds: number | undefined, amount: number): number | undefined =>
		milliseconds === undefined ? undefined : (amount / milliseconds) * 1000;
	const megabytes = (LINES * WIDTH) / 1e6;
	return [
		{
			name: 'log throughput',
			unit: 'lines/s',
			isRate: true,
			ours: rate(times.ours, LINES) ?? NaN,
			...against(rate(times.docker, LINES)),
			target: { value: 1, of: 'ratio' },
			note: `${LINES} lines of ${WIDTH} bytes, from start to exit of the container, json-file without rotation`,
		},
		{
			name: 'log throughput',
			unit: 'MB/s',
			isRate: true,
			ours: rate(times.ours, megabytes) ?? NaN,
			...against(rate(times.docker, megabytes)),
		},
	];
}
