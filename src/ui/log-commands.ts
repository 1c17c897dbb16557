import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { commands, l10n, ProgressLocation, ThemeIcon, Uri, window, workspace, type QuickPickItem } from 'vscode';
import { ask } from './ask';
import { signalOf } from './cancel';
import { Notice } from './failure';
import type { LogDocument } from './log-document';
import { LOG_SCHEME } from './log-editor';
import { LEVELS, type LogLevel } from './log-filter';
import { askPattern } from './log-pattern';
import { ALL_OF_LOG, type LogChoices } from './log-view';
import { levelWords, quoted } from './log-words';
import type { Parts } from './parts';
import { containersFor } from './pick';

type Needs = Pick<Parts, 'model' | 'logEditors'>;

/** Open Logs in Editor: one container, or several merged by time. */
export async function openLogs({ model, logEditors }: Needs, ...called: unknown[]): Promise<void> {
	const ids = await containersFor(model, called, {
		title: l10n.t('Open Logs in Editor'),
		none: l10n.t('There are no containers yet.'),
	});
	if (ids.length > 0) {
		await logEditors.open(ids);
	}
}

/** Filter Log…: what of the log the editor shows. Each choice counts at once; Escape ends. */
export async function filterLog({ logEditors }: Needs, given?: unknown): Promise<void> {
	const { uri, document } = logFor({ logEditors }, given);
	for (;;) {
		const picked = await window.showQuickPick(entries(document.choices), {
			title: l10n.t('Filter Log'),
			matchOnDescription: true,
		});
		const change = picked === undefined ? undefined : await picked.change();
		if (change === undefined) {
			return;
		}
		logEditors.choose(uri, { ...document.choices, part: undefined, ...change });
		if ('hasTimestamps' in change || 'isJsonPretty' in change) {
			return;
		}
	}
}

/** Show All Lines: without any filter. */
export function showAllOfLog({ logEditors }: Needs, given?: unknown): void {
	const { uri, document } = logFor({ logEditors }, given);
	const { hasTimestamps, isJsonPretty } = document.choices;
	logEditors.choose(uri, { ...ALL_OF_LOG, hasTimestamps, isJsonPretty });
}

/** Toggle Timestamps. */
export function toggleTimestamps({ logEditors }: Needs, given?: unknown): void {
	const { uri, document } = logFor({ logEditors }, given);
	logEditors.choose(uri, { ...document.choices, hasTimestamps: !document.choices.hasTimestamps });
}

/** Toggle Pretty JSON: lines that end with JSON on several lines, which fold, or as they were written. */
export function togglePrettyJson({ logEditors }: Needs, given?: unknown): void {
	const { uri, document } = logFor({ logEditors }, given);
	logEditors.choose(uri, { ...document.choices, isJsonPretty: !document.choices.isJsonPretty });
}

/** Show the Beginning, Show Earlier Lines, Show Later Lines, Follow the End: parts of a log that is too long for one editor. */
export function showPart(part: 'beginning' | 'earlier' | 'later' | 'latest'): (needs: Needs, given?: unknown) => void {
	return ({ logEditors }, given) => {
		const { uri, document } = logFor({ logEditors }, given);
		if (part === 'beginning') {
			logEditors.showBeginning(uri);
		} else if (part === 'earlier') {
			if (document.linesBefore === 0) {
				throw new Notice(l10n.t('There are no earlier lines.'));
			}
			logEditors.showEarlier(uri);
		} else if (part === 'later' && document.hasLater) {
			logEditors.showLater(uri);
		} else {
			logEditors.showLatest(uri);
		}
	};
}

/** Pause Log, Go On with Log. */
export function pauseLog(isPaused: boolean): (needs: Needs, given?: unknown) => void {
	return ({ logEditors }, given) => {
		logEditors.setPaused(logFor({ logEditors }, given).uri, isPaused);
	};
}

