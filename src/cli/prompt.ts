import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Session } from './session';

const LONGEST_INPUT = 1024 * 1024;

/** Asks a question on the terminal; what is secret is not shown while it is typed. Ctrl-C cancels the command. */
export async function prompt(
	session: Pick<Session, 'input' | 'output' | 'signal'>,
	question: string,
	{ isSecret }: { readonly isSecret: boolean },
): Promise<string> {
	const { input, output, signal } = session;
	output.stdout.write(question);
	const shown = isSecret
		? new Writable({
				write: (_chunk, _encoding, done) => {
					done();
				},
			})
		: output.stdout;
	const lines = createInterface({ input, output: shown, terminal: true });
	lines.once('SIGINT', () => {
		process.kill(process.pid, 'SIGINT'); // which aborts the session's signal
	});
	try {
		return await lines.question('', { signal });
	} finally {
		lines.close();
		output.stdout.write(isSecret ? '\n' : '');
	}
}

/** Asks docker's question; true for "y" in any case. The end of the input is no. */
export async function confirm(
	{ input, output, signal }: Pick<Session, 'input' | 'output' | 'signal'>,
	question: string,
): Promise<boolean> {
	output.stdout.write(`${question} [y/N] `);
	const lines = createInterface({ input, signal });
	try {
		const answer = await new Promise<string>((resolve) => {
			lines.once('line', resolve).once('close', () => {
				resolve('');
			});
		});
		if (signal.aborted) {
			output.line('');
		}
		signal.throwIfAborted();
		return answer.trim().toLowerCase() === 'y';
	} finally {
		lines.close();
	}
}

/** All of a stream, as text. */
export async function readAll(input: NodeJS.ReadableStream): Promise<string> {
	const pieces: Buffer[] = [];
	let length = 0;
	for await (const piece of input) {
		const bytes = Buffer.from(piece);
		length += bytes.length;
		if (length > LONGEST_INPUT) {
			throw new Error(`Cannot read the input: it is longer than ${LONGEST_INPUT} bytes`);
		}
		pieces.push(bytes);
	}
	return Buffer.concat(pieces).toString();
}
