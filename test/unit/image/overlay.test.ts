import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { overlayMount } from '../../../src/core/storage/overlay';
import { scratchFolder } from './scratch';

describe('overlay mount', () => {
	let store: string;

	beforeEach(() => {
		store = path.join(scratchFolder(), 'a store, with: spaces\\and "marks" ü');
		fs.mkdirSync(path.join(store, 'c'), { recursive: true });
	});

	afterEach(() => {
		fs.rmSync(path.dirname(store), { recursive: true });
	});

	function lowers(count: number): string[] {
		return Array.from({ length: count }, (_, index) => path.join(store, 'layers', String(index).padStart(64, 'a')));
	}

	function mount(count: number, isRootless = false): ReturnType<typeof overlayMount> {
		const upper = path.join(store, 'c/upper');
		return overlayMount({ lowers: lowers(count), upper, work: path.join(store, 'c/work'), isRootless });
	}

	it('names all directories relative to the folder of the upper one', () => {
		assert.deepEqual(mount(2), {
			options: 'lowerdir=l/0:l/1,upperdir=upper,workdir=work,index=off',
			cwd: path.join(store, 'c'),
		});
		assert.match(mount(1, true).options, /,userxattr$/);
	});

	it('the links point to the lower directories, also after the store has moved', () => {
		mount(2);
		const moved = `${store} moved`;
		fs.renameSync(store, moved);
		assert.equal(
			path.resolve(moved, 'c/l', fs.readlinkSync(path.join(moved, 'c/l/1'))),
			path.join(moved, 'layers', '1'.padStart(64, 'a')),
		);
	});

	it('127 layers fit in the page that mount(2) takes', () => {
		assert.ok(mount(127).options.length < 1000);
	});

	it('more than fit are refused; links of an earlier start are replaced', () => {
		assert.throws(() => mount(1000), { code: 'unsupported', message: /1000 layers are too many/ });
		mount(1);
		assert.deepEqual(fs.readdirSync(path.join(store, 'c/l')), ['0']);
	});

	it('upper and work must be plain names beside each other', () => {
		const upper = path.join(store, 'c/up,per');
		assert.throws(() => overlayMount({ lowers: [], upper, work: path.join(store, 'c/work') }), {
			code: 'internal',
		});
		const other = path.join(store, 'd/work');
		assert.throws(() => overlayMount({ lowers: [], upper: path.join(store, 'c/u'), work: other }), {
			code: 'internal',
		});
	});
});
