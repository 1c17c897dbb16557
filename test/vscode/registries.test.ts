import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { RegistryRows } from '../../src/ui/registry-rows';
import { environment, extension, until } from './extension';

const run = vscode.commands.executeCommand;

/** What the Registries view draws, with a real registry. */
describe('registries', function () {
	this.timeout(60_000);
	let api: Api;
	let rows: RegistryRows;
	let host: string;

	before(async () => {
		api = await extension().activate();
		host = environment('MYDOCKER_TEST_REGISTRY');
		const kept = new Map<string, unknown>();
		rows = new RegistryRows(api.client.registries, api.model, {
			keys: () => [...kept.keys()],
			get: <T>(key: string, value?: T) => (kept.has(key) ? kept.get(key) : value) as T,
			update: (key, value) => {
				kept.set(key, value);
				return Promise.resolve();
			},
		});
		await rows.source.load();
	});

	after(() => {
		rows.dispose();
	});

	const drawn = (parent?: string) => rows.source.keys(parent).map((key) => rows.source.draw(key));
	const read = async (parent: string): Promise<readonly string[]> => {
		await until(
			`${parent} is read`,
			() => !drawn(parent).some(({ icon }) => icon === 'loading~spin'),
			() => JSON.stringify(drawn(parent)),
		);
		return rows.source.keys(parent);
	};

	it('a registry: its repositories, their tags, what a tag names', async () => {
		await rows.add(`${host}/`);
		assert.ok(rows.source.keys().includes(`registry ${host}`));
		assert.equal(rows.source.keys()[0], 'registry docker.io');
		const repository = `repository ${host}/demo/busybox`;
		assert.ok((await read(`registry ${host}`)).includes(repository));
		assert.ok((await read(repository)).includes(`tag ${host}/demo/busybox:latest`));
		const [manifest = ''] = await read(`tag ${host}/demo/busybox:latest`);
		assert.match(rows.source.draw(manifest).label, /^[0-9a-f]{12}$/);
		assert.match(rows.source.draw(manifest).description, /^[\d.]+ MB · linux\/\w+/);
	});

	it('commands of a tag: pull it, copy its name and its digest', async () => {
		const name = `${host}/demo/busybox:latest`;
		await run('mydocker.registries.pull', `tag ${name}`);
		await until('it is here', () => api.model.image(name));
		await run('mydocker.registries.copyName', `tag ${name}`);
		assert.equal(await vscode.env.clipboard.readText(), name);
		await run('mydocker.registries.copyDigest', `tag ${name}`);
		const { Digest } = await api.client.registries.image(name);
		assert.equal(await vscode.env.clipboard.readText(), `${host}/demo/busybox@${Digest}`);
	});

	it('a registry without a list: says why, and takes a repository by its name', async () => {
		// Port 1 of this machine answers nobody.
		const silent = '127.0.0.1:1';
		await rows.add(`${silent}/`);
		await read(`registry ${silent}`);
		const [note] = drawn(`registry ${silent}`);
		assert.equal(note?.context, 'registry;add');
		assert.notEqual(note.description, '');
		await rows.add(`${silent}/team/app`);
		assert.equal(rows.source.keys(`registry ${silent}`)[0], `repository ${silent}/team/app`);
		assert.equal(await rows.forget(silent), true);
		assert.ok(!rows.source.keys().includes(`registry ${silent}`));
		assert.equal(await rows.forget('docker.io'), false);
	});
});
