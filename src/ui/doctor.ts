import { commands, env, EventEmitter, l10n, type Disposable, type LogOutputChannel } from 'vscode';
import type { Client } from '../api/client';
import { checksOf, type Check, type CheckStatus } from './doctor-checks';
import { isAbort, refusal } from './failure';
import type { Model } from './model';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { facts } from './tooltip';

/** What the engine of this window is and has, and what it lacks; asked when somebody looks. */
export class Doctor implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	private checks: readonly Check[] = [];
	private asking: Promise<void> | undefined;
	private readonly subscription: Disposable;

	constructor(
		private readonly client: Client,
		private readonly model: Model,
		private readonly log: LogOutputChannel,
	) {
		this.subscription = model.onDidChangeState((state) => {
			if (state === 'ready' || state === 'failed') {
				this.forget();
			}
		});
	}

	/** The rows of the view. */
	get source(): RowSource {
		return {
			load: () => this.load(),
			keys: (parent) => (parent === undefined ? this.checks.map(({ name }) => name) : []),
			draw: (key) => {
				const check = this.checks.find(({ name }) => name === key);
				return check === undefined ? GONE : drawCheck(check);
			},
			tooltip: (key) => {
				const check = this.checks.find(({ name }) => name === key);
				return (
					check &&
					facts(titleOf(check), [
						['', check.value],
						[l10n.t('What to do'), adviceFor(check)],
					])
				);
			},
		};
	}

	/** Run Doctor: asks anew and shows the view. */
	async run(): Promise<void> {
		const refused = refusal();
		if (refused !== undefined) {
			throw refused;
		}
		await this.ask();
		await commands.executeCommand('mydocker.engine.focus');
	}

	/** Copies what it knows, for a bug report. */
	async copy(): Promise<void> {
		await this.ask();
		await env.clipboard.writeText(
			this.checks.map((check) => `${check.status}: ${check.name}: ${check.value}\n`).join(''),
		);
	}

	dispose(): void {
		this.subscription.dispose();
		this.changed.dispose();
	}

	private forget(): void {
		if (this.checks.length > 0) {
			void this.ask();
		}
	}

	private async load(): Promise<void> {
		if (this.checks.length === 0 && refusal() === undefined) {
			await this.ask();
		}
	}

	private async ask(): Promise<void> {
		await (this.asking ??= this.examine().finally(() => {
			this.asking = undefined;
		}));
	}

	private async examine(): Promise<void> {
		try {
			const [info, version] = await Promise.all([this.client.info(), this.client.version()]);
			this.checks = checksOf(info, version);
		} catch (error) {
			if (isAbort(error)) {
				return;
			}
			this.log.error(error instanceof Error ? error : String(error));
			const failure = this.model.failure ?? error;
			this.checks = [
				{ name: 'engine', status: 'bad', value: failure instanceof Error ? failure.message : String(failure) },
			];
		}
		this.changed.fire();
	}
}

const ICONS: Readonly<Record<CheckStatus, Pick<Drawing, 'icon' | 'color'>>> = {
	good: { icon: 'pass', color: 'testing.iconPassed' },
	warning: { icon: 'warning', color: 'list.warningForeground' },
	bad: { icon: 'error', color: 'testing.iconFailed' },
};

function drawCheck(check: Check): Drawing {
	const value = check.value || l10n.t('none');
	return {
		label: titleOf(check),
		description: value,
		...ICONS[check.status],
		context: `check;${check.status}`,
		spoken: l10n.t('{0}, {1}: {2}', titleOf(check), statusWords(check.status), value),
	};
}

function statusWords(status: CheckStatus): string {
	switch (status) {
		case 'good':
			return l10n.t('works');
		case 'warning':
			return l10n.t('works in part');
		case 'bad':
			return l10n.t('does not work');
	}
}

function titleOf({ name }: Check): string {
	switch (name) {
		case 'engine':
			return l10n.t('Engine');
		case 'runtime':
			return l10n.t('Runtime');
		case 'networks':
			return l10n.t('Networks');
		case 'storage':
			return l10n.t('Storage');
		case 'limits':
			return l10n.t('Limits');
		case 'security':
			return l10n.t('Security');
		case 'folder':
			return l10n.t('Folder');
		default:
			return l10n.t('Warning');
	}
}

/** The one next step where something is missing. */
function adviceFor({ name, status }: Check): string {
	if (status === 'good') {
		return '';
	}
	switch (name) {
		case 'engine':
			return l10n.t('Look into the log of the engine, then try Refresh.');
		case 'runtime':
			return l10n.t('Install runc or crun, then try Refresh.');
		case 'networks':
			return l10n.t('Install iproute2 and nftables or iptables, and run as a user who may change networks.');
		case 'limits':
			return l10n.t('Limits of memory and CPU do not hold without a writable cgroup.');
		default:
			return '';
	}
}
