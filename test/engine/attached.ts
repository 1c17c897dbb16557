/** Engines that are not ours, for what attaches to them: a dockerd (subject.ts) or a `podman system service`. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createClient } from '../../src/api/client';
import type { Registry } from './registry';
import { answers, removeContainers, type EngineProcess } from './subject';
import { until, type Workspace } from './workspace';

/** Podman with all its files in the workspace. It may pull from `registry` without TLS. */
export async function podmanEngine(workspace: Workspace, registry: Registry): Promise<EngineProcess> {
	const root = workspace.folder('podman');
	const socket = path.join(root, 'podman.sock');
	const configuration = path.join(root, 'containers.conf');
	const registries = path.join(root, 'registries.conf');
	// runc, since crun refuses a machine with control groups of both versions.
	fs.writeFileSync(
		configuration,
		'[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[containers]\nlog_driver = "k8s-file"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n',
	);
	fs.writeFileSync(registries, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
	const client = createClient(() => Promise.resolve(socket));
	workspace.start(
		'podman',
		'podman',
		[
			...['--root', path.join(root, 'storage'), '--runroot', path.join(root, 'run'), '--storage-driver', 'vfs'],
			...['--tmpdir', path.join(root, 'tmp'), '--network-config-dir', path.join(root, 'networks')],
			...['system', 'service', '--time', '0', `unix://${socket}`],
		],
		{ ...process.env, CONTAINERS_CONF: configuration, CONTAINERS_REGISTRIES_CONF: registries },
	);
	workspace.defer('remove the containers of podman', () => removeContainers(client));
	await until('podman answers', () => answers(socket), 30_000);
	return { client, socket, root };
}
