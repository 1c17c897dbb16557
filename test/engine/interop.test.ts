import * as assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { TarReader } from '../../src/core/image/tar';
import { archiveOf, digestOf, gzip } from './archive';
import { busyboxLayer, imageOf, layerOf, whiteoutLayers, type ImageFixture, type Layer } from './fixture';
import { load, loadBytes } from './loading';
import { startRegistry } from './registry';
import { embeddedEngine, type EngineProcess } from './subject';
import { hasProgram, Workspace } from './workspace';

const execute = promisify(execFile);

/** Archives and trees of ours, as the other programs of the trade see them, and theirs as we do. */
describe('interoperation', () => {
	const workspace = new Workspace('interop');
	let engine: EngineProcess;

	before(async function () {
		if (process.getuid?.() !== 0) {
			this.skip(); // owners and device nodes
		}
		engine = embeddedEngine(workspace);
		await load(engine.client, plainImage(), 'interop:1');
	});

	after(() => workspace.dispose());

	async function saved(name: string): Promise<string> {
		const file = path.join(workspace.folder('saved'), 'image.tar');
		const chunks: Buffer[] = [];
		for await (const chunk of await engine.client.images.save([name])) {
			chunks.push(chunk);
		}
		fs.writeFileSync(file, Buffer.concat(chunks));
		return file;
	}

	/** Loads the file and gives the DiffIDs of the image that it says it has loaded. */
	async function loadedFrom(file: string): Promise<readonly string[] | undefined> {
		const said = await loadBytes(engine.client, fs.readFileSync(file));
		const name = /Loaded image(?: ID)?: (\S+)/.exec(said)?.[1] ?? assert.fail(said);
		return (await engine.client.images.inspect(name)).RootFS.Layers;
	}

	const diffIds = plainImage().layers.map(({ diffId }) => diffId);

	describe('podman', () => {
		let podman: (...args: string[]) => Promise<string>;

		before(function () {
			if (!hasProgram('podman')) {
				this.skip(); // not among what the tests install: it is large
			}
			const [root, run] = [workspace.folder('podman'), workspace.folder('podman-run')];
			const global = ['--root', root, '--runroot', run, '--storage-driver', 'vfs'];
			podman = async (...args) => (await execute('podman', [...global, ...args])).stdout;
		});

		it('loads what we save', async () => {
			const said = await podman('load', '-i', await saved('interop:1'));
			assert.match(said, /interop:1/);
			const [image] = JSON.parse(await podman('inspect', 'interop:1')) as {
				Id: string;
				RootFS: { Layers: string[] };
			}[];
			assert.deepEqual(image?.RootFS.Layers, diffIds);
			assert.equal(`sha256:${image.Id}`, (await engine.client.images.inspect('interop:1')).Id);
		});

		for (const format of ['docker-archive', 'oci-archive']) {
			it(`saves a ${format} that we load`, async () => {
				const file = path.join(workspace.folder('podman-saved'), 'image.tar');
				await podman('save', '--format', format, '-o', file, 'interop:1');
				assert.deepEqual(await loadedFrom(file), diffIds);
			});
		}
	});

	describe('skopeo', () => {
		for (const [format, source] of [
			['docker-archive', (file: string) => `docker-archive:${file}`],
			['oci-archive', (file: string) => `oci-archive:${file}`],
		] as const) {
			it(`reads what we save as ${format}, and we what it writes`, async () => {
				const target = path.join(workspace.folder('skopeo'), 'copy.tar');
				await execute('skopeo', [
					...['copy', '--insecure-policy', source(await saved('interop:1'))],
					`${format}:${target}${format === 'docker-archive' ? ':copied:1' : ''}`,
				]);
				assert.deepEqual(await loadedFrom(target), diffIds);
			});
		}
	});

	it('umoci unpacks what we save, and we load what it makes', async () => {
		await load(engine.client, plainImage(), 'umoci:1');
		const layout = workspace.folder('layout');
		await execute('tar', ['-C', layout, '-xf', await saved('umoci:1')]);
		const bundle = path.join(workspace.folder('bundle'), 'bundle');
		const tag = namesIn(layout)[0] ?? assert.fail('a name');
		await execute('umoci', ['unpack', '--image', `${layout}:${tag}`, bundle]);
		assert.equal(fs.readFileSync(path.join(bundle, 'rootfs/data/changed'), 'utf8'), 'new');
		fs.writeFileSync(path.join(bundle, 'rootfs/data/by-umoci'), 'umoci');
		fs.rmSync(path.join(bundle, 'rootfs/data/merged'), { recursive: true });
		await execute('umoci', ['repack', '--image', `${layout}:repacked`, bundle]);
		fs.rmSync(path.join(layout, 'manifest.json')); // docker's, which umoci does not keep up to date
		const archive = path.join(workspace.folder('umoci'), 'layout.tar');
		await execute('tar', ['-C', layout, '-cf', archive, '.']);
		const said = await loadBytes(engine.client, fs.readFileSync(archive));
		// Its entry keeps the annotations of the one that it was made from, names included.
		const repacked = /Loaded image: (\S+)\n$/.exec(said)?.[1] ?? assert.fail(said);
		const { Files } = await engine.client.images.layerFiles(repacked, { layer: 3, isRecursive: true });
		assert.deepEqual(
			Files.filter(({ Type, Kind }) => Type !== 'directory' || Kind === 2).map(
				({ Path, Kind }) => `${Kind ?? ''} ${Path}`,
			),
			['1 /data/by-umoci', '2 /data/merged'],
		);
	});

	for (const storageDriver of ['overlay', 'erofs'] as const) {
		it(`a pulled tree with every kind of entry is the one that umoci unpacks (${storageDriver})`, async () => {
			const puller = embeddedEngine(workspace, { storageDriver });
			const registry = await startRegistry(workspace);
			const image = everyKind(workspace);
			await registry.push('demo/every', '1', image);
			const reference = `${registry.host}/demo/every:1`;
			for await (const message of puller.client.images.pull(reference)) {
				assert.ok(message);
			}
			const layout = workspace.folder('every');
			const from = `docker://${reference}`;
			await execute('skopeo', [
				'copy',
				'--insecure-policy',
				'--src-tls-verify=false',
				from,
				`oci:${layout}:every`,
			]);
			const bundle = path.join(workspace.folder('bundle'), 'bundle');
			await execute('umoci', ['unpack', '--image', `${layout}:every`, bundle]);
			const merged = mounted(workspace, puller.root, image);
			const [ours, theirs] = [listing(merged), listing(path.join(bundle, 'rootfs'))];
			assert.ok(ours.length > 30, `${ours.length} entries`);
			assert.deepEqual(ours, theirs);
			// umoci fills them; EROFS tells the blocks of the whole size, and keeps none for the holes.
			const { blocks, size } = fs.statSync(path.join(merged, 'plain/sparse'));
			assert.ok(storageDriver === 'erofs' || blocks * 512 < size / 10, 'holes stay holes');
		});
	}

	for (const [program, what] of [
		['xz', 'xz'],
		['bzip2', 'bzip2'],
		['zstd', 'zstd'],
	] as const) {
		it(`load and import read ${what}`, async function () {
			if (!hasProgram(program)) {
				this.skip(); // Debian installs xz with dpkg; the others may be missing
			}
			const compress = (bytes: Buffer): Buffer =>
				spawnSync(program, ['-c'], { input: bytes, maxBuffer: 1e9 }).stdout;
			const archive = fs.readFileSync(await saved('interop:1'));
			assert.match(await loadBytes(engine.client, compress(archive)), /Loaded image: interop:1/);
			const tar = archiveOf([{ name: 'file', content: program }]);
			const id = await engine.client.images.import(compress(tar), { target: `imported-${program}:1` });
			assert.deepEqual((await engine.client.images.inspect(id)).RootFS.Layers, [digestOf(tar)]);
			await assert.rejects(
				engine.client.images.import(compress(tar).subarray(0, -20)),
				/./,
				'an archive that is cut off',
			);
		});
	}
});

