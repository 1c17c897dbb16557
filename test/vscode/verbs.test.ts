import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { environment, extension, picking, until } from './extension';

const run = vscode.commands.executeCommand;

/** What changes containers and images and takes them elsewhere, by its commands, with the real engine. */
describe('verbs beyond the main job', function () {
	this.timeout(60_000);
	const name = `verb-${process.pid}`;
	let api: Api;
	let registry: string;
	let image: string;
	let id: string;
	let folder: string;

	before(async () => {
		registry = environment('MYDOCKER_TEST_REGISTRY');
		image = `${registry}/demo/busybox:latest`;
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-verbs-'));
		api = await extension().activate();
		await run('mydocker.image.pull', image);
		const Cmd = ['sh', '-c', 'echo new >/added; rm /etc/passwd; trap "exit 7" USR1; while :; do sleep 0.1; done'];
		id = (await api.client.containers.create({ Image: image, Cmd, StopTimeout: 0 }, { name })).Id;
		await api.client.containers.start(id);
		await until('it has a row', () => row()?.state === 'running');
	});

	after(async () => {
		await run('workbench.action.closeAllEditors');
		await api.client.containers.remove(id, { force: true });
		for (const { name: tag } of api.model.images.filter((each) => each.name.includes(name))) {
			await api.client.images.remove(tag);
		}
		fs.rmSync(folder, { recursive: true, force: true });
	});

	const row = () => api.model.container(id);
	const told: string[] = [];
	/** Runs `act` and keeps what messages it shows, which nobody answers. */
	const answering = async (act: () => Promise<void>): Promise<void> => {
		const real = vscode.window.showInformationMessage;
		const keep = (message: string): Promise<undefined> => {
			told.push(message);
			return Promise.resolve(undefined);
		};
		Object.assign(vscode.window, { showInformationMessage: keep });
		try {
			await act();
		} finally {
			Object.assign(vscode.window, { showInformationMessage: real });
		}
	};
	const file = (base: string) => vscode.Uri.file(path.join(folder, base));

	it('compare inspect: two containers side by side, in the diff editor', async () => {
		const Image = image;
		const other = (await api.client.containers.create({ Image, Cmd: ['true'] }, { name: `${name}-other` })).Id;
		try {
			await until('it has a row', () => api.model.container(other));
			await run('mydocker.container.compareInspect', id, [id, other]);
			const { label, input } = await until('it is open', () => vscode.window.tabGroups.activeTabGroup.activeTab);
			assert.equal(label, `${name} ↔ ${name}-other`);
			assert.ok(input instanceof vscode.TabInputTextDiff);
			assert.deepEqual([input.original.query, input.modified.query], [`@mydocker/${id}`, `@mydocker/${other}`]);
			await until('both are read', () =>
				[id, other].every((key) =>
					vscode.workspace.textDocuments.some(
						(document) =>
							document.uri.query === `@mydocker/${key}` && document.getText().includes(`"Id": "${key}"`),
					),
				),
			);
		} finally {
			await api.client.containers.remove(other, { force: true });
		}
	});

	it('changed files: are told in a document, as docker diff does', async () => {
		await until('it has written', async () => (await api.client.containers.changes(id)).length > 2);
		await run('mydocker.container.changes', id);
		const text = vscode.window.activeTextEditor?.document.getText() ?? '';
		assert.match(text, /^A \/added\n/m);
		assert.match(text, /^D \/etc\/passwd\n/m);
	});

	it('rename: the row has the new name', async () => {
		await run('mydocker.container.rename', id, `${name}-2`);
		await until('the row is renamed', () => row()?.name === `${name}-2`);
	});

	it('export: writes its files as a tar, and no second file', async () => {
		await run('mydocker.container.export', id, file('files.tar'));
		assert.ok(fs.readFileSync(file('files.tar').fsPath, 'latin1').includes('added'));
		assert.deepEqual(fs.readdirSync(folder), ['files.tar']);
	});

	it('import: makes an image of such a tar', async () => {
		const target = `${name}/imported:1`;
		await run('mydocker.image.import', file('files.tar'), target);
		await until('it has a row', () => api.model.image(target));
	});

	it('commit, save, load: an image of the container comes back from its file', async () => {
		const target = `${name}/committed:1`;
		await run('mydocker.container.commit', id, target);
		const { id: imageId } = await until('it has a row', () => api.model.image(target));
		await run('mydocker.image.save', target, file('image.tar'));
		await api.client.images.remove(target);
		await until('it is gone', () => api.model.image(target) === undefined);
		await run('mydocker.image.load', file('image.tar'));
		assert.equal((await until('it is back', () => api.model.image(target))).id, imageId);
	});

	it('push: to the registry that the new name begins with', async () => {
		const target = `${registry}/${name}/pushed:1`;
		await run('mydocker.image.push', `${name}/committed:1`, target);
		const { Items } = await api.client.registries.tags(`${registry}/${name}/pushed`, { limit: 10 });
		assert.deepEqual(Items, ['1']);
	});

	it('check for newer: tells an image that the registry has as it is here from one that it has not', async () => {
		const target = `${registry}/${name}/pushed:1`;
		await answering(async () => {
			await run('mydocker.image.checkNewer', target);
			assert.match(told.at(-1) ?? '', /pushed:1: the registry has the same image\./);
			await api.client.images.tag(image, target);
			await until('it is another', () => api.model.image(target)?.id === api.model.image(image)?.id);
			await run('mydocker.image.checkNewer', target);
			assert.match(told.at(-1) ?? '', /pushed:1: the registry has another image\./);
		});
	});

	it('copy digest: is a name that always means the same image', async () => {
		await run('mydocker.image.copyDigest', image);
		assert.match(await vscode.env.clipboard.readText(), /demo\/busybox@sha256:[0-9a-f]{64}$/);
	});

	it('upload with a path and files: needs no dialog, as for files that are dropped on a row', async () => {
		fs.writeFileSync(file('dropped').fsPath, 'by hand');
		await run('mydocker.container.upload', id, '/etc', [file('dropped')]);
		assert.equal((await api.client.containers.archive(id).stat('/etc/dropped')).size, 7);
	});

	it('kill: sends the signal; the row has the exit code that comes of it', async () => {
		await run('mydocker.container.kill', id, 'SIGUSR1');
		await until('it has ended', () => row()?.state === 'exited');
		assert.equal(row()?.exitCode, 7);
	});

	it('take down a group: its containers and networks go, and its volumes only when they are ticked', async () => {
		const project = `${name}-project`;
		const Labels = { 'com.docker.compose.project': project };
		const { client, model } = api;
		await client.networks.create({ Name: `${project}_default`, Labels });
		await client.volumes.create({ Name: `${project}_data`, Labels });
		const member = async (suffix: string): Promise<string> => {
			const body = { Image: image, Cmd: ['sleep', '600'], StopTimeout: 0, Labels };
			const HostConfig = { NetworkMode: `${project}_default`, Binds: [`${project}_data:/data`] };
			const made = await client.containers.create({ ...body, HostConfig }, { name: `${project}-${suffix}` });
			return made.Id;
		};
		const ids = [await member('web'), await member('db')];
		await client.containers.start(ids[0] ?? '');
		await until(
			'all have rows',
			() => ids.every((each) => model.container(each)) && model.volumes.get(`${project}_data`),
		);
		const down = (choose: Parameters<typeof picking>[0]) =>
			picking(choose, () => run('mydocker.group.down', ids[0]));
		const { lists } = await down((_, picked) => [...picked]);
		assert.deepEqual(lists[0]?.toSorted(), [
			...['Containers', 'Networks', 'Volumes'],
			...[`${project}-db`, `${project}-web`, `${project}_data`, `${project}_default`],
		]);
		await until('the containers are gone', () => ids.every((each) => model.container(each) === undefined));
		assert.deepEqual(
			(await client.networks.list()).filter(({ Name }) => Name.startsWith(project)),
			[],
		);
		assert.ok(model.volumes.get(`${project}_data`));
		await member('again');
		await until('it is back', () => model.containers.some((each) => each.name === `${project}-again`));
		const again = model.containers.find((each) => each.name === `${project}-again`)?.id;
		await picking(
			(items) => [...items],
			() => run('mydocker.group.down', again),
		);
		await until('the volume is gone', () => model.volumes.get(`${project}_data`) === undefined);
	});
});
