import type { Readable, Writable } from 'node:stream';
import type { Attachment } from '../core/container/containers';
import { EngineError } from '../core/errors';
import { DetachFilter, parseDetachKeys } from './detach-keys';
import { writeTo } from './request';
import { frame, type OutputChunk } from './stream';

/** Writes output to a client, in frames unless it is a terminal's, and ends the connection behind it. */
export async function sendOutput(
	source: AsyncIterable<OutputChunk> | Iterable<OutputChunk>,
	output: Writable,
	{ isRaw, signal }: { readonly isRaw: boolean; readonly signal: AbortSignal },
): Promise<void> {
	for await (const { stream, data } of source) {
		await writeTo(output, isRaw ? data : frame(stream, data), signal);
	}
	output.end();
}

/** The end of the client's input is the end of the container's. `detachKeys`: the keys to look for, in a terminal. */
export async function sendInput(input: Readable, attachment: Attachment, detachKeys?: Buffer): Promise<void> {
	const filter = detachKeys === undefined ? undefined : new DetachFilter(detachKeys);
	try {
		// By itself the iterator would destroy the connection at the end of input, and output is still to come.
		for await (const piece of input.iterator({ destroyOnReturn: false })) {
			const { data, isDetached } = filter?.push(piece as Buffer) ?? { data: piece as Buffer, isDetached: false };
			if (data.length > 0) {
				await attachment.write(data);
			}
			if (isDetached) {
				attachment.detach();
				input.resume();
				return;
			}
		}
		attachment.end();
	} catch {
		// Either the client is gone, which ends the attachment, or the container reads no more: its output may go on.
		input.resume();
	}
}

/** The keys that leave a terminal; EngineError "invalid" in docker's words. */
export function readDetachKeys(text: string): Buffer {
	try {
		return parseDetachKeys(text);
	} catch (error) {
		if (error instanceof RangeError) {
			throw new EngineError('invalid', `Invalid escape keys (${text}) provided`, { cause: error });
		}
		throw error;
	}
}
