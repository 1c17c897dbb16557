import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { environment, extension, picking, pressing, until } from './extension';

const run = vscode.commands.executeCommand;

/** Networks, volumes and published ports by their commands, with the real engine. */
describe('networks, volumes and ports', function () {
	this.timeout(60_000);
	const name = `nv-${process.pid}`;
	let api: Api;
	let image: string;
	let id: string;

	before(async () => {
		image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		api = await extension().activate();
		await run('mydocker.networks.focus');
		await run('mydocker.volumes.focus');
		await run('mydocker.image.pull', image);
		await run('mydocker.volume.create', `${name}-data`);
		const { Id } = await api.client.containers.create(
			{
				Image: image,
				Cmd: ['sleep', '600'],
				StopTimeout: 0,
				HostConfig: {
					Binds: [`${name}-data:/data`],
					PortBindings: {
						'80/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }],
						'5432/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }],
					},
				},
			},
			{ name },
		);
		id = Id;
		await api.client.containers.start(id);
	});

	after(async () => {
		await api.client.containers.remove(id, { force: true });
		for (const { Name } of await api.client.networks.list()) {
			await (Name.startsWith(name) ? api.client.networks.remove(Name) : undefined);
		}
		for (const { Name } of await api.client.volumes.list()) {
			await (Name.startsWith(name) ? api.client.volumes.remove(Name) : undefined);
		}
	});

	const network = (suffix: string) => api.model.networks.rows.find((row) => row.name === `${name}-${suffix}`);
	const volume = (suffix: string) => api.model.volumes.get(`${name}-${suffix}`);

	it('create network: gets its row by its event, with the subnet that was asked for', async () => {
		const body = { Name: `${name}-app`, IPAM: { Config: [{ Subnet: '10.199.7.0/24' }] } };
		await run('mydocker.network.create', body);
		const row = await until('it has a row', () => network('app'));
		assert.deepEqual([row.driver, row.subnets, row.isBuiltIn], ['bridge', ['10.199.7.0/24'], false]);
	});

	it('connect and disconnect: the container has and loses an address there', async () => {
		await run('mydocker.network.connect', network('app')?.id, id);
		const address = await until('it has an address', () => api.model.container(id)?.networks[`${name}-app`]);
		assert.match(address, /^10\.199\.7\./);
		const member = `member ${network('app')?.id ?? ''} ${id}`;
		await run('mydocker.network.disconnect', member);
		await until('it has none', () => !(`${name}-app` in (api.model.container(id)?.networks ?? {})));
	});

	it('remove network: asks once, and a built-in one is refused by the engine on its row', async () => {
		await run('mydocker.network.create', { Name: `${name}-gone` });
		const row = await until('it has a row', () => network('gone'));
		const { dialogs } = await pressing('Remove', () => run('mydocker.network.remove', row.id));
		assert.match(dialogs.join(), /^Remove network "nv-\d+-gone"\?\nNo container uses it/);
		await until('the row is gone', () => network('gone') === undefined);

		const bridge = api.model.networks.rows.find(({ name: each }) => each === 'bridge');
		assert.ok(bridge);
		await pressing('Remove', () => run('mydocker.network.remove', bridge.id));
		assert.match(api.model.fault(bridge.id) ?? '', /bridge is a pre-defined network/);
	});

	it('prune networks: lists those that nothing uses, and removes what is checked', async () => {
		await run('mydocker.network.create', { Name: `${name}-unused` });
		await until('it has a row', () => network('unused'));
		const { lists } = await picking(
			(items) => items.filter(({ label }) => label === `${name}-unused`),
			() => run('mydocker.network.prune'),
		);
		assert.deepEqual(
			lists[0]?.filter((label) => !label.startsWith(name)),
			[],
		);
		await until('it is gone', () => network('unused') === undefined);
		assert.ok(network('app'));
	});

	it('create volume: gets its row by its event', async () => {
		await run('mydocker.volume.create', `${name}-cache`);
		assert.equal((await until('it has a row', () => volume('cache'))).driver, 'local');
	});

	it('remove of a volume in use: is refused, and the row says why', async () => {
		const { dialogs } = await pressing('Remove', () => run('mydocker.volume.remove', `${name}-data`));
		assert.match(dialogs.join(), new RegExp(`kept until they are removed: ${name}`));
		assert.match(api.model.fault(`${name}-data`) ?? '', /volume is in use/);
		assert.ok(volume('data'));
	});

	it('backup, restore and clone of a volume: the file comes back over what there is, and the clone has it', async () => {
		const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-volume-'));
		try {
			const archive = vscode.Uri.file(path.join(folder, 'kept.tar.gz'));
			const file = (suffix: string) => vscode.Uri.parse(`mydocker-files://volume-${name}-${suffix}/note.txt`);
			const read = async (suffix: string): Promise<string> =>
				Buffer.from(await vscode.workspace.fs.readFile(file(suffix))).toString();
			await vscode.workspace.fs.writeFile(file('data'), Buffer.from('kept'));
			await run('mydocker.volume.backup', `${name}-data`, archive);
			assert.equal(fs.statSync(archive.fsPath).mode & 0o777, 0o600);
			await run('mydocker.volume.create', `${name}-other`);
			await until('it has a row', () => volume('other'));
			await vscode.workspace.fs.writeFile(file('other'), Buffer.from('lost'));
			const restore = () => run('mydocker.volume.restore', `${name}-other`, archive);
			await pressing('Cancel', restore);
			assert.equal(await read('other'), 'lost');
			const { dialogs } = await pressing('Replace', restore);
			assert.match(dialogs.join(), new RegExp(`^Replace the content of volume "${name}-other"\\?`));
			assert.equal(await read('other'), 'kept');
			assert.equal(await run('mydocker.volume.clone', `${name}-other`, `${name}-clone`), `${name}-clone`);
			await until('the clone has a row', () => volume('clone'));
			assert.equal(await read('clone'), 'kept');
		} finally {
			fs.rmSync(folder, { recursive: true });
		}
	});

	it('prune volumes: lists those that nothing uses; one with a name is not checked from the start', async () => {
		const { lists } = await picking(
			(items, picked) => {
				assert.ok(!picked.some(({ label }) => label === `${name}-cache`));
				return items.filter(({ label }) => label === `${name}-cache`);
			},
			() => run('mydocker.volume.prune'),
		);
		const [list = []] = lists;
		assert.ok(list.includes(`${name}-cache`));
		assert.ok(!list.includes(`${name}-data`));
		await until('it is gone', () => volume('cache') === undefined);
	});

	it('inspect: shows a network and a volume as JSON', async () => {
		await run('mydocker.network.inspect', network('app')?.id);
		assert.match(vscode.window.activeTextEditor?.document.getText() ?? '', /"Subnet": "10\.199\.7\.0\/24"/);
		await run('mydocker.volume.inspect', `${name}-data`);
		assert.match(vscode.window.activeTextEditor?.document.getText() ?? '', /"Mountpoint": /);
	});

	it('copy address: is that of the port as this machine reaches it', async () => {
		const row = await until('its ports are published', () => {
			const found = api.model.container(id);
			return found?.ports.some(({ host }) => host !== undefined) === true && found;
		});
		const port = row.ports.find((each) => each.port === 5432);
		const key = `port ${id} 127.0.0.1:${port?.host?.port ?? 0}→5432/tcp`;
		await run('mydocker.container.copyAddress', key);
		assert.equal(await vscode.env.clipboard.readText(), `localhost:${port?.host?.port ?? 0}`);
	});

	it('open in browser: opens the one port with a page, not that of the database, where VS Code says it is', async () => {
		const asked: string[] = [];
		const opened: string[] = [];
		// Over Remote-SSH and in code-server the browser is on another machine than the port.
		const elsewhere = vscode.Uri.parse('https://editor.example/proxy/');
		const asExternalUri = (uri: vscode.Uri): Promise<vscode.Uri> => {
			asked.push(uri.toString());
			return Promise.resolve(elsewhere);
		};
		const openExternal = (uri: vscode.Uri): Promise<boolean> => {
			opened.push(uri.toString());
			return Promise.resolve(true);
		};
		const { asExternalUri: realUri, openExternal: realOpen } = vscode.env;
		replaceInEnvironment({ asExternalUri, openExternal });
		try {
			await run('mydocker.container.openInBrowser', id);
		} finally {
			replaceInEnvironment({ asExternalUri: realUri, openExternal: realOpen });
		}
		const port = api.model.container(id)?.ports.find((each) => each.port === 80)?.host?.port ?? 0;
		assert.deepEqual([asked, opened], [[`http://localhost:${port}/`], [elsewhere.toString()]]);
	});
});

function replaceInEnvironment(members: Partial<typeof vscode.env>): void {
	for (const [name, value] of Object.entries(members)) {
		Object.defineProperty(vscode.env, name, { configurable: true, value });
	}
}
