import assert from 'node:assert/strict';
import { LogLines } from '../../../src/api/log-lines';

describe('log lines', () => {
	const lines = () => new LogLines((missing) => `…${missing}`);
	const chunk = (text: string | Buffer, stream: 'stdout' | 'stderr' = 'stdout') => ({
		stream,
		data: Buffer.from(text),
	});
	const at = (second: number, text: string) => `2026-11-24T10:00:0${second}.000000000Z ${text}\n`;

	it('complete lines: lose their timestamp and colours', () => {
		assert.equal(lines().push(chunk(at(1, '\x1b[31mred\x1b[0m\tplain\x07\r') + at(2, ''))), 'red\tplain\n\n');
	});

	it('a line over several chunks: comes when it ends, whole letters only', () => {
		const log = lines();
		const bytes = Buffer.from(at(1, 'grün'));
		assert.deepEqual(
			[bytes.subarray(0, 34), bytes.subarray(34)].map((part) => log.push(chunk(part))),
			['', 'grün\n'],
		);
	});

	it('two streams: their unfinished lines do not mix', () => {
		const log = lines();
		const [head, tail] = [at(1, 'out').slice(0, 33), at(1, 'out').slice(33)];
		assert.deepEqual(
			[log.push(chunk(head)), log.push(chunk(at(2, 'err'), 'stderr')), log.push(chunk(tail))],
			['', 'err\n', 'out\n'],
		);
	});

	it('a last line without newline: comes at the end', () => {
		const log = lines();
		assert.deepEqual([log.push(chunk(at(1, 'bye').slice(0, -1))), log.end(), log.end()], ['', 'bye\n', '']);
		assert.equal(log.position, '2026-11-24T10:00:01.000000000Z');
	});

	it('a carriage return: leaves what a terminal would show', () => {
		assert.equal(lines().push(chunk(at(1, '10 %\r50 %\r100 %'))), '100 %\n');
	});

	it('a second stream from the position: repeats and loses no line, also when several have one time', () => {
		const log = lines();
		log.push(chunk(at(1, 'a') + at(2, 'b') + at(2, 'c') + at(3, 'half').slice(0, 33)));
		assert.equal(log.position, '2026-11-24T10:00:02.000000000Z');
		log.resume();
		assert.equal(log.push(chunk(at(2, 'b') + at(2, 'c') + at(2, 'd') + at(3, 'half'))), 'd\nhalf\n');
		log.resume();
		assert.equal(log.push(chunk(at(3, 'half') + at(4, 'e'))), 'e\n');
	});

	it('a second stream that begins earlier than asked: its old lines are left out', () => {
		const log = lines();
		log.push(chunk(at(1, 'a') + at(2, 'b')));
		log.resume();
		assert.equal(log.push(chunk(at(1, 'a') + at(2, 'b') + at(3, 'c'))), 'c\n');
	});

	it('lines without timestamp: are shown as they are', () => {
		assert.equal(lines().push(chunk('plain\n')), 'plain\n');
	});

	it('a very long line: is cut, and tells how much is missing', () => {
		assert.equal(lines().push(chunk(at(1, 'x'.repeat(10_005)))), `${'x'.repeat(10_000)}…5\n`);
	});

	it('a line that never ends: does not fill the memory', () => {
		const log = lines();
		for (let count = 0; count < 1000; count++) {
			assert.equal(log.push(chunk('x'.repeat(1000))), '');
		}
		assert.equal(log.end(), `${'x'.repeat(10_000)}…990000\n`);
	});
});
