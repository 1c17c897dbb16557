import { demultiplex, MULTIPLEXED_STREAM, rawOutput } from './stream';
import type { OutputChunk } from './stream';
import { abortError, asCallersError } from './transport';
import type { Call, Transport } from './transport';

/** Both directions of an attached container. */
export interface Attachment {
	readonly output: AsyncIterable<OutputChunk>;
	/** Resolves when the engine has taken the bytes. */
	write(data: Uint8Array): Promise<void>;
	/** End of input: the container reads EOF; output goes on. */
	end(): void;
	/** Detaches. */
	close(): void;
}

/**
 * Both directions of a container or exec over an upgraded connection. `isTerminal` undefined leaves it to the answer's
 * Content-Type whether the output comes in frames.
 */
export async function openStream(
	transport: Transport,
	call: Call,
	isTerminal: boolean | undefined,
): Promise<Attachment> {
	const { signal } = call;
	const { socket, contentType } = await transport.upgrade(call);
	let isClosed = false;
	const close = () => {
		isClosed = true;
		socket.destroy();
	};
	const cancel = () => {
		socket.destroy();
	};
	signal?.addEventListener('abort', cancel, { once: true });
	socket.once('close', () => signal?.removeEventListener('abort', cancel));
	socket.on('error', () => {
		// The reader of `output` and the writer are told; without either, a detached stream may break unseen.
	});

	async function* read(): AsyncGenerator<OutputChunk, void> {
		try {
			yield* output(socket, contentType, isTerminal);
		} catch (error) {
			if (signal?.aborted === true) {
				throw abortError(signal);
			}
			if (!isClosed) {
				throw error;
			}
		} finally {
			close();
		}
	}

	return {
		output: read(),
		write: (data) =>
			new Promise((resolve, reject) => {
				socket.write(data, (error) => {
					if (error) {
						reject(asCallersError(error, signal));
						return;
					}
					resolve();
				});
			}),
		end: () => {
			socket.end();
		},
		close,
	};
}

/** Frames or a terminal's bytes, as `isTerminal` says, else as the answer's Content-Type does. */
export function output(body: AsyncIterable<Buffer>, contentType: string | undefined, isTerminal: boolean | undefined) {
	const hasFrames = isTerminal === undefined ? contentType === MULTIPLEXED_STREAM : !isTerminal;
	return hasFrames ? demultiplex(body) : rawOutput(body);
}
