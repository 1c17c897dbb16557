import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';

/** sun_path of sockaddr_un holds 108 bytes, one of them the closing NUL (unix(7)). */
const LONGEST_PATH = 107;

/**
 * Connects to a unix socket of any path length. The folder of a path that is too long for the kernel is opened, and
 * the socket is reached as an entry of that open folder. The write side can be ended while the other side still sends.
 */
export function connectSocket(socketPath: string): net.Socket {
	const short = shorten(socketPath);
	const socket = new ListeningSocket({ allowHalfOpen: true });
	socket.connect(short.path);
	socket.once('connect', short.release).once('error', short.release);
	return socket;
}

type Done = (error?: Error | null) => void;
type Piece = Parameters<net.Socket['_write']>[0];

/**
 * Reads on when the other side takes no more: Node would end the connection with the failed write, and with it an answer that
 * has come already, such as why a body is refused. The write's error follows when there is nothing left to read.
 */
class ListeningSocket extends net.Socket {
	override _write(piece: Piece, encoding: BufferEncoding, done: Done): void {
		super._write(piece, encoding, this.afterAnswer(done));
	}

	override _writev(pieces: { chunk: Piece; encoding: BufferEncoding }[], done: Done): void {
		super._writev?.(pieces, this.afterAnswer(done));
	}

	private afterAnswer(done: Done): Done {
		return (error) => {
			if (!error || this.readableEnded || this.destroyed) {
				done(error);
				return;
			}
			const fail = (): void => {
				this.off('end', fail).off('close', fail);
				done(error);
			};
			// Before who waits for the answer hears that there is none.
			this.prependListener('end', fail).prependListener('close', fail);
		};
	}
}

/**
 * Listens on a unix socket of any path length and makes it mode 0600. The folder must keep others out, since the mode
 * is set after the socket exists.
 */
export async function listenOnSocket(server: net.Server, socketPath: string): Promise<void> {
	const short = shorten(socketPath);
	// Node unlinks the path it was given when the server closes, so the folder stays open until then.
	server.once('close', short.release);
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject).listen(short.path, () => {
			server.off('error', reject);
			resolve();
		});
	});
	fs.chmodSync(short.path, 0o600);
}

function shorten(socketPath: string): { readonly path: string; readonly release: () => void } {
	if (Buffer.byteLength(socketPath) <= LONGEST_PATH) {
		return { path: socketPath, release: () => undefined };
	}
	const folder = fs.openSync(path.dirname(socketPath), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
	let isOpen = true;
	return {
		path: `/proc/self/fd/${folder}/${path.basename(socketPath)}`,
		release: () => {
			if (isOpen) {
				isOpen = false;
				fs.closeSync(folder);
			}
		},
	};
}
