/**
 * Where layers that are EROFS images are mounted: a mount namespace of their own, which a waiting process holds. Its input
 * is a pipe from the engine, so it ends with the engine, however that ends, and the mounts with it: what is mounted
 * nowhere else keeps no store from being removed. Containers take what they need into their own namespaces
 * (TAKE_IMAGES of storage/driver.ts); their overlays keep it as long as they last.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EngineError, messageOf } from '../errors';
import { findProgram, toolEnvironment } from '../exec';
import { MOUNT_CALLS, mountLayers } from './layer-mounts';
import type { LayerMount } from './layer-mounts';

/** Numbers of setns(2), which differ between machines; those of newer calls are the same on all. */
const SETNS_CALLS: Readonly<Record<string, number>> = { x64: 308, arm64: 268 };

export class LayerNamespace {
	private holder: { readonly child: ChildProcess; readonly pid: number; readonly ended: Promise<void> } | undefined;
	private opening: Promise<void> | undefined;

	/**
	 * Makes the namespace, unless it is there. Where that needs what the machine lacks there is none, and mounts are the
	 * machine's own. Throws EngineError "unsupported" when the kernel refuses it.
	 */
	async open(): Promise<void> {
		if (this.holder !== undefined || findProgram('perl') === undefined || SETNS_CALLS[process.arch] === undefined) {
			return;
		}
		this.opening ??= this.start().finally(() => (this.opening = undefined));
		await this.opening;
	}

	/** The folder (absolute, real) as it is to be read from here. */
	readable(folder: string): string {
		return this.holder === undefined ? folder : `/proc/${this.holder.pid}/root${folder}`;
	}

	/** For RootMount. */
	get place(): string | undefined {
		const { holder } = this;
		return holder && `${holder.pid}/${SETNS_CALLS[process.arch] ?? ''}/${MOUNT_CALLS[process.arch] ?? ''}`;
	}

	/** Mounts images, unless they are. Throws EngineError "unsupported" with the bare reason; some may be mounted then. */
	mount(mounts: readonly LayerMount[]): void {
		mountLayers(mounts, this.holder?.pid);
	}

	/** Ends it, and resolves when it is gone. */
	async close(): Promise<void> {
		await this.opening?.catch(() => undefined);
		this.holder?.child.kill('SIGKILL');
		await this.holder?.ended;
	}

	private async start(): Promise<void> {
		// What the machine unmounts goes here too: "slave".
		const child = spawn('unshare', ['--mount', '--propagation', 'slave', '/bin/sh', '-c', 'echo; read line || :'], {
			...{ cwd: '/', env: toolEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] },
		});
		let complaint = '';
		child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 4096)));
		child.stdin.on('error', () => {
			// It has ended already, which is what the end of its input is for.
		});
		const ended = new Promise<void>((resolve) => {
			child.once('close', () => {
				this.holder = undefined;
				resolve();
			});
		});
		await new Promise<void>((resolve, reject) => {
			child.stdout.once('data', () => {
				resolve();
			});
			child.once('error', (error) => {
				reject(new EngineError('unsupported', messageOf(error)));
			});
			void ended.then(() => {
				reject(new EngineError('unsupported', complaint.trim() || 'unshare(1) gave no reason'));
			});
		});
		// An engine that has nothing else to do may end.
		child.unref();
		this.holder = { child, pid: child.pid ?? 0, ended };
	}
}
