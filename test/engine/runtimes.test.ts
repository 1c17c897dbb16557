import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { exec } from './exec';
import { mainJobCases } from './main-job';
import { create, launch, logsOf, pull, refused, remove } from './run';
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
import { hasProgram, until, within, withPath, Workspace } from './workspace';

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

	for (const runtime of ['runc', 'crun']) {
		it(`${runtime} without perl: script(1) makes the terminals`, async () => {
			const workspace = new Workspace('perl');
			try {
				const engine = embeddedEngine(workspace, { runtime });
				const subject: Subject = { ...engine, images, registries, name: 'embedded', ids: new Set() };
				const { Warnings } = await withPath(programsWithoutPerl(workspace), () => subject.client.info());
				assert.match((Warnings ?? []).join(), /perl/);
				await pull(subject, images.busybox.reference);
				// It ends when it is told to: crun 1.8 without perl may lose what comes just before the end.
				const script = 'test -t 0 && test -t 1 && echo yes >/dev/tty; read -r code; exit $code';
				const id = await create(subject, { Tty: true, OpenStdin: true, Cmd: ['sh', '-c', script] });
				const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
				await subject.client.containers.start(id);
				await until('it shows its terminal', async () => /yes\r\n/.test((await logsOf(subject, id)).stdout));
				const result = await exec(subject, id, { Tty: true, Cmd: ['sh', '-c', 'test -t 1 || exit 3; exit 4'] });
				assert.equal(result.exitCode, 4);
				const attachment = await subject.client.containers.attach(id, { stdin: true });
				await attachment.write(Buffer.from('5\n'));
				assert.equal(await within('the end', 20_000, exit), 5);
				attachment.close();
				await remove(subject, id);
			} finally {
				await workspace.dispose();
			}
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

/** A folder with all programs of this machine's users but perl. */
function programsWithoutPerl(workspace: Workspace): string {
	const folder = workspace.folder('programs');
	const names = fs.readdirSync('/usr/bin').filter((name) => !name.startsWith('perl'));
	for (const name of names) {
		fs.symlinkSync(path.join('/usr/bin', name), path.join(folder, name));
	}
	return folder;
}
