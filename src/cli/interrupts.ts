type Interrupt = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT' | 'SIGUSR1' | 'SIGUSR2';

/** Whoever tells of signals: this process, or the one that handed a command over. */
export interface SignalSource {
	on(name: string, listener: (name: NodeJS.Signals) => void): SignalSource;
	off(name: string, listener: (name: NodeJS.Signals) => void): SignalSource;
}

/** Signals that a foreground container gets instead of us. */
const PROXIED: readonly Interrupt[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

/**
 * What Ctrl-C and its like do: the first cancels the command, the next ends the process at once; while a container
 * runs in the foreground they go to the container, and the third ends the process as docker's does.
 */
export class Interrupts {
	private readonly controller = new AbortController();
	private received: NodeJS.Signals | undefined;

	constructor(
		private readonly source: SignalSource,
		private readonly exit: (code: number, message?: string) => void,
	) {
		for (const name of ['SIGINT', 'SIGTERM'] as const) {
			source.on(name, this.cancel);
		}
	}

	/** Aborted by the first SIGINT or SIGTERM. */
	get signal(): AbortSignal {
		return this.controller.signal;
	}

	/** 130 after Ctrl-C, 143 after SIGTERM. */
	get exitCode(): number {
		return this.received === 'SIGTERM' ? 143 : 130;
	}

	/** Hands signals to `send` until the returned function is called. */
	proxy(send: (name: string) => void): () => void {
		let terminations = 0;
		const forward = (name: NodeJS.Signals): void => {
			terminations += name === 'SIGINT' || name === 'SIGTERM' ? 1 : 0;
			if (terminations === 3) {
				this.exit(1, 'got 3 SIGTERM/SIGINTs, forcefully exiting');
			}
			send(name);
		};
		this.source.off('SIGINT', this.cancel).off('SIGTERM', this.cancel);
		PROXIED.forEach((name) => this.source.on(name, forward));
		return () => {
			PROXIED.forEach((name) => this.source.off(name, forward));
			this.source.on('SIGINT', this.cancel).on('SIGTERM', this.cancel);
		};
	}

	private readonly cancel = (name: NodeJS.Signals): void => {
		if (this.received !== undefined) {
			this.exit(this.exitCode);
		}
		this.received ??= name;
		this.controller.abort();
	};
}
