import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { namesInLayers, readRootFile, resolveRootPath, statInLayers } from '../../../src/core/container/rootfs';
import type { LookupLayer } from '../../../src/core/storage/driver';

describe('files of a root that is not mounted', () => {
	let folder: string;
	let layers: LookupLayer[];

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-rootfs-'));
		layers = ['top', 'bottom'].map((name) => ({ directory: path.join(folder, name), opaque: new Set() }));
		for (const { directory } of layers) {
			fs.mkdirSync(path.join(directory, 'etc'), { recursive: true });
		}
		write('bottom/etc/passwd', 'bottom');
		write('secret/passwd', 'secret');
	});

	afterEach(() => {
		fs.rmSync(folder, { recursive: true, force: true });
	});

	function write(name: string, text: string): void {
		fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
		fs.writeFileSync(path.join(folder, name), text);
	}

	function link(target: string, name: string): void {
		fs.rmSync(path.join(folder, name), { recursive: true, force: true });
		fs.symlinkSync(target, path.join(folder, name));
	}

	const read = (file = '/etc/passwd'): string | undefined => readRootFile(layers, file);

	it('a file: is read from the topmost layer that has it', () => {
		assert.equal(read(), 'bottom');
		write('top/etc/passwd', 'top');
		assert.equal(read(), 'top');
	});

	it('nothing there: is undefined', () => {
		assert.equal(read('/etc/nosuch'), undefined);
		assert.equal(read('/nosuch/passwd'), undefined);
	});

	it('a file in the place of a folder: hides the layers below', () => {
		fs.rmdirSync(path.join(folder, 'top/etc'));
		write('top/etc', '');
		assert.equal(read(), undefined);
	});

	it('an opaque folder: hides what the layers below have in it, at any depth, and nothing else', () => {
		write('bottom/etc/deep/file', 'bottom');
		write('bottom/other/file', 'bottom');
		write('top/etc/group', 'top');
		const [top, bottom] = layers as [LookupLayer, LookupLayer];
		layers = [{ ...top, opaque: new Set(['/etc']) }, bottom];
		assert.deepEqual(['/etc/passwd', '/etc/deep/file', '/etc/group', '/other/file'].map(read), [
			undefined,
			undefined,
			'top',
			'bottom',
		]);
		assert.deepEqual(namesInLayers(layers, '/etc'), ['group']);
		assert.equal(statInLayers(layers, '/etc/deep'), undefined);
		assert.equal(statInLayers(layers, '/etc')?.isDirectory(), true);
	});

	it('a path through a symbolic link of a layer: is nothing, inside and outside', () => {
		link(path.join(folder, 'secret'), 'top/away');
		assert.equal(statInLayers(layers, '/away/passwd'), undefined);
		assert.deepEqual(namesInLayers(layers, '/away'), []);
	});

	it('names that are not UTF-8: are found as they are', () => {
		fs.writeFileSync(Buffer.from(path.join(folder, 'top/etc/\xff'), 'latin1'), '');
		assert.equal(statInLayers(layers, '/etc/\xff')?.isFile(), true);
		assert.deepEqual(namesInLayers(layers, '/etc').sort(), ['passwd', '\xff']);
	});

	it('a symbolic link: is followed inside the root, never outside', () => {
		write('bottom/usr/passwd', 'inside');
		link('/usr/passwd', 'top/etc/passwd');
		assert.equal(read(), 'inside');
		link('../../../../usr/passwd', 'top/etc/passwd');
		assert.equal(read(), 'inside');
		link(path.join(folder, 'secret/passwd'), 'top/etc/passwd');
		assert.equal(read(), undefined);
	});

	it('a folder that is a link in a lower layer: does not lead outside', () => {
		link(path.join(folder, 'secret'), 'bottom/etc');
		assert.equal(read(), undefined);
	});

	it('links in a circle: are refused', () => {
		link('passwd', 'top/etc/passwd');
		assert.throws(() => read(), { code: 'invalid', message: /too many symbolic links/ });
	});

	it('anything but a regular file of at most 1 MiB: is refused and does not hang', () => {
		execFileSync('mkfifo', [path.join(folder, 'top/etc/passwd')]);
		assert.throws(() => read(), { code: 'invalid', message: /not a regular file/ });
		fs.rmSync(path.join(folder, 'top/etc/passwd'));
		write('top/etc/passwd', 'x'.repeat(1024 * 1024 + 1));
		assert.throws(() => read(), { code: 'invalid', message: /at most 1 MiB/ });
	});

	it('a path: resolves to where its links lead', () => {
		link('/proc/self/fd/8', 'top/work');
		assert.equal(resolveRootPath(layers, '/work/sub/../x'), '/proc/self/fd/8/x');
		assert.equal(resolveRootPath(layers, '/etc/new/./folder'), '/etc/new/folder');
	});
});
