import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../../../src/core/errors';
import { applyLayerStream, IMAGE } from '../../../src/core/image/layer';
import type { AppliedLayer, LayerFormat } from '../../../src/core/image/layer';
import { mountLayers, mountPointsIn, unmountLayers } from '../../../src/core/image/layer-mounts';
import { archive, pieces, special } from './archives';
import type { Written } from './archives';
import { scratchFolder } from './scratch';

const isRoot = process.getuid?.() === 0;

const canMountImages = isRoot && /\terofs$/m.test(fs.readFileSync('/proc/filesystems', 'latin1'));

describe('layer', () => {
	describe('as files', () => {
		cases('files');
	});
	if (canMountImages) {
		describe('as an EROFS image', () => {
			cases('erofs');
		});
	}
});

function cases(format: LayerFormat): void {
	let folder: string;
	let root: string;

	beforeEach(() => {
		folder = scratchFolder();
		root = path.join(folder, 'ö root');
		fs.mkdirSync(root);
	});

	afterEach(() => {
		unmountLayers(mountPointsIn(root));
		fs.rmSync(folder, { recursive: true, force: true });
	});

	function apply(...entries: readonly Written[]): Promise<AppliedLayer> {
		return applyBytes(archive(...entries));
	}

	async function applyBytes(bytes: Buffer, maxBytes = 1e9, signal?: AbortSignal): Promise<AppliedLayer> {
		unmountLayers(mountPointsIn(root));
		const directory = format === 'files' ? root : fs.mkdtempSync(path.join(folder, 'image-'));
		const layer = await applyLayerStream(pieces(bytes, 700), {
			...{ directory, format },
			sideArchive: path.join(folder, 'side.tar'),
			maxBytes,
			isSharedThread: true,
			...(signal === undefined ? {} : { signal }),
		});
		if (format === 'erofs') {
			const image = path.join(directory, IMAGE);
			assert.equal(
				fs
					.readFileSync(image)
					.subarray(4096, 4096 + bytes.length)
					.equals(bytes),
				true,
			);
			checkImage(image);
			mountLayers([{ image, target: root }]);
		}
		return layer;
	}

	function refuses(entries: readonly Written[], reason: RegExp): Promise<void> {
		unmountLayers(mountPointsIn(root));
		fs.rmSync(root, { recursive: true });
		fs.mkdirSync(root);
		return assert.rejects(
			apply(...entries),
			(error) => error instanceof EngineError && error.code === 'corrupt' && reason.test(error.message),
		);
	}

	/** All names, with the content of files, the target of symlinks, and a mark for other types. */
	function tree(dir = root, prefix = ''): Record<string, string> {
		const names: Record<string, string> = {};
		for (const item of fs.readdirSync(dir, { withFileTypes: true })) {
			const full = path.join(dir, item.name);
			if (item.isDirectory()) {
				names[`${prefix}${item.name}/`] = '';
				Object.assign(names, tree(full, `${prefix}${item.name}/`));
			} else if (item.isSymbolicLink()) {
				names[prefix + item.name] = `-> ${fs.readlinkSync(full)}`;
			} else {
				names[prefix + item.name] = item.isFile() ? fs.readFileSync(full, 'utf8') : typeOf(full);
			}
		}
		return names;
	}

	function besideImages(): string[] {
		return fs.readdirSync(folder).filter((name) => !name.startsWith('image-'));
	}

	function typeOf(file: string): string {
		const status = fs.statSync(file);
		return status.isFIFO() ? 'fifo' : `device ${status.rdev}`;
	}

	it('makes files with their modes and times, and tells the digest of the tar and the size of the files', async () => {
		const bytes = archive(
			{ name: './', mode: 0o711 },
			{ name: 'a/', mode: 0o1777, mtime: 1_000_000_000 },
			{ name: 'a/b', body: 'text', mode: 0o4711, mtime: 1_000_000_001, mtimeNanoseconds: 500_000_000 },
			special('symlink', 'a/s', '../b'),
			special('link', 'a/h', 'a/b'),
		);
		const layer = await applyBytes(bytes);
		const diffId = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
		// Four bytes of text and a link's target of four; the second name of the file counts nothing.
		assert.deepEqual(layer, { diffId, size: 8, isOpaque: false, opaque: [], warnings: [] });
		assert.deepEqual(tree(), { 'a/': '', 'a/b': 'text', 'a/h': 'text', 'a/s': '-> ../b' });
		const modes = ['.', 'a', 'a/b'].map((name) => (fs.statSync(path.join(root, name)).mode & 0o7777).toString(8));
		assert.deepEqual(modes, ['711', '1777', '4711']);
		const times = ['a', 'a/b', 'a/s'].map((name) => fs.lstatSync(path.join(root, name)).mtimeMs);
		assert.deepEqual(times, [1_000_000_000_000, 1_000_000_001_500, 1_700_000_000_000]);
		assert.equal(fs.statSync(path.join(root, 'a/h')).nlink, 2);
	});

	it('makes folders that no entry names', async () => {
		await apply({ name: 'a/b/c', body: 'x' });
		assert.deepEqual(tree(), { 'a/': '', 'a/b/': '', 'a/b/c': 'x' });
		assert.equal(fs.statSync(path.join(root, 'a/b')).mode & 0o7777, 0o755);
	});

	it('keeps names that are not UTF-8', async () => {
		await apply(
			{ name: 'd\xff/\xfe', body: 'x' },
			special('symlink', 's', '\xfd'),
			special('link', 'h', 'd\xff/\xfe'),
		);
		const names = fs.readdirSync(root, { encoding: 'latin1' }).sort();
		assert.deepEqual(names, ['d\xff', 'h', 's']);
	});

	it('a later entry replaces an earlier one; folders are merged', async () => {
		await apply(
			{ name: 'file', body: 'old' },
			{ name: 'file', body: 'new' },
			{ name: 'link', body: 'x' },
			special('symlink', 'link', 'file'),
			{ name: 'd/' },
			{ name: 'd/kept', body: '1' },
			{ name: 'd/', mode: 0o700 },
			{ name: 'gone/' },
			{ name: 'gone/deep/\xff', body: '1' },
			{ name: 'gone', body: 'file now' },
			special('symlink', 'dir', 'd'),
			{ name: 'dir/' },
			{ name: 'dir/x', body: 'own' },
		);
		assert.deepEqual(tree(), {
			file: 'new',
			link: '-> file',
			'd/': '',
			'd/kept': '1',
			gone: 'file now',
			'dir/': '',
			'dir/x': 'own',
		});
	});

	it('refuses names that leave the root, and takes absolute ones from the root', async () => {
		for (const name of ['../x', 'a/../../x', '/../x', './../x', '..', 'a/b/../../../x']) {
			await refuses([{ name, body: 'x' }], /leaves the layer/);
		}
		await apply({ name: '/etc/x', body: '1' }, { name: 'a/../b', body: '2' }, { name: './/c//d', body: '3' });
		assert.deepEqual(tree(), { 'etc/': '', 'etc/x': '1', b: '2', 'c/': '', 'c/d': '3' });
		assert.deepEqual(besideImages(), ['ö root']);
	});

	it('symlinks among the parents stay inside of the layer', async () => {
		const outside = path.join(folder, 'outside');
		fs.mkdirSync(outside);
		await apply(
			special('symlink', 'abs', outside),
			{ name: 'abs/x', body: '1' },
			special('symlink', 'up', '../../../../../../..'),
			{ name: `up${outside}/y`, body: '2' },
			{ name: 'deep/er/' },
			special('symlink', 'deep/er/rel', '../../target'),
			{ name: 'deep/er/rel/z', body: '3' },
			special('symlink', 'one', 'two'),
			special('symlink', 'two', `/${'../'.repeat(20)}${outside}`),
			{ name: 'one/w', body: '4' },
		);
		assert.deepEqual(fs.readdirSync(outside), []);
		const inside = path.join(root, outside);
		assert.deepEqual(fs.readdirSync(inside).sort(), ['w', 'x', 'y']);
		assert.equal(fs.readFileSync(path.join(root, 'target/z'), 'utf8'), '3');
	});

	it('the last name is never followed when it is a symlink', async () => {
		const outside = path.join(folder, 'victim');
		fs.writeFileSync(outside, 'safe');
		fs.chmodSync(outside, 0o600);
		await apply(
			special('symlink', 'a', outside),
			{ name: 'a', body: 'written through', mode: 0o777 },
			special('symlink', 'b', outside),
			special('link', 'c', 'b'),
			{ name: 'c', body: 'written through', mode: 0o777 },
			special('symlink', 'd', path.dirname(outside)),
			{ name: 'd/', mode: 0o777 },
			special('symlink', 'e', outside),
			special('fifo', 'e'),
		);
		assert.equal(fs.readFileSync(outside, 'utf8'), 'safe');
		assert.equal(fs.statSync(outside).mode & 0o777, 0o600);
		assert.equal(fs.readlinkSync(path.join(root, 'b')), outside);
	});

	it('hard links reach only files of the layer', async () => {
		const outside = path.join(folder, 'victim');
		fs.writeFileSync(outside, 'safe');
		await refuses([special('link', 'h', outside)], /not in the layer/);
		await refuses([special('link', 'h', '../victim')], /leaves the layer/);
		await refuses([special('symlink', 's', folder), special('link', 'h2', 's/victim')], /not in the layer/);
		await refuses(
			[
				special('symlink', 'a', 'b'),
				special('symlink', 'b', '../../../..'),
				special('link', 'h3', `a${outside}`),
				{ name: 'h3', body: 'overwritten' },
			],
			/not in the layer/,
		);
		await refuses([{ name: 'dir/' }, special('link', 'h4', 'dir')], /points to a directory/);
		await refuses([special('link', 'h5', '.')], /not in the layer/);
		assert.equal(fs.readFileSync(outside, 'utf8'), 'safe');
		assert.equal(fs.statSync(outside).nlink, 1);
	});

	it('refuses what is used as a folder and is none, and symlinks that go in circles', async () => {
		await refuses(
			[
				{ name: 'f', body: '1' },
				{ name: 'f/x', body: '2' },
			],
			/used as a directory/,
		);
		await refuses([special('fifo', 'p'), { name: 'p/x', body: '2' }], /used as a directory/);
		await refuses([special('symlink', 'l', 'l'), { name: 'l/x', body: '2' }], /too many symlinks/);
		await refuses(
			[special('symlink', 'm', 'n/n'), special('symlink', 'n', 'm/m'), { name: 'm/x', body: '2' }],
			/too many symlinks/,
		);
	});

	it('refuses names that are too long', async () => {
		await refuses([{ name: `${'d/'.repeat(2048)}x` }], /too long/);
		await refuses([{ name: 'x'.repeat(300) }], /too long/);
	});

	it('refuses a root that is no directory', async () => {
		await refuses([{ name: '.', body: 'x' }], /root of the layer/);
		await refuses([special('symlink', './', '/etc')], /root of the layer/);
	});

	it('refuses whiteouts that name nothing and folders with such names', async () => {
		for (const name of ['.wh.', 'a/.wh..', '.wh...']) {
			await refuses([{ name }], /names nothing/);
		}
		await refuses([{ name: '.wh.a/x', body: '1' }], /such names are whiteouts/);
	});

	it('stops at the allowed size', async () => {
		const bytes = archive({ name: 'a', body: Buffer.alloc(100_000) });
		await assert.rejects(applyBytes(bytes, 50_000), { code: 'corrupt', message: /more than 50000 bytes/ });
	});

	it('stops when aborted', async () => {
		const controller = new AbortController();
		controller.abort();
		const bytes = archive({ name: 'a', body: Buffer.alloc(100_000) });
		await assert.rejects(applyBytes(bytes, 1e9, controller.signal), { name: 'AbortError' });
	});

	it('files with holes take no room for them', async () => {
		const size = 4 * 1024 * 1024;
		const sparse = {
			size,
			fragments: [
				{ offset: 1_000_000, length: 3 },
				{ offset: size - 3, length: 3 },
			],
		};
		assert.equal((await apply({ name: 's', body: 'abcdef', sparse })).size, size);
		const status = fs.statSync(path.join(root, 's'));
		const [image] = fs.readdirSync(folder).filter((name) => name.startsWith('image-'));
		// EROFS tells the blocks of the whole size, and keeps none for the holes.
		const onDisk = image === undefined ? status : fs.statSync(path.join(folder, image, IMAGE));
		assert.ok(status.size === size && onDisk.blocks * 512 < 100_000);
		const file = fs.readFileSync(path.join(root, 's'));
		assert.deepEqual(
			[file.toString('latin1', 1_000_000, 1_000_003), file.toString('latin1', size - 3)],
			['abc', 'def'],
		);
	});

	(isRoot ? describe : describe.skip)('as root', () => {
		it('whiteouts become 0:0 devices, wherever they stand in the archive', async () => {
			await apply(
				{ name: 'd/.wh.gone' },
				{ name: '.wh.before' },
				{ name: 'before', body: '1' },
				{ name: 'after', body: '2' },
				{ name: '.wh.after' },
				special('symlink', 'sym', 'x'),
				{ name: '.wh.sym' },
			);
			assert.deepEqual(tree(), { 'd/': '', 'd/gone': 'device 0', before: '1', after: '2', sym: '-> x' });
		});

		it('owners are set, and set-id bits after them', async () => {
			await apply(
				{ name: 'f', body: '1', uid: 12, gid: 34, mode: 0o6755 },
				{ name: 'd/', uid: 5, mode: 0o2750 },
				{ ...special('symlink', 's', 'x'), gid: 7 },
			);
			const owners = ['f', 'd', 's'].map((name) => {
				const { uid, gid, mode } = fs.lstatSync(path.join(root, name));
				return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
			});
			assert.deepEqual(owners, ['12:34 6755', '5:0 2750', '0:7 777']);
		});

		it('devices and FIFOs are made, also hard links to them', async () => {
			await apply(
				{ ...special('character', 'null'), major: 1, minor: 3, mode: 0o666 },
				special('fifo', 'pipe'),
				special('link', 'pipe2', 'pipe'),
			);
			assert.deepEqual(tree(), { null: `device ${(1 << 8) + 3}`, pipe: 'fifo', pipe2: 'fifo' });
			assert.equal(fs.statSync(path.join(root, 'pipe')).nlink, 2);
		});

		it('a file that replaces a special entry wins', async () => {
			await apply(
				special('fifo', 'p'),
				{ name: 'p', body: 'file' },
				{ name: 'x', body: 'capable', xattrs: new Map([['user.a', Buffer.from('1')]]) },
				{ name: 'x', body: 'plain' },
				{ name: 'd/' },
				special('fifo', 'd/p'),
				{ name: 'd', body: 'file' },
			);
			assert.deepEqual(tree(), { p: 'file', x: 'plain', d: 'file' });
		});

		it('attributes that steer overlayfs are dropped', async () => {
			const xattrs = new Map([
				['trusted.overlay.opaque', Buffer.from('y')],
				['trusted.overlay.redirect', Buffer.from('/etc')],
				['user.overlay.metacopy', Buffer.from('')],
			]);
			const layer = await apply({ name: 'd/', xattrs }, { name: 'f', body: 'x', xattrs });
			assert.deepEqual([layer.isOpaque, layer.warnings, tree()], [false, [], { 'd/': '', f: 'x' }]);
		});

		it('an opaque root is told', async () => {
			assert.equal((await apply({ name: '.wh..wh..opq' }, { name: 'a', body: '1' })).isOpaque, true);
			assert.deepEqual(tree(), { a: '1' });
		});

		it('opaque folders are told, but for those inside of one', async () => {
			const { opaque } = await apply(
				{ name: 'a/b/.wh..wh..opq' },
				{ name: 'a/b/c/.wh..wh..opq' },
				{ name: 'again/' },
				{ name: '.wh.again' },
				special('symlink', 'link', 'a'),
				{ name: 'link/by/\xff/.wh..wh..opq' },
			);
			assert.deepEqual(opaque, ['/again', '/a/b', '/a/by/\xff']);
		});

		it('so many opaque folders that a record should not hold them are not told', async () => {
			const many = Array.from({ length: 5000 }, (_, index) => ({ name: `d/${index}/.wh..wh..opq` }));
			assert.equal((await apply(...many)).opaque, undefined);
		});

		it('leaves no side archive and no descriptor behind, also after a failure', async () => {
			const before = fs.readdirSync('/proc/self/fd').length;
			await refuses([special('fifo', 'p'), { name: '../x' }], /leaves/);
			await refuses([{ name: 'x', body: Buffer.alloc(3000) }, special('link', 'h', 'none')], /not in the layer/);
			await assert.rejects(applyBytes(archive({ name: 'x', body: Buffer.alloc(3000) }).subarray(0, 1500)));
			assert.deepEqual(besideImages(), ['ö root']);
			assert.equal(fs.readdirSync('/proc/self/fd').length, before);
		});
	});
}

/** By the tool of the format's makers, where it is there and knows blocks of 512 bytes (erofs-utils 1.6). */
function checkImage(image: string): void {
	const { error, status, stdout, stderr } = spawnSync('fsck.erofs', [image], { encoding: 'utf8' });
	const isAble = error === undefined && !/blksize 512 isn't supported/.test(stdout + stderr);
	assert.ok(!isAble || status === 0, `fsck.erofs: ${stdout}${stderr}`);
}
