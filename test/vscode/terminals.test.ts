import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { answering, environment, extension, until } from './extension';

const run = vscode.commands.executeCommand;

/** Terminals in containers, with the real engine and runtime. What they draw is seen in test/ui only. */
describe('terminals of containers', function () {
	this.timeout(60_000);
	let api: Api;
	let id: string;

	before(async () => {
		const image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		api = await extension().activate();
		await run('mydocker.image.pull', image);
		({ Id: id } = await api.client.containers.create({
			...{ Image: image, Cmd: ['sh'], Tty: true, OpenStdin: true },
			HostConfig: { NetworkMode: 'none' },
		}));
		await api.client.containers.start(id);
	});

	after(async () => {
		await api.client.containers.remove(id, { force: true });
	});

	/** Does it, and gives the terminal that comes of it. */
	async function opened(act: () => Thenable<unknown>): Promise<vscode.Terminal> {
		const before = new Set(vscode.window.terminals);
		await act();
		return until('a terminal opens', () => vscode.window.terminals.find((terminal) => !before.has(terminal)));
	}

	async function exists(file: string): Promise<boolean> {
		const exec = await api.client.execs.create(id, { Cmd: ['test', '-e', file], AttachStdout: true });
		for await (const chunk of (await api.client.execs.start(exec, { tty: false })).output) {
			assert.equal(chunk.data.length, 0);
		}
		return (await api.client.execs.inspect(exec)).ExitCode === 0;
	}

	async function untilExists(file: string): Promise<void> {
		const deadline = Date.now() + 20_000;
		while (!(await exists(file))) {
			assert.ok(Date.now() < deadline, `${file} is there in 20 s`);
		}
	}

	it('Open Terminal: a shell that does what is typed, and tells its exit code', async () => {
		const terminal = await opened(() => run('mydocker.container.openTerminal', id));
		terminal.sendText('test -t 0 && touch /tmp/typed');
		await untilExists('/tmp/typed');
		terminal.sendText('exit 5');
		assert.equal((await until('the code', () => terminal.exitStatus)).code, 5);
	});

	it('Open Terminal: closing it ends the shell in the container', async () => {
		const terminal = await opened(() => run('mydocker.container.openTerminal', id));
		terminal.sendText('touch /tmp/second');
		await untilExists('/tmp/second');
		terminal.dispose();
		const deadline = Date.now() + 20_000;
		while (((await api.client.containers.top(id)).Processes ?? []).length > 1) {
			assert.ok(Date.now() < deadline, 'the shell has ended');
		}
	});

	it('Open Terminal As: user, folder and shell are asked for, and kept for the image', async () => {
		const terminal = await opened(() =>
			answering(['12:34', '/tmp', '/bin/ash'], () => run('mydocker.container.openTerminalAs', id)),
		);
		assert.match(terminal.name, / \(12:34\)$/);
		terminal.sendText('test "$(id -u):$(id -g) $PWD" = "12:34 /tmp" && touch as-asked');
		await untilExists('/tmp/as-asked');
		terminal.dispose();
		const second = await opened(() => run('mydocker.container.openTerminal', id));
		assert.match(second.name, / \(12:34\)$/);
		second.dispose();
		const plain = await opened(() => answering(['', '', ''], () => run('mydocker.container.openTerminalAs', id)));
		assert.doesNotMatch(plain.name, /12:34/);
		plain.dispose();
	});

	it('Debug Shell: sees files and processes of a container without a shell, and leaves nothing', async () => {
		const image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		const { containers } = api.client;
		const { Id: bare } = await containers.create({
			...{ Image: image, Cmd: ['/bin/sleep', '600'], Env: ['PATH=/none'], StopTimeout: 0 },
		});
		await containers.start(bare);
		try {
			const terminal = await opened(() => run('mydocker.container.debugShell', bare, image));
			terminal.sendText('grep -q sleep /proc/1/cmdline && touch tmp/seen');
			await until('the file is in the container', async () =>
				(await api.client.containers.changes(bare)).some(({ Path }) => Path === '/tmp/seen'),
			);
			const beside = async () =>
				(await containers.list({ all: true })).filter(({ Labels }) => Labels['com.mydocker.debug'] === bare);
			assert.equal((await beside()).length, 1);
			terminal.dispose();
			await until('it is gone', async () => (await beside()).length === 0);
		} finally {
			await containers.remove(bare, { force: true });
		}
	});

	it('Attach Terminal: types into the container itself', async () => {
		const terminal = await opened(() => run('mydocker.container.attachTerminal', id));
		terminal.sendText('touch /tmp/attached');
		await untilExists('/tmp/attached');
		terminal.dispose();
		assert.equal((await api.client.containers.inspect(id)).State.Running, true);
	});

	it('Pause and Unpause: change the row', async () => {
		await run('mydocker.container.pause', id);
		await until('it is paused', () => api.model.container(id)?.state === 'paused');
		await run('mydocker.container.unpause', id);
		await until('it runs', () => api.model.container(id)?.state === 'running');
	});
});
