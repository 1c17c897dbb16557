import {
	CodeLens,
	commands,
	Disposable,
	EventEmitter,
	FileChangeType,
	FileSystemError,
	FileType,
	Hover,
	l10n,
	languages,
	MarkdownString,
	Position,
	Range,
	TextEditorRevealType,
	Uri,
	window,
	workspace,
	type FileChangeEvent,
	type FileStat,
	type FileSystemProvider,
	type LogOutputChannel,
	type TextDocument,
	type TextEditor,
} from 'vscode';
import type { Client } from '../api/client';
import { bare, lastingKey } from './engine-keys';
import { LogDocument } from './log-document';
import { jsonIn } from './log-json';
import { LogLevels } from './log-levels';
import { filterWords } from './log-words';
import { ALL_OF_LOG, type LogChoices } from './log-view';
import type { Model } from './model';
import { shortId } from './names';
import { settings } from './settings';

export const LOG_SCHEME = 'mydocker-log';
/** Milliseconds between two updates of an editor, and more for a long text, which it reads as a whole each time. */
const SHORTEST_UPDATE = 200;
const BYTES_PER_MILLISECOND = 8 * 1024;
/** The same while a log longer than LONG bytes is being read. */
const LOADING_UPDATE = 10_000;
const LONG = 512 * 1024;
/** Milliseconds in which a scroll by a person and one by new lines may cross on their ways between the processes. */
const SAME_MOMENT = 500;
/** Milliseconds that an editor waits for the first lines before it opens empty. */
const FIRST_WAIT = 500;

/** What a person saw last of a document: its first line, when the end was shown, when and whereto they scrolled away from it. */
interface Look {
	first: number;
	shown: number;
	left: number;
	place: number;
}

/** Logs as read-only documents: `mydocker-log:/web.log?<ids>`. An open one follows; its end stays in sight. */
export class LogEditors implements FileSystemProvider, Disposable {
	private readonly changed = new EventEmitter<FileChangeEvent[]>();
	readonly onDidChangeFile = this.changed.event;
	private readonly documents = new Map<string, LogDocument>();
	/** URIs of documents whose end a person looks at. */
	private readonly following = new Set<string>();
	private readonly looks = new Map<string, Look>();
	private readonly levels = new LogLevels();
	private readonly updates = new Map<string, { readonly timer: NodeJS.Timeout; readonly isEarly: boolean }>();
	/** URIs of documents that stand still. */
	private readonly paused = new Set<string>();
	private readonly changedLenses = new EventEmitter<void>();
	private readonly chosen = new EventEmitter<Uri>();
	/** What an editor shows of its log has been chosen anew. */
	readonly onDidChoose = this.chosen.event;
	private readonly subscriptions: readonly Pick<Disposable, 'dispose'>[];

