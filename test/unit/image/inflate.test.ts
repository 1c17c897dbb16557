import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import { EngineError } from '../../../src/core/errors';
import { compressionOf, inflate, type InflateOptions } from '../../../src/core/image/inflate';
import { worksAhead } from '../../../src/core/image/zlib-handle';
import { pieces } from './archives';

async function inflated(bytes: Buffer, size?: number, options?: InflateOptions): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of inflate(pieces(bytes, size), options)) {
		chunks.push(Buffer.from(chunk));
	}
	return Buffer.concat(chunks);
}

/** True two times of three, in no step with anything. */
function sometimes(): () => boolean {
	let asked = 0;
	return () => asked++ % 3 !== 0;
}

const content = Buffer.concat([Buffer.alloc(270_000, 'text '), randomBytes(30_000), Buffer.alloc(30_000)]);

describe('inflate', () => {
	it('tells the compression by the first bytes', () => {
		assert.deepEqual(
			['1f8b0800', '28b52ffd', '5a2a4d18', 'fd377a585a00', '425a6839', '7573746172', ''].map((hex) =>
				compressionOf(Buffer.from(hex, 'hex')),
			),
			['gzip', 'zstd', 'zstd', 'xz', 'bzip2', 'none', 'none'],
		);
	});

	it('passes on what is not compressed', async () => {
		assert.deepEqual(await inflated(content, 1000), content);
		assert.deepEqual(await inflated(Buffer.alloc(0), 1), Buffer.alloc(0));
		assert.deepEqual(await inflated(Buffer.from('abc'), 1), Buffer.from('abc'));
	});

	it('a thread of Node’s pool decompresses as this one does', async () => {
		assert.equal(await worksAhead(), true);
	});

	const ways: readonly (InflateOptions & { readonly title: string })[] = [
		{ title: 'of gzip' },
		{ title: 'of content whose digest is compared', isVerified: true },
		{ title: 'ahead of the reader', isVerified: true, hasIdleCore: () => true },
		{ title: 'ahead of the reader now and then', isVerified: true, hasIdleCore: sometimes() },
	];
	for (const { title, ...options } of ways) {
		describe(title, () => {
			it('reads gzip in chunks of any size, also where output fills a buffer exactly', async () => {
				const exact = Buffer.alloc(2 * 256 * 1024, 'x');
				for (const bytes of [content, exact]) {
					const zipped = zlib.gzipSync(bytes);
					for (const size of [997, 65_536, zipped.length]) {
						assert.ok((await inflated(zipped, size, options)).equals(bytes));
					}
				}
				assert.deepEqual(await inflated(zlib.gzipSync('short'), 1, options), Buffer.from('short'));
			});

			it('reads all members of a gzip stream, wherever chunks end', async () => {
				const members = ['a', '', 'bc', 'd'.repeat(5000)].map((text) => zlib.gzipSync(text));
				const expected = `abc${'d'.repeat(5000)}`;
				for (let size = 1; size < 80; size++) {
					assert.equal((await inflated(Buffer.concat(members), size, options)).toString(), expected);
				}
			});

			it('zeros after the end are padding, anything else is damage', async () => {
				const padded = Buffer.concat([zlib.gzipSync('a'), Buffer.alloc(2000)]);
				assert.equal((await inflated(padded, 7, options)).toString(), 'a');
				const dirty = Buffer.concat([zlib.gzipSync('a'), Buffer.from('garbage')]);
				await assert.rejects(inflated(dirty, undefined, options), {
					code: 'corrupt',
					message: /compression is damaged/,
				});
			});

			it('damage in the middle is an error', async () => {
				const zipped = zlib.gzipSync(content);
				zipped.fill(0xff, 10, 40);
				await assert.rejects(inflated(zipped, 1000, options), {
					code: 'corrupt',
					message: /compression is damaged/,
				});
			});
		});
	}

	it('the checksum of a gzip member is looked at unless the content has a digest', async () => {
		const zipped = zlib.gzipSync('abc');
		zipped.writeUInt32LE(0, zipped.length - 8);
		await assert.rejects(inflated(zipped), { code: 'corrupt', message: /incorrect data check/ });
		assert.equal((await inflated(zipped, 3, { isVerified: true })).toString(), 'abc');
	});

	it('all fields that the header of a gzip member may have are passed over', async () => {
		const [zipped, isVerified] = [zlib.gzipSync('abc'), true];
		const fields = Buffer.from('\x04\0NULLname\0comment\0CC', 'latin1');
		const full = Buffer.concat([zipped.subarray(0, 10), fields, zipped.subarray(10)]);
		full[3] = 2 + 4 + 8 + 16;
		for (let size = 1; size < 40; size++) {
			assert.equal((await inflated(Buffer.concat([zipped, full]), size, { isVerified })).toString(), 'abcabc');
		}
		full[3] = 0x20;
		await assert.rejects(inflated(full, 9, { isVerified }), { code: 'corrupt', message: /unknown header flags/ });
	});

	it('the header of a gzip member that does not end is damage, and takes no memory', async () => {
		const endless = Buffer.concat([Buffer.from('1f8b0808', 'hex'), Buffer.alloc(200_000, 'x')]);
		await assert.rejects(inflated(endless, 1000, { isVerified: true }), { code: 'corrupt', message: /too long/ });
	});

	it('an error of the source passes through', async () => {
		async function* broken(): AsyncGenerator<Buffer> {
			yield await Promise.resolve(zlib.gzipSync('a').subarray(0, 10));
			throw new Error('line cut');
		}
		await assert.rejects(async () => {
			for await (const chunk of inflate(broken())) {
				assert.fail(String(chunk));
			}
		}, /line cut/);
	});

	it('compressions that no layer may have are named', async () => {
		await assert.rejects(inflated(Buffer.from('fd377a585a000000', 'hex')), { code: 'unsupported', message: /xz/ });
	});

	it('reads all frames of a zstd stream, or says which Node can', async () => {
		const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer };
		if (!zstdCompressSync) {
			await assert.rejects(
				inflated(Buffer.from('28b52ffd0000', 'hex')),
				(error) => error instanceof EngineError && error.code === 'unsupported' && /22\.15/.test(error.message),
			);
			return;
		}
		const skippable = Buffer.concat([Buffer.from('5a2a4d1803000000', 'hex'), Buffer.from('abc')]);
		const half = content.length / 2;
		const frames = [
			skippable,
			zstdCompressSync(content.subarray(0, half)),
			skippable,
			zstdCompressSync(content.subarray(half)),
		];
		for (const size of [1009, 65_536]) {
			assert.ok((await inflated(Buffer.concat(frames), size)).equals(content));
		}
		const exact = Buffer.alloc(256 * 1024, 'y');
		assert.ok((await inflated(zstdCompressSync(exact), 5)).equals(exact));
	});
});
