/**
 * The load of the net bench, in a process of its own so that it can stand in any network namespace:
 *
 *   net-client.js HOST PORT (keep-alive | new) MILLISECONDS     prints requests per second of 8 clients
 *   net-client.js HOST PORT bytes COUNT                         prints bytes per second of one download
 *
 * The clients write a request that never changes and count the bytes of its answer. Node's http client took more than half
 * of the processor time of a request, so what was measured was the load rather than the way to the container.
 */
import * as http from 'node:http';
import * as net from 'node:net';

const CLIENTS = 8;

interface Place {
	readonly host: string;
	readonly port: number;
}

/** Bytes per second. */
async function download(place: Place, bytes: number): Promise<number> {
	const start = performance.now();
	const received = await new Promise<number>((resolve, reject) => {
		http.get({ ...place, path: `/big?bytes=${bytes}` }, (response) => {
			let sum = 0;
			response.on('data', (piece: Buffer) => (sum += piece.length));
			response.once('end', () => {
				resolve(sum);
			});
			response.once('error', reject);
		}).once('error', reject);
	});
	if (received !== bytes) {
		throw new Error(`${received} bytes came, not ${bytes}`);
	}
	return (received / (performance.now() - start)) * 1000;
}

/** Whole bytes of an answer that tells its length. */
function lengthOf(answer: string): number {
	const head = answer.indexOf('\r\n\r\n') + 4;
	const length = /^content-length: (\d+)\r$/im.exec(answer.slice(0, head));
	if (!answer.startsWith('HTTP/1.1 200 ') || head < 4 || length === null) {
		throw new Error(`This is no answer of the bench's server: ${JSON.stringify(answer)}`);
	}
	return head + Number(length[1]);
}

/** One connection: writes requests for as long as `another` says so. Rejects unless each answer is a whole one. */
async function converse(place: Place, kind: string, another: () => boolean): Promise<void> {
	// Who closes first keeps the port for a minute, and the client would soon have none left.
	const request = Buffer.from(`GET / HTTP/1.1\r\nHost: ${place.host}\r\nConnection: ${kind}\r\n\r\n`);
	await new Promise<void>((resolve, reject) => {
		let received = 0;
		let expected = 0;
		const receive = (length: number, buffer: Uint8Array): boolean => {
			try {
				expected ||= lengthOf(Buffer.from(buffer.subarray(0, length)).toString('latin1'));
			} catch (error) {
				socket.destroy(error as Error);
				return false;
			}
			received += length;
			if (received < expected) {
				return true;
			}
			received -= expected;
			if (another()) {
				socket.write(request);
			} else if (kind !== 'close') {
				socket.end();
			}
			return true;
		};
		const onread = { buffer: Buffer.alloc(64 * 1024), callback: receive };
		const socket = net.connect({ ...place, noDelay: true, onread }, () => {
			socket.write(request);
		});
		socket.once('error', reject);
		socket.once('close', () => {
			if (received === 0 && expected > 0) {
				resolve();
			} else {
				reject(new Error('The connection ended within an answer'));
			}
		});
	});
}

/** Requests per second. */
async function requests(place: Place, kind: string, milliseconds: number): Promise<number> {
	const start = performance.now();
	const isOver = (): boolean => performance.now() - start >= milliseconds;
	let count = 0;
	const answered = (): boolean => {
		count++;
		return kind === 'keep-alive' && !isOver();
	};
	const client = async (): Promise<void> => {
		while (!isOver()) {
			await converse(place, kind === 'new' ? 'close' : kind, answered);
		}
	};
	await Promise.all(Array.from({ length: CLIENTS }, client));
	return (count / (performance.now() - start)) * 1000;
}

async function main([host = '', port = '', kind = '', amount = '']: readonly string[]): Promise<number> {
	const place = { host, port: Number(port) };
	return kind === 'bytes' ? download(place, Number(amount)) : requests(place, kind, Number(amount));
}

main(process.argv.slice(2)).then(
	(rate) => {
		process.stdout.write(`${rate}\n`);
	},
	(error: unknown) => {
		process.stderr.write(`${String(error)}\n`);
		process.exitCode = 1;
	},
);