/** Busybox with two layers that hide and replace. */
function plainImage(): ImageFixture {
	return imageOf([busyboxLayer(), ...whiteoutLayers()]);
}

/** Names of an OCI layout. */
function namesIn(layout: string): string[] {
	const index = JSON.parse(fs.readFileSync(path.join(layout, 'index.json'), 'utf8')) as {
		manifests: { annotations?: Record<string, string> }[];
	};
	return index.manifests.flatMap(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] ?? []);
}

/** Made by GNU tar of real files, and by hand where no file can be so. */
function everyKind(workspace: Workspace): ImageFixture {
	const tree = workspace.folder('tree');
	const script = `
umask 022
mkdir -p plain sticky deep/$(printf 'd%.0s' $(seq 1 200))/$(printf 'e%.0s' $(seq 1 100)) gone/inner kept opaque/inner
printf x >"$(printf 'plain/latin1-\\351-\\377')"
printf y >'plain/日本 grüße'
printf z >"$(printf 'plain/new\\nline')"
(cd deep/d*/e* && printf long >$(printf 'f%.0s' $(seq 1 200)))
printf suid >plain/suid; printf sgid >plain/sgid; chmod 4755 plain/suid; chmod 2711 plain/sgid
chmod 1777 sticky; chmod 700 kept
printf owned >plain/owned; chown 1234:56789 plain/owned; chown 100000:4294967294 kept
printf one >plain/one; ln plain/one plain/two; ln plain/one kept/three
ln -s ../plain/one kept/link; ln -s /absolute/none kept/dangling; ln -s kept folder-link
mknod plain/null c 1 3; mknod plain/disk b 8 1; mknod plain/big c 4095 1048575; mkfifo plain/pipe
truncate -s 3000000 plain/sparse; printf data | dd of=plain/sparse bs=1 seek=1500000 conv=notrunc 2>/dev/null
: >plain/empty; printf old >gone/inner/file; printf old >opaque/inner/file; printf old >opaque/file
printf 1 >kept/gone; printf 2 >kept/becomes-folder; mkdir kept/becomes-file; printf 3 >kept/becomes-file/inner
find . -depth -exec touch -h -d '2021-03-04 05:06:07.123456789' {} +
`;
	const made = spawnSync('bash', ['-ec', script], { cwd: tree });
	assert.equal(made.status, 0, String(made.stderr));
	const packed = spawnSync('tar', ['--format=posix', '--sparse', '--numeric-owner', '-cf', '-', '.'], {
		cwd: tree,
		maxBuffer: 1e8,
	});
	assert.equal(packed.status, 0, String(packed.stderr));
	// VFS_CAP_REVISION_2, cap_net_raw, effective.
	const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
	const second = layerOf([
		{ name: 'kept/', type: 'directory', mode: 0o710, uid: 5, gid: 6, time: 1_000_000_000 },
		{ name: 'kept/.wh.gone' },
		{ name: 'kept/becomes-folder/', type: 'directory', time: 1_000_000_001 },
		{ name: 'kept/becomes-folder/inner', content: 'in', time: 1_000_000_002 },
		{ name: 'kept/becomes-file', content: 'file', time: 1_000_000_003 },
		{ name: '.wh.gone' },
		{ name: 'opaque/', type: 'directory', time: 1_000_000_004 },
		{ name: 'opaque/.wh..wh..opq' },
		{ name: 'opaque/new', content: 'new', time: 1_000_000_005 },
		{
			name: 'plain/ping',
			content: 'ping',
			mode: 0o755,
			time: 1_000_000_006,
			attributes: { 'security.capability': capability, 'user.note': Buffer.from([0, 255, 10]) },
		},
		{ name: 'plain/', type: 'directory', time: 1_000_000_007 },
		{ name: '.', type: 'directory', time: 1_000_000_008 },
	]);
	return imageOf([layerFrom(packed.stdout), second], { format: 'oci' });
}

