import { fork, type ChildProcess } from 'node:child_process';
import * as path from 'node:path';
import type { Client } from '../src/api/client';
import { busyboxLayer, imageOf } from '../test/engine/fixture';
import { embeddedEngine, startRegistries } from '../test/engine/subject';
import type { Workspace } from '../test/engine/workspace';
import { median, type Figure } from './figure';
import type { Product } from './product';
import type { HoldUps } from './hold-ups';
import { pull } from './rivals';
import type { Window } from './ui-window';

const MANY = 500;
const MOST = 1000;
const ROUNDS = 9;
const RENAMES = 20;
/** Milliseconds without a change, after which VS Code draws one at once. */
const QUIET = 300;
const LINES = 1_000_000;
/** Requests at a time while containers are made. */
const TOGETHER = 8;
/** Milliseconds. A person sees no less, and an editor that is held up for longer stutters. */
const TARGETS = { firstRows: 150, event: 100, block: 50 };

/**
 * Our views on a real engine with hundreds of containers, without VS Code's own drawing: the model, the rows and the log
 * documents run in a process of their own, with a stand-in for the `vscode` module.
 */
export async function measureUi(workspace: Workspace, { bundles }: Product): Promise<Figure[]> {
	const registries = await startRegistries(workspace);
	const ours = embeddedEngine(workspace, { bundles });
	const { client } = ours;
	await registries.open.push('bench/busybox', '1', imageOf([busyboxLayer()]));
	const reference = `${registries.open.host}/bench/busybox:1`;
	await pull(ours, reference);
	const create = async (count: number, prefix: string): Promise<string[]> => {
		const ids: string[] = [];
		const next = async (): Promise<void> => {
			while (ids.length < count) {
				const index = ids.push('') - 1;
				const body = { Image: reference, Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
				ids[index] = (await client.containers.create(body, { name: `${prefix}-${index}` })).Id;
			}
		};
		await Promise.all(Array.from({ length: TOGETHER }, next));
		return ids;
	};
	const ids = await create(MANY, 'row');
	const window = openWindow(ours.socket);
	try {
		const firstRows: number[] = [];
		for (let round = 0; round < ROUNDS; round++) {
			firstRows.push(await window.call('open'));
		}
		const events: number[] = [];
		const inBurst: number[] = [];
		for (const [index, id] of ids.slice(0, RENAMES).entries()) {
			await new Promise((resolve) => setTimeout(resolve, QUIET));
			events.push(await window.call('rename', id, `renamed-${index}`));
			inBurst.push(await window.call('rename', id, `again-${index}`));
		}
		await window.call('watch');
		await create(MOST - MANY, 'more');
		const burst = await window.call('rows', MOST);
		const log = await window.call('log', await writeLog(client, reference));
		const spawned = await window.call('spawned');
		return [
			figure(`first rows, ${MANY} containers`, median(firstRows), TARGETS.firstRows, {
				note: 'from opening the view to all rows, with list and network round trips; nothing was known before',
			}),
			figure(`event to row, ${MANY} containers`, median(events), TARGETS.event, {
				note: `median of ${RENAMES}, from the call that renames a container to its redrawn row, after a quiet moment; longest ${Math.max(...events).toFixed(1)} ms, right after another change ${median(inBurst).toFixed(1)} ms (VS Code gathers changes for 200 ms)`,
			}),
			figure(`longest hold-up, ${MANY} to ${MOST} containers`, burst.own, TARGETS.block, {
				note: `while ${MOST - MANY} containers come as fast as the engine makes them; ${burst.cpu.toFixed(0)} ms of CPU in all; ${waits(burst)}`,
			}),
			figure('longest hold-up, log of a million lines', log.own, TARGETS.block, {
				note: `${(log.milliseconds / 1000).toFixed(1)} s until the document has its last ${log.lines} lines; the rest is left to filters and Save; ${waits(log)}`,
			}),
			{ ...figure('processes started by reads', spawned, 0, {}), unit: 'processes' },
		];
	} finally {
		window.close();
	}
}

/** What a busy machine adds is no fault of ours, and is told all the same. */
function waits({ withWaits }: HoldUps): string {
	return `with waits for a processor ${withWaits.toFixed(0)} ms`;
}

async function writeLog(client: Client, image: string): Promise<string> {
	const { Id } = await client.containers.create({
		Image: image,
		Cmd: ['seq', '1', String(LINES)],
		HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: { 'max-size': '1g' } } },
	});
	const { exit } = await client.containers.wait(Id, { condition: 'next-exit' });
	await client.containers.start(Id);
	await exit;
	return Id;
}

function figure(name: string, ours: number, most: number, more: Pick<Figure, 'note'>): Figure {
	return { name, unit: 'ms', ours, target: { value: most, of: 'ours' }, ...more };
}

interface OpenWindow {
	call<Name extends keyof Window>(
		name: Name,
		...args: Parameters<Window[Name]>
	): Promise<Awaited<ReturnType<Window[Name]>>>;
	close(): void;
}

function openWindow(socket: string): OpenWindow {
	const child = fork(path.join(__dirname, 'ui-window.js'), [socket]);
	return {
		call: (name, ...args) => ask(child, { call: name, args }),
		close: () => {
			child.kill();
		},
	};
}

function ask<Result>(child: ChildProcess, message: object): Promise<Result> {
	return new Promise((resolve, reject) => {
		const ended = (): void => {
			reject(new Error('The window ended'));
		};
		child.once('exit', ended);
		child.once('message', ({ result, error }: { result: Result; error?: string }) => {
			child.off('exit', ended);
			if (error === undefined) {
				resolve(result);
			} else {
				reject(new Error(error));
			}
		});
		child.send(message);
	});
}
