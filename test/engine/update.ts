import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import type { HostConfigJson } from '../../src/api/types';
import { create, launch, refused, remove } from './run';
import type { Subject } from './subject';
import { readOr, until } from './workspace';

const MEBIBYTE = 1024 * 1024;

/** POST /containers/{id}/update: limits and restart policy, also while the container runs. */
export function updateCases(subjectOf: () => Subject): void {
	describe('update', () => {
		it('a running container: has the new limits at once', async function () {
			if (fs.existsSync('/sys/fs/cgroup/cgroup.controllers')) {
				this.skip();
			}
			const subject = subjectOf();
			const id = await launch(subject, {
				Cmd: ['sleep', '100'],
				HostConfig: { Memory: 64 * MEBIBYTE, PidsLimit: 10 },
			});
			const warnings = await subject.client.containers.update(id, {
				...{ Memory: 32 * MEBIBYTE, MemorySwap: 48 * MEBIBYTE, CpuShares: 256, CpusetCpus: '0', PidsLimit: 20 },
			});
			assert.deepEqual(warnings, []);
			const { State, HostConfig } = await subject.client.containers.inspect(id);
			assert.deepEqual(
				[HostConfig.Memory, HostConfig['MemorySwap'], HostConfig['CpuShares'], HostConfig.PidsLimit],
				[32 * MEBIBYTE, 48 * MEBIBYTE, 256, 20],
			);
			const limit = limitsOf(State.Pid);
			assert.deepEqual(
				[
					limit('memory', 'memory.limit_in_bytes'),
					limit('memory', 'memory.memsw.limit_in_bytes'),
					limit('cpu', 'cpu.shares'),
					limit('cpuset', 'cpuset.cpus'),
					limit('pids', 'pids.max'),
				],
				[String(32 * MEBIBYTE), String(48 * MEBIBYTE), '256', '0', '20'],
			);
			await remove(subject, id);
		});

		it('a running container that had none: gets limits, and is freed of one', async function () {
			if (fs.existsSync('/sys/fs/cgroup/cgroup.controllers')) {
				this.skip();
			}
			const subject = subjectOf();
			const id = await launch(subject, { Cmd: ['sleep', '100'] });
			const { State } = await subject.client.containers.inspect(id);
			const limit = limitsOf(State.Pid);
			await subject.client.containers.update(id, { Memory: 64 * MEBIBYTE, MemorySwap: -1, NanoCpus: 5e8 });
			assert.deepEqual(
				[limit('memory', 'memory.limit_in_bytes'), limit('cpu', 'cpu.cfs_quota_us')],
				[String(64 * MEBIBYTE), '50000'],
			);
			await subject.client.containers.update(id, { PidsLimit: 20 });
			assert.equal(limit('pids', 'pids.max'), '20');
			await subject.client.containers.update(id, { PidsLimit: -1 });
			// A kernel counts no further.
			assert.match(limit('pids', 'pids.max'), /^(max|4194304)$/);
			await remove(subject, id);
		});

		it('a container that does not run: has them at its next start, and keeps what was not named', async () => {
			const subject = subjectOf();
			const id = await create(subject, {
				Cmd: ['sleep', '100'],
				HostConfig: { Memory: 64 * MEBIBYTE, CpuShares: 300 },
			});
			await subject.client.containers.update(id, { PidsLimit: 20 });
			const { HostConfig } = await subject.client.containers.inspect(id);
			assert.deepEqual(
				[HostConfig.Memory, HostConfig['MemorySwap'], HostConfig['CpuShares'], HostConfig.PidsLimit],
				[64 * MEBIBYTE, 128 * MEBIBYTE, 300, 20],
			);
			await subject.client.containers.start(id);
			await remove(subject, id);
		});

		it('the restart policy: counts from the next exit on', async () => {
			const subject = subjectOf();
			const id = await launch(subject, { Cmd: ['sh', '-c', 'sleep 1; exit 3'] });
			const RestartPolicy = { Name: 'on-failure', MaximumRetryCount: 1 };
			await subject.client.containers.update(id, { RestartPolicy });
			const { HostConfig } = await subject.client.containers.inspect(id);
			assert.deepEqual(HostConfig.RestartPolicy, RestartPolicy);
			await until('the container has been started again', async () => {
				const { RestartCount, State } = await subject.client.containers.inspect(id);
				return RestartCount === 1 && State.Status === 'exited';
			});
			await remove(subject, id);
		});

		it("what makes no sense: is refused with docker's words", async () => {
			const subject = subjectOf();
			const id = await create(subject, { Cmd: ['true'], HostConfig: { NanoCpus: 5e8, AutoRemove: true } });
			const update = (body: HostConfigJson): Promise<unknown> => subject.client.containers.update(id, body);
			const prefix = `Cannot update container ${id}: `;
			await refused(
				update({ CpuQuota: 5000 }),
				409,
				`${prefix}Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set`,
			);
			await refused(
				update({ RestartPolicy: { Name: 'always' } }),
				409,
				`${prefix}Restart policy cannot be updated because AutoRemove is enabled for the container`,
			);
			await refused(
				update({ Memory: 64 * MEBIBYTE }),
				409,
				`${prefix}Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
			);
			await refused(update({ Memory: MEBIBYTE }), 400, 'Minimum memory limit allowed is 6MB');
			await refused(update({ RestartPolicy: { Name: 'sometimes' } }), 400, "invalid restart policy 'sometimes'");
			await refused(subject.client.containers.update('nosuch', {}), 404, 'No such container: nosuch');
			await remove(subject, id);
		});
	});
}

/** Reads what stands in a file of the process's control group of a controller, version 1. */
function limitsOf(pid: number): (controller: string, file: string) => string {
	const groups = readOr(`/proc/${pid}/cgroup`, '');
	return (controller, file) => {
		const group = new RegExp(`^\\d+:${controller}:(.*)$`, 'm').exec(groups)?.[1] ?? '';
		return readOr(`/sys/fs/cgroup/${controller}${group}/${file}`, '').trim();
	};
}
