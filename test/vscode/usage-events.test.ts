import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Api } from '../../src/extension';
import { containerSource } from '../../src/ui/container-rows';
import { DiskUsageRows } from '../../src/ui/disk-usage';
import { EventRows } from '../../src/ui/events';
import { Notices } from '../../src/ui/notices';
import { RowUsage } from '../../src/ui/row-usage';
import { Scope } from '../../src/ui/scope';
import { environment, extension, until } from './extension';

/** What the views of usage and events draw, with the real engine. */
describe('usage and events', function () {
	this.timeout(60_000);
	const name = `usage-${process.pid}`;
	let api: Api;
	let id: string;
	let log: vscode.LogOutputChannel;

	before(async () => {
		api = await extension().activate();
		const image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		await vscode.commands.executeCommand('mydocker.image.pull', image);
		const { Id } = await api.client.containers.create(
			{ Image: image, Cmd: ['sleep', '600'], StopTimeout: 0 },
			{ name },
		);
		id = Id;
		await api.client.containers.start(id);
		await until('it has a row', () => api.model.container(name)?.state === 'running');
		log = vscode.window.createOutputChannel('usage and events', { log: true });
	});
	after(async () => {
		await api.client.containers.remove(id, { force: true });
		log.dispose();
	});

	it('disk usage: a row a kind, and below it the things, in words', async () => {
		const rows = new DiskUsageRows(api.client, api.model, log);
		const { source } = rows;
		await source.load();
		const kinds = ['image', 'container', 'volume', 'build-cache', 'other'];
		assert.deepEqual(
			source.keys(),
			kinds.map((kind) => `usage ${kind}`),
		);
		assert.match(source.draw('usage container').description, /^[\d.]+ [kM]?B · \d+ of \d+ running/);
		const below = source.keys('usage container').find((key) => key.endsWith(id)) ?? '';
		assert.deepEqual([source.draw(below).label, source.parent?.(below)], [name, 'usage container']);
		assert.match(source.draw(below).spoken, new RegExp(`^${name}: [\\d.]+ [kM]?B, running$`));
		assert.match(rows.total, /can be freed$/);
		rows.dispose();
	});

	it('events: those from before somebody looked and those that come, newest first', async () => {
		const rows = new EventRows(api.client, api.model, log);
		const { source } = rows;
		rows.choose({ text: name });
		await source.load();
		const words = (): string[] => source.keys().map((key) => source.draw(key).description.replace(/ · .*/, ''));
		await until('the history is there', () => words().includes('started') && words().includes('created'));
		await api.client.containers.pause(id);
		await until('an event comes', () => words()[0] === 'paused');
		await api.client.containers.unpause(id);
		await until('another one comes', () => words()[0] === 'resumed');
		rows.choose({ kinds: ['image'] });
		assert.deepEqual(words(), []);
		rows.dispose();
	});

	/** Runs a container while a person answers each warning, and gives what they were told and what is kept. */
	const whileWarned = async (
		answer: string,
		body: Omit<Parameters<Api['client']['containers']['create']>[0], 'Image'>,
		check: (seen: { told: string[][]; kept: Map<string, unknown>; id: string }) => Promise<void>,
	): Promise<void> => {
		const told: string[][] = [];
		const real = vscode.window.showWarningMessage;
		Object.assign(vscode.window, {
			showWarningMessage: (...words: string[]) => Promise.resolve(told.push(words) && answer),
		});
		const kept = new Map<string, unknown>();
		const memento = {
			keys: () => [...kept.keys()],
			get: (key: string, otherwise?: unknown) => kept.get(key) ?? otherwise,
			update: (key: string, value: unknown) => Promise.resolve(void kept.set(key, value)),
		} as vscode.Memento;
		const notices = new Notices(api.model, memento);
		const image = `${environment('MYDOCKER_TEST_REGISTRY')}/demo/busybox:latest`;
		const { Id } = await api.client.containers.create({ ...body, Image: image }, { name: `${name}-loop` });
		try {
			await api.client.containers.start(Id);
			await check({ told, kept, id: Id });
		} finally {
			notices.dispose();
			Object.assign(vscode.window, { showWarningMessage: real });
			await api.client.containers.remove(Id, { force: true });
			await until('its row is gone', () => api.model.container(Id) === undefined);
		}
	};

	it('notices: tell of a crash loop once, with a way to the logs and one to silence', async () => {
		const body = {
			Cmd: ['false'],
			HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 4 } },
		};
		await whileWarned('Do Not Show Again', body, async ({ told, kept, id: Id }) => {
			await until('somebody is told', () => told.length > 0 && kept.size > 0);
			await until('the restarts are over', () => api.model.container(Id)?.state === 'exited');
			const sentence = `Container ${name}-loop has failed 3 times in 2 minutes.`;
			// The extension's own notices say the same once.
			assert.deepEqual(
				[...new Set(told.map((words) => words.join('|')))],
				[`${sentence}|Show Logs|Do Not Show Again`],
			);
			assert.deepEqual([told.length, kept.get('notices.silent')], [2, ['crash-loop']]);
		});
	});

	it('notices: tell of a container that ran out of memory, and show its logs when asked to', async () => {
		const body = {
			Cmd: ['sh', '-c', 'echo before; exec tail /dev/zero'],
			HostConfig: { Memory: 16 * 1024 ** 2, MemorySwap: 16 * 1024 ** 2 },
		};
		await whileWarned('Show Logs', body, async ({ told }) => {
			await until('somebody is told', () => told.length > 0);
			assert.equal(told[0]?.join('|'), `Container ${name}-loop ran out of memory.|Show Logs|Do Not Show Again`);
			await until('the log is open', () =>
				vscode.window.visibleTextEditors.some(({ document }) => document.uri.path === `/${name}-loop.log`),
			);
			await vscode.commands.executeCommand('workbench.action.closeAllEditors');
		});
	});

	it('notices: tell of a failed health check; the setting silences all', async () => {
		const second = 1_000_000_000;
		const body = {
			Cmd: ['sleep', '600'],
			StopTimeout: 0,
			Healthcheck: { Test: ['CMD', 'false'], Interval: second / 10, Timeout: 60 * second, Retries: 1 },
		};
		await whileWarned('', body, async ({ told, kept }) => {
			await until('somebody is told', () => told.length > 0);
			assert.equal(told[0]?.[0], `Container ${name}-loop is unhealthy.`);
			assert.equal(kept.size, 0);
		});
		const settings = vscode.workspace.getConfiguration('mydocker');
		try {
			await settings.update('notifications', false, vscode.ConfigurationTarget.Global);
			await whileWarned('', body, async ({ told, id: Id }) => {
				await until('it is unhealthy', () => api.model.container(Id)?.health === 'unhealthy');
				assert.deepEqual(told, []);
			});
		} finally {
			await settings.update('notifications', undefined, vscode.ConfigurationTarget.Global);
		}
	});

	it('figures in rows: only when asked for, only while somebody looks', async () => {
		const usage = new RowUsage(api.client, api.model, log);
		const settings = vscode.workspace.getConfiguration('mydocker');
		try {
			usage.watch(true);
			assert.equal(usage.get(id), undefined);
			await settings.update('containers.showUsage', true, vscode.ConfigurationTarget.Global);
			const point = await until('there are figures', () => usage.get(id));
			assert.ok(point.memory > 0 && point.processes === 1);
			const memento = {
				keys: () => [],
				get: <T>(_: string, value?: T) => value,
				update: () => Promise.resolve(),
			};
			const scope = new Scope(api.model, memento);
			const { description, spoken } = containerSource(api.model, scope, usage).draw(id);
			assert.match(description, /^[▁▂▃▅▇]+ [\d.]+% · [\d.]+ \w+ · running/);
			assert.doesNotMatch(spoken, /[▁▂▃▅▇%]/);
			usage.watch(false);
			assert.equal(usage.get(id), undefined);
		} finally {
			await settings.update('containers.showUsage', undefined, vscode.ConfigurationTarget.Global);
			usage.dispose();
		}
	});
});
