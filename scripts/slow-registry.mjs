// A registry that is as far away as on a real network: in front of another, it lets so many bytes a second through.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Gives { host: "localhost:PORT", stop() }; every connection gets `bytesPerSecond`. */
export async function slowDown(registry, bytesPerSecond) {
	const server = http.createServer((request, response) => {
		void forward(request, response, registry, bytesPerSecond);
	});
	await new Promise((resolve, reject) => server.listen(0, '127.0.0.1', resolve).once('error', reject));
	return {
		host: `localhost:${server.address().port}`,
		stop: async () => {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

async function forward(request, response, registry, bytesPerSecond) {
	try {
		const url = new URL(request.url, `http://${registry.replace('localhost', '127.0.0.1')}`);
		const answer = await new Promise((resolve, reject) => {
			http.get(url, { method: request.method, headers: { ...request.headers, host: registry } }, resolve).once(
				'error',
				reject,
			);
		});
		response.writeHead(answer.statusCode, answer.headers);
		for await (const chunk of answer) {
			for (let start = 0; start < chunk.length && !response.destroyed; start += 16_384) {
				const piece = chunk.subarray(start, start + 16_384);
				response.write(piece);
				await sleep((piece.length / bytesPerSecond) * 1000);
			}
			if (response.destroyed) {
				break;
			}
		}
		response.end();
	} catch (error) {
		response.destroy(error);
	}
}
