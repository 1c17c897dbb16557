import { StringDecoder } from 'node:string_decoder';
import { commands, EventEmitter, l10n, TerminalProfile, ThemeIcon, window } from 'vscode';
import type { Disposable, Memento, Pseudoterminal, TerminalDimensions } from 'vscode';
import type { Attachment, Client, TerminalSize } from '../api/client';
import { debugLine } from './debug-shell';
import { Notice, localSentence } from './failure';
import type { Model } from './model';
import { shortId } from './names';
import { containersFor } from './pick';
import { pinned } from './routing-client';
import { NO_CHOICE, ShellChoices, shellsOf, type ShellChoice } from './shells';
import type { Line } from './terminal-line';

/** A terminal of VS Code on a line to a container; no program is started for it on this side. */
class ContainerTerminal implements Pseudoterminal {
	private readonly writes = new EventEmitter<string>();
	private readonly closes = new EventEmitter<number | undefined>();
	readonly onDidWrite = this.writes.event;
	readonly onDidClose = this.closes.event as NonNullable<Pseudoterminal['onDidClose']>;
	private readonly decoder = new StringDecoder('utf8');
	private line: Promise<Line> | undefined;
	private isClosed = false;

	constructor(private readonly connect: (size: TerminalSize | undefined) => Promise<Line>) {}

	open(dimensions: TerminalDimensions | undefined): void {
		this.line = this.connect(dimensions);
		this.show(this.line).catch((error: unknown) => {
			this.end(`\r\n\x1b[31m${localSentence(error)}\x1b[0m\r\n`, 1);
		});
	}

	close(): void {
		this.isClosed = true;
		this.line?.then(
			({ attachment, hangUp }) => {
				hangUp();
				attachment.close();
			},
			() => {
				// Told when it was shown.
			},
		);
	}

	handleInput(text: string): void {
		this.line
			?.then(({ attachment }) => attachment.write(Buffer.from(text)))
			.catch(() => {
				// It has ended; the output tells.
			});
	}

	setDimensions(dimensions: TerminalDimensions): void {
		this.line
			?.then(({ resize }) => resize(dimensions))
			.catch(() => {
				// It has ended, and needs no size.
			});
	}

	private async show(opening: Promise<Line>): Promise<void> {
		const line = await opening;
		if (line.greeting !== undefined) {
			this.writes.fire(`\x1b[2m${line.greeting}\x1b[0m\r\n`);
		}
		for await (const { data } of line.attachment.output) {
			this.writes.fire(this.decoder.write(data));
		}
		const code = this.isClosed ? undefined : await line.exitCode();
		// VS Code closes a terminal whose process ended well, and shows the code of any other.
		this.end('', code === 0 ? undefined : code);
	}

	private end(text: string, code: number | undefined): void {
		this.writes.fire(text);
		this.closes.fire(code);
	}
}

/** Terminals in containers: shells of their own, and what containers show on theirs. */
export class Terminals implements Disposable {
	/** The best shell by image: containers of one image have the same. */
	private readonly shells = new Map<string, string>();
	/** How shells were opened last. */
	readonly choices: ShellChoices;
	private readonly profile: Disposable;

	constructor(
		private readonly client: Client,
		private readonly model: Model,
		memento: Memento,
	) {
		this.choices = new ShellChoices(memento);
		this.profile = window.registerTerminalProfileProvider('mydocker.container', {
			provideTerminalProfile: async () => {
				const [id] = await runningContainers(this.model, [], l10n.t('Open Terminal'));
				return id === undefined ? undefined : new TerminalProfile(this.shellOptions(id));
			},
		});
	}

	dispose(): void {
		this.profile.dispose();
	}

	openShell(id: string): void {
		window.createTerminal(this.shellOptions(id)).show();
	}

	attach(id: string): void {
		const pty = new ContainerTerminal((size) => this.attachLine(id, size));
		window.createTerminal({ name: this.nameOf(id), iconPath: new ThemeIcon('plug'), pty }).show();
	}

	/** A shell of `image` beside the container, in its namespaces. */
	openDebugShell(id: string, image: string): void {
		const name = l10n.t('{0} (debug)', this.nameOf(id));
		const pty = new ContainerTerminal((size) => debugLine(this.client, id, { image, size }));
		window.createTerminal({ name, iconPath: new ThemeIcon('debug-alt'), pty }).show();
	}

