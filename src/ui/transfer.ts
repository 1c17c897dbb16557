import { env, ProgressLocation, window } from 'vscode';
import { formatBytes } from './amounts';
import { signalOf } from './cancel';

type Count = (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/** Milliseconds between two readings of a progress. */
const REPORT_EVERY = 250;

/** A notification that can be cancelled and says how many bytes have gone through `count`. */
export async function withProgress(
	title: string,
	work: (signal: AbortSignal, count: Count) => Promise<void>,
): Promise<void> {
	const options = { location: ProgressLocation.Notification, title, cancellable: true };
	await window.withProgress(options, async (progress, token) => {
		await work(signalOf(token), async function* count(bytes) {
			let [sum, lastReport] = [0, 0];
			for await (const chunk of bytes) {
				sum += chunk.length;
				if (Date.now() - lastReport >= REPORT_EVERY) {
					lastReport = Date.now();
					progress.report({ message: formatBytes(sum, env.language) });
				}
				yield chunk;
			}
		});
	});
}