function layerFrom(tar: Buffer): Layer {
	const blob = gzip(tar);
	return { entries: [], diffId: digestOf(tar), digest: digestOf(blob), blob, size: tar.length };
}

/** The unpacked layers over each other, as a container sees them. */
function mounted(workspace: Workspace, root: string, image: ImageFixture): string {
	const target = workspace.folder('merged');
	const lowers = image.layers
		.map(({ diffId }) => layerFolder(workspace, path.join(root, 'layers', diffId.slice('sha256:'.length))))
		.reverse();
	const result = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', `ro,lowerdir=${lowers.join(':')}`, target]);
	assert.equal(result.status, 0, String(result.stderr));
	workspace.defer('unmount the image', () => {
		spawnSync('umount', [target]);
	});
	return target;
}

/** An unpacked layer's files; of an image of them, mounted. */
function layerFolder(workspace: Workspace, folder: string): string {
	const image = path.join(`${folder}.erofs`, 'image.erofs');
	if (!fs.existsSync(image)) {
		return folder;
	}
	const target = workspace.folder('layer');
	const result = spawnSync('mount', ['-t', 'erofs', '-o', 'ro,loop', image, target]);
	assert.equal(result.status, 0, String(result.stderr));
	workspace.defer('unmount the layer', () => {
		spawnSync('umount', [target]);
	});
	return target;
}

