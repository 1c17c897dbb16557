import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { environment, extension, pressing, shownLog, tell, until } from './extension';

const run = vscode.commands.executeCommand;

/** The main job by its commands, with the real engine, registry and runtime: pull, run, logs, stop, tag, remove. */
describe('main job', function () {
	this.timeout(60_000);
	const name = `job-${process.pid}`;
	let api: Api;
	let image: string;
	let id: string;

	before(async () => {
		image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		api = await extension().activate();
		await run('mydocker.containers.focus');
	});

	after(async () => {
		await api.model.load();
		for (const row of api.model.containers.filter((candidate) => candidate.name.startsWith(name))) {
			await api.client.containers.remove(row.id, { force: true });
		}
	});

	const row = () => api.model.container(id);
	const rows = () =>
		JSON.stringify([api.model.state, String(api.model.failure), api.model.containers, api.model.images]);

	it('pull: the image gets its row', async () => {
		assert.equal(await run('mydocker.image.pull', image), image);
		const found = await until('the image has a row', () => api.model.image(image), rows);
		assert.ok(found.size > 0);
	});

	it('terminals: have a `mydocker` that works on the same store', async () => {
		const { DockerRootDir: root } = await api.client.info();
		const { stdout } = await promisify(execFile)(path.join(root, 'bin', 'mydocker'), ['images'], {
			env: { PATH: '/usr/bin:/bin', MYDOCKER_ROOT: root },
		});
		assert.match(stdout, /demo\/busybox +latest/);
	});

	it('pull of what is not there: says so, and throws nothing', async () => {
		const absent = image.replace('busybox', 'no-such-image');
		assert.equal(await run('mydocker.image.pull', absent), undefined);
		assert.equal(api.model.image(absent), undefined);
	});

	it('run: the container has a running row', async () => {
		const command = [
			'sh',
			'-c',
			'trap "exit 5" TERM; i=0; while true; do i=$((i+1)); echo "line $i of $$"; sleep 0.2; done',
		];
		id = (await run<string | undefined>('mydocker.container.run', image, { name, command })) ?? '';
		const found = await until('it runs', () => (row()?.state === 'running' ? row() : undefined), rows);
		assert.equal(found.name, name);
		assert.equal(found.image, image);
	});

	it('logs: follow in a channel of their own', async () => {
		await run('mydocker.container.logs', id);
		await until('lines arrive', () => shownLog('line 3 of '));
	});

	it('an event: changes the row within 100 ms', async function () {
		const abort = new AbortController();
		const seen = new Map<string, number>();
		const drawn = new Map<string, number>();
		const listen = async (): Promise<void> => {
			// `since`: the first rename may be quicker than this stream.
			const since = String(Math.floor(Date.now() / 1000));
			const filters = { container: [id] };
			for await (const event of api.client.events({ since, filters, signal: abort.signal })) {
				seen.set(event.Actor.Attributes?.['name'] ?? '', Date.now());
			}
		};
		const listening = listen();
		const subscription = api.model.onDidChangeContainer(() => {
			const current = row()?.name ?? '';
			drawn.set(current, drawn.get(current) ?? Date.now());
		});
		// The median, since a busy machine may be slow once.
		const names = Array.from({ length: 7 }, (_, index) => `${name}-${index}`);
		for (const next of names) {
			await api.client.containers.rename(id, next);
			await until('the event and the row are there', () => seen.has(next) && drawn.has(next), rows);
		}
		await api.client.containers.rename(id, name);
		subscription.dispose();
		abort.abort();
		await listening;
		const delays = names.map((next) => (drawn.get(next) ?? Infinity) - (seen.get(next) ?? 0)).sort((x, y) => x - y);
		tell(this, `${delays.join(', ')} ms`);
		assert.ok((delays[3] ?? Infinity) <= 100, delays.join());
	});

	it('stop: the row has the exit code, and the log tells the end', async () => {
		await run('mydocker.container.stop', id);
		await until('the row is true', () => row()?.state === 'exited', rows);
		assert.equal(row()?.exitCode, 5);
		await until('the end is told', () => shownLog('— exited with code 5 —'));
	});

	it('restart: the log goes on where it was, without losing or repeating a line', async () => {
		await run('mydocker.container.start', id);
		const text = await until('it goes on', () => {
			const shown = shownLog('— started again —');
			return shown !== undefined && /line 3 of \d+\n[^]*— started again —\n[^]*line 3 of /.test(shown) && shown;
		});
		const [first = [], second = []] = text
			.split('— started again —')
			.map((part) => [...part.matchAll(/^line (\d+) of/gm)].map((match) => Number(match[1])));
		for (const numbers of [first, second]) {
			assert.deepEqual(
				numbers,
				numbers.map((_, index) => index + 1),
			);
		}
	});

	it('an engine that is killed: the container runs on, the row stays true, the log has every line', async () => {
		const { DockerRootDir: root } = await api.client.info();
		const { pid } = JSON.parse(fs.readFileSync(path.join(root, 'run/engine.json'), 'utf8')) as { pid: number };
		process.kill(pid, 'SIGKILL');
		const before = Number(/line (\d+) of \d+\n(?!.*line)/.exec(shownLog('line ') ?? '')?.[1] ?? 0);
		await until('the log goes on', () => {
			const numbers = [...(shownLog('— started again —') ?? '').matchAll(/^line (\d+) of/gm)].map((match) =>
				Number(match[1]),
			);
			return (numbers.at(-1) ?? 0) > before + 10;
		});
		const part = (shownLog('— started again —') ?? '').split('— started again —').at(-1) ?? '';
		const numbers = [...part.matchAll(/^line (\d+) of/gm)].map((match) => Number(match[1]));
		assert.deepEqual(
			numbers,
			numbers.map((_, index) => index + 1),
		);
		await until('the row is true', () => api.model.state === 'ready' && row()?.state === 'running', rows);
	});

	it('inspect: is a read-only document that follows the container', async () => {
		await run('mydocker.container.inspect', id);
		const document = vscode.window.activeTextEditor?.document;
		assert.equal(document?.uri.scheme, 'mydocker-inspect');
		assert.equal(document.languageId, 'json');
		assert.match(document.getText(), /"Status": "running"/);
		await run('mydocker.container.stop', id);
		await until('it follows', () => document.getText().includes('"Status": "exited"'));
	});

	it('tag: the new name gets a row, the old one stays', async () => {
		const target = `mydocker-test/${name}:two`;
		await run('mydocker.image.tag', image, target);
		const tagged = await until('it has a row', () => api.model.image(target), rows);
		assert.equal(tagged.id, api.model.image(image)?.id);

		const { dialogs } = await pressing('Remove', () => run('mydocker.image.remove', target));
		assert.match(dialogs.join(), /Only this name goes\. The image keeps: .*demo\/busybox:latest/);
		await until('the name is gone', () => api.model.image(target) === undefined, rows);
		assert.ok(api.model.image(image));
	});

	it('remove of an image in use: is refused, and forced only when asked again', async () => {
		const { dialogs } = await pressing('Remove', () => run('mydocker.image.remove', image));
		assert.match(dialogs.at(-1) ?? '', /\(must force\)[^]*Force Remove/);
		assert.ok(api.model.image(image));
	});

	it('remove: asks once, then the row goes', async () => {
		const left = await pressing('Cancel', () => run('mydocker.container.remove', id));
		assert.equal(left.dialogs.length, 1);
		assert.ok(row());

		await run('mydocker.container.start', id);
		await until('it runs', () => row()?.state === 'running', rows);
		const { dialogs } = await pressing('Stop and Remove', () => run('mydocker.container.remove', id));
		assert.equal(dialogs[0]?.split('\n')[0], `Remove container "${name}"?`);
		await until('the row is gone', () => row() === undefined, rows);
	});
});
