import * as os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, messageOf } from '../errors';
import type { Stream } from './json-lines';
import type { LogCheckpoint, LogDriver, LogEntry, LogQuery } from './log';
import { logTag, type LogSubject } from './log-attributes';
import { checkSyslogSocket, parseSyslogAddress, type SyslogAddress } from './syslog-address';
import { syslogFacility, syslogLines, type SyslogFormat } from './syslog-message';
import { SyslogQueue } from './syslog-queue';
import { dialSyslog, type SyslogTls } from './syslog-transport';

/** Those of docker's syslog driver. */
export const SYSLOG_OPTIONS = [
	...['syslog-address', 'syslog-facility', 'syslog-format', 'syslog-tls-ca-cert', 'syslog-tls-cert'],
	...['syslog-tls-key', 'syslog-tls-skip-verify', 'tag', 'labels', 'labels-regex', 'env', 'env-regex'],
];

const FORMATS: Readonly<Record<string, SyslogFormat>> = {
	'': '',
	rfc3164: 'rfc3164',
	rfc5424: 'rfc5424',
	rfc5424micro: 'rfc5424micro',
};

/** Bytes that wait for a server that is slow or away, unless max-buffer-size says another number. */
export const SYSLOG_BUFFER = 8 * 1024 * 1024;

/** Milliseconds that the last lines of a container have to reach the server, and those when the engine leaves. */
const PATIENCE = 10_000;
const LAST_PATIENCE = 1000;

export interface SyslogOptions {
	readonly address: SyslogAddress;
	readonly facility: number;
	readonly format: SyslogFormat;
	/** Docker's template; "{{.ID}}" by default. */
	readonly tag: string;
	readonly tls: SyslogTls;
	/** The options labels, env and their like, whose values the tag may have. */
	readonly chosen: Options;
}

type Options = Readonly<Record<string, string>>;

/** Throws EngineError "invalid" with docker's texts. */
export function syslogOptions(options: Options): SyslogOptions {
	const facility = syslogFacility(options['syslog-facility'] ?? '');
	const format = FORMATS[options['syslog-format'] ?? ''];
	const address = parseSyslogAddress(options['syslog-address'] ?? '');
	if (facility === undefined) {
		throw new EngineError('invalid', 'invalid syslog facility');
	}
	if (format === undefined) {
		throw new EngineError('invalid', 'Invalid syslog format');
	}
	return {
		address,
		facility,
		format,
		tag: options['tag'] || '{{.ID}}',
		chosen: options,
		tls: {
			ca: options['syslog-tls-ca-cert'],
			cert: options['syslog-tls-cert'],
			key: options['syslog-tls-key'],
			// As docker, being there is enough.
			skipVerify: options['syslog-tls-skip-verify'] !== undefined,
		},
	};
}

/** At the creation of a container: docker also wants a socket that is named to be there. */
export function checkSyslogOptions(options: Options): void {
	checkSyslogSocket(syslogOptions(options).address);
}

/**
 * Docker's syslog driver with its dual logging: each line goes to the server, and into a local log that is read. The
 * server never holds up the container: what it does not take waits in a bounded queue and is dropped beyond. After the
 * death of an engine lines that it had sent and not noted yet are sent again.
 */
export class SyslogLog implements LogDriver {
	private queue: SyslogQueue | undefined;
	private leaving = Promise.resolve();

	constructor(
		private readonly copy: LogDriver,
		private readonly options: SyslogOptions & {
			readonly subject: () => LogSubject;
			/** Bytes. */
			readonly limit: number;
			readonly warn: (message: string) => void;
		},
	) {}

	async connect(): Promise<void> {
		this.queue ??= this.openQueue();
		try {
			await this.queue.connect();
		} catch (error) {
			const message = `failed to initialize logging driver: ${messageOf(error)}`;
			throw new EngineError('runtime', message, { cause: error, exitCode: 125 });
		}
	}

	begin(checkpoint?: LogCheckpoint): void {
		this.copy.begin(checkpoint);
		this.queue ??= this.openQueue();
	}

	prepare(): boolean {
		return this.copy.prepare();
	}

	take(stream: Stream, data: Buffer, isFinal: boolean): number {
		const taken = this.copy.take(stream, data, isFinal);
		const time = new Date();
		// The input is used again for the next output.
		for (const text of syslogLines(Buffer.from(data.subarray(0, taken)))) {
			this.queue?.add({ stream, time, text });
		}
		return taken;
	}

	get checkpoint(): LogCheckpoint {
		return this.copy.checkpoint;
	}

	pause(): void {
		this.copy.pause();
	}

	finish(): void {
		this.copy.finish();
		this.release();
	}

	async close(): Promise<void> {
		this.release();
		await Promise.all([
			this.copy.close(),
			Promise.race([this.leaving, delay(LAST_PATIENCE, undefined, { ref: false })]),
		]);
	}

	read(query: LogQuery): AsyncIterable<LogEntry> {
		return this.copy.read(query);
	}

	/** What waits is still sent. */
	private release(): void {
		this.leaving = this.queue?.close(PATIENCE) ?? this.leaving;
		this.queue = undefined;
	}

	private openQueue(): SyslogQueue {
		const { address, facility, format, tls, subject, limit } = this.options;
		const container = subject();
		// Labels and variables may hold anything; a line end would begin another message.
		const tag = logTag(this.options.tag, container, this.options.chosen).replaceAll(/\p{Cc}/gu, '?');
		const sender = { facility, format, tag, hostname: os.hostname() };
		const warn = (message: string): void => {
			this.options.warn(`Container "${container.name}": ${message}`);
		};
		const dial = async () => dialSyslog(address, { ...sender, pid: process.pid }, tls);
		return new SyslogQueue({ limit, dial, warn });
	}
}
