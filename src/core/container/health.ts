import { EngineError, messageOf } from '../errors';
import { nowNanoseconds, rfc3339 } from '../events';
import type { Container, HealthConfig, HealthStatus } from '../types';
import type { Execs } from './execs';

/** What is known of a container's health: docker's State.Health. */
export interface Health {
	readonly status: HealthStatus;
	/** Failures one after the other. */
	readonly failing_streak: number;
	/** The last five checks, oldest first. */
	readonly log: readonly HealthCheck[];
}

export interface HealthCheck {
	/** RFC 3339 */
	readonly start: string;
	readonly end: string;
	/** -1 when the check could not be run or took too long. */
	readonly exit_code: number;
	readonly output: string;
}

const NANOSECONDS_PER_MILLISECOND = 1_000_000;
const MINIMUM = NANOSECONDS_PER_MILLISECOND;

/** Docker's defaults, in milliseconds. */
const INTERVAL = 30_000;
const TIMEOUT = 30_000;
const RETRIES = 3;

const CHECKS_KEPT = 5;
const LONGEST_OUTPUT = 4096;

/** The longest that setTimeout takes. */
const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * Docker's merge: what the container leaves open is the image's. Undefined is no health check. Throws EngineError
 * "invalid" with docker's texts.
 */
export function healthConfig(
	asked: HealthConfig | undefined,
	image: HealthConfig | undefined,
): HealthConfig | undefined {
	if (asked !== undefined) {
		checkHealth(asked);
	}
	const own = asked ?? { test: [], interval: 0, timeout: 0, start_period: 0, retries: 0 };
	if (own.test.length > 0 || image === undefined) {
		return own.test.length > 0 ? own : undefined;
	}
	return {
		test: image.test,
		interval: own.interval || image.interval,
		timeout: own.timeout || image.timeout,
		start_period: own.start_period || image.start_period,
		retries: own.retries || image.retries,
	};
}

function checkHealth({ interval, timeout, start_period, retries }: HealthConfig): void {
	const times = { Interval: interval, Timeout: timeout, StartPeriod: start_period };
	const short = Object.entries(times).find(([, value]) => value !== 0 && value < MINIMUM);
	if (short !== undefined) {
		throw new EngineError('invalid', `${short[0]} in Healthcheck cannot be less than 1ms`);
	}
	if (retries < 0) {
		throw new EngineError('invalid', 'Retries in Healthcheck cannot be negative');
	}
}

/** Program and arguments of the check; undefined when there is none to run. */
export function healthCommand({ test }: HealthConfig): readonly string[] | undefined {
	const [kind, ...words] = test;
	switch (kind) {
		case 'CMD':
			return words.length === 0 ? undefined : words;
		case 'CMD-SHELL':
			return ['/bin/sh', '-c', words.join(' ')];
		default:
			return undefined;
	}
}

/** Whether the engine runs checks for the container. */
export function hasHealthCheck({ config }: Container): boolean {
	return config.health !== undefined && healthCommand(config.health) !== undefined;
}

/** Health after one more check (moby, daemon/health.go). `startedAt` is when the run began. */
export function afterCheck(
	health: Health,
	check: HealthCheck,
	{ config, startedAt }: { readonly config: HealthConfig; readonly startedAt: string },
): Health {
	const log = [...health.log, check].slice(-CHECKS_KEPT);
	if (check.exit_code === 0) {
		return { status: 'healthy', failing_streak: 0, log };
	}
	const age = (Date.parse(check.start) - Date.parse(startedAt)) * NANOSECONDS_PER_MILLISECOND;
	if (health.status === 'starting' && age < config.start_period) {
		return { ...health, log };
	}
	const streak = health.failing_streak + 1;
	const isUnhealthy = streak >= (config.retries || RETRIES);
	return { status: isUnhealthy ? 'unhealthy' : health.status, failing_streak: streak, log };
}

export interface HealthMonitorsOptions {
	readonly execs: Pick<Execs, 'run'>;
	/** The container's record now; undefined when it is gone. */
	readonly container: (id: string) => Container | undefined;
	/** Called when the status is another one than before. */
	readonly changed: (id: string, status: HealthStatus) => void;
}

interface Monitor {
	health: Health;
	timer: NodeJS.Timeout | undefined;
	readonly end: AbortController;
}

