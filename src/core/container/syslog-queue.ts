import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../errors';
import type { SyslogLine, SyslogTransport } from './syslog-transport';

const FIRST_RETRY = 100;
const LAST_RETRY = 30_000;
/** Of memory that a waiting line takes beside its text. */
const OVERHEAD = 128;
/** Lines of this many bytes go out together. */
const BATCH = 64 * 1024;

export interface SyslogQueueOptions {
	/** Bytes that wait at most; what comes beyond is dropped and counted. */
	readonly limit: number;
	readonly dial: () => Promise<SyslogTransport>;
	readonly warn: (message: string) => void;
}

/**
 * Lines on their way to a syslog server. Adding never waits: a server that is slow or away fills the queue, and what does
 * not fit is dropped with a warning. A broken connection is made again with growing pauses (0.1 s to 30 s), and what was
 * not taken from it is sent again.
 */
export class SyslogQueue {
	private readonly lines: SyslogLine[] = [];
	private bytes = 0;
	private dropped = 0;
	private transport: SyslogTransport | undefined;
	private work: Promise<void> | undefined;
	private readonly end = new AbortController();
	private hasWarned = false;

	constructor(private readonly options: SyslogQueueOptions) {}

	/** Makes the connection, so that an address that is wrong is told of; throws what `dial` throws. */
	async connect(): Promise<void> {
		this.transport ??= await this.options.dial();
	}

	add(line: SyslogLine): void {
		const size = line.text.length + OVERHEAD;
		if (this.bytes + size > this.options.limit) {
			this.drop();
			return;
		}
		this.bytes += size;
		this.lines.push(line);
		this.work ??= this.sendAll();
	}

	/** Ends the connection when all is sent, or at the latest after so many milliseconds. */
	async close(patience: number): Promise<void> {
		const timer = setTimeout(() => {
			this.end.abort();
			this.transport?.destroy();
		}, patience);
		await this.work;
		clearTimeout(timer);
		this.end.abort();
		this.disconnect();
		if (this.lines.length > 0) {
			this.options.warn(`${this.lines.length} lines of the log were not sent to syslog in time`);
		}
	}

	private drop(): void {
		if (this.dropped === 0) {
			this.options.warn('Syslog takes lines too slowly or not at all; some are dropped (logs still has them)');
		}
		this.dropped++;
	}

	private async sendAll(): Promise<void> {
		let pause = FIRST_RETRY;
		while (this.lines.length > 0 && !this.end.signal.aborted) {
			try {
				this.transport ??= await this.options.dial();
				await this.sendBatch(this.transport);
				pause = FIRST_RETRY;
				this.hasWarned = false;
			} catch (error) {
				this.disconnect();
				this.warnOnce(error);
				await this.rest(pause);
				pause = Math.min(pause * 2, LAST_RETRY);
			}
		}
		this.work = undefined;
	}

	private async sendBatch(transport: SyslogTransport): Promise<void> {
		let count = 0;
		let bytes = 0;
		for (; count < this.lines.length && bytes < BATCH; count++) {
			bytes += (this.lines[count]?.text.length ?? 0) + OVERHEAD;
		}
		await transport.send(this.lines.slice(0, count));
		this.lines.splice(0, count);
		this.bytes -= bytes;
		if (this.dropped > 0) {
			this.options.warn(`${this.dropped} lines of the log were not sent to syslog`);
			this.dropped = 0;
		}
	}

	private disconnect(): void {
		this.transport?.close();
		this.transport = undefined;
	}

	private warnOnce(error: unknown): void {
		if (!this.hasWarned) {
			this.options.warn(`Cannot send a log to syslog, trying again: ${messageOf(error)}`);
		}
		this.hasWarned = true;
	}

	private async rest(milliseconds: number): Promise<void> {
		try {
			await delay(milliseconds, undefined, { signal: this.end.signal, ref: false });
		} catch (error) {
			if (!this.end.signal.aborted) {
				throw error;
			}
		}
	}
}
