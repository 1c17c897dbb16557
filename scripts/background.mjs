// Programs that run beside a script: each in its own process group, so that stopping it stops what it started too.
import { spawn } from 'node:child_process';
import net from 'node:net';

const running = new Set();

// The last net: whatever way this process ends, short of SIGKILL, no program outlives it.
process.on('exit', () => {
	for (const background of running) {
		background.kill('SIGKILL');
	}
});

/** A started program. `stop()` ends it and resolves when it is gone. */
class Background {
	#process;
	#name;
	#output = '';
	#waiting = new Set();

	constructor(name, child) {
		this.#name = name;
		this.#process = child;
		running.add(this);
		for (const stream of [child.stdout, child.stderr]) {
			stream?.setEncoding('utf8');
			stream?.on('data', (text) => {
				this.#output += text;
				this.#waiting.forEach((check) => check());
			});
		}
		child.once('exit', () => {
			running.delete(this);
			this.#waiting.forEach((check) => check());
		});
		child.once('error', (error) => {
			this.#output += `${error.message}\n`;
			running.delete(this);
			this.#waiting.forEach((check) => check());
		});
	}

	/** All that the program has printed. */
	get output() {
		return this.#output;
	}

	get isRunning() {
		return this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
	}

	/** Resolves when the program has printed what the pattern matches; rejects when it ends before, or after `timeout` ms. */
	async printed(pattern, timeout = 60_000) {
		let check;
		let timer;
		try {
			await new Promise((resolve, reject) => {
				const fail = (why) => reject(new Error(`${this.#name} ${why}:\n${this.#output.slice(-4000)}`));
				check = () => {
					if (pattern.test(this.#output)) {
						resolve();
					} else if (!this.isRunning) {
						fail(`ended with ${this.#process.exitCode ?? this.#process.signalCode}`);
					}
				};
				timer = setTimeout(() => fail(`is not ready after ${timeout / 1000} s`), timeout);
				this.#waiting.add(check);
				check();
			});
		} finally {
			clearTimeout(timer);
			this.#waiting.delete(check);
		}
	}

	/** Sends a signal to the program's whole process group. */
	kill(signal) {
		if (this.#process.pid === undefined) {
			return;
		}
		try {
			process.kill(-this.#process.pid, signal);
		} catch (error) {
			if (error.code !== 'ESRCH') {
				throw error;
			}
		}
	}

	/** Resolves with the program's exit code (or its signal's name) when it is gone. */
	async ended() {
		if (this.isRunning) {
			await new Promise((resolve) => this.#process.once('exit', resolve));
		}
		return this.#process.exitCode ?? this.#process.signalCode;
	}

	/** Ends the program by the signal, and its whole group by SIGKILL when it is not gone after `grace` ms. */
	async stop({ signal = 'SIGTERM', grace = 5000 } = {}) {
		if (this.isRunning) {
			this.kill(signal);
			const timer = setTimeout(() => this.kill('SIGKILL'), grace);
			await this.ended();
			clearTimeout(timer);
		}
		// Its children may have survived it.
		this.kill('SIGKILL');
	}
}

/**
 * Starts a program; `name` is how errors call it. What it prints is kept (see `output`), or goes `to` a descriptor of
 * ours, or to where our own output goes ("inherit").
 */
export function startBackground(name, program, args, { env = process.env, cwd, to = 'pipe' } = {}) {
	return new Background(name, spawn(program, args, { env, cwd, detached: true, stdio: ['ignore', to, to] }));
}

/**
 * A signal that aborts on Ctrl-C, SIGTERM or SIGHUP, so that the caller's `finally` blocks can run. A second one ends the
 * process at once (and what it started with it).
 */
export function interruption() {
	const controller = new AbortController();
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
		process.on(signal, () => {
			if (controller.signal.aborted) {
				process.exit(130);
			}
			controller.abort(new Error(`interrupted by ${signal}`));
		});
	}
	return controller.signal;
}

/** A TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort() {
	const server = net.createServer().listen(0, '127.0.0.1');
	await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
	const { port } = server.address();
	await new Promise((resolve) => server.close(resolve));
	return port;
}
