import type { Duplex } from 'node:stream';

/** More than a window's lists at once ask for. */
const MOST = 4;

/** Connections that wait for their next request; they keep no process alive. */
export class IdleConnections {
	private readonly idle: Duplex[] = [];

	/** One that is open as far as is known: the other side may close it at the same moment. */
	take(): Duplex | undefined {
		for (let connection = this.idle.pop(); connection !== undefined; connection = this.idle.pop()) {
			if (!connection.destroyed && connection.readable && connection.writable) {
				connection.off('readable', drop).off('end', drop).off('error', drop);
				hold(connection, 'ref');
				return connection;
			}
		}
		return undefined;
	}

	keep(connection: Duplex): void {
		if (this.idle.length >= MOST) {
			connection.destroy();
			return;
		}
		// Nothing may come now but the end.
		connection.on('readable', drop).on('end', drop).on('error', drop);
		hold(connection, 'unref');
		this.idle.push(connection);
	}
}

function drop(this: Duplex): void {
	this.destroy();
}

/** Sockets and streams of programs have both; a stream in general has not. */
function hold(connection: Duplex, verb: 'ref' | 'unref'): void {
	const method: unknown = Reflect.get(connection, verb);
	if (typeof method === 'function') {
		Reflect.apply(method, connection, []);
	}
}
