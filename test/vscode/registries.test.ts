import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { drawImage } from '../../src/ui/image-rows';
import { NewerImages } from '../../src/ui/newer-images';
import { RegistryRows } from '../../src/ui/registry-rows';
import type { ImageRow } from '../../src/ui/rows';
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

	it("the proxy of VS Code's settings: leads to a registry that has no other way", async () => {
		const name = 'registry.invalid/demo/busybox:latest';
		const proxy = await startProxy(host);
		const settings = vscode.workspace.getConfiguration();
		const set = async (key: string, value: unknown): Promise<void> => {
			await settings.update(key, value, vscode.ConfigurationTarget.Global);
		};
		try {
			await set('http.proxy', proxy.url);
			await set('mydocker.registries.insecure', ['registry.invalid']);
			await run('mydocker.image.pull', name);
			await until('it is here', () => api.model.image(name));
			assert.ok(proxy.seen.has('registry.invalid'), [...proxy.seen].join());
			await run('mydocker.image.remove', name);
		} finally {
			await set('mydocker.registries.insecure', undefined);
			await set('http.proxy', undefined);
			await proxy.close();
		}
	});

	/** Gives the tag a manifest that differs from that of demo/busybox:latest by an annotation. */
	const publish = async (tag: string, annotation: string): Promise<void> => {
		const base = `http://${host}/v2/demo/busybox/manifests`;
		const type = 'application/vnd.oci.image.manifest.v1+json';
		const found = await fetch(`${base}/latest`, { headers: { accept: type } });
		const manifest = { ...((await found.json()) as object), annotations: { annotation } };
		const put = { method: 'PUT', headers: { 'content-type': type }, body: JSON.stringify(manifest) };
		assert.equal((await fetch(`${base}/${tag}`, put)).status, 201);
	};

	it('newer images: nobody is asked before the setting says so; then the row tells, until it is pulled', async () => {
		const name = `${host}/demo/busybox:moving`;
		await publish('moving', 'first');
		await run('mydocker.image.pull', name);
		const row = () => api.model.image(name);
		await until('it is here', row);
		const kept = new Map<string, unknown>();
		const asked: string[] = [];
		const digest = (reference: string) => {
			asked.push(reference);
			return api.client.registries.digest(reference);
		};
		const newer = new NewerImages(
			{ registries: { ...api.client.registries, digest } },
			api.model,
			{
				keys: () => [...kept.keys()],
				get: <T>(key: string, value?: T) => (kept.has(key) ? kept.get(key) : value) as T,
				update: (key, value) => {
					kept.set(key, value);
					return Promise.resolve();
				},
			},
			{ debug: () => undefined },
		);
		const settings = vscode.workspace.getConfiguration('mydocker');
		const look = () => row() !== undefined && newer.has(row() as ImageRow);
		try {
			await publish('moving', 'second');
			await api.model.reload();
			assert.deepEqual([asked, look()], [[], false]);
			await settings.update('images.checkForNewer', true, vscode.ConfigurationTarget.Global);
			await until('the row tells', look, () => JSON.stringify([asked, [...kept]]));
			const drawing = drawImage(row() as ImageRow, { model: api.model, isUsed: false, isOld: look() });
			assert.match(drawing.description, /^newer in the registry · /);
			assert.match(drawing.spoken, /newer in the registry/);
			assert.equal(drawing.context, 'image;tagged;old');
			await run('mydocker.image.pullNewer', name);
			await until('it is the newer one', () => !look());
			assert.equal(asked.filter((reference) => reference === name).length, 1);
		} finally {
			await settings.update('images.checkForNewer', undefined, vscode.ConfigurationTarget.Global);
			newer.dispose();
		}
		assert.equal(look(), false);
	});
});

/** An HTTP proxy for which every host is the registry; it makes no tunnels. `seen` are the hosts that it was asked for. */
async function startProxy(registry: string): Promise<{ url: string; seen: Set<string>; close(): Promise<void> }> {
	const seen = new Set<string>();
	const server = http.createServer((request, response) => {
		const { pathname, search, host } = new URL(request.url ?? '');
		seen.add(host);
		const { method, headers } = request;
		const forwarded = http.request(`http://${registry}${pathname}${search}`, { method, headers }, (answer) => {
			response.writeHead(answer.statusCode ?? 502, answer.headers);
			pipeline(answer, response, () => undefined);
		});
		forwarded.once('error', (error) => response.destroy(error));
		forwarded.end();
	});
	server.on('connect', (_, socket) => {
		socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}`,
		seen,
		close: async () => {
			server.close();
			server.closeAllConnections();
			await once(server, 'close');
		},
	};
}
