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
	const socket = net.connect({ path: short.path, allowHalfOpen: true });
	socket.once('connect', short.release).once('error', short.release);
	return socket;
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
