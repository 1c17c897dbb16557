import * as assert from 'node:assert/strict';
import { ApiError, type OutputChunk } from '../../src/api/client';
import type { CreateContainerBody, HostConfigJson, ProgressMessage } from '../../src/api/types';
import type { Subject } from './subject';
import { within } from './workspace';

/** What a test says about a container; the image is busybox and there is no network unless it says otherwise. */
export type Body = Partial<CreateContainerBody>;

export interface RunResult {
	readonly id: string;
	readonly exitCode: number;
	readonly stdout: string;
	readonly stderr: string;
}

export interface RunOptions {
	readonly name?: string;
	/** Keeps the container; it is removed otherwise. */
	readonly keep?: boolean;
}

const LONGEST_RUN = 30_000;

export function bodyOf(subject: Subject, body: Body): CreateContainerBody {
	return {
		Image: subject.images.busybox.reference,
		...body,
		HostConfig: { NetworkMode: 'none', ...body.HostConfig },
	};
}

/** Creates a container; gives its id. */
export async function create(subject: Subject, body: Body, options: RunOptions = {}): Promise<string> {
	const { Id } = await subject.client.containers.create(
		bodyOf(subject, body),
		options.name === undefined ? {} : { name: options.name },
	);
	subject.ids.add(Id);
	return Id;
}

/** Creates and starts; gives the id at once. */
export async function launch(subject: Subject, body: Body, options: RunOptions = {}): Promise<string> {
	const id = await create(subject, body, options);
	await subject.client.containers.start(id);
	return id;
}

/** Runs a container to its end and gives what it printed. */
export async function run(subject: Subject, body: Body, options: RunOptions = {}): Promise<RunResult> {
	const id = await create(subject, body, options);
	try {
		return { id, ...(await startAndFinish(subject, id)) };
	} finally {
		if (options.keep !== true) {
			await remove(subject, id);
		}
	}
}

/** A shell script in busybox. */
export async function shell(subject: Subject, script: string, host: HostConfigJson = {}): Promise<RunResult> {
	return run(subject, { Cmd: ['sh', '-c', script], HostConfig: host });
}

export async function startAndFinish(subject: Subject, id: string): Promise<Omit<RunResult, 'id'>> {
	const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
	// Should the start fail, nobody waits for the exit any more.
	exit.catch(() => undefined);
	await subject.client.containers.start(id);
	const exitCode = await within('the container', LONGEST_RUN, exit);
	return { exitCode, ...(await logsOf(subject, id)) };
}

/** What the log holds of each stream. */
export async function logsOf(
	subject: Subject,
	id: string,
	options: Parameters<Subject['client']['containers']['logs']>[1] = {},
): Promise<{ stdout: string; stderr: string }> {
	return collect(subject.client.containers.logs(id, options));
}

export async function collect(chunks: AsyncIterable<OutputChunk>): Promise<{ stdout: string; stderr: string }> {
	const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
	for await (const chunk of chunks) {
		output[chunk.stream].push(chunk.data);
	}
	return { stdout: Buffer.concat(output.stdout).toString(), stderr: Buffer.concat(output.stderr).toString() };
}

export async function remove(subject: Subject, id: string): Promise<void> {
	await subject.client.containers.remove(id, { force: true });
}

export async function pull(
	subject: Subject,
	reference: string,
	options: Parameters<Subject['client']['images']['pull']>[1] = {},
): Promise<ProgressMessage[]> {
	const messages: ProgressMessage[] = [];
	for await (const message of subject.client.images.pull(reference, options)) {
		messages.push(message);
	}
	return messages;
}

/** Removes an image and every name of it, when it is there. */
export async function discard(subject: Subject, name: string): Promise<void> {
	try {
		await subject.client.images.remove(name, { force: true });
	} catch (error) {
		if (!(error instanceof ApiError && error.status === 404)) {
			throw error;
		}
	}
}

/** Asserts that the engine refuses with this status and a message that matches. */
export async function refused(promise: Promise<unknown>, status: number, message: RegExp | string): Promise<ApiError> {
	try {
		await promise;
	} catch (error) {
		assert.ok(error instanceof ApiError, `an ApiError, not ${String(error)}`);
		if (typeof message === 'string') {
			assert.equal(error.message, message);
		} else {
			assert.match(error.message, message);
		}
		assert.equal(error.status, status, `status of "${error.message}"`);
		return error;
	}
	assert.fail(`The engine did what it should have refused: ${String(message)}`);
}
