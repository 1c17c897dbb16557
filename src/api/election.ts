import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { errorCode } from './transport';

/**
 * sun_path of unix(7) in full. Node before version 22 pads an abstract name to this length with NULs and later Nodes
 * do not, so only a name that fills it is the same name for an engine run by VS Code and one run by the terminal.
 */
const NAME_LENGTH = 108;
const TOKEN = /^[0-9a-f]{32}$/;

/**
 * Who owns a store: the process that holds an abstract unix socket, named by a secret in the store's folder. The
 * kernel frees the name the instant its holder dies, however it dies, so nothing can be left locked. Others connect to
 * the name to hear when the owner is ready, and notice its end by the end of that connection.
 */
export class Ownership {
	private readonly waiting = new Set<net.Socket>();
	private state: 'starting' | 'ready' | 'leaving' = 'starting';

	private constructor(private readonly server: net.Server) {
		server.on('connection', (socket) => {
			this.waiting.add(socket);
			socket.once('close', () => this.waiting.delete(socket));
			socket.on('error', () => socket.destroy());
			socket.resume();
			this.tell();
		});
	}

	/** The ownership of the store, or undefined when another process holds it. */
	static async acquire(root: string): Promise<Ownership | undefined> {
		const name = lockName(root);
		const server = net.createServer();
		return new Promise((resolve, reject) => {
			server.once('error', (error) => {
				if (errorCode(error) === 'EADDRINUSE') {
					resolve(undefined);
					return;
				}
				reject(error);
			});
			server.listen(name, () => {
				resolve(new Ownership(server));
			});
		});
	}

	/** The ownership that a process handed to this one, as an open `descriptor`. */
	static async inherit(descriptor: number): Promise<Ownership> {
		const server = net.createServer();
		await new Promise<void>((resolve, reject) => {
			server.once('error', reject);
			server.listen({ fd: descriptor }, resolve);
		});
		return new Ownership(server);
	}

	/** The open socket, for the `stdio` of a process that is to own the store after this one has ended. */
	get descriptor(): number {
		const handle: unknown = Reflect.get(this.server, '_handle');
		const descriptor: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : -1;
		if (typeof descriptor !== 'number' || descriptor < 0) {
			throw new Error('Cannot hand over the store: this Node.js does not tell the descriptor of a socket');
		}
		return descriptor;
	}

	/** Tells all who wait, now and later, that the store's socket answers. */
	ready(): void {
		this.state = 'ready';
		this.tell();
	}

	/** From now on, who comes is kept waiting until this process has ended. */
	leaving(): void {
		this.state = 'leaving';
	}

	release(): void {
		this.server.close();
		for (const socket of this.waiting) {
			socket.destroy();
		}
	}

	private tell(): void {
		if (this.state === 'ready') {
			for (const socket of this.waiting) {
				socket.end('ready\n');
			}
		}
	}
}

/**
 * Waits for the owner of the store: true when it is ready, false when there is none (any more), so that the caller may
 * try to become the owner itself.
 */
export async function ownerIsReady(root: string, signal: AbortSignal): Promise<boolean> {
	signal.throwIfAborted();
	const socket = net.connect({ path: lockName(root) });
	const cancel = () => socket.destroy();
	signal.addEventListener('abort', cancel, { once: true });
	try {
		let said = '';
		for await (const piece of socket) {
			said += String(piece);
			if (said.length >= 'ready\n'.length) {
				break;
			}
		}
		signal.throwIfAborted();
		return said === 'ready\n';
	} catch (error) {
		signal.throwIfAborted();
		if (errorCode(error) === 'ECONNREFUSED' || errorCode(error) === 'ECONNRESET') {
			return false;
		}
		throw error;
	} finally {
		signal.removeEventListener('abort', cancel);
		socket.destroy();
	}
}

function lockName(root: string): string {
	return `\0mydocker-${readToken(path.join(root, 'lock'))}`.padEnd(NAME_LENGTH, '-');
}

/** The store's secret, made by whoever comes first: link() lets exactly one file become `file`. */
function readToken(file: string): string {
	const known = readFile(file);
	if (known !== undefined) {
		return checkToken(known, file);
	}
	const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`;
	fs.writeFileSync(temporary, randomBytes(16).toString('hex'), { mode: 0o600, flag: 'wx', flush: true });
	try {
		fs.linkSync(temporary, file);
	} catch (error) {
		if (errorCode(error) !== 'EEXIST') {
			throw error;
		}
	} finally {
		fs.rmSync(temporary);
	}
	return checkToken(fs.readFileSync(file, 'utf8'), file);
}

function checkToken(text: string, file: string): string {
	const token = text.trim();
	if (!TOKEN.test(token)) {
		throw new Error(
			`Cannot lock store "${path.dirname(file)}": ${file} is damaged; remove it while no engine runs`,
		);
	}
	return token;
}

function readFile(file: string): string | undefined {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		if (errorCode(error) === 'ENOENT') {
			return undefined;
		}
		throw error;
	}
}
