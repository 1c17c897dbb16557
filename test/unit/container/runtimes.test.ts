import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseRuntimeName } from '../../../src/core/container/runtime';
import { Runtimes } from '../../../src/core/container/runtimes';

describe('runtimes', () => {
	let folder: string;
	let bin: string;
	const searched = process.env['PATH'];

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-runtimes-'));
		bin = path.join(folder, 'bin');
		fs.mkdirSync(bin);
		process.env['PATH'] = `${bin}:/usr/bin:/bin`;
		// Not the machine's own.
		install('crun', false);
	});

	afterEach(() => {
		process.env['PATH'] = searched;
		fs.rmSync(folder, { recursive: true, force: true });
	});

	/** A program that notes each call in `<name>.calls`; `works` decides how a run ends, or whether there is such a file. */
	function install(name: string, works: boolean | string): void {
		const run = `${typeof works === 'string' ? `test -e '${works}'` : String(works)} || { echo "not here" >&2; exit 1; }`;
		const script = [
			'#!/bin/sh',
			`echo "$*" >>'${path.join(folder, `${name}.calls`)}'`,
			`case "$*" in --version) echo '${name} version 9.8.7' ;; *) ${run} ;; esac`,
		];
		fs.writeFileSync(path.join(bin, name), `${script.join('\n')}\n`, { mode: 0o755 });
	}

	function runs(name: string): number {
		const file = path.join(folder, `${name}.calls`);
		const calls = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
		return calls.split('\n').filter((call) => call.includes(' run ')).length;
	}

	const open = (wanted?: 'runc' | 'crun' | 'youki') => new Runtimes(path.join(folder, 'run'), wanted);

	it('one that is found and does not work: the next is taken', async () => {
		install('runc', false);
		install('crun', true);
		assert.deepEqual(await open().info(), { name: 'crun', path: path.join(bin, 'crun'), version: '9.8.7' });
	});

	it('crun is taken before runc, but for what needs its control groups, and where no terminal can be received', async () => {
		install('runc', true);
		install('crun', true);
		assert.equal((await open().info()).name, 'crun');
		assert.equal(await open().nameFor(undefined), 'crun');
		assert.equal(await open().nameFor(undefined, { keep: true }), 'runc');
		assert.equal(await open('crun').nameFor(undefined, { keep: true }), 'crun');
		assert.equal(await open().nameFor('crun', { keep: true }), 'crun');
		// Without perl.
		process.env['PATH'] = bin;
		assert.equal((await open().info()).name, 'runc');
	});

	it('runc failed once: each engine tries it once more for what needs its control groups', async () => {
		const mended = path.join(folder, 'mended');
		install('crun', true);
		install('runc', mended);
		const broken = open();
		for (const keep of [true, true, true]) {
			assert.equal(await broken.nameFor(undefined, { keep }), 'crun');
		}
		assert.equal(runs('runc'), 2);
		fs.writeFileSync(mended, '');
		assert.equal(await open().nameFor(undefined, { keep: true }), 'runc');
	});

	it('each is tried once for all engines, until the program changes', async () => {
		install('runc', true);
		await open().info();
		await open().info();
		assert.equal(runs('runc'), 1);
		install('runc', true);
		fs.utimesSync(path.join(bin, 'runc'), 1, 1);
		await open().info();
		assert.equal(runs('runc'), 2);
	});

	it('an answer file that was cut off: they are tried again', async () => {
		install('runc', true);
		await open().info();
		fs.writeFileSync(path.join(folder, 'run', 'runtimes.json'), '{"runc":{"key":"');
		assert.equal((await open().info()).name, 'runc');
		assert.equal(runs('runc'), 2);
	});

	it('the one wanted does not work: no other takes its place, and the reason is told', async () => {
		install('runc', true);
		install('crun', false);
		await assert.rejects(open('crun').info(), {
			code: 'unsupported',
			message: `Cannot run containers with "crun": "${path.join(bin, 'crun')}" is installed but does not work here: not here`,
		});
	});

	it('one that was mended meanwhile: works at the next call', async () => {
		install('crun', false);
		const runtimes = open('crun');
		await assert.rejects(runtimes.info());
		install('crun', true);
		assert.equal((await runtimes.info()).name, 'crun');
	});

	it('a container that runs: stays with its runtime when another becomes the default', async () => {
		install('runc', true);
		install('youki', true);
		fs.mkdirSync(path.join(folder, 'run', 'youki', 'abc'), { recursive: true });
		const runtimes = open();
		assert.equal((await runtimes.execCommand('abc', { folder: '/x', tty: false }))[0], path.join(bin, 'youki'));
		assert.equal((await runtimes.execCommand('def', { folder: '/x', tty: false }))[0], path.join(bin, 'runc'));
	});

	it('names: docker’s alias is known, anything else is refused in docker’s words', () => {
		assert.equal(parseRuntimeName('io.containerd.runc.v2'), 'runc');
		assert.throws(() => parseRuntimeName('kata'), { code: 'invalid', message: 'Unknown runtime specified kata' });
	});
});
