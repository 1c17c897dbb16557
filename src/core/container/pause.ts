import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import type { Container } from '../types';
import { cgroupPath, hasUnified, limitsProblem } from './cgroup';
import { readText } from './shim';
import { machine } from './spec';

/** Refuses to freeze a container in the wrong state, in docker's words. */
export function checkPausable({ id, status }: Container): void {
	if (status === 'paused') {
		throw new EngineError('conflict', `Container ${id} is already paused`);
	}
	if (status === 'restarting') {
		throw new EngineError('conflict', `Container ${id} is restarting, wait until the container is running`);
	}
	if (status !== 'running') {
		throw new EngineError('conflict', `Container ${id} is not running`);
	}
	if (!machine().hasCgroups) {
		throw new EngineError('conflict', `Cannot pause container ${id}: ${limitsProblem()}`);
	}
}

/** Refuses to thaw a container that is not frozen. */
export function checkPaused({ id, status }: Container): void {
	if (status !== 'paused') {
		throw new EngineError('conflict', `Container ${id} is not paused`);
	}
}

/** Refuses to attach to a container that can neither read nor write; `name` is the caller's. */
export function checkAttachable({ status }: Container, name: string): void {
	if (status === 'paused') {
		throw new EngineError('conflict', `container ${name} is paused, unpause the container before attach`);
	}
	if (status === 'restarting') {
		throw new EngineError('conflict', `container ${name} is restarting, wait until the container is running`);
	}
}

/**
 * Whether the container's processes are frozen now, whatever its record says; false without a cgroup of its own. `parent` is
 * its --cgroup-parent.
 */
export function isFrozen(id: string, parent: string | undefined, mountPoint = '/sys/fs/cgroup'): boolean {
	if (hasUnified(mountPoint)) {
		return readText(path.join(mountPoint, cgroupPath(id, parent), 'cgroup.freeze'))?.trim() === '1';
	}
	const state = readText(path.join(mountPoint, 'freezer', cgroupPath(id, parent), 'freezer.state'))?.trim();
	return state === 'FROZEN' || state === 'FREEZING';
}

/** While it is there, the container stands still for a moment only: nobody has paused it. */
const HELD = 'held';

interface Held {
	readonly runtime: { setPaused(id: string, isPaused: boolean): Promise<void> };
	readonly id: string;
	/** The container has not ended meanwhile. */
	readonly isThere: () => boolean;
}

/**
 * Freezes a container for as long as `work` takes. An engine that is killed meanwhile leaves a note in the shim folder,
 * by which the next one lets the container go on (`letGo`).
 */
export async function whileHeld<T>(shim: string, { runtime, id, isThere }: Held, work: () => Promise<T>): Promise<T> {
	fs.writeFileSync(path.join(shim, HELD), '');
	try {
		await runtime.setPaused(id, true);
		return await work();
	} finally {
		if (isThere()) {
			await runtime.setPaused(id, false);
		}
		fs.rmSync(path.join(shim, HELD), { force: true });
	}
}

/** Lets a container go on that a killed engine had frozen for a moment. */
export async function letGo(
	shim: string,
	{ runtime, id, parent }: Pick<Held, 'runtime' | 'id'> & { readonly parent: string | undefined },
): Promise<void> {
	const note = path.join(shim, HELD);
	if (!fs.existsSync(note)) {
		return;
	}
	if (isFrozen(id, parent)) {
		await runtime.setPaused(id, false);
	}
	fs.rmSync(note, { force: true });
}
