import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { FileQueue } from '../../../src/core/container/file-queue';

describe('file queue', () => {
	let folder: string;

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-queue-'));
	});

	afterEach(() => {
		fs.rmSync(folder, { recursive: true });
	});

	it("closed while its files are looked at: closes them once, and nobody else's", async () => {
		const compressed = path.join(folder, 'log.1.gz');
		fs.writeFileSync(compressed, gzipSync('one\n'.repeat(100_000)));
		const queue = new FileQueue();
		queue.addCompressed(compressed);

		const looked = queue.look(async ([file]) => {
			assert.ok(file);
			await queue.ready(file);
			return fs.fstatSync(file.descriptor).size;
		});
		queue.close();
		// With the number of a descriptor that was closed too early, these would be closed once more.
		const others = Array.from({ length: 8 }, (_, index) => fs.openSync(path.join(folder, `other${index}`), 'w'));

		assert.equal(await looked, 400_000);
		for (const [index, other] of others.entries()) {
			assert.equal(fs.fstatSync(other).ino, fs.statSync(path.join(folder, `other${index}`)).ino);
			fs.closeSync(other);
		}
		assert.equal(await queue.read(Buffer.alloc(10)), undefined);
	});
});
