import { commands, env, EventEmitter, l10n, window, type Disposable, type LogOutputChannel } from 'vscode';
import { ApiError, type Client } from '../api/client';
import type { DoctorFinding } from '../api/types';
import { checksOf, checksOfFindings, failedCheck, reportText, type Check, type CheckStatus } from './doctor-checks';
import { engineOfRow, keyOn } from './engine-keys';
import type { EngineModel } from './engine-model';
import { isAbort, Notice, sentence, localSentence } from './failure';
import type { Models } from './model';
import type { RoutingClient } from './routing-client';
import { GONE, type Drawing, type RowSource } from './row-tree';
import { facts } from './tooltip';

/** What the engines of this window are and have, and what they lack; asked when somebody looks. */
export class Doctor implements Disposable {
	private readonly changed = new EventEmitter<void>();
	readonly onDidChange = this.changed.event;
	/** By the key of a check's row, engine after engine. */
	private readonly found = new Map<string, ReadonlyMap<string, Check>>();
	private readonly asking = new Map<string, Promise<void>>();
	private readonly subscription: Disposable;

	constructor(
		private readonly client: RoutingClient,
		private readonly models: Models,
		private readonly log: LogOutputChannel,
	) {
		this.subscription = models.onDidChangeState((state) => {
			if (state === 'ready' || state === 'failed') {
				this.forget();
			}
		});
	}

	/** Asks those that were not asked. Never throws. */
	async load(): Promise<void> {
		if (this.models.refusal === undefined) {
			await this.ask(this.models.all.filter(({ engine }) => !this.found.has(engine)));
		}
	}

	/** Keys of what was found of an engine. */
	keys(engine: string): readonly string[] {
		return [...(this.found.get(engine)?.keys() ?? [])];
	}

	draw(key: string): Drawing {
		const check = this.check(key);
		return check === undefined ? GONE : drawCheck(check);
	}

	tooltip(key: string): ReturnType<RowSource['tooltip']> {
		const check = this.check(key);
		return (
			check &&
			facts(titleOf(check), [
				[l10n.t('State'), statusWords(check.status)],
				[l10n.t('Found'), check.local ?? check.value],
				[l10n.t('What to do'), check.remedy || adviceFor(check)],
			])
		);
	}

	/** What an engine is, in its own words, or why nobody knows; "" as long as it was not asked. */
	whatIs(engine: string): string {
		return this.check(keyOn(engine, 'engine'))?.value ?? '';
	}

	/** Call when the window uses other engines: who looked at those before looks at these. */
	switchEngines(): void {
		if (this.found.size > 0) {
			this.found.clear();
			this.changed.fire();
			void this.load();
		}
	}

	/** Run Doctor: asks anew and shows the view. */
	async run(): Promise<void> {
		const refused = this.models.refusal;
		if (refused !== undefined) {
			throw refused;
		}
		await this.ask(this.models.all);
		await commands.executeCommand('mydocker.engine.focus');
	}

	/** Copies what it knows, for a bug report. */
	async copy(): Promise<void> {
		await this.ask(this.models.all);
		const reports = [...this.found.values()].map((checks) => reportText([...checks.values()]));
		await env.clipboard.writeText(reports.join('\n'));
	}

	/** Copies the one command that mends what the row says; a terminal is where a person runs it. */
	async copyRemedy(key?: unknown): Promise<void> {
		const checks = [...this.found.values()].flatMap((each) => [...each.values()]);
		const one = typeof key === 'string' ? this.check(key) : undefined;
		const check = one?.remedy ? one : checks.find(({ remedy }) => remedy !== '');
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

	private check(key: string): Check | undefined {
		return this.found.get(engineOfRow(key))?.get(key);
	}

	private forget(): void {
		if (this.found.size > 0) {
			void this.ask(this.models.all);
		}
	}

	private async ask(models: readonly EngineModel[]): Promise<void> {
		await Promise.all(
			models.map((model) => {
				const { engine } = model;
				const asking =
					this.asking.get(engine) ??
					this.examine(model).finally(() => {
						this.asking.delete(engine);
					});
				this.asking.set(engine, asking);
				return asking;
			}),
		);
	}

	private async examine(model: EngineModel): Promise<void> {
		let checks: readonly Check[];
		try {
			const client = this.client.at(model.keyOf(''));
			const [info, version, findings] = await Promise.all([client.info(), client.version(), findingsOf(client)]);
			checks =
				findings === undefined
					? checksOf(info, version)
					: checksOfFindings(findings.map(withLocalValues), info, version, l10n.t);
		} catch (error) {
			if (isAbort(error)) {
				return;
			}
			this.log.error(error instanceof Error ? error : String(error));
			const reason = model.failure ?? error;
			checks = [{ ...failedCheck(sentence(reason)), local: localSentence(reason) }];
		}
		if (this.models.all.includes(model)) {
			this.found.set(model.engine, new Map(checks.map((check) => [model.keyOf(check.name), check])));
			this.changed.fire();
		}
	}
}

/** What is put into its sentences may be one itself: why something does not work. */
function withLocalValues({ Sentences, ...finding }: DoctorFinding): DoctorFinding {
	return {
		...finding,
		...(Sentences && {
			Sentences: Sentences.map(({ Text, Values }) => ({ Text, Values: Values.map(localSentence) })),
		}),
	};
}

/** Undefined for an engine that is not ours. */
async function findingsOf(client: Client): Promise<DoctorFinding[] | undefined> {
	try {
		return await client.doctor();
	} catch (error) {
		if (error instanceof ApiError && (error.status === 404 || error.status === 501)) {
			return undefined;
		}
		throw error;
	}
}

const ICONS: Readonly<Record<CheckStatus, Pick<Drawing, 'icon' | 'color'>>> = {
	good: { icon: 'pass', color: 'charts.green' },
	warning: { icon: 'warning', color: 'list.warningForeground' },
	bad: { icon: 'error', color: 'testing.iconFailed' },
};

function drawCheck(check: Check): Drawing {
	const value = (check.local ?? check.value) || l10n.t('none');
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