	constructor(
		private readonly client: Client,
		private readonly model: Model,
		private readonly log: LogOutputChannel,
	) {
		this.subscriptions = [
			this.changed,
			this.chosen,
			workspace.registerFileSystemProvider(LOG_SCHEME, this, { isReadonly: true, isCaseSensitive: true }),
			workspace.onDidCloseTextDocument((document) => {
				this.close(document);
			}),
			workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
				if (document.uri.scheme === LOG_SCHEME && contentChanges.length > 0) {
					this.followEnd(document);
				}
			}),
			this.levels,
			window.onDidChangeTextEditorVisibleRanges(({ textEditor, visibleRanges }) => {
				if (textEditor.document.uri.scheme === LOG_SCHEME) {
					this.look(textEditor, visibleRanges);
				}
			}),
			languages.registerHoverProvider({ scheme: LOG_SCHEME }, { provideHover: jsonHover }),
			this.changedLenses,
			languages.registerCodeLensProvider(
				{ scheme: LOG_SCHEME },
				{
					onDidChangeCodeLenses: this.changedLenses.event,
					provideCodeLenses: (document) => this.lenses(document),
				},
			),
		];
	}

	/** Opens the log of containers (ids) in an editor, with its end in sight. */
	async open(ids: readonly string[], title?: string): Promise<TextEditor> {
		const names = ids.map((id) => this.model.container(id)?.name ?? shortId(id));
		const uri = logUri(ids, title ?? names.join(' + '));
		const document = await workspace.openTextDocument(uri);
		this.setFollowing(document, true);
		const editor = await window.showTextDocument(document, { preview: false });
		revealEnd(editor);
		return editor;
	}

	/** The document of an open log; undefined for another URI. */
	find(uri: Uri): LogDocument | undefined {
		return uri.scheme === LOG_SCHEME ? this.documents.get(uri.toString()) : undefined;
	}

	/** Shows the log of the URI with other choices. */
	choose(uri: Uri, choices: LogChoices): void {
		this.setPaused(uri, false);
		this.document(uri).show(choices);
		this.chosen.fire(uri);
	}

	/** Shows the lines before the ones that are shown, from their end; what is there already when there are none. */
	showEarlier(uri: Uri): void {
		const document = this.document(uri);
		if (document.linesBefore > 0) {
			this.following.add(uri.toString());
			this.choose(uri, { ...document.choices, part: { before: document.linesBefore } });
		}
	}

	/** Shows the first lines of the log. */
	showBeginning(uri: Uri): void {
		this.following.delete(uri.toString());
		this.choose(uri, { ...this.document(uri).choices, part: { from: 0 } });
	}

	/** Shows the lines after the ones that are shown, from their beginning. */
	showLater(uri: Uri): void {
		const document = this.document(uri);
		if (document.hasLater) {
			this.following.delete(uri.toString());
			this.choose(uri, { ...document.choices, part: { from: document.nextLine } });
		}
	}

	/** Shows the end of the log and follows it. */
	showLatest(uri: Uri): void {
		this.following.add(uri.toString());
		this.choose(uri, { ...this.document(uri).choices, part: undefined });
	}

	/** Holds an editor's text still, or lets it go on with all that has come meanwhile. */
	setPaused(uri: Uri, isPaused: boolean): void {
		if (this.paused.has(uri.toString()) === isPaused) {
			return;
		}
		if (isPaused) {
			this.paused.add(uri.toString());
		} else {
			this.paused.delete(uri.toString());
			this.update(uri);
		}
		void commands.executeCommand('setContext', 'mydocker.pausedLogs', [...this.paused]);
		this.changedLenses.fire();
	}

	stat(uri: Uri): FileStat {
		const document = this.document(uri);
		return { type: FileType.File, ctime: 0, mtime: document.version, size: document.size };
	}

	async readFile(uri: Uri): Promise<Uint8Array> {
		const document = this.document(uri);
		await Promise.race([document.ready, new Promise((resolve) => setTimeout(resolve, FIRST_WAIT))]);
		return document.read();
	}

	/** The documents tell of changes by themselves. */
	watch(): Disposable {
		return new Disposable(() => undefined);
	}

	readDirectory(): never {
		throw FileSystemError.FileNotADirectory();
	}

	createDirectory(): never {
		throw FileSystemError.NoPermissions();
	}

	writeFile(): never {
		throw FileSystemError.NoPermissions();
	}

	delete(): never {
		throw FileSystemError.NoPermissions();
	}

	rename(): never {
		throw FileSystemError.NoPermissions();
	}

	dispose(): void {
		for (const { timer } of this.updates.values()) {
			clearTimeout(timer);
		}
		for (const disposable of [...this.documents.values(), ...this.subscriptions]) {
			disposable.dispose();
		}
	}

	/** The document of a URI; a window that was loaded anew asks for one that nobody opened here. */
	private document(uri: Uri): LogDocument {
		const key = uri.toString();
		const existing = this.documents.get(key);
		if (existing !== undefined) {
			return existing;
		}
		const containers = uri.query.split(',').filter((key) => /^[A-Za-z0-9][\w.-]*$/.test(bare(key)));
		if (containers.length === 0) {
			throw FileSystemError.FileNotFound(uri);
		}
		const document = new LogDocument({
			containers,
			client: this.client,
			model: this.model,
			log: this.log,
			onChange: () => {
				this.update(uri);
			},
		});
		this.documents.set(key, document);
		document.show({ ...ALL_OF_LOG, hasTimestamps: settings.logTimestamps });
		return document;
	}

	private update(uri: Uri): void {
		const key = uri.toString();
		const document = this.documents.get(key);
		const bytes = document?.bytes ?? 0;
		// While a long log is being read, its end is not there yet, and an editor that is busy with parts delays it.
		const isEarly = document?.isLoading === true && bytes > LONG;
		const waiting = this.updates.get(key);
		if (this.paused.has(key) || (waiting !== undefined && (isEarly || !waiting.isEarly))) {
			return;
		}
		clearTimeout(waiting?.timer);
		const timer = setTimeout(
			() => {
				this.updates.delete(key);
				if (!this.paused.has(key)) {
					this.changed.fire([{ type: FileChangeType.Changed, uri }]);
					this.changedLenses.fire();
				}
			},
			isEarly ? LOADING_UPDATE : Math.max(SHORTEST_UPDATE, bytes / BYTES_PER_MILLISECOND),
		);
		this.updates.set(key, { timer, isEarly });
	}

	/** Who looks at the end goes on looking at the end; who reads further up is left alone. */
	private followEnd(document: TextDocument): void {
		const editors = window.visibleTextEditors.filter((editor) => editor.document === document);
		if (this.following.has(document.uri.toString())) {
			this.lookOf(document).shown = performance.now();
			editors.forEach(revealEnd);
		}
		for (const editor of editors) {
			this.levels.draw(editor);
		}
	}

	/** Who scrolls up has left the end, also when new lines have just had it shown again: then they get back to where they were. */
	private look(editor: TextEditor, visibleRanges: readonly Range[]): void {
		const { document } = editor;
		const first = Math.min(...visibleRanges.map((range) => range.start.line));
		const seen = Math.max(0, ...visibleRanges.map((range) => range.end.line));
		const last = this.lookOf(document);
		const isUp = first < last.first;
		const now = performance.now();
		last.first = first;
		if (seen >= document.lineCount - 2) {
			const isOurScroll = now - last.left < SAME_MOMENT && last.left - last.shown < SAME_MOMENT;
			if (isOurScroll) {
				editor.revealRange(new Range(last.place, 0, last.place, 0), TextEditorRevealType.AtTop);
			} else {
				this.setFollowing(document, true);
			}
		} else if (isUp && this.following.has(document.uri.toString())) {
			last.left = now;
			last.place = first;
			this.setFollowing(document, false);
		}
		this.levels.draw(editor);
	}

	private lookOf({ uri }: TextDocument): Look {
		const key = uri.toString();
		const known = this.looks.get(key) ?? { first: 0, shown: -Infinity, left: -Infinity, place: 0 };
		this.looks.set(key, known);
		return known;
	}

	/** Ways to the parts of a long log, and out of a pause, above the first and the last line. */
	private lenses({ uri, lineCount }: TextDocument): CodeLens[] {
		const document = this.find(uri);
		const lens = (line: number, icon: string, title: string, command: string): CodeLens =>
			new CodeLens(new Range(line, 0, line, 0), { title: `$(${icon}) ${title}`, command, arguments: [uri] });
		const last = Math.max(lineCount - 2, 0);
		const isPaused = this.paused.has(uri.toString());
		const filter = document === undefined ? '' : filterWords(document.choices);
		return [
			...(filter === ''
				? []
				: [
						lens(0, 'filter', l10n.t('Filtered: {0}', filter), 'mydocker.log.filter'),
						lens(0, 'clear-all', l10n.t('Show All Lines'), 'mydocker.log.showAll'),
					]),
			...((document?.linesBefore ?? 0) > 0
				? [
						lens(0, 'arrow-up', l10n.t('Show Earlier Lines'), 'mydocker.log.earlier'),
						lens(0, 'fold-up', l10n.t('Show the Beginning'), 'mydocker.log.beginning'),
					]
				: []),
			...(document?.hasLater === true
				? [
						lens(last, 'arrow-down', l10n.t('Show Later Lines'), 'mydocker.log.later'),
						lens(last, 'debug-continue', l10n.t('Follow the End'), 'mydocker.log.latest'),
					]
				: []),
			...(isPaused ? [lens(last, 'debug-continue', l10n.t('Paused. Go On'), 'mydocker.log.resume')] : []),
		];
	}

	private setFollowing({ uri }: TextDocument, isFollowing: boolean): void {
		if (isFollowing) {
			this.following.add(uri.toString());
		} else {
			this.following.delete(uri.toString());
		}
	}

	private close({ uri }: TextDocument): void {
		const key = uri.toString();
		this.following.delete(key);
		this.looks.delete(key);
		clearTimeout(this.updates.get(key)?.timer);
		this.updates.delete(key);
		this.setPaused(uri, false);
		this.documents.get(key)?.dispose();
		this.documents.delete(key);
	}
}

/** The last part of the path is the tab's title, and ".log" its language. */
function logUri(ids: readonly string[], title: string): Uri {
	return Uri.from({
		scheme: LOG_SCHEME,
		path: `/${title.replaceAll('/', '∕')}.log`,
		query: ids.map(lastingKey).join(','),
	});
}

function revealEnd(editor: TextEditor): void {
	const end = new Position(Math.max(editor.document.lineCount - 1, 0), 0);
	editor.revealRange(new Range(end, end), TextEditorRevealType.Default);
}

const LONGEST_JSON = 20_000;

/** A line with JSON in it, written over several lines. */
function jsonHover(document: TextDocument, position: Position): Hover | undefined {
	const { text, range } = document.lineAt(position.line);
	const json = jsonIn(text)?.json;
	return json === undefined
		? undefined
		: new Hover(new MarkdownString().appendCodeblock(json.slice(0, LONGEST_JSON), 'json'), range);
}
