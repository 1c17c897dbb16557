import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { EngineError } from '../../../src/core/errors';
import { encodeEntry, endOfArchive, padding, TarReader } from '../../../src/core/image/tar';
import type { TarEntry } from '../../../src/core/image/tar';
import { archive, entryOf, special } from './archives';

interface Read {
	readonly entry: TarEntry;
	readonly body: Buffer;
}

function read(bytes: Buffer, chunk = bytes.length, maxEntries = 1000): Read[] {
	const entries: { entry: TarEntry; body: Buffer }[] = [];
	const reader = new TarReader(
		{
			begin(entry) {
				entries.push({ entry, body: Buffer.alloc(0) });
			},
			data(buffer, start, length) {
				const last = entries[entries.length - 1];
				assert.ok(last && length > 0);
				last.body = Buffer.concat([last.body, buffer.subarray(start, start + length)]);
			},
			end() {
				assert.equal(entries[entries.length - 1]?.body.length, entries[entries.length - 1]?.entry.size);
			},
		},
		maxEntries,
	);
	for (let start = 0; start < bytes.length; start += chunk) {
		reader.write(bytes.subarray(start, start + chunk));
	}
	reader.finish();
	return entries;
}

function refuses(bytes: Buffer, reason: RegExp, code = 'corrupt'): void {
	assert.throws(
		() => read(bytes),
		(error) => error instanceof EngineError && error.code === code && reason.test(error.message),
	);
}

/** One header block, changed by `edit`, its checksum made right. */
function header(edit: (block: Buffer) => void): Buffer {
	const block = Buffer.from(encodeEntry(entryOf({ name: 'a' })));
	edit(block);
	block.fill(' ', 148, 156);
	const sum = block.reduce((total, byte) => total + byte, 0);
	block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
	return block;
}

function pax(...records: readonly string[]): Buffer {
	const body = Buffer.from(
		records
			.map((record) => {
				let length = record.length + 3;
				while (String(length).length + record.length + 2 !== length) {
					length = String(length).length + record.length + 2;
				}
				return `${length} ${record}\n`;
			})
			.join(''),
		'latin1',
	);
	const block = header((bytes) => {
		bytes.write('x', 156);
		bytes.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
	});
	return Buffer.concat([block, body, padding(body.length)]);
}