/** One line for each entry with all that a tree has; names one character a byte. */
function listing(root: string): string[] {
	const attributes = attributesIn(root);
	const firstNames = new Map<string, string>();
	const lines: string[] = [];
	const visit = (name: string): void => {
		const file = Buffer.from(path.join(root, name), 'latin1');
		const stat = fs.lstatSync(file, { bigint: true });
		const inode = `${stat.dev}:${stat.ino}`;
		const first = firstNames.get(inode) ?? name;
		firstNames.set(inode, first);
		const content = stat.isFile()
			? createHash('sha256').update(fs.readFileSync(file)).digest('hex').slice(0, 16)
			: stat.isSymbolicLink()
				? fs.readlinkSync(file, 'latin1')
				: '';
		lines.push(
			[
				JSON.stringify(name === '' ? '.' : name),
				stat.mode.toString(8),
				`${stat.uid}:${stat.gid}`,
				stat.isDirectory() ? '-' : String(stat.size),
				// Node sets times as numbers of floating point, which are right to a tenth of a microsecond.
				String(stat.mtimeNs / 1000n),
				stat.isBlockDevice() || stat.isCharacterDevice() ? String(stat.rdev) : '-',
				// A directory's own number of links counts what is in it, differently on each file system.
				stat.isDirectory() ? '-' : `${stat.nlink} ${JSON.stringify(first)}`,
				content,
				attributes.get(name) ?? '',
			].join(' '),
		);
		if (stat.isDirectory()) {
			for (const child of fs.readdirSync(file, 'latin1').sort()) {
				visit(name === '' ? child : `${name}/${child}`);
			}
		}
	};
	visit('');
	return lines;
}

/** Extended attributes by path, as tar reads them. */
function attributesIn(root: string): Map<string, string> {
	const args = ['--format=posix', '--xattrs', '--xattrs-include=*', '--sparse', '-cf', '-', '.'];
	const { stdout, status, stderr } = spawnSync('tar', args, { cwd: root, maxBuffer: 1e8 });
	assert.equal(status, 0, String(stderr));
	const found = new Map<string, string>();
	const reader = new TarReader(
		{
			begin: ({ name, xattrs }) => {
				const text = [...xattrs].map(([key, value]) => `${key}=${value.toString('hex')}`).sort();
				if (text.length > 0) {
					found.set(name.replace(/^\.\/?/, '').replace(/\/$/, ''), text.join(','));
				}
			},
			data: () => undefined,
			end: () => undefined,
		},
		100_000,
	);
	reader.write(stdout);
	return found;
}
