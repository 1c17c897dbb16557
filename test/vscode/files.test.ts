import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { environment, extension, pressing } from './extension';

const run = vscode.commands.executeCommand;
const files = vscode.workspace.fs;
const text = async (uri: vscode.Uri): Promise<string> => Buffer.from(await files.readFile(uri)).toString();
const bytes = (content: string): Uint8Array => Buffer.from(content);

/** Files of volumes and containers through VS Code's own file service, with the real engine. */
describe('files', function () {
	this.timeout(60_000);
	const name = `Files_${process.pid}`;
	const local = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-files-'));
	const roots: Record<string, vscode.Uri> = {};
	let api: Api;
	let image: string;
	const ids: string[] = [];

	before(async () => {
		image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		api = await extension().activate();
		await run('mydocker.image.pull', image);
		await run('mydocker.volume.create', name);
		for (const kind of ['running', 'stopped']) {
			const { Id } = await api.client.containers.create(
				{ Image: image, Cmd: ['sleep', '600'], StopTimeout: 0 },
				{ name: `${name}-${kind}` },
			);
			ids.push(Id);
			roots[kind] = rootOf(`container-${Id}`);
		}
		await api.client.containers.start(ids[0] ?? '');
		roots['volume'] = rootOf(`volume-_files__${process.pid}`);
	});

	after(async () => {
		fs.rmSync(local, { recursive: true });
		for (const id of ids) {
			await api.client.containers.remove(id, { force: true });
		}
		await api.client.volumes.remove(name);
	});

	const rootOf = (authority: string) => vscode.Uri.from({ scheme: 'mydocker-files', authority, path: '/' });
	const at = (kind: string, ...parts: string[]) => vscode.Uri.joinPath(roots[kind] ?? assert.fail(kind), ...parts);
	const fails = (code: string, work: Thenable<unknown>) =>
		assert.rejects(Promise.resolve(work), (error: vscode.FileSystemError) => {
			assert.equal(error.code, code, error.message);
			return true;
		});

	for (const kind of ['volume', 'running', 'stopped']) {
		it(`${kind}: makes, writes, reads, lists, renames, copies and deletes`, async () => {
			const start = Date.now();
			await files.createDirectory(at(kind, 'work/deep'));
			await files.writeFile(at(kind, 'work/ä b#c.txt'), bytes('one'));
			await files.writeFile(at(kind, 'work/ä b#c.txt'), bytes('two, longer'));
			assert.equal(await text(at(kind, 'work/ä b#c.txt')), 'two, longer');
			const { type, size, mtime } = await files.stat(at(kind, 'work/ä b#c.txt'));
			assert.deepEqual([type, size], [vscode.FileType.File, 11]);
			assert.ok(mtime >= start && mtime <= Date.now(), `${start} ${mtime}`);
			assert.deepEqual(await files.readDirectory(at(kind, 'work')), [
				['deep', vscode.FileType.Directory],
				['ä b#c.txt', vscode.FileType.File],
			]);
			await files.rename(at(kind, 'work/ä b#c.txt'), at(kind, 'work/deep/new.txt'));
			await files.copy(at(kind, 'work/deep'), at(kind, 'work/copy'));
			assert.equal(await text(at(kind, 'work/copy/new.txt')), 'two, longer');
			await files.delete(at(kind, 'work'), { recursive: true });
			await fails('FileNotFound', files.stat(at(kind, 'work')));
		});

		it(`${kind}: says what is wrong as VS Code understands it`, async () => {
			await files.writeFile(at(kind, 'there'), bytes('there'));
			await files.createDirectory(at(kind, 'full/inner'));
			await fails('FileNotFound', files.readFile(at(kind, 'missing')));
			await fails('FileNotFound', files.stat(at(kind, 'there/below')));
			await fails('FileNotFound', files.rename(at(kind, 'missing'), at(kind, 'other')));
			await fails('FileNotADirectory', files.readDirectory(at(kind, 'there')));
			await fails('FileIsADirectory', files.readFile(at(kind, 'full')));
			await fails('FileExists', files.rename(at(kind, 'there'), at(kind, 'full'), { overwrite: false }));
			await assert.rejects(Promise.resolve(files.delete(at(kind, 'full'), { recursive: false })));
			await assert.rejects(Promise.resolve(files.rename(at(kind, 'full'), at(kind, 'full/inner/full'))));
			await assert.rejects(
				Promise.resolve(files.rename(at(kind, 'full/inner'), at(kind, 'full'), { overwrite: true })),
			);
			await files.rename(at(kind, 'there'), at(kind, 'full'), { overwrite: true });
			assert.equal(await text(at(kind, 'full')), 'there');
			await files.delete(at(kind, 'full'));
		});
	}

	it('a link: is shown as one, and what is written goes to the file behind it', async () => {
		const mount = (await api.client.volumes.inspect(name)).Mountpoint;
		fs.writeFileSync(path.join(mount, 'real'), 'real', { mode: 0o751 });
		fs.chmodSync(path.join(mount, 'real'), 0o751);
		fs.chownSync(path.join(mount, 'real'), 1000, 1001);
		fs.symlinkSync('real', path.join(mount, 'link'));
		fs.symlinkSync('.', path.join(mount, 'here'));
		fs.symlinkSync('/etc/passwd', path.join(mount, 'out'));
		const { Directory, File, SymbolicLink } = vscode.FileType;
		const listed = new Map(await files.readDirectory(at('volume')));
		assert.deepEqual(
			[listed.get('link'), listed.get('here'), listed.get('real')],
			[File | SymbolicLink, Directory | SymbolicLink, File],
		);
		assert.equal((await files.stat(at('volume', 'link'))).type, File | SymbolicLink);
		assert.equal(await text(at('volume', 'here/link')), 'real');
		await fails('FileNotFound', files.readFile(at('volume', 'out')));
		await files.writeFile(at('volume', 'link'), bytes('written'));
		const { mode, uid, gid } = fs.statSync(path.join(mount, 'real'));
		assert.deepEqual(
			[fs.readFileSync(path.join(mount, 'real'), 'utf8'), mode & 0o777, uid, gid],
			['written', 0o751, 1000, 1001],
		);
		assert.ok(fs.lstatSync(path.join(mount, 'link')).isSymbolicLink());
	});

	it('a new file: belongs to whom its folder belongs', async () => {
		const mount = (await api.client.volumes.inspect(name)).Mountpoint;
		fs.mkdirSync(path.join(mount, 'owned'));
		fs.chownSync(path.join(mount, 'owned'), 1000, 1001);
		await files.createDirectory(at('volume', 'owned/folder'));
		await files.writeFile(at('volume', 'owned/folder/file'), bytes(''));
		for (const [part, expected] of [
			['folder', 0o40755],
			['folder/file', 0o100644],
		] as const) {
			const { uid, gid, mode } = fs.statSync(path.join(mount, 'owned', part));
			assert.deepEqual([uid, gid, mode], [1000, 1001, expected], part);
		}
	});

	it('a file that is too large: is refused before it is read, and says what to do', async () => {
		const mount = (await api.client.volumes.inspect(name)).Mountpoint;
		fs.writeFileSync(path.join(mount, 'large'), '');
		fs.truncateSync(path.join(mount, 'large'), 65 * 1024 * 1024);
		await assert.rejects(
			Promise.resolve(files.readFile(at('volume', 'large'))),
			/larger than the 64 MB.*Download…/,
		);
		fs.rmSync(path.join(mount, 'large'));
	});

	it('no file: a device is refused, and is not read', async () => {
		await fails('NoPermissions', files.readFile(at('running', 'dev/zero')));
	});

	it('move: from a volume into a container', async () => {
		await files.createDirectory(at('volume', 'moved'));
		await files.writeFile(at('volume', 'moved/a'), bytes('a'));
		await files.rename(at('volume', 'moved'), at('running', 'moved'));
		assert.equal(await text(at('running', 'moved/a')), 'a');
		await fails('FileNotFound', files.stat(at('volume', 'moved')));
	});

	it('what is not there: a container, a volume, an owner of no kind', async () => {
		for (const authority of ['container-nope', 'volume-nope', 'image-nope']) {
			await fails('FileNotFound', files.stat(rootOf(authority)));
			await assert.rejects(Promise.resolve(files.readDirectory(rootOf(authority))));
		}
	});

	it('upload and download: a file there and back, asking before it replaces one; a folder as a tar', async () => {
		const source = path.join(local, 'up load.bin');
		const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
		fs.writeFileSync(source, content);
		const uris = [vscode.Uri.file(source)];
		await run('mydocker.volume.upload', name, '/', uris);
		assert.deepEqual(Buffer.from(await files.readFile(at('volume', 'up load.bin'))), content);
		const { dialogs } = await pressing('Replace', () => run('mydocker.volume.upload', name, '/', uris));
		assert.match(dialogs.join(), /^Replace up load\.bin in \/\?/);
		await run('mydocker.container.upload', ids[1], '/tmp', uris);

		const back = path.join(local, 'back.bin');
		await run('mydocker.container.download', ids[1], '/tmp/up load.bin', vscode.Uri.file(back));
		assert.deepEqual(fs.readFileSync(back), content);
		const tar = path.join(local, 'back.tar');
		await run('mydocker.files.download', at('volume'), undefined, vscode.Uri.file(tar));
		assert.ok(fs.readFileSync(tar).includes(content));
		assert.deepEqual(fs.readdirSync(local).sort(), ['back.bin', 'back.tar', 'up load.bin']);
	});

	it('browse files: adds one folder with the name of the volume or container to the workspace', async () => {
		const added: { uri: vscode.Uri; name?: string }[] = [];
		const real = vscode.workspace.updateWorkspaceFolders;
		// The real one starts the extension host anew, and these tests with it.
		const note = (_start: number, _count: number, ...folders: { uri: vscode.Uri; name?: string }[]): boolean =>
			added.push(...folders) > 0;
		Object.assign(vscode.workspace, { updateWorkspaceFolders: note });
		try {
			await run('mydocker.volume.browseFiles', name);
			await run('mydocker.container.browseFiles', ids[0]);
		} finally {
			Object.assign(vscode.workspace, { updateWorkspaceFolders: real });
		}
		assert.deepEqual(
			added.map(({ uri, name: shown }) => [uri.toString(), shown]),
			[
				[at('volume').toString(), name],
				[at('running').toString(), `${name}-running`],
			],
		);
	});

	it('layers of an image: are folders that can be read and not written', async () => {
		const { Id } = await api.client.images.inspect(image);
		const layer = (path: string) =>
			vscode.Uri.from({ scheme: 'mydocker-layers', authority: Id.replace('sha256:', ''), path });
		assert.deepEqual(await files.readDirectory(layer('/')), [['0', vscode.FileType.Directory]]);
		assert.deepEqual(
			(await files.readDirectory(layer('/0/etc'))).map(([file]) => file),
			['group', 'passwd'],
		);
		assert.match(await text(layer('/0/etc/passwd')), /^root:x:0:0:/);
		assert.equal((await files.stat(layer('/0/bin/sh'))).type, vscode.FileType.SymbolicLink);
		await fails('FileNotFound', files.stat(layer('/0/etc/shadow')));
		await fails('NoPermissions', files.writeFile(layer('/0/etc/passwd'), bytes('')));
	});
});
