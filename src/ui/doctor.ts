import { commands, env, EventEmitter, l10n, window, type Disposable, type LogOutputChannel } from 'vscode';
import { ApiError, type Client } from '../api/client';
import type { DoctorFinding } from '../api/types';
import { checksOf, checksOfFindings, failedCheck, reportText, type Check, type CheckStatus } from './doctor-checks';
import { isAbort, Notice } from './failure';
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
						[l10n.t('State'), statusWords(check.status)],
						[l10n.t('Found'), check.value],
						[l10n.t('What to do'), check.remedy || adviceFor(check)],
					])
				);
			},
		};
	}

	/** What was found of another engine. */
	clear(): void {
		this.checks = [];
		this.changed.fire();
	}

	/** Run Doctor: asks anew and shows the view. */
	async run(): Promise<void> {
		const refused = this.model.refusal;
		if (refused !== undefined) {
			throw refused;
		}
		await this.ask();
		await commands.executeCommand('mydocker.engine.focus');
	}

	/** Copies what it knows, for a bug report. */
	async copy(): Promise<void> {
		await this.ask();
		await env.clipboard.writeText(reportText(this.checks));
	}

	/** Copies the one command that mends what the row says; a terminal is where a person runs it. */
	async copyRemedy(key?: unknown): Promise<void> {
		const remedies = this.checks.filter(({ remedy }) => remedy !== '');
		const check = remedies.find(({ name }) => name === key) ?? remedies[0];
		if (check === undefined) {
			throw new Notice(l10n.t('There is no command that would mend something.'));
		}
		await env.clipboard.writeText(check.remedy);
		void window.showInformationMessage(l10n.t('Copied: {0}', check.remedy));
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
		if (this.checks.length === 0 && this.model.refusal === undefined) {
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
			const [info, version, findings] = await Promise.all([
				this.client.info(),
				this.client.version(),
				this.findings(),
			]);
			this.checks = findings === undefined ? checksOf(info, version) : checksOfFindings(findings, info, version);
		} catch (error) {
			if (isAbort(error)) {
				return;
			}
			this.log.error(error instanceof Error ? error : String(error));
			const failure = this.model.failure ?? error;
			this.checks = [failedCheck(failure instanceof Error ? failure.message : String(failure))];
		}
		this.changed.fire();
	}

	/** Undefined for an engine that is not ours. */
	private async findings(): Promise<DoctorFinding[] | undefined> {
		try {
			return await this.client.doctor();
		} catch (error) {
			if (error instanceof ApiError && (error.status === 404 || error.status === 501)) {
				return undefined;
			}
			throw error;
		}
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
		description: check.remedy === '' ? value : `${value} → ${check.remedy}`,
		...ICONS[check.status],
		context: `check;${check.status};${check.remedy === '' ? 'none' : 'remedy'}`,
		spoken: [
			l10n.t('{0}, {1}: {2}', titleOf(check), statusWords(check.status), value),
			...(check.remedy === '' ? [] : [check.remedy]),
		].join(' → '),
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
		case 'network':
			return l10n.t('Networks');
		case 'user':
			return l10n.t('User');
		case 'outbound':
			return l10n.t('Way out');
		case 'disk':
			return l10n.t('Disk');
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
		case 'network':
			return l10n.t('Install iproute2 and nftables or iptables, and run as a user who may change networks.');
		case 'limits':
			return l10n.t('Limits of memory and CPU do not hold without a writable cgroup.');
		default:
			return '';
	}
}
