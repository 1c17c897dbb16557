/**
 * The load of the net bench, in a process of its own so that it can stand in any network namespace:
 *
 *   net-client.js HOST PORT (keep-alive | new) MILLISECONDS     prints requests per second of 8 clients
 *   net-client.js HOST PORT bytes COUNT                         prints bytes per second of one download
 */
import * as http from 'node:http';

const CLIENTS = 8;

async function get(options: http.RequestOptions): Promise<number> {
	return new Promise((resolve, reject) => {
		http.get(options, (response) => {
			let received = 0;
			response.on('data', (piece: Buffer) => (received += piece.length));
			response.once('end', () => {
				resolve(received);
			});
			response.once('error', reject);
		}).once('error', reject);
	});
}

async function main([host = '', port = '', kind = '', amount = '']: readonly string[]): Promise<number> {
	const start = performance.now();
	const seconds = (): number => (performance.now() - start) / 1000;
	if (kind === 'bytes') {
		const received = await get({ host, port, path: `/big?bytes=${amount}` });
		if (received !== Number(amount)) {
			throw new Error(`${received} bytes came, not ${amount}`);
		}
		return received / seconds();
	}
	const agent = new http.Agent({ keepAlive: kind === 'keep-alive', maxSockets: CLIENTS });
	let requests = 0;
	const client = async (): Promise<void> => {
		while (seconds() * 1000 < Number(amount)) {
			await get({ host, port, path: '/', agent });
			requests++;
		}
	};
	await Promise.all(Array.from({ length: CLIENTS }, client));
	const rate = requests / seconds();
	agent.destroy();
	return rate;
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
