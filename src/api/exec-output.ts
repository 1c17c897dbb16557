import type { ExecCalls } from './exec-calls';
import { ApiError, type Cancel } from './transport';
import type { CreateExecBody } from './types';

/** A command that has ended, and what it printed, read as UTF-8. */
export interface ExecOutput {
	/** Null when the engine does not know it. */
	readonly exitCode: number | null;
	readonly stdout: string;
	/** Both streams, as their pieces came. */
	readonly all: string;
}

export interface ExecLimits extends Cancel {
	/** Bytes of both streams that are kept. */
	readonly most: number;
	/** The end of what it printed will do; without it a command that prints more is given up on. */
	readonly isEndEnough?: boolean;
	/** Milliseconds; a command that has not ended by then is given up on. */
	readonly within?: number;
}

/**
 * Runs a command in a running container to its end. The container is not trusted: no more than `most` bytes are kept, and
 * whatever goes wrong ends the connection. Throws ApiError "too-much" for a command that prints more, "too-late" for one that
 * takes longer, and what the calls throw.
 */
export async function execOutput(
	execs: ExecCalls,
	container: string,
	body: CreateExecBody,
	limits: ExecLimits,
): Promise<ExecOutput> {
	const { within, signal } = limits;
	if (within === undefined) {
		return untilEnd(execs, container, body, limits);
	}
	const late = AbortSignal.timeout(within);
	try {
		return await untilEnd(execs, container, body, {
			...limits,
			signal: signal === undefined ? late : AbortSignal.any([signal, late]),
		});
	} catch (error) {
		throw late.aborted && signal?.aborted !== true
			? refusal(body, `did not end within ${within / 1000} s`, 'too-late')
			: error;
	}
}

function refusal({ Cmd: [program = ''] }: CreateExecBody, reason: string, code: string): ApiError {
	return new ApiError(`Cannot run "${program}" in the container: it ${reason}`, 0, code);
}

async function untilEnd(
	execs: ExecCalls,
	container: string,
	body: CreateExecBody,
	{ most, isEndEnough = false, signal }: ExecLimits,
): Promise<ExecOutput> {
	const cancel = signal === undefined ? {} : { signal };
	const id = await execs.create(container, body, cancel);
	const [stdout, all] = [new Kept(most), new Kept(most)];
	// Left early, the loop closes the attachment.
	for await (const { stream, data } of (await execs.start(id, { ...cancel, tty: false })).output) {
		if (!isEndEnough && all.length + data.length > most) {
			throw refusal(body, `printed more than ${most} bytes`, 'too-much');
		}
		all.add(data);
		if (stream === 'stdout') {
			stdout.add(data);
		}
	}
	const { ExitCode: exitCode } = await execs.inspect(id, cancel);
	return { exitCode, stdout: stdout.text(), all: all.text() };
}

/** The last bytes of a stream in one buffer: pieces of a byte each cost no more than others. */
class Kept {
	private buffer = Buffer.alloc(4096);
	length = 0;

	constructor(private readonly most: number) {}

	add(data: Buffer): void {
		const piece = data.subarray(-this.most);
		this.dropFirst(this.length + piece.length - this.most);
		if (this.length + piece.length > this.buffer.length) {
			const larger = Buffer.alloc(2 * (this.length + piece.length));
			this.buffer.copy(larger, 0, 0, this.length);
			this.buffer = larger;
		}
		piece.copy(this.buffer, this.length);
		this.length += piece.length;
	}

	text(): string {
		return this.buffer.toString('utf8', 0, this.length);
	}

	private dropFirst(count: number): void {
		if (count > 0) {
			this.buffer.copyWithin(0, count, this.length);
			this.length -= count;
		}
	}
}
