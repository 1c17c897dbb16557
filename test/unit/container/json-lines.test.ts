import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { FRAGMENT, LineEncoder, decodeRecord, type Stream } from '../../../src/core/container/json-lines';

const TIME = 1795535287516314225n;

function encode(input: string | Buffer, isFinal = true, time = TIME, stream: Stream = 'stdout'): string {
	return new LineEncoder().encode(stream, Buffer.from(input), isFinal, Infinity, time).output.toString();
}

function decode(output: string): string {
	return output
		.split('\n')
		.slice(0, -1)
		.map((line) => decodeRecord(line)?.text)
		.join('');
}

/** ASCII with all controls, or anything else that UTF-8 can say. */
const character = fc
	.oneof(fc.nat(0x7f), fc.integer({ min: 0x80, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
	.map((code) => String.fromCodePoint(code));

describe('json-file records', () => {
	// Captured from dockerd 20.10.24.
	it("encoding: has docker's bytes", () => {
		assert.equal(
			encode('err <&>"\\ \t\x1b[1m\n', true, TIME, 'stderr'),
			'{"log":"err \\u003c\\u0026\\u003e\\"\\\\ \\u0009\\u001b[1m\\n","stream":"stderr","time":"2026-11-24T15:48:07.516314225Z"}\n',
		);
	});

	const escapes: readonly (readonly [string, string | readonly number[], string])[] = [
		['a return', 'a\rb\n', 'a\\rb\\n'],
		['backspace and form feed', '\b\f\n', '\\u0008\\u000c\\n'],
		['NUL', '\0\n', '\\u0000\\n'],
		['DEL, which stays', '\x7f\n', '\x7f\\n'],
		['line separators of JavaScript', '\u2028\u2029\u2027\n', '\\u2028\\u2029\u2027\\n'],
		['UTF-8 of two to four bytes', 'é€😀\n', 'é€😀\\n'],
		['a lone byte', [0xff, 0x0a], '\\ufffd\\n'],
		['a cut sequence', [0xe2, 0x82, 0x61, 0x0a], '\\ufffd\\ufffda\\n'],
		['a sequence that is longer than need be', [0xc0, 0x80, 0x0a], '\\ufffd\\ufffd\\n'],
		['half of a surrogate pair', [0xed, 0xa0, 0x80, 0x0a], '\\ufffd\\ufffd\\ufffd\\n'],
		['a number above Unicode', [0xf4, 0x90, 0x80, 0x80, 0x0a], '\\ufffd\\ufffd\\ufffd\\ufffd\\n'],
	];
	for (const [name, input, expected] of escapes) {
		it(`encoding: escapes ${name}`, () => {
			assert.equal(
				encode(typeof input === 'string' ? input : Buffer.from(input)),
				`{"log":"${expected}","stream":"stdout","time":"2026-11-24T15:48:07.516314225Z"}\n`,
			);
		});
	}

	const times: readonly (readonly [bigint, string])[] = [
		[1795535287000000000n, '2026-11-24T15:48:07Z'],
		[1795535287500000000n, '2026-11-24T15:48:07.5Z'],
		[1795535288301371030n, '2026-11-24T15:48:08.30137103Z'],
		[1795535288000000001n, '2026-11-24T15:48:08.000000001Z'],
	];
	for (const [time, text] of times) {
		it(`time: ${text} has no trailing zeros`, () => {
			assert.equal(encode('x\n', true, time), `{"log":"x\\n","stream":"stdout","time":"${text}"}\n`);
		});
	}

	it('time: increases from line to line, over the second, whatever the clock says', () => {
		const encoder = new LineEncoder();
		const first = encoder
			.encode('stdout', Buffer.from('a\nb\n'), false, Infinity, 1795535287999999999n)
			.output.toString();
		const second = encoder.encode('stderr', Buffer.from('c\n'), false, Infinity, 5n).output.toString();
		assert.deepEqual(
			`${first}${second}`.match(/"time":"[^"]*"/g),
			['07.999999999Z', '08Z', '08.000000001Z'].map((end) => `"time":"2026-11-24T15:48:${end}"`),
		);
	});

	it('a line of 40000 bytes: becomes 16384 + 16384 + 7233 with the time of the first', () => {
		const output = encode(`${'x'.repeat(40_000)}\nnext\n`);
		const records = output
			.split('\n')
			.slice(0, -1)
			.map((line) => decodeRecord(line));
		assert.deepEqual(
			records.map((record) => [record?.text.length, record?.time]),
			[
				[16384, TIME],
				[16384, TIME],
				[7233, TIME],
				[5, TIME + 1n],
			],
		);
	});

	it('a fragment: does not cut a character', () => {
		const line = `${'x'.repeat(FRAGMENT - 1)}€${'y'.repeat(10)}\n`;
		const records = encode(line)
			.split('\n')
			.slice(0, -1)
			.map((record) => decodeRecord(record)?.text);
		assert.deepEqual(records, ['x'.repeat(FRAGMENT - 1), `€${'y'.repeat(10)}\n`]);
	});

	it('an unfinished line: waits for its end, and is a record without newline when nothing follows', () => {
		const encoder = new LineEncoder();
		const waiting = encoder.encode('stdout', Buffer.from('whole\nno newline'), false, Infinity, TIME);
		assert.equal(waiting.consumed, 6);
		const final = encoder.encode('stdout', Buffer.from('no newline'), true, Infinity, TIME);
		assert.deepEqual(
			[final.consumed, final.output.toString()],
			[10, '{"log":"no newline","stream":"stdout","time":"2026-11-24T15:48:07.516314226Z"}\n'],
		);
	});

	it('a budget: is overstepped by at most one record', () => {
		const encoder = new LineEncoder();
		const line = encode('abc\n').length;
		const { consumed, output } = encoder.encode(
			'stdout',
			Buffer.from('abc\n'.repeat(9)),
			false,
			2 * line + 1,
			TIME,
		);
		assert.deepEqual([consumed, output.length], [12, 3 * line]);
	});

	it('state: survives JSON, so that another encoder goes on with the time of an open line', () => {
		const [first, second] = [new LineEncoder(), new LineEncoder()];
		first.encode('stdout', Buffer.from('x'.repeat(FRAGMENT)), false, Infinity, TIME);
		second.restore(JSON.parse(JSON.stringify(first.state)) as typeof first.state);
		const output = second.encode('stdout', Buffer.from('end\nnext\n'), false, Infinity, 5n).output.toString();
		assert.deepEqual(
			output
				.split('\n')
				.slice(0, -1)
				.map((line) => decodeRecord(line)?.time),
			[TIME, TIME + 1n],
		);
	});

	it('any text: decodes to what was encoded, however it was cut', () => {
		fc.assert(
			fc.property(
				fc.array(character, { maxLength: 300 }),
				fc.array(fc.nat(40), { maxLength: 30 }),
				(characters, cuts) => {
					const input = Buffer.from(characters.join(''));
					const encoder = new LineEncoder();
					let output = '';
					let from = 0;
					let to = 0;
					for (const cut of cuts) {
						to = Math.min(input.length, to + cut);
						const encoded = encoder.encode('stdout', input.subarray(from, to), false, Infinity);
						output += encoded.output.toString();
						from += encoded.consumed;
					}
					output += encoder.encode('stdout', input.subarray(from), true, Infinity).output.toString();
					assert.equal(decode(output), input.toString());
				},
			),
		);
	});

	it('any bytes: make JSON that says what Node reads in them', () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
				for (const line of encode(Buffer.from(bytes)).split('\n').slice(0, -1)) {
					assert.equal(JSON.stringify(JSON.parse(line)).length > 0, true);
				}
			}),
		);
	});

	it("decoding: takes the seed's records", () => {
		assert.deepEqual(decodeRecord('{"timestamp":"2026-11-24T16:48:07.5+01:00","message":"hello"}'), {
			time: 1795535287500000000n,
			stream: 'stdout',
			text: 'hello\n',
		});
	});

	for (const line of [
		'',
		'x',
		'{}',
		'[]',
		'null',
		'{"log":"a"}',
		'{"log":1,"time":"2026-11-24T15:48:07Z"}',
		'{"log":"a","time":"soon"}',
	]) {
		it(`decoding: ignores ${JSON.stringify(line)}`, () => {
			assert.equal(decodeRecord(line), undefined);
		});
	}
});
