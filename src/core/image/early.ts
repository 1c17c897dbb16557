import type { IncomingMessage } from 'node:http';
import type { Descriptor } from './manifest';

/**
 * Answers of registries to requests for blobs that were sent before it was known whether they are needed, so that nobody
 * waits for one request after the other. Whoever takes one gets it alone; `drop` ends the rest.
 */
export class EarlyAnswers {
	private readonly answers = new Map<string, Promise<IncomingMessage>>();

	/** Asks for the blobs that nobody has asked for yet. The result drops what of that nobody has taken. */
	ask(blobs: readonly Descriptor[], request: (blob: Descriptor) => Promise<IncomingMessage>): () => void {
		const asked = new Map<string, Promise<IncomingMessage>>();
		for (const blob of blobs.filter(({ digest }) => !this.answers.has(digest))) {
			const answer = this.answers.get(blob.digest) ?? request(blob);
			asked.set(blob.digest, answer);
			this.answers.set(blob.digest, answer);
		}
		return () => {
			for (const [digest, answer] of asked) {
				if (this.answers.get(digest) === answer) {
					this.answers.delete(digest);
					drop(answer);
				}
			}
		};
	}

	/** The answer to the request for this blob, once; undefined when there is none. It may reject. */
	take(digest: string): Promise<IncomingMessage> | undefined {
		const answer = this.answers.get(digest);
		this.answers.delete(digest);
		return answer;
	}
}

function drop(answer: Promise<IncomingMessage>): void {
	answer.then(
		(response) => {
			response.destroy();
		},
		() => {
			// Nobody needs it.
		},
	);
}
