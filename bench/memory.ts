import * as path from 'node:path';
import { enginePid } from '../test/engine/subject';
import { delay, processesOf, readOr } from '../test/engine/workspace';
import type { Figure } from './figure';
import type { Rivals } from './rivals';

const MIB = 1024;

/** Memory of an engine that has worked and waits: the sum of its processes' proportional set sizes. */
export async function measureMemory({ ours, docker }: Rivals): Promise<Figure[]> {
	await ours.client.version();
	await docker?.client.version();
	await delay(3000);
	const own = enginePid(ours.root);
	if (own === undefined) {
		throw new Error('Our engine does not run');
	}
	const daemons = docker === undefined ? [] : daemonsOf(docker.root);
	return [
		{
			name: 'engine, idle',
			unit: 'MiB',
			ours: sizeOf(own),
			...(daemons.length === 0
				? {}
				: { theirs: daemons.reduce((sum, pid) => sum + sizeOf(pid), 0), rival: 'dockerd + containerd' }),
			note: 'PSS from smaps_rollup; ours is no process at all after the idle time',
		},
	];
}

function daemonsOf(root: string): number[] {
	return processesOf(root)
		.filter(({ command }) => /(^|\/)(dockerd|containerd)( |$)/.test(command.split(' ')[0] ?? ''))
		.map(({ pid }) => pid);
}

/** Sum of their proportional set sizes, MiB. */
export function totalSize(pids: readonly number[]): number {
	return pids.reduce((sum, pid) => sum + (sizeOf(pid) || 0), 0);
}

/** PSS in MiB. */
function sizeOf(pid: number): number {
	const text = readOr(path.join('/proc', String(pid), 'smaps_rollup'), '');
	return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? NaN) / MIB;
}
