import * as fs from 'node:fs';
import type { ContainerChange } from '../api/image-archive-calls';
import { refuseTerminal } from './copy';
import { CommandError, systemCode } from './errors';
import { age, ellipsis, shortId, size, rfc3339 } from './format';
import type { Action } from './row';
import type { Session } from './session';
import { renderList } from './table';

interface OutputFlags {
	readonly output: string | undefined;
}

/** `mydocker save` */
export const save: Action<OutputFlags> = async (session, names, { output }) => {
	refuseTerminalFor(session, output);
	await writeArchive(session, output, await session.client.images.save(names, { signal: session.signal }));
	return 0;
};

/** `mydocker export` */
export const exportContainer: Action<OutputFlags> = async (session, [id = ''], { output }) => {
	refuseTerminalFor(session, output);
	await writeArchive(session, output, await session.client.containers.export(id, { signal: session.signal }));
	return 0;
};

interface LoadFlags {
	readonly input: string | undefined;
	readonly quiet: boolean;
}

/** `mydocker load` */
export const load: Action<LoadFlags> = async (session, _operands, { input }) => {
	if (input === undefined && session.input.isTTY) {
		throw new CommandError('requested load from stdin, but stdin is empty', 1);
	}
	const archive = input === undefined ? (session.input as AsyncIterable<Buffer>) : readLocal(input);
	for await (const { stream } of session.client.images.load(archive, { signal: session.signal })) {
		session.output.stdout.write(stream ?? '');
	}
	return 0;
};

interface ImportFlags {
	readonly change: readonly string[];
	readonly message: string | undefined;
}

/** `mydocker import`: prints the id. */
export const importImage: Action<ImportFlags> = async (session, [file = '', target], flags) => {
	if (/^https?:\/\//.test(file)) {
		throw new CommandError(
			`cannot import "${file}": download it first, or pipe it in (curl … | mydocker import -)`,
			1,
		);
	}
	const archive = file === '-' ? (session.input as AsyncIterable<Buffer>) : readLocal(file);
	const id = await session.client.images.import(archive, {
		signal: session.signal,
		changes: flags.change,
		...(target !== undefined && { target }),
		...(flags.message !== undefined && { message: flags.message }),
	});
	session.output.line(id);
	return 0;
};

interface CommitFlags {
	readonly author: string | undefined;
	readonly change: readonly string[];
	readonly message: string | undefined;
	readonly pause: boolean;
}

/** `mydocker commit`: prints the id. */
export const commit: Action<CommitFlags> = async (session, [id = '', target], flags) => {
	const image = await session.client.containers.commit(id, {
		signal: session.signal,
		changes: flags.change,
		isPaused: flags.pause,
		...(target !== undefined && { target }),
		...(flags.author !== undefined && { author: flags.author }),
		...(flags.message !== undefined && { message: flags.message }),
	});
	session.output.line(image);
	return 0;
};

const KINDS: Readonly<Record<ContainerChange['Kind'], string>> = { 0: 'C', 1: 'A', 2: 'D' };

/** `mydocker diff` */
export const diff: Action<object> = async (session, [id = '']) => {
	for (const { Kind, Path } of await session.client.containers.changes(id, { signal: session.signal })) {
		session.output.line(`${KINDS[Kind]} ${Path}`);
	}
	return 0;
};

interface HistoryFlags {
	readonly format: string | undefined;
	readonly human: boolean;
	readonly noTrunc: boolean;
	readonly quiet: boolean;
}

const HISTORY = {
	headers: {
		...{ ID: 'IMAGE', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', CreatedBy: 'CREATED BY' },
		...{ Size: 'SIZE', Comment: 'COMMENT' },
	},
	columns: ['ID', 'CreatedSince', 'CreatedBy', 'Size', 'Comment'],
};

/** RFC 3339 from Unix seconds, in local time. */
function createdAt(unix: number): string {
	return rfc3339(BigInt(unix) * 1_000_000_000n).replace('.000000000', '');
}

/** `mydocker history` */
export const history: Action<HistoryFlags> = async (session, [name = ''], flags) => {
	const rows = await session.client.images.history(name, { signal: session.signal });
	const items = rows.map(({ Id, Created, CreatedBy, Size, Comment }) => ({
		ID: flags.noTrunc || Id === '<missing>' ? Id : shortId(Id),
		CreatedSince: flags.human ? age(Created, session.now) : createdAt(Created),
		CreatedAt: createdAt(Created),
		CreatedBy: shorten(CreatedBy.replace(/\t/g, ' '), flags.noTrunc),
		Size: flags.human ? size(Size) : String(Size),
		Comment,
	}));
	const columns = HISTORY.columns.map((name) => (name === 'CreatedSince' && !flags.human ? 'CreatedAt' : name));
	const listing = { ...HISTORY, columns };
	const text = flags.quiet ? items.map(({ ID }) => `${ID}\n`).join('') : renderList(flags.format, items, listing);
	session.output.stdout.write(text);
	return 0;
};

function shorten(text: string, isWhole: boolean): string {
	return isWhole ? text : ellipsis(text, 45);
}

function refuseTerminalFor(session: Session, output: string | undefined): void {
	if (output === undefined) {
		refuseTerminal(session, 'use the -o flag or redirect it');
	}
}

/** To the file under a temporary name, which becomes its own at the end; or to standard output. */
export async function writeArchive(
	session: Session,
	file: string | undefined,
	archive: AsyncIterable<Buffer>,
): Promise<void> {
	if (file === undefined) {
		for await (const chunk of archive) {
			await session.output.write('stdout', chunk);
		}
		return;
	}
	const isSpecial = fs.statSync(file, { throwIfNoEntry: false })?.isFile() === false;
	const temporary = isSpecial ? file : `${file}.${process.pid}.tmp`;
	try {
		const target = await fs.promises.open(temporary, 'w', 0o600);
		try {
			for await (const chunk of archive) {
				await target.writeFile(chunk);
			}
		} finally {
			await target.close();
		}
		if (!isSpecial) {
			await fs.promises.rename(temporary, file);
		}
	} catch (error) {
		if (!isSpecial) {
			await fs.promises.rm(temporary, { force: true });
		}
		const code = systemCode(error);
		throw code === 'ENOENT'
			? new CommandError(`invalid output path: "${file}" is in a folder that does not exist`, 1)
			: error;
	}
}

/** The bytes of a file, with docker's words when it is not there. */
export async function* readLocal(file: string): AsyncGenerator<Buffer> {
	try {
		yield* fs.createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
	} catch (error) {
		throw systemCode(error) === 'ENOENT' ? new CommandError(`open ${file}: no such file or directory`, 1) : error;
	}
}