/** Runs the health checks of running containers, one check of a container at a time. */
export class HealthMonitors {
	private readonly monitors = new Map<string, Monitor>();

	constructor(private readonly options: HealthMonitorsOptions) {}

	/** A run has begun, or one was taken over with what the record says of its health. */
	start(container: Container, status: HealthStatus): void {
		const { id, config } = container;
		this.stop(id);
		if (config.health !== undefined && hasHealthCheck(container)) {
			const health: Health = { status, failing_streak: 0, log: [] };
			const monitor = { health, timer: undefined, end: new AbortController() };
			this.monitors.set(id, monitor);
			this.schedule(id, monitor, config.health);
		}
	}

	/** The run has ended; what the last checks said stays. */
	stop(id: string): void {
		const monitor = this.monitors.get(id);
		if (monitor !== undefined) {
			monitor.end.abort();
			clearTimeout(monitor.timer);
			monitor.health = { ...monitor.health, status: 'unhealthy' };
		}
	}

	forget(id: string): void {
		this.stop(id);
		this.monitors.delete(id);
	}

	/** The engine leaves. */
	close(): void {
		for (const monitor of this.monitors.values()) {
			monitor.end.abort();
			clearTimeout(monitor.timer);
		}
	}

	/** Undefined when the engine does not check the container. */
	of(container: Container): Health | undefined {
		if (!hasHealthCheck(container)) {
			return undefined;
		}
		const known = this.monitors.get(container.id)?.health;
		return known ?? { status: container.health ?? 'starting', failing_streak: 0, log: [] };
	}

	private schedule(id: string, monitor: Monitor, config: HealthConfig): void {
		const interval = milliseconds(config.interval, INTERVAL);
		monitor.timer = setTimeout(() => {
			void this.check(id, monitor, config);
		}, interval);
	}

	private async check(id: string, monitor: Monitor, config: HealthConfig): Promise<void> {
		const container = this.options.container(id);
		if (container === undefined || monitor.end.signal.aborted) {
			return;
		}
		if (container.status === 'running') {
			const check = await this.probe(id, monitor, config);
			if (isOver(monitor)) {
				return;
			}
			const before = monitor.health.status;
			monitor.health = afterCheck(monitor.health, check, { config, startedAt: container.started_at });
			if (monitor.health.status !== before) {
				this.options.changed(id, monitor.health.status);
			}
		}
		this.schedule(id, monitor, config);
	}

	/** One check; an end of the monitor or of the time kills its process. */
	private async probe(id: string, monitor: Monitor, config: HealthConfig): Promise<HealthCheck> {
		const start = rfc3339(nowNanoseconds());
		const timeout = AbortSignal.timeout(milliseconds(config.timeout, TIMEOUT));
		const signal = AbortSignal.any([monitor.end.signal, timeout]);
		const done = (exit_code: number, output: string): HealthCheck => {
			return { start, end: rfc3339(nowNanoseconds()), exit_code, output };
		};
		try {
			const command = healthCommand(config) ?? [];
			const result = await this.options.execs.run(id, { command }, { signal, maxOutput: LONGEST_OUTPUT });
			return done(result.exitCode, result.output);
		} catch (error) {
			if (timeout.aborted) {
				const limit = goDuration(milliseconds(config.timeout, TIMEOUT));
				return done(-1, `Health check exceeded timeout (${limit})`);
			}
			return done(-1, messageOf(error));
		}
	}
}

/** Asked after an await: the run may have ended meanwhile. */
function isOver({ end }: Monitor): boolean {
	return end.signal.aborted;
}

/** Milliseconds of a time in nanoseconds; 0 is the default. */
function milliseconds(nanoseconds: number, otherwise: number): number {
	return nanoseconds === 0 ? otherwise : Math.min(nanoseconds / NANOSECONDS_PER_MILLISECOND, LONGEST_DELAY);
}

/** As Go prints a duration: "1m30s", "1.5s", "500ms". */
function goDuration(time: number): string {
	if (time < 1000) {
		return `${time}ms`;
	}
	const [hours, minutes] = [Math.floor(time / 3_600_000), Math.floor(time / 60_000) % 60];
	const seconds = (time % 60_000) / 1000;
	return `${hours > 0 ? `${hours}h` : ''}${hours + minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
