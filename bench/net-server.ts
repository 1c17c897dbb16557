/** What the containers of the net bench run: `/` is a few bytes, `/big` is as many as its query says. */
import * as http from 'node:http';

const CHUNK = Buffer.alloc(256 * 1024, 'x');

http.createServer((request, response) => {
	const url = new URL(request.url ?? '/', 'http://localhost');
	let left = Number(url.searchParams.get('bytes') ?? '0');
	if (left === 0) {
		response.end('hello\n');
		return;
	}
	const send = (): void => {
		while (left > 0) {
			const piece = CHUNK.subarray(0, Math.min(left, CHUNK.length));
			left -= piece.length;
			if (!response.write(piece)) {
				response.once('drain', send);
				return;
			}
		}
		response.end();
	};
	send();
}).listen(80, '0.0.0.0');
