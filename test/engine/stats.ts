import * as assert from 'node:assert/strict';
import type { StatsJson } from '../../src/api/types';
import { create, launch, refused, remove } from './run';
import { ask, type Subject } from './subject';
import { until } from './workspace';

const BUSY = ['sh', '-c', 'while :; do :; done'];
const MEBIBYTE = 1024 * 1024;

/** GET /containers/{id}/stats: docker's JSON, from the kernel's counters. */
export function statsCases(subjectOf: () => Subject): void {
	describe('stats', () => {
		it('a busy container: has numbers that move, and one sample has the one before', async () => {
			const subject = subjectOf();
			const id = await launch(subject, {
				Cmd: BUSY,
				HostConfig: { Memory: 64 * MEBIBYTE, PidsLimit: 30 },
			});
			const sample = await sampleOf(subject, id, { stream: false });
			const own = sample.cpu_stats.cpu_usage.total_usage - sample.precpu_stats.cpu_usage.total_usage;
			const system = (sample.cpu_stats.system_cpu_usage ?? 0) - (sample.precpu_stats.system_cpu_usage ?? 0);
			assert.ok(own > 20_000_000, `${own} ns of processor time in a second`);
			assert.ok(system > 500_000_000, `${system} ns of the machine in a second`);
			assert.ok(Date.parse(sample.read) > Date.parse(sample.preread), 'the sample before is earlier');
			assert.ok((sample.memory_stats.usage ?? 0) > 10_000, 'memory');
			assert.deepEqual(
				[sample.memory_stats.limit, sample.pids_stats.current, sample.pids_stats.limit, sample.id],
				[64 * MEBIBYTE, 1, 30, id],
			);
			await remove(subject, id);
		});

		it('its members: are those of docker', async () => {
			const subject = subjectOf();
			const id = await launch(subject, { Cmd: ['sleep', '100'] }, { name: 'stats-shape' });
			const sample = await sampleOf(subject, id, { stream: false, oneShot: true });
			const memory = Object.keys(sample.memory_stats.stats ?? {});
			const isVersion1 = memory.includes('total_rss');
			assert.deepEqual(Object.keys(sample), [
				...['read', 'preread', 'pids_stats', 'blkio_stats', 'num_procs', 'storage_stats', 'cpu_stats'],
				...['precpu_stats', 'memory_stats', 'name', 'id'],
			]);
			assert.deepEqual(
				Object.keys(sample.cpu_stats.cpu_usage),
				isVersion1
					? ['total_usage', 'percpu_usage', 'usage_in_kernelmode', 'usage_in_usermode']
					: ['total_usage', 'usage_in_kernelmode', 'usage_in_usermode'],
			);
			assert.deepEqual(Object.keys(sample.precpu_stats), ['cpu_usage', 'throttling_data']);
			assert.deepEqual(Object.keys(sample.blkio_stats), [
				...['io_service_bytes_recursive', 'io_serviced_recursive', 'io_queue_recursive'],
				...['io_service_time_recursive', 'io_wait_time_recursive', 'io_merged_recursive'],
				...['io_time_recursive', 'sectors_recursive'],
			]);
			if (isVersion1) {
				assert.deepEqual(memory, [
					...['active_anon', 'active_file', 'cache', 'dirty', 'hierarchical_memory_limit'],
					...['hierarchical_memsw_limit', 'inactive_anon', 'inactive_file', 'mapped_file', 'pgfault'],
					...['pgmajfault', 'pgpgin', 'pgpgout', 'rss', 'rss_huge', 'total_active_anon'],
					...['total_active_file', 'total_cache', 'total_dirty', 'total_inactive_anon'],
					...['total_inactive_file', 'total_mapped_file', 'total_pgfault', 'total_pgmajfault'],
					...['total_pgpgin', 'total_pgpgout', 'total_rss', 'total_rss_huge', 'total_unevictable'],
					...['total_writeback', 'unevictable', 'writeback'],
				]);
			}
			assert.deepEqual([sample.name, sample.preread], ['/stats-shape', '0001-01-01T00:00:00Z']);
			await remove(subject, id);
		});

		it('a container that does not run: has its names and no numbers', async () => {
			const subject = subjectOf();
			const id = await create(subject, { Cmd: ['true'] });
			const { read, memory_stats, pids_stats, blkio_stats } = await sampleOf(subject, id, { stream: false });
			assert.deepEqual(
				[read, memory_stats, pids_stats, blkio_stats.io_service_bytes_recursive],
				['0001-01-01T00:00:00Z', {}, {}, null],
			);
			await remove(subject, id);
		});

		it('a stream: goes on over the end of the container, and ends with its removal', async () => {
			const subject = subjectOf();
			const id = await launch(subject, { Cmd: BUSY });
			const samples: StatsJson[] = [];
			const reading = (async () => {
				for await (const sample of subject.client.containers.stats(id)) {
					samples.push(sample);
				}
			})();
			await until('two samples have come', () => samples.length >= 2);
			await subject.client.containers.kill(id);
			const count = samples.length;
			await until('another sample has come', () => samples.length > count + 1);
			await remove(subject, id);
			await reading;
			const [first, second] = samples;
			assert.equal(second?.preread, first?.read, 'the sample before is the last one sent');
			assert.deepEqual(samples.at(-1)?.memory_stats, {}, 'no numbers after the end');
		});

		it('what cannot be asked: is refused', async () => {
			const subject = subjectOf();
			await refused(sampleOf(subject, 'nosuch', { stream: false }), 404, 'No such container: nosuch');
			const id = await create(subject, { Cmd: ['true'] });
			const { status, body } = await ask(subject, 'GET', `/containers/${id}/stats?stream=1&one-shot=1`);
			assert.equal(status, 400);
			assert.match(body.toString(), /cannot have stream=true and one-shot=true/);
			await remove(subject, id);
		});
	});
}

async function sampleOf(
	subject: Subject,
	id: string,
	options: Parameters<Subject['client']['containers']['stats']>[1],
): Promise<StatsJson> {
	for await (const sample of subject.client.containers.stats(id, options)) {
		return sample;
	}
	throw new Error('The engine gave no sample');
}
