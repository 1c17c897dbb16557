import { EventEmitter, workspace, type Disposable, type LogOutputChannel, type Memento } from 'vscode';
import type { Client } from '../api/client';
import { engineOfRow, OWN_ID } from './engine-keys';
import { isAbort, sentence } from './failure';
import type { Model } from './model';
import type { ImageRow } from './rows';
import { settings } from './settings';

/** What a registry said of a name, and when (Unix milliseconds); "" when it did not say. */
interface Answer {
	readonly at: number;
	readonly digest: string;
}

const MEMENTO_KEY = 'images.inRegistry';
/** Milliseconds until a registry is asked again about a name, by whichever window. */
export const ASK_AGAIN = 12 * 60 * 60 * 1000;

/**
 * Which images a registry has in a newer version. Registries are asked only when the setting says so, in a trusted
 * workspace while the engine is in use, one after the other and only for the digest (a HEAD request).
 */
export class NewerImages implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private readonly subscriptions: readonly Disposable[];
	private asking: AbortController | undefined;
	private timer: NodeJS.Timeout | undefined;

	constructor(
		private readonly client: Pick<Client, 'registries'>,
		private readonly model: Model,
		private readonly memento: Memento,
		private readonly log: Pick<LogOutputChannel, 'debug'>,
	) {
		const follow = (): void => {
			this.follow();
		};
		this.subscriptions = [
			model.onDidChangeImages(follow),
			model.onDidChangeState(follow),
			workspace.onDidGrantWorkspaceTrust(follow),
			workspace.onDidChangeConfiguration((change) => {
				if (change.affectsConfiguration('mydocker.images.checkForNewer')) {
					this.follow();
					this.changed.fire();
				}
			}),
		];
	}

	/** True when the registry has another image of the row's name than the one here. */
	has({ name, digests }: ImageRow): boolean {
		const digest = this.isOn ? this.answers[name]?.digest : undefined;
		return digest !== undefined && digest !== '' && !digests.some((one) => one.endsWith(`@${digest}`));
	}

	dispose(): void {
		this.stop();
		for (const subscription of [...this.subscriptions, this.changed]) {
			subscription.dispose();
		}
	}

	private get isOn(): boolean {
		return settings.areNewerLookedFor && workspace.isTrusted && this.model.state === 'ready';
	}

	private get answers(): Readonly<Record<string, Answer>> {
		return this.memento.get<Record<string, Answer>>(MEMENTO_KEY, {});
	}

	/** Begins to ask, goes on, or stops. */
	private follow(): void {
		if (!this.isOn) {
			this.stop();
		} else if (this.asking === undefined) {
			this.asking = new AbortController();
			void this.ask(this.asking);
		}
	}

	private stop(): void {
		clearTimeout(this.timer);
		this.asking?.abort();
		this.asking = undefined;
	}

	private async ask(asking: AbortController): Promise<void> {
		const { signal } = asking;
		try {
			for (let row = this.due(); row !== undefined && !signal.aborted; row = this.due()) {
				await this.askFor(row.name, signal);
			}
		} finally {
			// In the moment of the last look: the first list of images comes right after the state that begins to ask.
			if (this.asking === asking) {
				this.asking = undefined;
			}
		}
		if (!signal.aborted) {
			clearTimeout(this.timer);
			this.timer = setTimeout(() => {
				this.follow();
			}, ASK_AGAIN);
		}
	}

	private async askFor(name: string, signal: AbortSignal): Promise<void> {
		const digest = await this.digest(name, signal);
		if (digest !== undefined) {
			const here = Object.entries(this.answers).filter(([known]) => this.model.image(known) !== undefined);
			await this.memento.update(MEMENTO_KEY, {
				...Object.fromEntries(here),
				[name]: { at: Date.now(), digest },
			});
			this.changed.fire();
		}
	}

	/** An image of our engine that a registry gave and was not asked about for long. */
	private due(): ImageRow | undefined {
		const { answers } = this;
		return this.model.images.find(
			({ name, tag, digests }) =>
				tag !== undefined &&
				digests.length > 0 &&
				engineOfRow(name) === OWN_ID &&
				(answers[name]?.at ?? 0) + ASK_AGAIN <= Date.now(),
		);
	}

	/** Undefined when it was cancelled. */
	private async digest(name: string, signal: AbortSignal): Promise<string | undefined> {
		try {
			return (await this.client.registries.digest(name, { signal })).Digest;
		} catch (error) {
			if (isAbort(error)) {
				return undefined;
			}
			this.log.debug(`Cannot look for a newer image of ${name}: ${sentence(error)}`);
			return '';
		}
	}
}
