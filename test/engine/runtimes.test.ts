import * as assert from 'node:assert/strict';
import { mainJobCases } from './main-job';
import { launch, pull, refused, remove, create } from './run';
import './setup';
import {
	embeddedEngine,
	leaksOf,
	pushImages,
	startRegistries,
	type Images,
	type Registries,
	type Subject,
} from './subject';
import { hasProgram, Workspace } from './workspace';

/** The main job on runtimes other than the usual one, which runs the whole contract. */
describe('runtimes', () => {
	let registries: Registries;
	let images: Images;
	const shared = new Workspace('registries');

	before(async () => {
		registries = await startRegistries(shared);
		images = await pushImages(registries);
	});

	after(() => shared.dispose());

	for (const runtime of ['runc', 'minimal']) {
		describe(runtime, function () {
			if (runtime !== 'minimal' && !hasProgram(runtime)) {
				it(`not tried, since ${runtime} is not installed`);
				return;
			}
			let workspace: Workspace;
			let subject: Subject;

			before(async () => {
				workspace = new Workspace(runtime);
				const engine = embeddedEngine(workspace, { runtime });
				subject = { ...engine, images, registries, name: 'embedded', ids: new Set() };
				await pull(subject, images.busybox.reference);
			});

			after('nothing is left', async () => {
				const { root } = workspace;
				await workspace.dispose();
				assert.deepEqual(leaksOf(root, subject.ids), []);
			});

			it('info and inspect: name it', async () => {
				assert.equal((await subject.client.info()).DefaultRuntime, runtime);
				const id = await create(subject, { Cmd: ['true'] });
				assert.equal((await subject.client.containers.inspect(id)).HostConfig['Runtime'], runtime);
				await remove(subject, id);
			});

			mainJobCases(() => subject);
		});
	}

	describe('a container that asks for one', () => {
		let workspace: Workspace;
		let subject: Subject;

		before(async () => {
			workspace = new Workspace('runtime');
			subject = { ...embeddedEngine(workspace), images, registries, name: 'embedded', ids: new Set() };
			await pull(subject, images.busybox.reference);
		});

		after(() => workspace.dispose());

		it('runc beside crun: both run, and each container is driven by its own', async () => {
			const id = await launch(subject, { Cmd: ['sleep', '60'], HostConfig: { Runtime: 'runc' } });
			const { HostConfig: host } = await subject.client.containers.inspect(id);
			assert.equal(host['Runtime'], 'runc');
			await subject.client.containers.pause(id);
			await subject.client.containers.unpause(id);
			await subject.client.containers.stop(id, { timeout: 0 });
			assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 137);
			await remove(subject, id);
		});

		it('youki where there is none: is refused, naming the package', async () => {
			const wanted = create(subject, { Cmd: ['true'], HostConfig: { Runtime: 'youki' } });
			await refused(wanted, 400, /^Unknown runtime specified youki: it is not installed/);
		});

		it('info: lists those that are installed', async () => {
			const { Runtimes: runtimes = {}, DefaultRuntime: usual } = await subject.client.info();
			assert.equal(usual, 'crun');
			assert.ok('runc' in runtimes && 'crun' in runtimes && !('youki' in runtimes));
		});
	});
});
