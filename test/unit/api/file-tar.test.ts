import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { encodeFile, encodeHead, openFirst } from '../../../src/api/file-tar';

const head = { name: 'ä'.repeat(80), isFolder: false, mode: 0o4750, uid: 3_000_000, gid: 7, mtime: 1_700_000_000_123 };

async function* pieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
	for (let offset = 0; offset < bytes.length; offset += length) {
		yield await Promise.resolve(bytes.subarray(offset, offset + length));
	}
}

async function read(bytes: Buffer, length = 7): Promise<{ head: object; text: string }> {
	const first = await openFirst(pieces(bytes, length));
	const chunks: Buffer[] = [];
	for await (const chunk of first.content) {
		chunks.push(chunk);
	}
	return { head: first.head, text: Buffer.concat(chunks).toString() };
}

describe('tar of one file', () => {
	it('what is written: is read again, however it is cut', async () => {
		const content = Buffer.from('x'.repeat(1000));
		for (const length of [1, 511, 100_000]) {
			const { head: found, text } = await read(encodeFile(head, content), length);
			assert.deepEqual({ ...found, text }, { ...head, size: 1000, text: content.toString() });
		}
	});

	it('what is written: GNU tar reads it', () => {
		const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'file-tar-'));
		try {
			const file = path.join(folder, 'a.tar');
			fs.writeFileSync(file, encodeFile(head, Buffer.from('hello')));
			const options = ['--utc', '--full-time', '--numeric-owner', '-tvf', file];
			const list = execFileSync('tar', options, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
			assert.match(list, /^-rwsr-x--- 3000000\/7 +5 2023-11-14 22:13:20\.123 ä{80}\n$/);
		} finally {
			fs.rmSync(folder, { recursive: true });
		}
	});

	it('what GNU tar writes: is read, with the size of a file of 9 GB', async () => {
		const packed = execFileSync('tar', ['--format=posix', '-cf', '-', 'package.json']);
		const { text } = await read(packed, 1000);
		assert.equal(text, fs.readFileSync('package.json', 'utf8'));
		const { head: large } = await openFirst(pieces(encodeHead({ ...head, size: 9e9 }), 512));
		assert.equal(large.size, 9e9);
	});

	it('what is cut off or no tar: is refused', async () => {
		await assert.rejects(read(encodeFile(head, Buffer.alloc(1000)).subarray(0, 2000)), /ends too early/);
		await assert.rejects(read(Buffer.alloc(0)), /ends too early/);
		await assert.rejects(read(Buffer.from('<html>'.repeat(200))), /it is no tar/);
	});
});
