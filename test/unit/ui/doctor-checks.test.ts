import assert from 'node:assert/strict';
import type { DoctorFinding, Info, Version } from '../../../src/api/types';
import { checksOf, checksOfFindings, failedCheck, reportText } from '../../../src/ui/doctor-checks';

describe('doctor', () => {
	const info = {
		DefaultRuntime: 'runc',
		Plugins: { Network: ['bridge', 'host'] },
		Driver: 'overlay',
		CgroupDriver: 'cgroupfs',
		CgroupVersion: '2',
		DockerRootDir: '/store',
		SecurityOptions: ['name=seccomp,profile=builtin'],
		Warnings: null,
	} as unknown as Info;
	const version = {
		Version: '0.1.0',
		Platform: { Name: 'MyDocker' },
		Components: [
			{ Name: 'Engine', Version: '0.1.0' },
			{ Name: 'runc', Version: '1.1.5' },
		],
	} as unknown as Version;

	it('a machine that has everything: all is well', () => {
		const checks = checksOf(info, version);
		assert.ok(checks.every(({ status }) => status === 'good'));
		assert.deepEqual(
			checks.map(({ value }) => value),
			['MyDocker 0.1.0', 'runc 1.1.5', 'bridge, host', 'overlay', 'cgroup 2, cgroupfs', 'seccomp', '/store'],
		);
	});

	it('Docker and Podman: are called by their names', () => {
		const [docker] = checksOf(info, { ...version, Platform: { Name: '' } });
		const [podman] = checksOf(info, {
			...version,
			Platform: { Name: 'linux/amd64/debian-12' },
			Components: [{ Name: 'Podman Engine', Version: '0.1.0' }],
		});
		assert.deepEqual([docker?.value, podman?.value], ['Docker Engine 0.1.0', 'Podman Engine 0.1.0']);
	});

	it('what is missing: is told, and the engine’s own warnings with it', () => {
		const poor = { ...info, DefaultRuntime: '', CgroupDriver: 'none', Plugins: {}, Warnings: ['no swap'] };
		assert.deepEqual(
			checksOf(poor, version).flatMap(({ name, status }) => (status === 'good' ? [] : [[name, status]])),
			[
				['runtime', 'bad'],
				['network', 'warning'],
				['limits', 'warning'],
				['warning-0', 'warning'],
			],
		);
	});

	it('our engine: what it has tried, each with the command that mends it', () => {
		const findings: DoctorFinding[] = [
			{ Subject: 'runtime', Status: 'ok', Message: 'runc has run.', Remedy: '' },
			{
				Subject: 'network',
				Status: 'warning',
				Message: 'No iptables.',
				Remedy: 'sudo apt-get install -y iptables',
			},
			{ Subject: 'storage', Status: 'problem', Message: 'No overlay.', Remedy: '' },
		];
		assert.equal(
			reportText(checksOfFindings(findings, info, version, String)),
			[
				'good: engine: MyDocker 0.1.0',
				'good: runtime: runc has run.',
				'warning: network: No iptables.',
				'  → sudo apt-get install -y iptables',
				'bad: storage: No overlay.',
				'good: folder: /store',
				'',
			].join('\n'),
		);
	});

	it('no engine: the command in its reason is what mends it', () => {
		const { remedy } = failedCheck('Cannot start: try "sudo sysctl -w kernel.unprivileged_userns_clone=1"');
		assert.equal(remedy, 'sudo sysctl -w kernel.unprivileged_userns_clone=1');
	});
});
