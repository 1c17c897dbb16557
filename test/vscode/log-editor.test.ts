import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { watchHoldUps } from '../../bench/hold-ups';
import type { Api } from '../../src/extension';
import { environment, extension, tell, until } from './extension';

const run = vscode.commands.executeCommand;

/** How many lines a log has. */
async function countOf(read: () => AsyncIterable<{ readonly data: Buffer }>): Promise<number> {
	let lines = 0;
	for await (const { data } of read()) {
		lines += data.toString().split('\n').length - 1;
	}
	return lines;
}

/** Logs as documents, with the real engine. */
describe('logs in an editor', function () {
	this.timeout(120_000);
	const name = `le-${process.pid}`;
	let api: Api;
	let image: string;

	before(async () => {
		image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		api = await extension().activate();
		await run('mydocker.image.pull', image);
	});

	after(async () => {
		await run('workbench.action.closeAllEditors');
		for (const { Id, Names } of await api.client.containers.list({ all: true })) {
			await (Names[0]?.startsWith(`/${name}`) ? api.client.containers.remove(Id, { force: true }) : undefined);
		}
	});

	const start = async (suffix: string, script: string): Promise<string> => {
		const body = { Image: image, Cmd: ['sh', '-c', script], StopTimeout: 0 };
		const { Id } = await api.client.containers.create(body, { name: `${name}-${suffix}` });
		await api.client.containers.start(Id);
		return Id;
	};
	const shown = (title: string): string =>
		vscode.workspace.textDocuments
			.find(({ uri }) => uri.scheme === 'mydocker-log' && uri.path === `/${title}.log`)
			?.getText() ?? '';

	it('open: is a read-only document in the language of logs, which follows and tells the end', async () => {
		const id = await start('one', 'echo first; echo "$0 ERROR second"; sleep 1; echo last; exit 4');
		await run('mydocker.container.openLogs', id);
		const document = vscode.window.activeTextEditor?.document;
		assert.deepEqual([document?.uri.scheme, document?.languageId], ['mydocker-log', 'log']);
		await until(
			'it has all',
			() => shown(`${name}-one`).includes('last'),
			() => shown(`${name}-one`),
		);
		await until(
			'it tells the end',
			() => /— .*4 —/.test(shown(`${name}-one`)),
			() => shown(`${name}-one`),
		);
		assert.match(shown(`${name}-one`), /^first\n.*second\nlast\n/);
	});

	it('restart: goes on in the same document, no line lost or repeated', async () => {
		await api.client.containers.start(`${name}-one`);
		const text = await until('the second run is there', () => {
			const now = shown(`${name}-one`);
			return [...now.matchAll(/last/g)].length === 2 && /— .*4 —\n$/.test(now) && now;
		});
		assert.deepEqual([...text.matchAll(/^(first|.*second|last)$/gm)].length, 6, text);
	});

	it('timestamps: are turned on in the same document', async () => {
		await run('mydocker.log.timestamps');
		await until('they are there', () => /^\d{4}-\d\d-\d\dT[\d:.]+Z first\n/.test(shown(`${name}-one`)));
	});

	it('JSON: stands on several lines when asked, and as it was written when asked again', async () => {
		await run('mydocker.container.openLogs', await start('json', `echo 'web {"level":"error","n":1}'; sleep 60`));
		const title = `${name}-json`;
		await until('it is there', () => shown(title) === 'web {"level":"error","n":1}\n');
		await run('mydocker.log.json');
		await until('it has several lines', () => shown(title) === 'web {\n  "level": "error",\n  "n": 1\n}\n');
		await run('mydocker.log.json');
		await until('it has one line', () => shown(title) === 'web {"level":"error","n":1}\n');
	});

	it('several containers: are one document by time, with a column of names', async () => {
		const ids = [
			await start('a', 'echo a1; sleep 3; echo a2; sleep 60'),
			await start('bb', 'sleep 0.2; echo b1; sleep 60'),
		];
		await until('both have written', () => api.model.container(ids[1] ?? '')?.state === 'running');
		await new Promise((resolve) => setTimeout(resolve, 500));
		await run('mydocker.container.openLogs', ids[0], ids);
		const text = await until('all is there', () => {
			const now = shown(`${name}-a + ${name}-bb`);
			return /b1/.test(now) && /a2/.test(now) && now;
		});
		assert.equal(text, `${name}-a  │ a1\n${name}-bb │ b1\n${name}-a  │ a2\n`);
	});

	it('300,000 lines: the host is never held up for long, the newest are shown, a file gets all', async function () {
		const id = await start('big', 'seq 1 300000');
		await until('it is over', () => api.model.container(id)?.state === 'exited', undefined, 60_000);
		const holdUps = watchHoldUps();
		const began = Date.now();
		await run('mydocker.container.openLogs', id);
		const title = `${name}-big`;
		await until(
			'the last line is there',
			() => /\n300000\n/.test(shown(title)),
			() => shown(title).slice(-200),
			90_000,
		);
		const seconds = (Date.now() - began) / 1000;
		const { own, withWaits } = holdUps();
		assert.match(shown(title), /^— [\d,]+ earlier lines are left out/);
		const longest = `${own.toFixed(0)} ms, with waits for a processor ${withWaits.toFixed(0)} ms`;
		tell(this, `${seconds.toFixed(1)} s; longest hold-up ${longest}`);

		const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-log-'));
		const real = vscode.window.showSaveDialog;
		try {
			const file = path.join(folder, 'big.log');
			Object.assign(vscode.window, { showSaveDialog: () => Promise.resolve(vscode.Uri.file(file)) });
			await run('mydocker.log.save');
			const saved = fs.readFileSync(file, 'utf8');
			assert.ok(saved.startsWith('1\n2\n') && saved.endsWith('\n300000\n'), `${saved.length}`);
			assert.equal(saved.split('\n').length, 300_001);
		} finally {
			Object.assign(vscode.window, { showSaveDialog: real });
			fs.rmSync(folder, { recursive: true });
		}
	});

	it('300,000 lines: all can be reached in the editor, part after part, none left out', async () => {
		const title = `${name}-big`;
		const head = () => shown(title).slice(0, 200);
		const firstLine = () => Number(/^(?:—.*\n)?(\d+)\n/.exec(shown(title))?.[1]);
		const first = firstLine();
		assert.ok(first > 1);
		await run('mydocker.log.earlier');
		await until('the lines before are there', () => shown(title).endsWith(`\n${first - 1}\n`), head, 60_000);
		assert.equal(shown(title).split('\n').length, first - firstLine() + 2);
		await run('mydocker.log.beginning');
		await until('the beginning is there', () => firstLine() === 1, head, 60_000);
		const next = shown(title).split('\n').length;
		await run('mydocker.log.later');
		await until('the lines after it are there', () => firstLine() === next, head, 60_000);
		await run('mydocker.log.latest');
		await until('the end is there', () => shown(title).includes('\n300000\n'), head, 60_000);
	});

	it('pause: holds the text still, and going on brings what came meanwhile', async () => {
		const id = await start('ticks', 'i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done');
		await run('mydocker.container.openLogs', id);
		const title = `${name}-ticks`;
		await until('it follows', () => shown(title).includes('tick 3\n'));
		await run('mydocker.log.pause');
		const logged = () => countOf(() => api.client.containers.logs(id, {}));
		const isBeyond = (lines: number) => async () => (await logged()) >= lines;
		// What was on its way to the editor arrives.
		const begun = await logged();
		await until('it has written', isBeyond(begun + 20));
		const still = shown(title);
		await until('it has written more', isBeyond(begun + 40));
		assert.equal(shown(title), still);
		await run('mydocker.log.resume');
		await until('it goes on', () => shown(title).includes(`tick ${begun + 40}\n`));
		assert.ok(shown(title).startsWith('tick 1\ntick 2\n'));
	});

	it('doctor: says what the engine is and has', async () => {
		await run('mydocker.engine.copyReport');
		const report = await vscode.env.clipboard.readText();
		assert.match(report, /^good: engine: MyDocker .*\n/);
		assert.match(report, /good: runtime: (runc|crun) /);
	});
});
