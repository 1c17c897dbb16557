import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { demultiplex, frame, jsonMessages, rawOutput } from '../../../src/api/stream';
import type { OutputChunk } from '../../../src/api/stream';

const chunks = fc.array(
	fc.record({
		stream: fc.constantFrom<OutputChunk['stream']>('stdout', 'stderr'),
		data: fc.uint8Array({ minLength: 1, maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
	}),
	{ maxLength: 10 },
);

describe('frames', () => {
	it('header: stream, three zeros, length big-endian', () => {
		assert.deepEqual([...frame('stdout', Buffer.from('hi'))], [1, 0, 0, 0, 0, 0, 0, 2, 104, 105]);
		assert.deepEqual([...frame('stderr', Buffer.alloc(258)).subarray(0, 8)], [2, 0, 0, 0, 0, 0, 1, 2]);
	});

	it('round trip: any chunks come back, wherever the network cuts', async () => {
		await fc.assert(
			fc.asyncProperty(chunks, fc.integer({ min: 1, max: 20 }), async (sent, size) => {
				const bytes = Buffer.concat(sent.map(({ stream, data }) => frame(stream, data)));
				const received = await collect(demultiplex(pieces(bytes, size)));
				assert.deepEqual(joined(received), joined(sent));
			}),
		);
	});

	it('an empty frame: is nothing', async () => {
		const bytes = Buffer.concat([frame('stderr', Buffer.alloc(0)), frame('stdout', Buffer.from('x'))]);
		assert.deepEqual(joined(await collect(demultiplex(pieces(bytes, 3)))), [['stdout', 'x']]);
	});

	it('type 0: counts as stdout', async () => {
		const bytes = Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 120]);
		assert.deepEqual(joined(await collect(demultiplex(pieces(bytes, 9)))), [['stdout', 'x']]);
	});

	it('type 3: the error of the engine is thrown', async () => {
		const bytes = Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 4]), Buffer.from('oops')]);
		await assert.rejects(collect(demultiplex(pieces(bytes, 5))), /oops/);
	});

	it('bytes that are no header: are refused', async () => {
		await assert.rejects(collect(demultiplex(pieces(Buffer.from('plain text'), 4))), /not a frame header/);
	});

	it('an end inside header or data: throws', async () => {
		const whole = frame('stdout', Buffer.from('hello'));
		for (const length of [3, 8, 10]) {
			await assert.rejects(collect(demultiplex(pieces(whole.subarray(0, length), 100))), /inside a frame/);
		}
	});

	it("a terminal's output: is all stdout", async () => {
		assert.deepEqual(joined(await collect(rawOutput(pieces(Buffer.from('a\r\nb'), 2)))), [['stdout', 'a\r\nb']]);
	});
});

describe('JSON messages', () => {
	it('round trip: one a line, wherever the network cuts, with any line ends', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.jsonValue()),
				fc.integer({ min: 1, max: 9 }),
				fc.constantFrom('\n', '\r\n', '\n\n'),
				async (values, size, end) => {
					const text = values.map((value) => JSON.stringify(value)).join(end);
					assert.deepEqual(
						await collect(jsonMessages(pieces(Buffer.from(text), size))),
						JSON.parse(JSON.stringify(values)),
					);
				},
			),
		);
	});

	it('a line that is not JSON: throws', async () => {
		await assert.rejects(collect(jsonMessages(pieces(Buffer.from('{"a":1}\n<html>\n'), 100))), SyntaxError);
	});

	it('a line without end: is not kept for ever', async () => {
		async function* endless(): AsyncGenerator<Buffer, void> {
			for (;;) {
				yield await Promise.resolve(Buffer.alloc(1024 * 1024, 'a'));
			}
		}
		await assert.rejects(collect(jsonMessages(endless())), /longer than/);
	});
});

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer, void> {
	for (let at = 0; at < bytes.length; at += size) {
		yield await Promise.resolve(bytes.subarray(at, at + size));
	}
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const one of source) {
		all.push(one);
	}
	return all;
}

/** Neighbouring pieces of one stream as one. */
function joined(all: readonly OutputChunk[]): [string, string][] {
	const result: [string, string][] = [];
	for (const { stream, data } of all) {
		const last = result.at(-1);
		if (last?.[0] === stream) {
			last[1] += data.toString('latin1');
		} else {
			result.push([stream, data.toString('latin1')]);
		}
	}
	return result;
}