describe('tar', () => {
	const name = fc
		.uint8Array({ minLength: 1, maxLength: 300 })
		.map((bytes) => Buffer.from(bytes.map((byte) => byte || 1)).toString('latin1'));
	const plain = name.map((text) => `${text}x`); // no slash at the end, which would make it a directory
	const entry: fc.Arbitrary<TarEntry> = fc.record({
		type: fc.constantFrom('file', 'link', 'symlink', 'character', 'directory', 'fifo'),
		name: plain,
		linkName: plain,
		mode: fc.integer({ min: 0, max: 0o7777 }),
		uid: fc.oneof(fc.constantFrom(0, 0o7777777, 0o10000000, 0xffff_fffe), fc.nat()),
		gid: fc.nat(),
		size: fc.nat({ max: 2000 }),
		mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
		mtimeNanoseconds: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
		major: fc.nat({ max: 4095 }),
		minor: fc.nat({ max: 255 }),
		xattrs: fc
			.dictionary(fc.constantFrom('user.a', 'security.capability'), fc.uint8Array({ maxLength: 99 }))
			.map((values) => new Map(Object.entries(values).map(([key, value]) => [key, Buffer.from(value)]))),
	});

	it('what is encoded reads back the same, in chunks of any size', () => {
		fc.assert(
			fc.property(fc.array(entry, { maxLength: 4 }), fc.integer({ min: 1, max: 3000 }), (entries, chunk) => {
				const written = entries.map((item) => ({
					...item,
					size: item.type === 'file' ? item.size : 0,
					linkName: ['link', 'symlink'].includes(item.type) ? item.linkName : '',
					...(item.type === 'character' ? {} : { major: 0, minor: 0 }),
				}));
				const bytes = written.flatMap((item) => [
					encodeEntry(item),
					Buffer.alloc(item.size, 7),
					padding(item.size),
				]);
				const back = read(Buffer.concat([...bytes, endOfArchive()]), chunk);
				assert.deepEqual(
					back.map((item) => item.entry),
					written,
				);
			}),
			{ numRuns: 40 },
		);
	});

	it('reads what tar-stream writes', async () => {
		const packed = pack();
		packed.entry({ name: 'dir', type: 'directory', mode: 0o700, uid: 5 });
		packed.entry({ name: 'dir/ü', mode: 0o644, mtime: new Date(1_700_000_000_000) }, 'body');
		packed.entry({ name: `${'long/'.repeat(60)}file` }, 'x');
		packed.entry({ name: 'link', type: 'symlink', linkname: 'dir/ü' });
		packed.finalize();
		const chunks: Buffer[] = [];
		for await (const chunk of packed) {
			chunks.push(chunk as Buffer);
		}
		const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString();
		assert.deepEqual(
			read(Buffer.concat(chunks)).map((item) => [
				item.entry.type,
				utf8(item.entry.name),
				utf8(item.entry.linkName),
				item.body.toString(),
			]),
			[
				['directory', 'dir', '', ''],
				['file', 'dir/ü', '', 'body'],
				['file', `${'long/'.repeat(60)}file`, '', 'x'],
				['symlink', 'link', 'dir/ü', ''],
			],
		);
	});

	// Written by GNU tar 1.34: tar --sparse --hole-detection=raw --format=… -b1
	const S = '9f8413c7f0264b3cd40a2b08552137d58ab43e0fa33a672f2fffb5c6319ac2f7';
	const G = 'a3a5f1e2aa5f1dbb7471c537a475917774d721245d6ac51c3a411968e72b80da';
	const sparse: [form: string, file: string, sha256: string, base64: string][] = [
		[
			'old GNU',
			'g',
			G,
			'H4sIAAAAAAACA+2WSw7CMAxEw01yhNid2Ok5OAFSJfZ87k/LR0WgLAEhz9t4NIvYmtlknz5PmTHgOmdepy1aUBXuBYsvDkjK2y/cls7H0+6Qc/oZZeWhZdXa8dHx7c3f3KRVQelsl8526Wy/P/Z8OflPJlYXu/8mozKGuP2LDQ3MIWz/iurGHML2P6hbYw5h+0cZjX9AQggJxwX8kC9YABQAAA==',
		],
		[
			'PAX 0.0',
			's',
			S,
			'H4sIAAAAAAACA+2UTQ6CMBCFu+YUnADa0h9ddK0r48YDVC2RKGIYSNDTWwwLbIjGhSSEfptJOnntTF5eo3irm7XRR1NCDOgvYItg7FUtbsUJEYgwTpmUmLXnBDPBUdigEaih0qUdBc0TysPVZhfBTZdgIsgeRtHWk4CKfuNa5/tLcTiDSgKa9DtFmoKplBVIV3CvDChOqHNXp1iQJf0okgOibjY+qMIB8vwIjPDGl/y3nr7nH0tGGQrxlPLvLjcRTvbr9ymYL3nm7fd4PJ458gT/h6ZcAA4AAA==',
		],
		[
			'PAX 0.1',
			's',
			S,
			'H4sIAAAAAAACA+3UsQ7CIBAAUGa+oh/QULhSagdWdTImxg9AJbGxaFNs0vj1UibbxUWNTXnLkbuEQI6DJFvVrbU66cYmFn0FdQTnPjrjSJlgiPEMeJ5T3ucZ5SJFUYd+oLV31bijoHmCLFpt9sTWqrGa2PKhJfQ9wSBeC9fWHKrb8WJlioENKspoaTEfJI2qJY0zBvGCFeAXfteYYhT8E5K4tu1815ZlpQnkrCg+/BG8mf/+ZYzmH4QAFNEpzf/4chNxdl9/mIL5MmVofxAEwRw9AeTYItQADgAA',
		],
		[
			'PAX 1.0',
			's',
			S,
			'H4sIAAAAAAACA+3VMQ7CIBQGYGZO0RNQeH1QO3RVJ2NiPACJJGLaakCTxtNL61K7uKixKd8C+afCy09ZutXt2uiDcT715Ct4oBD7NRivXGSKCJSAec6xywVHJUnSkh+4+at24VPIPAEkq82e+Yt23rBan86uFHSU2iaknIIYpo2uTekpFMPQGV15ezcldIOlJPpzLA3T2/XDW9rKMMBCffodeNP/rNu/9h9kjiThU+r/+HATkVFOpQC6EAX0m2dxY3Vn4hh+/fEW5qu2cfxRFEVz9AB1P1qyABAAAA==',
		],
	];
	for (const [form, file, sha256, base64] of sparse) {
		it(`sparse files: ${form} is expanded to the right bytes`, () => {
			const bytes = zlib.gunzipSync(Buffer.from(base64.trim(), 'base64'));
			for (const chunk of [1, 511, bytes.length]) {
				const [item, ...others] = read(bytes, chunk);
				assert.equal(others.length, 0);
				assert.ok(item?.entry.sparse);
				const content = Buffer.alloc(item.entry.sparse.size);
				let position = 0;
				for (const { offset, length } of item.entry.sparse.fragments) {
					item.body.copy(content, offset, position, position + length);
					position += length;
				}
				assert.deepEqual(
					[item.entry.name.replace('./', ''), createHash('sha256').update(content).digest('hex')],
					[file, sha256],
				);
			}
		});
	}

	it('sparse files: our own encoding reads back', () => {
		const map = {
			size: 10_000,
			fragments: [
				{ offset: 5, length: 3 },
				{ offset: 9000, length: 4 },
			],
		};
		const [item] = read(archive({ name: 's', body: 'abcdefg', sparse: map }));
		assert.deepEqual([item?.entry.sparse, item?.body.toString()], [map, 'abcdefg']);
	});

	it('values of extended attributes stay bytes', () => {
		const value = Buffer.from([1, 0, 0, 2, 0x80, 0xff, 10, 61]);
		const [item] = read(archive({ name: 'a', xattrs: new Map([['security.capability', value]]) }));
		assert.deepEqual(item?.entry.xattrs.get('security.capability'), value);
	});

	it('a long file name is no directory when the part of it in the header ends in a slash', () => {
		const name = `${'d'.repeat(98)}/file`;
		const [file] = read(archive({ name: `x${name}`, body: 'abc' }));
		assert.deepEqual([file?.entry.name, file?.entry.type, file?.body.toString()], [`x${name}`, 'file', 'abc']);
		const cut = header((block) => {
			block.write(`x${name}`.slice(0, 100), 0, 'latin1');
		});
		const [viaPax] = read(Buffer.concat([pax(`path=x${name}`), cut, endOfArchive()]));
		assert.deepEqual([viaPax?.entry.name, viaPax?.entry.type], [`x${name}`, 'file']);
	});

	it('a file name that ends in a slash is a directory, as in archives before ustar', () => {
		const [item] = read(Buffer.concat([header((block) => block.write('d/\0', 0)), endOfArchive()]));
		assert.equal(item?.entry.type, 'directory');
	});

	it('a global PAX header does not change entries', () => {
		const global = pax('path=other');
		global.write('g', 156);
		const fixed = Buffer.concat([
			header((block) => global.copy(block, 0, 0, 148) && block.write('g', 156)),
			global.subarray(512),
		]);
		const [item] = read(Buffer.concat([fixed, archive({ name: 'a' })]));
		assert.equal(item?.entry.name, 'a');
	});

	it('what follows the end is ignored', () => {
		assert.equal(read(Buffer.concat([archive({ name: 'a' }), Buffer.alloc(700, 1)])).length, 1);
	});

	it('the two blocks at the end may be missing', () => {
		assert.equal(read(archive({ name: 'a' }).subarray(0, 512)).length, 1);
	});

	describe('refuses', () => {
		const size = (text: string) => (block: Buffer) => block.write(text, 124, 'latin1');
		it('a wrong checksum', () => {
			const bytes = archive({ name: 'a' });
			bytes[0] = 98;
			refuses(bytes, /checksum/);
		});
		it('an archive that ends inside of a body, a header or metadata', () => {
			const bytes = archive({ name: 'a', body: 'x'.repeat(1000) });
			for (const length of [100, 512 + 10, 512 + 1000]) {
				refuses(bytes.subarray(0, length), /ends in the middle/);
			}
			refuses(pax('path=b'), /ends in the middle/);
			refuses(pax('path=b').subarray(0, 513), /ends in the middle/);
		});
		it('an empty block between entries', () => {
			refuses(Buffer.concat([Buffer.alloc(512), archive({ name: 'a' })]), /empty block/);
		});
		it('negative, enormous and malformed sizes', () => {
			refuses(
				header((block) => block.fill(0xff, 124, 136)),
				/negative size/,
			);
			refuses(
				header((block) => {
					block.fill(0x7f, 125, 136);
					block[124] = 0x80;
				}),
				/out of range/,
			);
			refuses(header(size('12x45678901\0')), /malformed/);
			refuses(Buffer.concat([pax('size=-1'), archive({ name: 'a' })]), /malformed/);
			refuses(Buffer.concat([pax('size=99999999999999999'), archive({ name: 'a' })]), /malformed/);
			refuses(Buffer.concat([pax('size=0x10'), archive({ name: 'a' })]), /malformed/);
		});
		it('owners that chown(2) would not set', () => {
			refuses(Buffer.concat([pax('uid=4294967295'), archive({ name: 'a' })]), /owner/);
			refuses(
				header((block) => block.fill(0xff, 108, 116)),
				/owner/,
			);
		});
		it('NUL in a name', () => {
			refuses(Buffer.concat([pax('path=a\0b'), archive({ name: 'a' })]), /NUL/);
			refuses(Buffer.concat([pax('linkpath=a\0b'), archive({ name: 'a' })]), /NUL/);
		});
		it('malformed PAX records', () => {
			for (const body of [
				'5 a=b\n',
				'99 path=b\n',
				'x path=b\n',
				'-6 a=b\n',
				'6 ab=\n\n',
				'4 ab\n',
				'999999999 a=b\n',
			]) {
				const block = header((bytes) => {
					bytes.write('x', 156);
					bytes.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
				});
				refuses(Buffer.concat([block, Buffer.from(body), padding(body.length), archive({ name: 'a' })]), /PAX/);
			}
		});
		it('metadata of more than a mebibyte', () => {
			refuses(
				header((block) => {
					block.write('L', 156);
					size('10000000000\0')(block);
				}),
				/metadata/,
			);
		});
		it('entry types that cannot be unpacked', () => {
			refuses(
				header((block) => block.write('M', 156)),
				/unknown tar entry type "M"/,
				'unsupported',
			);
		});
		it('more entries than allowed', () => {
			assert.throws(
				() => read(archive({ name: 'a' }, { name: 'b' }, { name: 'c' }), 512, 2),
				/more than 2 entries/,
			);
		});
		it('a directory with content', () => {
			refuses(
				header((block) => {
					block.write('d/\0', 0);
					size('00000000005\0')(block);
				}),
				/has content/,
			);
		});
		it('sparse maps that overlap, run over the end or do not fit the body', () => {
			const bodies: [string, number[]][] = [
				['0,4,2,4', [8]],
				['0,4,9999,4', [8]],
				['0,4', [8]],
				['0,4,5', [8]],
				['a,4', [4]],
				['9007199254740991,9007199254740991', [4]],
			];
			for (const [map, [length = 0]] of bodies) {
				const records = pax('GNU.sparse.size=100', `GNU.sparse.map=${map}`);
				refuses(
					Buffer.concat([records, archive({ name: 's', body: 'x'.repeat(length) })]),
					/sparse|PAX number/,
				);
			}
		});
		it('a sparse map on what is no file', () => {
			refuses(
				Buffer.concat([pax('GNU.sparse.size=1', 'GNU.sparse.map=0,0'), archive(special('symlink', 'a', 'b'))]),
				/no file/,
			);
		});
		it('sparse maps in the body that are malformed, endless or larger than the body', () => {
			const records = pax('GNU.sparse.major=1', 'GNU.sparse.minor=0', 'GNU.sparse.realsize=5');
			const block = (text: string): string => text.padEnd(512, '\0');
			for (const body of [
				block('x\n'),
				block('1'.repeat(512)),
				block('3\n1\n'),
				block('9999999\n'),
				'short',
				block('1\n0\n'),
			]) {
				refuses(Buffer.concat([records, archive({ name: 's', body })]), /sparse|PAX number/);
			}
		});
	});

	it('never does anything with arbitrary bytes but read or refuse them', () => {
		fc.assert(
			fc.property(fc.array(fc.tuple(fc.nat({ max: 511 }), fc.nat({ max: 255 })), { maxLength: 4 }), (edits) => {
				const bytes = Buffer.concat([
					header((block) => {
						for (const [position, byte] of edits) {
							block[position] = byte;
						}
					}),
					Buffer.alloc(2048),
				]);
				try {
					read(bytes);
				} catch (error) {
					assert.ok(error instanceof EngineError, String(error));
				}
			}),
		);
	});
});
