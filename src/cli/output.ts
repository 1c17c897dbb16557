/** The two streams a command prints to. Nothing is lost at exit: `flush` before the process ends. */
export class Output {
	constructor(
		readonly stdout: NodeJS.WriteStream,
		readonly stderr: NodeJS.WriteStream,
	) {}

	/** A line on stdout. */
	line(text: string): void {
		this.stdout.write(`${text}\n`);
	}

	/** A line on stderr. */
	error(text: string): void {
		this.stderr.write(`${text}\n`);
	}

	/** Bytes of a container. Resolves when the stream takes more, so that a slow reader slows the container, not fills memory. */
	async write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> {
		const target = this[stream];
		if (!target.write(data)) {
			await new Promise<void>((resolve) => target.once('drain', resolve));
		}
	}

	/** Resolves when everything has left the process. */
	async flush(): Promise<void> {
		await Promise.all(
			[this.stdout, this.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
		);
	}
}

/**
 * One line that is safe to show: control characters, with which a registry, a label or a name could drive the
 * terminal, become "�". Output of a container and JSON are not passed through here.
 */
export function plain(text: string): string {
	return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '\ufffd');
}
