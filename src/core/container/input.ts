import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';

/** Writer of a container's standard input, the FIFO in its shim folder. */
export class Input {
	private readonly socket: net.Socket;
	private closer: number | undefined;

	/** Opens the FIFO; the container runs already, so it has a reader. */
	constructor(private readonly folder: string) {
		const flags = fs.constants.O_WRONLY | fs.constants.O_NONBLOCK;
		const fd = fs.openSync(path.join(folder, 'stdin'), flags);
		this.socket = new net.Socket({ fd, readable: false, writable: true });
		this.socket.on('error', () => {
			// The container has closed its input; each write is told by its callback.
		});
	}

	/** Resolves when the pipe has taken the bytes; the container reads at its own pace. */
	async write(data: Uint8Array): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			this.socket.write(data, (error) => {
				if (error === null || error === undefined) {
					resolve();
				} else {
					reject(
						new EngineError('conflict', 'Cannot write to the container: it reads no more', {
							cause: error,
						}),
					);
				}
			});
		});
	}

	/** End of file for the container, behind what was written; no return. */
	end(): void {
		this.socket.end(() => {
			this.releaseKeeper();
		});
	}

	/** Lets go without an end of file. */
	close(): void {
		this.socket.destroy();
		if (this.closer !== undefined) {
			fs.closeSync(this.closer);
			this.closer = undefined;
		}
	}

	/** The shim's keeper holds the other writer until somebody opens this FIFO. It may do so late: it stays open. */
	private releaseKeeper(): void {
		try {
			const flags = fs.constants.O_RDWR | fs.constants.O_NONBLOCK;
			this.closer ??= fs.openSync(path.join(this.folder, 'stdin.close'), flags);
		} catch (error) {
			// The container has ended and its shim folder is gone.
			if (systemCode(error) !== 'ENOENT') {
				throw error;
			}
		}
	}
}
