import * as assert from 'node:assert/strict';
import { planOf, type RunPlan } from '../../src/api/run-plan';
import type { ContainerInspect } from '../../src/api/types';
import { remade } from '../../src/ui/remade';
import { create, remove, run } from './run';
import type { Subject } from './subject';

/** A container that is made anew from what the engine tells of it (ui/remade.ts): nothing of what it was told is lost. */
export function remadeCases(subjectOf: () => Subject): void {
	describe('made anew', () => {
		it('a container: keeps all that the plan does not change', async () => {
			const subject = subjectOf();
			const { client } = subject;
			const names = ['remade-front', 'remade-back'];
			const made: string[] = [];
			await Promise.all(names.map((Name) => client.networks.create({ Name })));
			try {
				const id = await create(subject, {
					User: '65534',
					Tty: true,
					OpenStdin: true,
					Entrypoint: ['/bin/sh', '-c'],
					Cmd: ['exit 0'],
					Env: ['A=1', 'B=1'],
					WorkingDir: '/tmp',
					Labels: { 'com.docker.compose.project': 'shop' },
					StopSignal: 'SIGUSR1',
					StopTimeout: 3,
					Healthcheck: { Test: ['CMD', 'true'], Interval: 5e9 },
					Volumes: { '/data': {} },
					ExposedPorts: { '80/tcp': {}, '9000/tcp': {} },
					NetworkingConfig: { EndpointsConfig: { 'remade-front': { Aliases: ['shop'] } } },
					HostConfig: {
						NetworkMode: 'remade-front',
						PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '20000-65535' }] },
						RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
						CapAdd: ['NET_ADMIN'],
						ExtraHosts: ['db:10.0.0.1'],
						Tmpfs: { '/run': 'size=64k' },
						ReadonlyRootfs: true,
						PidsLimit: 50,
						Ulimits: [{ Name: 'nofile', Soft: 99, Hard: 99 }],
					},
				});
				made.push(id);
				await client.networks.connect('remade-back', id, { endpoint: { Aliases: ['inner'] } });
				const again = await makeAnew(subject, id, (before) => ({ ...before, env: ['A=2'], memory: '64m' }));
				made.push(again);
				const [old, now] = await Promise.all([id, again].map((one) => client.containers.inspect(one)));
				const changed = { env: ['A=2'], memory: 64 * 1024 ** 2 };
				assert.deepEqual(factsOf(now), { ...factsOf(old), ...changed });
				assert.deepEqual(volumesOf(now), volumesOf(old), 'its anonymous volume goes over');
				assert.equal(volumesOf(now)[0]?.length, 64);
			} finally {
				await Promise.all(made.map((id) => client.containers.remove(id, { volumes: true })));
				await Promise.all(names.map((name) => client.networks.remove(name)));
			}
		});

		it("what is the image's: stays with the image", async () => {
			const subject = subjectOf();
			const { client } = subject;
			const id = await create(subject, {});
			const old = await client.containers.inspect(id);
			const { Config: image } = await client.images.inspect(old.Image);
			const before = planOf(old, { env: image.Env ?? [], cmd: image.Cmd ?? [] });
			const { body } = remade(old, image, { before, plan: { ...before, command: ['echo', 'hi'] }, env: [] });
			assert.deepEqual([body.Env, body.Entrypoint, body.Hostname, body.Labels], [[], undefined, undefined, {}]);
			assert.equal((await run(subject, body)).stdout, 'hi\n');
			await remove(subject, id);
		});
	});
}

async function makeAnew({ client, ids }: Subject, id: string, change: (before: RunPlan) => RunPlan): Promise<string> {
	const old = await client.containers.inspect(id);
	const { Config: image } = await client.images.inspect(old.Image);
	const before = planOf(old, { env: image.Env ?? [], cmd: image.Cmd ?? [] });
	const { body, networks } = remade(old, image, { before, plan: change(before), env: [] });
	const { Id } = await client.containers.create(body);
	ids.add(Id);
	for (const [network, endpoint] of networks) {
		await client.networks.connect(network, Id, { endpoint });
	}
	return Id;
}

function factsOf(inspect: ContainerInspect | undefined): object {
	assert.ok(inspect);
	const { Id, Config: config, HostConfig: host, NetworkSettings: settings } = inspect;
	const { Env: env, Volumes: volumes, ...others } = config;
	return {
		...others,
		Hostname: '',
		env: (env ?? []).filter((line) => !line.startsWith('PATH=')),
		volumes: Object.keys(volumes ?? {}),
		memory: host.Memory,
		host: [
			...[host.NetworkMode, host.PortBindings, host.RestartPolicy, host.CapAdd, host.ExtraHosts, host.Tmpfs],
			...[host.ReadonlyRootfs, host.PidsLimit, host['Ulimits']],
		],
		networks: Object.entries(settings.Networks as Record<string, { readonly Aliases?: readonly string[] }>)
			.map(([name, { Aliases }]) => [name, (Aliases ?? []).filter((alias) => alias !== Id.slice(0, 12))])
			.sort(),
	};
}

function volumesOf(inspect: ContainerInspect | undefined): (string | undefined)[] {
	const points = (inspect?.Mounts ?? []) as readonly { readonly Type: string; readonly Name?: string }[];
	return points.filter(({ Type }) => Type === 'volume').map(({ Name }) => Name);
}
