import { EngineError, messageOf } from '../core/errors';
import type { ApiRequest } from './request';
import type { ProgressMessage } from './types';

/** A line of a pull or a push, as the core tells it. */
interface Progress {
	readonly status?: string;
	readonly id?: string;
	/** Bytes. */
	readonly current?: number;
	readonly total?: number;
	readonly aux?: ProgressMessage['aux'];
}

/**
 * Sends progress no faster than the client reads. While it does not read, only the newest byte counts of a layer are
 * kept, so that memory is bounded by the number of layers.
 */
export class ProgressWriter {
	private waiting: ProgressMessage[] = [];
	private sending: Promise<void> | undefined;
	private failure: Error | undefined;

	constructor(
		private readonly request: ApiRequest,
		private readonly tag: string,
	) {}

	add({ status, id, current, total, aux }: Progress): void {
		const message: ProgressMessage = {
			...(status === undefined ? {} : { status }),
			// On each line of a layer, empty or not: by this docker's clients tell lines that they draw over.
			...(isLayer(id)
				? {
						progressDetail: {
							...(current === undefined ? {} : { current }),
							...(total === undefined ? {} : { total }),
						},
					}
				: {}),
			...(id === undefined ? this.firstId(status ?? '') : { id }),
			...(aux === undefined ? {} : { progressDetail: {}, aux }),
		};
		const last = this.waiting.findLastIndex((other) => other.id === message.id);
		const isCount = current !== undefined && last >= 0 && this.waiting[last]?.status === status;
		this.waiting.splice(isCount ? last : this.waiting.length, isCount ? 1 : 0, message);
		this.sending ??= this.send();
	}

	/** Resolves when all has been taken by the client. */
	async finish(): Promise<void> {
		await this.flush();
		if (!this.request.isAnswered) {
			this.request.begin('application/json');
		}
		this.request.end();
	}

	async fail(error: unknown): Promise<void> {
		await this.flush();
		const message = messageOf(error);
		// Docker's errorDetail.code is a number, so our own code stands beside it.
		const code = error instanceof EngineError ? { code: error.code } : {};
		this.request.end(JSON.stringify({ errorDetail: { message }, error: message, ...code }) + '\r\n');
	}

	private async flush(): Promise<void> {
		await this.sending;
		if (this.failure !== undefined) {
			throw this.failure;
		}
	}

	/** Docker names the tag on its first line, "Pulling from library/nginx". */
	private firstId(status: string): { id?: string } {
		return status.startsWith('Pulling from ') && this.tag !== '' ? { id: this.tag } : {};
	}

	private async send(): Promise<void> {
		try {
			if (!this.request.isAnswered) {
				this.request.begin('application/json');
			}
			while (this.waiting.length > 0) {
				const taken = this.waiting;
				this.waiting = [];
				await this.request.write(taken.map((message) => JSON.stringify(message) + '\r\n').join(''));
			}
		} catch (error) {
			this.failure = error instanceof Error ? error : new Error(String(error));
		} finally {
			this.sending = undefined;
		}
	}
}

/** A layer's short id; the first line of a pull has the tag in its place. */
function isLayer(id: string | undefined): boolean {
	return id !== undefined && /^[0-9a-f]{12}$/.test(id);
}
