import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Ownership, ownerIsReady } from '../../../src/api/election';

describe('election', () => {
	let root: string;
	beforeEach(() => {
		root = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-election-'));
	});
	afterEach(() => {
		fs.rmSync(root, { recursive: true });
	});

	it('many at once: exactly one owns the store', async () => {
		const all = await Promise.all(Array.from({ length: 20 }, () => Ownership.acquire(root)));
		const owners = all.filter((one) => one !== undefined);
		assert.equal(owners.length, 1);
		owners[0]?.release();
	});

	it('the lock: is a secret that nobody else can read', async () => {
		const owner = await acquire(root);
		assert.equal(fs.statSync(path.join(root, 'lock')).mode & 0o777, 0o600);
		assert.deepEqual(fs.readdirSync(root), ['lock']);
		owner.release();
	});

	it('others: wait until the owner is ready, and are told at once afterwards', async () => {
		const owner = await acquire(root);
		const early = ownerIsReady(root, AbortSignal.timeout(5000));
		setTimeout(() => {
			owner.ready();
		}, 20);
		assert.equal(await early, true);
		assert.equal(await ownerIsReady(root, AbortSignal.timeout(5000)), true);
		owner.release();
	});

	it('others: hear that the owner has gone, and may try', async () => {
		const owner = await acquire(root);
		const waiting = ownerIsReady(root, AbortSignal.timeout(5000));
		setTimeout(() => {
			owner.release();
		}, 20);
		assert.equal(await waiting, false);
		(await acquire(root)).release();
	});

	it('nobody: is noticed', async () => {
		(await acquire(root)).release();
		assert.equal(await ownerIsReady(root, AbortSignal.timeout(5000)), false);
	});

	it('a leaving owner: keeps others waiting until it has gone', async () => {
		const owner = await acquire(root);
		owner.ready();
		owner.leaving();
		await assert.rejects(ownerIsReady(root, AbortSignal.timeout(50)), { name: 'TimeoutError' });
		owner.release();
	});

	it('a damaged lock: is said, not replaced', async () => {
		fs.writeFileSync(path.join(root, 'lock'), 'garbage');
		await assert.rejects(Ownership.acquire(root), /lock is damaged/);
	});
});

async function acquire(root: string): Promise<Ownership> {
	const owner = await Ownership.acquire(root);
	assert.ok(owner);
	return owner;
}
