import { EngineError } from '../errors';
import type { Container, RestartPolicy } from '../types';

/** Milliseconds before the first restart; each further one waits twice as long (moby, restartmanager.go). */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 60_000;

/** Milliseconds after which a run counts as good: the next delay is the first one again. */
const GOOD_RUN = 10_000;

/**
 * Checks docker's RestartPolicy; undefined is "no". Throws EngineError "invalid" with docker's texts.
 */
export function parseRestartPolicy(name: string, maxRetries: number): RestartPolicy | undefined {
	if (name !== 'on-failure' && ['', 'no', 'always', 'unless-stopped'].includes(name) && maxRetries !== 0) {
		const policy = name === '' ? 'no' : name;
		throw new EngineError('invalid', `maximum retry count cannot be used with restart policy '${policy}'`);
	}
	switch (name) {
		case '':
		case 'no':
			return undefined;
		case 'always':
		case 'unless-stopped':
			return { name, max_retries: 0 };
		case 'on-failure':
			if (maxRetries < 0) {
				throw new EngineError('invalid', 'maximum retry count cannot be negative');
			}
			return { name, max_retries: maxRetries };
		default:
			throw new EngineError('invalid', `invalid restart policy '${name}'`);
	}
}

/** Whether a container whose run has just ended with `exitCode` is to be started again by itself. */
export function isToRestart(container: Container, exitCode: number): boolean {
	const policy = container.config.restart_policy;
	if (policy === undefined || container.manual_stop) {
		return false;
	}
	if (policy.name !== 'on-failure') {
		return true;
	}
	return exitCode !== 0 && (policy.max_retries === 0 || container.restart_count < policy.max_retries);
}

/**
 * Whether a container that does not run is to be started after a boot of the machine, as docker does at the start of its
 * daemon: "always" also what a person had stopped, "on-failure" not at all.
 */
export function isToStartAtBoot(container: Container): boolean {
	const policy = container.config.restart_policy?.name;
	const hasRun = container.started_at !== '' && container.status === 'exited';
	return hasRun && (policy === 'always' || (policy === 'unless-stopped' && !container.manual_stop));
}

/** The waiting of one container for its next start. */
export class RestartTimer {
	private delay = 0;
	private timer: NodeJS.Timeout | undefined;

	/** Calls `action` when the time has come; `ranFor` is how long the last run took, in milliseconds. */
	schedule(ranFor: number, action: () => void): void {
		this.cancel();
		const doubled = Math.min(this.delay * 2, LONGEST_DELAY);
		this.delay = this.delay === 0 || ranFor >= GOOD_RUN ? FIRST_DELAY : doubled;
		this.timer = setTimeout(() => {
			this.timer = undefined;
			action();
		}, this.delay);
	}

	get isWaiting(): boolean {
		return this.timer !== undefined;
	}

	cancel(): void {
		clearTimeout(this.timer);
		this.timer = undefined;
	}

	/** A person has started the container: its failures of before do not count. */
	reset(): void {
		this.cancel();
		this.delay = 0;
	}
}

/** Milliseconds of a container's last run; 0 when the clock was set back meanwhile. */
export function lengthOfRun({ started_at, finished_at }: Container): number {
	return Math.max(0, Date.parse(finished_at) - Date.parse(started_at)) || 0;
}
