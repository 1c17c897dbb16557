import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, messageOf } from '../errors';
import { findProgram, toolEnvironment } from '../exec';
import { identify, isAlive, signalProcess } from '../container/process';

/** How an ordinary user's containers reach other machines. */
export interface OutboundFacts {
	/** Absolute path of slirp4netns(1); "" when there is no way. */
	readonly program: string;
	/** A whole sentence for people: what does not work, why, and what does. "" when all does. */
	readonly problem: string;
	/** The command that mends it; "" when there is none, or nothing to mend. */
	readonly remedy: string;
}

const TUN = '/dev/net/tun';
const WITHOUT = 'containers reach each other and their published ports work, but they cannot reach other machines';
/** Milliseconds for slirp4netns to be ready. */
const READY_WITHIN = 10_000;

/** Looks for the program and the device; starts nothing. */
export function probeOutbound(find = findProgram, mayUse: (file: string) => boolean = isUsable): OutboundFacts {
	if (!mayUse(TUN)) {
		return {
			program: '',
			problem: `On bridge networks ${WITHOUT}: this user may not use ${TUN}. The network "host" has no such limit.`,
			remedy: fs.existsSync(TUN) ? `sudo chmod 0666 ${TUN}` : 'sudo modprobe tun',
		};
	}
	const program = find('slirp4netns');
	return program === undefined
		? {
				program: '',
				problem: `On bridge networks ${WITHOUT}: slirp4netns is not installed. The network "host" has no such limit.`,
				remedy: 'sudo apt-get install slirp4netns',
			}
		: { program, problem: '', remedy: '' };
}

export interface OutboundOptions {
	readonly facts: OutboundFacts;
	/** Of the process whose network namespace gets the way out. */
	readonly pid: number;
	/** Ends when nobody writes it any more; see system/holder. */
	readonly fifo: string;
	readonly run: string;
}

/**
 * slirp4netns at work for the namespace of the bridges. It outlives the engine, as the containers do that use it, and
 * ends with the last of them.
 */
export class Outbound {
	constructor(private readonly options: OutboundOptions) {}

	/** Makes the way out, unless it is there already. Throws EngineError "internal" with what the program said. */
	async open(): Promise<void> {
		const { facts, pid, fifo } = this.options;
		if (facts.program === '' || this.find() !== undefined) {
			return;
		}
		const command = [
			...[facts.program, '--configure', '--mtu=65520', '--disable-host-loopback'],
			...['--exit-fd=9', '--ready-fd=3', '--netns-type=path', `/proc/${pid}/ns/net`, 'tap0'],
		];
		const child = spawn('/bin/sh', ['-c', 'exec "$@" 9<"$0"', fifo, ...command], {
			detached: true,
			cwd: '/',
			env: toolEnvironment(),
			stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
		});
		child.unref();
		let said = '';
		child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
		const failure = await new Promise<string | undefined>((resolve) => {
			const timer = setTimeout(() => {
				resolve(`not ready in ${READY_WITHIN / 1000} s`);
			}, READY_WITHIN);
			const finish = (reason: string | undefined): void => {
				clearTimeout(timer);
				resolve(reason);
			};
			child.once('error', (error) => {
				finish(messageOf(error));
			});
			child.once('exit', (code) => {
				finish(said.trim() || `exit code ${code ?? 'unknown'}`);
			});
			child.stdio[3]?.once('data', () => {
				finish(undefined);
			});
		});
		child.stderr?.destroy();
		child.stdio[3]?.destroy();
		if (failure !== undefined) {
			child.kill('SIGKILL');
			throw new EngineError('internal', `Cannot give containers a way out by slirp4netns: ${failure}`);
		}
		fs.writeFileSync(this.file, String(child.pid ?? ''));
	}

	/** Ends it. */
	close(): void {
		const found = this.find();
		if (found !== undefined) {
			signalProcess(found, 15);
		}
		fs.rmSync(this.file, { force: true });
	}

	/** Its arguments name this store's FIFO's namespace: a later process with the same number does not. */
	private find(): ReturnType<typeof identify> {
		if (!fs.existsSync(this.file)) {
			return undefined;
		}
		const found = identify(Number(fs.readFileSync(this.file, 'utf8')));
		const isOurs =
			found !== undefined &&
			isAlive(found) &&
			fs.readFileSync(`/proc/${found.pid}/cmdline`, 'utf8').includes(`/proc/${this.options.pid}/ns/net`);
		return isOurs ? found : undefined;
	}

	private get file(): string {
		return path.join(this.options.run, 'slirp4netns.pid');
	}
}

function isUsable(file: string): boolean {
	try {
		fs.accessSync(file, fs.constants.R_OK | fs.constants.W_OK);
		return true;
	} catch {
		// Not there, or not for this user: that is the answer.
		return false;
	}
}
