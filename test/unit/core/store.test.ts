import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineError } from '../../../src/core/errors';
import { Store } from '../../../src/core/store';

interface Named {
	readonly name: string;
}

const isNamed = (value: unknown): value is Named =>
	typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string';

describe('Store', () => {
	let dir: string;
	let warnings: string[];
	let store: Store;

	beforeEach(() => {
		dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-store-'));
		warnings = [];
		store = new Store(dir, (message) => warnings.push(message));
	});

	afterEach(() => {
		fs.rmSync(dir, { recursive: true });
	});

	it('gives back what was saved, also to another Store on the same folder', () => {
		store.save('image-1', { name: 'nginx' });
		assert.deepEqual(new Store(dir, () => undefined).get('image-1', isNamed), { name: 'nginx' });
	});

	it('writes a record beside other work: it is there at once, replaces one that was, and may go before the disk has it', async () => {
		store.save('image-1', { name: 'nginx' }, 'beside');
		assert.deepEqual(store.get('image-1', isNamed), { name: 'nginx' });
		store.save('image-1', { name: 'redis' }, 'beside');
		store.save('image-2', { name: 'busybox' }, 'beside');
		store.remove('image-2');
		await store.sync();
		assert.deepEqual(store.get('image-1', isNamed), { name: 'redis' });
		assert.deepEqual(fs.readdirSync(dir), ['image-1.json']);
		assert.deepEqual(warnings, []);
	});

	it('lists keys by prefix, sorted', () => {
		for (const key of ['image-b', 'container-x', 'image-a']) {
			store.save(key, { name: key });
		}
		assert.deepEqual(store.list('image-'), ['image-a', 'image-b']);
	});

	it('says undefined for a record that is not there, and removes what is not there without complaint', () => {
		store.remove('image-1');
		assert.equal(store.get('image-1', isNamed), undefined);
	});

	for (const [what, content] of [
		['half a document', '{"name": "ngi'],
		['a document of another shape', '{"nom": "nginx"}'],
		['an empty file', ''],
	] as const) {
		it(`sets ${what} aside with a warning, and the other records stay`, () => {
			store.save('image-good', { name: 'good' });
			fs.writeFileSync(path.join(dir, 'image-bad.json'), content);
			assert.equal(store.get('image-bad', isNamed), undefined);
			assert.match(warnings.join(), /"image-bad" is corrupt and was set aside/);
			assert.deepEqual(store.list('image-'), ['image-good']);
			assert.equal(fs.readdirSync(dir).filter((name) => name.includes('.corrupt-')).length, 1);
		});
	}

	it('removes what a crash left half-written, and nothing else', () => {
		store.save('image-1', { name: 'nginx' });
		fs.writeFileSync(path.join(dir, 'image-2.json.0123abcd.tmp'), '{"na');
		store.removeTemporary();
		assert.deepEqual(fs.readdirSync(dir), ['image-1.json']);
	});

	it('refuses a key that could leave the folder', () => {
		for (const key of ['../x', 'a/b', '', '.hidden', 'A']) {
			assert.throws(
				() => {
					store.save(key, {});
				},
				(error) => error instanceof EngineError && error.code === 'invalid',
			);
		}
	});

	it('leaves no temporary file behind, and records are for the owner alone', () => {
		store.save('image-1', { name: 'nginx' });
		assert.deepEqual(fs.readdirSync(dir), ['image-1.json']);
		assert.equal(fs.statSync(path.join(dir, 'image-1.json')).mode & 0o777, 0o600);
	});
});