/** Save Log to File…: the whole log with the editor's filters, however long it is. */
export async function saveLog({ logEditors }: Needs, given?: unknown): Promise<void> {
	const { uri, document } = logFor({ logEditors }, given);
	const folder = workspace.workspaceFolders?.[0]?.uri;
	const name = uri.path.replace(/^\//, '');
	const target = await window.showSaveDialog({
		title: l10n.t('Save Log'),
		...(folder?.scheme === 'file' ? { defaultUri: Uri.joinPath(folder, name) } : {}),
	});
	if (target === undefined) {
		return;
	}
	await window.withProgress(
		{ location: ProgressLocation.Notification, title: l10n.t('Saving {0}', name), cancellable: true },
		(_, token) => writeLog(document, target, signalOf(token)),
	);
}

/** Writes the whole log to a file of this machine. */
export async function writeLog(document: LogDocument, target: Uri, signal: AbortSignal): Promise<void> {
	const file = createWriteStream(target.fsPath);
	await once(file, 'open');
	await pipeline(Readable.from(document.whole(signal)), file, { signal });
}

interface Entry extends QuickPickItem {
	readonly change: () => Partial<LogChoices> | undefined | Promise<Partial<LogChoices> | undefined>;
}

function entries(choices: LogChoices): Entry[] {
	const all = l10n.t('all');
	const line = (icon: string, label: string, current: string, change: Entry['change']): Entry => ({
		label,
		description: current || all,
		iconPath: new ThemeIcon(icon),
		change,
	});
	const pattern = (title: string, member: 'include' | 'exclude') => async () => {
		const answer = await askPattern(title, choices[member]);
		return answer && { [member]: answer === 'none' ? undefined : answer };
	};
	const time = (title: string, member: 'since' | 'until') => async () =>
		textChange(
			await ask({
				title,
				prompt: l10n.t('A time such as 2026-11-26T08:00:00Z, or how long ago, such as 10m; nothing for all'),
				value: choices[member],
				check: (value, isFinal) =>
					isFinal && !isTime(value) ? l10n.t('This is neither a time nor a duration') : undefined,
			}),
			member,
		);
	const streams = { both: all, stdout: 'stdout', stderr: 'stderr' };
	return [
		line(
			'search',
			l10n.t('Only lines with…'),
			choices.include ? quoted(choices.include) : '',
			pattern(l10n.t('Only Lines With'), 'include'),
		),
		line(
			'search-stop',
			l10n.t('Without lines with…'),
			choices.exclude ? quoted(choices.exclude) : '',
			pattern(l10n.t('Without Lines With'), 'exclude'),
		),
		line('warning', l10n.t('Level…'), choices.level ? levelWords(choices.level) : '', () => pickLevel(choices)),
		line('history', l10n.t('Since…'), choices.since, time(l10n.t('Since'), 'since')),
		line('calendar', l10n.t('Until…'), choices.until, time(l10n.t('Until'), 'until')),
		line('list-ordered', l10n.t('Last lines…'), String(choices.tail ?? ''), () => askTail(choices)),
		line('split-horizontal', l10n.t('Stream'), streams[choices.stream], () => pickStream(choices)),
		line('word-wrap', l10n.t('Word wrap'), l10n.t('on or off'), async () => {
			await commands.executeCommand('editor.action.toggleWordWrap');
			return undefined;
		}),
		line('watch', l10n.t('Timestamps'), choices.hasTimestamps ? l10n.t('yes') : l10n.t('no'), () => ({
			hasTimestamps: !choices.hasTimestamps,
		})),
		line('json', l10n.t('JSON on several lines'), choices.isJsonPretty ? l10n.t('yes') : l10n.t('no'), () => ({
			isJsonPretty: !choices.isJsonPretty,
		})),
	];
}

function textChange(answer: unknown, member: keyof LogChoices): Partial<LogChoices> | undefined {
	return typeof answer === 'string' ? { [member]: answer } : undefined;
}

function isTime(text: string): boolean {
	return text === '' || /^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text) || !Number.isNaN(Date.parse(text));
}

async function askTail(choices: LogChoices): Promise<Partial<LogChoices> | undefined> {
	const answer = await ask({
		title: l10n.t('Last Lines'),
		prompt: l10n.t('Number of last lines, or nothing for all'),
		value: String(choices.tail ?? ''),
		check: (value) => (/^\d*$/.test(value) ? undefined : l10n.t('Type a number')),
	});
	return typeof answer === 'string' ? { tail: answer === '' ? undefined : Number(answer) } : undefined;
}

async function pickLevel({ level: before }: LogChoices): Promise<Partial<LogChoices> | undefined> {
	const items = LEVELS.map((level) => ({
		level: level === 'debug' ? undefined : (level satisfies LogLevel),
		label: levelWords(level),
		iconPath: new ThemeIcon(level === (before ?? 'debug') ? 'check' : 'blank'),
	}));
	const picked = await window.showQuickPick(items, { title: l10n.t('Level') });
	return picked && { level: picked.level };
}

async function pickStream({ stream }: LogChoices): Promise<Partial<LogChoices> | undefined> {
	const items = (['both', 'stdout', 'stderr'] as const).map((value) => ({
		value,
		label: value === 'both' ? l10n.t('Both streams') : value,
		iconPath: new ThemeIcon(value === stream ? 'check' : 'blank'),
	}));
	const picked = await window.showQuickPick(items, { title: l10n.t('Stream') });
	return picked && { stream: picked.value };
}

/** The log that a command is for: of the editor it was called on, else of the active one. */
function logFor(
	{ logEditors }: Pick<Needs, 'logEditors'>,
	given: unknown,
): { readonly uri: Uri; readonly document: LogDocument } {
	const uri = given instanceof Uri && given.scheme === LOG_SCHEME ? given : window.activeTextEditor?.document.uri;
	const document = uri && logEditors.find(uri);
	if (uri === undefined || document === undefined) {
		throw new Notice(l10n.t('Open the logs of a container in an editor first.'));
	}
	return { uri, document };
}
