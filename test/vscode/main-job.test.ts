import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
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

	it('stop: changes the row within 100 ms of the event, and the log tells the end', async function () {
		const abort = new AbortController();
		const seen = new Promise<number>((resolve, reject) => {
			const listen = async () => {
				for await (const event of api.client.events({ signal: abort.signal, filters: { container: [id] } })) {
					if (event.Action === 'die') {
						resolve(Date.now());
					}
				}
			};
			listen().catch(reject);
		});
		const changed = new Promise<number>((resolve) => {
			const subscription = api.model.onDidChangeContainer(() => {
				if (row()?.state === 'exited') {
					subscription.dispose();
					resolve(Date.now());
				}
			});
		});
		await run('mydocker.container.stop', id);
		const delay = (await changed) - (await seen);
		abort.abort();
		tell(this, `${delay} ms`);
		assert.ok(delay <= 100, `${delay} ms`);
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
