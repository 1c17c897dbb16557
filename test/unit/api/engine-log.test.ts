import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EngineLog } from '../../../src/api/engine-log';

describe("the engine's log", () => {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-engine-log-'));
	const file = path.join(folder, 'engine.log');
	after(() => {
		fs.rmSync(folder, { recursive: true });
	});

	/** Five of them are more than a log may hold. */
	const long = 'x'.repeat(1024 * 1024);
	const openFiles = () => fs.readdirSync('/proc/self/fd').length;

	it('one that cannot be turned: goes on in the same file, with every line and no file left open', () => {
		const log = new EngineLog(file);
		fs.mkdirSync(`${file}.1`);
		fs.writeFileSync(`${file}.1/in-the-way`, '');
		const before = openFiles();
		for (let line = 0; line < 6; line++) {
			log.write(`${line} ${long}`);
		}
		log.write('the last');
		const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
		assert.deepEqual(
			lines.map((line) => line.split(' ')[1]),
			['0', '1', '2', '3', '4', '5', 'the'],
		);
		assert.equal(openFiles(), before);
	});

	it('it is turned as soon as it can be', () => {
		fs.rmSync(`${file}.1`, { recursive: true });
		const log = new EngineLog(file);
		log.write('goes with the old ones');
		log.write('is the first of the new one');
		assert.match(fs.readFileSync(`${file}.1`, 'utf8'), /goes with the old ones\n$/);
		assert.match(fs.readFileSync(file, 'utf8'), /^\S+ is the first of the new one\n$/);
	});
});
