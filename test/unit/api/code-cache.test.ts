import * as assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { codeCacheFolder } from '../../../src/api/code-cache';
import { repository } from '../../engine/workspace';

describe('compiled code kept between runs', () => {
	let home: string;
	beforeEach(() => {
		home = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-cache-'));
	});
	afterEach(() => {
		fs.rmSync(home, { recursive: true });
	});

	const cache = (): string => path.join(home, 'mydocker');

	it("is in a folder of the user's cache that nobody else may write in, made when missing", () => {
		assert.equal(codeCacheFolder({ XDG_CACHE_HOME: home }), cache());
		assert.equal(fs.statSync(cache()).mode & 0o777, 0o700);
		fs.chmodSync(cache(), 0o770);
		assert.equal(codeCacheFolder({ XDG_CACHE_HOME: home }), undefined);
	});

	it("a folder that others may write in, a link, a file, another user's: there is no cache", () => {
		fs.symlinkSync(os.tmpdir(), cache());
		assert.equal(codeCacheFolder({ XDG_CACHE_HOME: home }), undefined);
		fs.rmSync(cache());
		fs.writeFileSync(cache(), '');
		assert.equal(codeCacheFolder({ XDG_CACHE_HOME: home }), undefined);
		assert.equal(codeCacheFolder({ XDG_CACHE_HOME: os.tmpdir() }), undefined);
		assert.equal(codeCacheFolder({ XDG_CACHE_HOME: path.join(home, 'no', 'such') }), undefined);
		assert.equal(codeCacheFolder({ XDG_CACHE_HOME: '/proc/self' }), undefined);
	});

	it('the command line: uses it, and does its work with one that is damaged, of another text or not to be had', () => {
		const first = version(home);
		const files = entries(cache());
		assert.equal(version(home), first);
		assert.equal(files.length > 0, hasCompileCache, 'a cache was written');
		for (const damage of [flip, truncate, replace]) {
			for (const file of files) {
				damage(file);
			}
			assert.equal(version(home), first, damage.name);
		}
		fs.rmSync(cache(), { recursive: true, force: true });
		fs.writeFileSync(cache(), '');
		assert.equal(version(home), first);
	});
});

const hasCompileCache = Number(process.versions.node.split('.')[0]) >= 22;

function version(home: string): string {
	const { status, stdout, stderr } = spawnSync(
		process.execPath,
		[path.join(repository, 'dist', 'cli.js'), '--version'],
		{ env: { PATH: process.env['PATH'], XDG_CACHE_HOME: home }, encoding: 'utf8' },
	);
	assert.deepEqual([status, stderr], [0, '']);
	assert.match(stdout, /^MyDocker version /);
	return stdout;
}

/** None where Node keeps no code, so that nobody has made the folder. */
function entries(folder: string): string[] {
	if (!hasCompileCache) {
		return [];
	}
	return fs
		.readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.join(entry.parentPath, entry.name));
}

function flip(file: string): void {
	const bytes = fs.readFileSync(file);
	for (let at = 64; at < bytes.length; at += 97) {
		bytes[at] = (bytes[at] ?? 0) ^ 0xff;
	}
	fs.writeFileSync(file, bytes);
}

function truncate(file: string): void {
	fs.truncateSync(file, Math.floor(fs.statSync(file).size / 2));
}

function replace(file: string): void {
	fs.writeFileSync(file, 'x'.repeat(10_000));
}
