/** The two streams a command prints to. Nothing is lost at exit: `flush` before the process ends. */
export class Output {
	/** Those that were asked for: to look at one of Node's is to open it, which takes a while. */
	private readonly opened = new Map<'stdout' | 'stderr', NodeJS.WriteStream>();

	/** `onError` is told when a stream fails, as when its reader has left. */
	constructor(
		private readonly source: { readonly stdout: NodeJS.WriteStream; readonly stderr: NodeJS.WriteStream },
		private readonly onError: (error: Error) => void,
	) {}

	get stdout(): NodeJS.WriteStream {
		return this.open('stdout');
	}

	get stderr(): NodeJS.WriteStream {
		return this.open('stderr');
	}

	/** A line on stdout. */
	line(text: string): void {
		this.stdout.write(`${text}\n`);
	}

	/** A line on stderr. */
	error(text: string): void {
		this.stderr.write(`${text}\n`);
	}

	/** Bytes of a container. Resolves when the stream takes more or has failed, so that a slow reader slows the container, not fills memory. */
	async write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> {
		const target = this[stream];
		if (target.write(data) || target.destroyed) {
			return;
		}
		await new Promise<void>((resolve) => {
			const goOn = (): void => {
				target.off('drain', goOn).off('close', goOn);
				resolve();
			};
			target.on('drain', goOn).on('close', goOn);
		});
	}

	/** Resolves when everything has left the process. */
	async flush(): Promise<void> {
		await Promise.all(
			[...this.opened.values()].map((stream) => new Promise((resolve) => stream.write('', resolve))),
		);
	}

	private open(name: 'stdout' | 'stderr'): NodeJS.WriteStream {
		const known = this.opened.get(name);
		if (known !== undefined) {
			return known;
		}
		const stream = this.source[name];
		stream.on('error', this.onError);
		this.opened.set(name, stream);
		return stream;
	}
}

/**
 * One line that is safe to show: control characters, with which a registry, a label or a name could drive the
 * terminal, become "�". Output of a container and JSON are not passed through here.
 */
export function plain(text: string): string {
	return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '\ufffd');
}