	/** The image that a container's shells are remembered by. */
	imageOf(id: string): string {
		const row = this.model.container(id);
		return row?.image ?? row?.imageId ?? id;
	}

	private shellOptions(id: string): { name: string; iconPath: ThemeIcon; pty: Pseudoterminal } {
		const choice = this.choices.get(this.imageOf(id)) ?? NO_CHOICE;
		const pty = new ContainerTerminal((size) => this.shellLine(id, choice, size));
		const name = choice.user === '' ? this.nameOf(id) : `${this.nameOf(id)} (${choice.user})`;
		return { name, iconPath: new ThemeIcon('terminal'), pty };
	}

	private nameOf(id: string): string {
		return this.model.container(id)?.name ?? shortId(id);
	}

	private async shellLine(container: string, choice: ShellChoice, size: TerminalSize | undefined): Promise<Line> {
		const { execs } = pinned(this.client, container);
		const shell = choice.shell || (await this.shellOf(container));
		const id = await execs.create(container, {
			...{ Cmd: [shell], Tty: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
			...(choice.user === '' ? {} : { User: choice.user }),
			...(choice.workdir === '' ? {} : { WorkingDir: choice.workdir }),
		});
		const attachment = await execs.start(id, { tty: true, ...(size === undefined ? {} : { size }) });
		if (size !== undefined) {
			// Engines before API 1.42 take no size at the start.
			await execs.resize(id, size).catch(() => undefined);
		}
		return {
			attachment,
			resize: (next) => execs.resize(id, next),
			exitCode: async () => (await execs.inspect(id)).ExitCode ?? undefined,
			hangUp: () => {
				// Only our engine can; with another the shell stays, as after `docker exec`.
				execs.hangUp(id).catch(() => undefined);
			},
		};
	}

	private async attachLine(id: string, size: TerminalSize | undefined): Promise<Line> {
		const { containers } = pinned(this.client, id);
		const { Config } = await containers.inspect(id);
		const attachment = await containers.attach(id, { stdin: Config.OpenStdin === true, logs: true });
		const resize = async (next: TerminalSize): Promise<void> => {
			if (Config.Tty === true) {
				await containers.resize(id, next);
			}
		};
		if (size !== undefined) {
			await resize(size);
		}
		return {
			attachment: Config.Tty === true ? attachment : withCarriageReturns(attachment),
			resize,
			exitCode: async () => {
				const { State } = await containers.inspect(id);
				return State.Running ? undefined : State.ExitCode;
			},
			hangUp: () => {
				// The container goes on.
			},
		};
	}

	/** The best shell of a container, looked for once an image. */
	private async shellOf(container: string): Promise<string> {
		const image = this.model.container(container)?.imageId ?? container;
		const known = this.shells.get(image);
		if (known !== undefined) {
			return known;
		}
		const [best] = await shellsOf(this.client, container);
		if (best === undefined) {
			offerDebugShell(this.nameOf(container), container);
			throw new Notice(l10n.t('There is no shell in this container.'));
		}
		this.shells.set(image, best);
		return best;
	}
}

/** Without a terminal in between, nobody else turns the ends of lines into what a terminal needs. */
function withCarriageReturns(attachment: Attachment): Attachment {
	async function* converted(): Attachment['output'] extends AsyncIterable<infer Chunk>
		? AsyncGenerator<Chunk>
		: never {
		for await (const { stream, data } of attachment.output) {
			yield { stream, data: Buffer.from(data.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1') };
		}
	}
	return { ...attachment, output: converted() };
}

function offerDebugShell(name: string, container: string): void {
	const debug = l10n.t('Debug Shell…');
	void window.showInformationMessage(l10n.t('There is no shell in {0}.', name), debug).then((answer) => {
		if (answer === debug) {
			void commands.executeCommand('mydocker.container.debugShell', container);
		}
	});
}

/** The running containers that a command is called for, or that a person then picks. */
export async function runningContainers(model: Model, called: readonly unknown[], title: string): Promise<string[]> {
	return containersFor(model, called, {
		title,
		none: l10n.t('No container is running.'),
		fits: (row) => row.state === 'running',
	});
}
