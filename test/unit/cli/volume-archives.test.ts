import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { runVerb } from './verbs';

describe('volume backup, restore and clone', () => {
	let folder: string;

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-volumes-'));
	});

	afterEach(() => {
		fs.rmSync(folder, { recursive: true });
	});

	const backup = { 'GET /mydocker/volumes/data/backup': [200, 'content'] } as const;

	it('backup: to standard output without -o and with -o -', async () => {
		for (const flags of [[], ['-o', '-']]) {
			const { code, stdout } = await runVerb(['volume', 'backup', ...flags, 'data'], backup);
			assert.deepEqual([code, stdout], [0, '"content"']);
		}
	});

	it('backup: to a file, compressed when its name says so', async () => {
		const plain = path.join(folder, 'data.tar');
		await runVerb(['volume', 'backup', 'data', '-o', plain], backup);
		assert.equal(fs.readFileSync(plain, 'utf8'), '"content"');
		for (const name of ['data.tar.gz', 'data.tgz']) {
			const file = path.join(folder, name);
			await runVerb(['volume', 'backup', 'data', '-o', file], backup);
			assert.equal(gunzipSync(fs.readFileSync(file)).toString(), '"content"');
		}
	});

	it('backup that fails: leaves no file', async () => {
		await assert.rejects(runVerb(['volume', 'backup', 'data', '-o', path.join(folder, 'data.tar')]));
		assert.deepEqual(fs.readdirSync(folder), []);
	});

	it('restore: sends the file, and says when it is not there', async () => {
		const file = path.join(folder, 'data.tar');
		fs.writeFileSync(file, '"sent"');
		const { stdout, requests } = await runVerb(['volume', 'restore', '-f', '-i', file, 'data'], {
			'PUT /mydocker/volumes/data/restore?force=1': [200, { Name: 'data' }],
		});
		assert.deepEqual([stdout, requests], ['data\n', [['PUT /mydocker/volumes/data/restore?force=1', 'sent']]]);
		await assert.rejects(runVerb(['volume', 'restore', '-i', path.join(folder, 'nosuch'), 'data']), {
			message: /no such file or directory/,
		});
	});

	it('clone: prints the new name', async () => {
		const { stdout } = await runVerb(['volume', 'clone', 'data', 'copy'], {
			'POST /mydocker/volumes/data/clone?target=copy': [201, { Name: 'copy' }],
		});
		assert.equal(stdout, 'copy\n');
	});
});
