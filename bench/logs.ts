import * as fs from 'node:fs';
import { busyboxLayer, imageOf } from '../test/engine/fixture';
import type { EngineProcess } from '../test/engine/subject';
import { against, interleaved, timed, type Figure } from './figure';
import { pull, type Rivals } from './rivals';

/** Bytes that each container writes; MYDOCKER_BENCH_LOG_BYTES is another number, for a quick look. */
const BYTES = Number(process.env['MYDOCKER_BENCH_LOG_BYTES'] ?? 1_000_000_000);
/** So much output needs no median. */
const ROUNDS = BYTES > 100_000_000 ? 1 : 5;
/** Bytes of a line, its newline included. */
const WIDTH = 100;

/** A container that writes lines as fast as it can: from its start until the log has them all. */
export async function measureLogs({ registries, ours, docker }: Rivals): Promise<Figure[]> {
	await registries.open.push('bench/busybox', '1', imageOf([busyboxLayer()]));
	const reference = `${registries.open.host}/bench/busybox:1`;
	await pull(ours, reference);
	if (docker !== undefined) {
		await pull(docker, reference);
	}
	const of = (engine: EngineProcess, bytes: number) => async () => write(engine, reference, bytes);
	// Once a little, so that nobody is cold.
	for (const engine of docker === undefined ? [ours] : [ours, docker]) {
		await write(engine, reference, 10_000_000);
	}
	const times = await interleaved(
		ROUNDS,
		{ ours: of(ours, BYTES), docker: docker && of(docker, BYTES) },
		{ isWarm: true },
	);
	const rate = (milliseconds: number | undefined): number | undefined =>
		milliseconds === undefined ? undefined : BYTES / 1000 / milliseconds;
	return [
		{
			name: `log throughput, ${BYTES / 1e6} MB`,
			unit: 'MB/s',
			isRate: true,
			ours: rate(times.ours) ?? NaN,
			...against(rate(times.docker)),
			target: { value: 1.5, of: 'ratio' },
			note: `lines of ${WIDTH} bytes, from start to exit of the container, json-file without rotation; every line is in the log`,
		},
	];
}

/** Milliseconds; throws when the log has not every line. */
async function write({ client }: EngineProcess, image: string, bytes: number): Promise<number> {
	const lines = `yes ${'x'.repeat(WIDTH - 1)} | dd bs=65536 count=${bytes} iflag=fullblock,count_bytes 2>/dev/null`;
	const { Id } = await client.containers.create({
		Image: image,
		Cmd: ['sh', '-c', lines],
		HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: { 'max-size': '100g' } } },
	});
	const milliseconds = await timed(async () => {
		const { exit } = await client.containers.wait(Id, { condition: 'next-exit' });
		await client.containers.start(Id);
		await exit;
	});
	const { LogPath } = await client.containers.inspect(Id);
	const logged = await countLines(LogPath);
	await client.containers.remove(Id);
	if (logged !== bytes / WIDTH) {
		throw new Error(`The log has ${logged} lines of ${bytes / WIDTH}`);
	}
	return milliseconds;
}

async function countLines(file: string): Promise<number> {
	let count = 0;
	for await (const piece of fs.createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
		for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) {
			count++;
		}
	}
	return count;
}
