import * as fs from 'node:fs';
import * as path from 'node:path';
import { ApiError, type Archive, type PathStat } from '../api/client';
import { isFolder, isLink } from '../api/archive';
import { CommandError, systemCode } from './errors';
import { size } from './format';
import { packLocal, unpackLocal } from './local-tar';
import type { Action } from './row';
import type { Session } from './session';

export interface CopyFlags {
	readonly archive: boolean;
	readonly followLink: boolean;
	readonly quiet: boolean;
}

/** `mydocker cp`: docker's rules for what becomes what (docs.docker.com, docker container cp). */
export const copy: Action<CopyFlags> = async (session, [source = '', target = ''], flags) => {
	const [from, to] = [parseOperand(source), parseOperand(target)];
	if (from.container !== undefined && to.container !== undefined) {
		throw new CommandError('copying between containers is not supported', 1);
	}
	if (from.container !== undefined) {
		await copyOut(session, { ...from, container: from.container }, to.path, flags);
	} else if (to.container !== undefined) {
		await copyIn(session, from.path, { ...to, container: to.container }, flags);
	} else {
		throw new CommandError('must specify at least one container source', 1);
	}
	return 0;
};

interface Operand {
	readonly container: string | undefined;
	readonly path: string;
}

/** "web:/etc" is in a container, "/etc:1" and "./web:1" are not. */
export function parseOperand(text: string): Operand {
	const colon = text.indexOf(':');
	if (path.isAbsolute(text) || colon < 0 || text.startsWith('.')) {
		return { container: undefined, path: text };
	}
	return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** Where something goes. */
interface Destination {
	readonly path: string;
	readonly kind: 'folder' | 'file' | 'missing';
}

/** The folder to unpack in, and the first name to give; undefined leaves the source's. */
export function placeFor(destination: Destination, isSourceFolder: boolean): { folder: string; name?: string } {
	const { path: target, kind } = destination;
	if (kind === 'folder') {
		return { folder: target };
	}
	if (kind === 'file' && isSourceFolder) {
		throw new CommandError('cannot copy directory', 1);
	}
	if (kind === 'missing' && !isSourceFolder && /(?:^|\/)\.?$/.test(target)) {
		throw new CommandError('no such directory', 1);
	}
	const clean = path.posix.normalize(target).replace(/(.)\/+$/, '$1');
	return { folder: path.posix.dirname(clean), name: path.posix.basename(clean) };
}

async function copyOut(
	session: Session,
	from: { readonly container: string; readonly path: string },
	target: string,
	flags: CopyFlags,
): Promise<void> {
	const archive = session.client.containers.archive(from.container);
	const { signal } = session;
	if (target === '-') {
		refuseTerminal(session);
		const { tar } = await archive.get(await sourceOf(archive, from.path, flags, signal), { signal });
		for await (const chunk of tar) {
			await session.output.write('stdout', chunk);
		}
		return;
	}
	const local = absolute(target);
	checkOutput(local);
	const source = await sourceOf(archive, from.path, flags, signal);
	const { stat, tar } = await archive.get(source, { signal });
	const counted = new Counter(tar);
	// A link that was followed keeps its own name.
	const renamed = source === from.path ? undefined : path.posix.basename(from.path);
	const { folder, name = renamed } = placeFor(localDestination(local), isFolder(stat));
	await unpackLocal(counted.read(), { folder, name, keepsOwners: flags.archive, signal });
	report(session, flags, counted.bytes, local);
}

/** With --follow-link what a link leads to. */
async function sourceOf(archive: Archive, source: string, flags: CopyFlags, signal: AbortSignal): Promise<string> {
	if (!flags.followLink) {
		return source;
	}
	const stat = await statOf(archive, source, signal);
	return stat !== undefined && isLink(stat) ? stat.linkTarget : source;
}

async function copyIn(
	session: Session,
	source: string,
	to: { readonly container: string; readonly path: string },
	flags: CopyFlags,
): Promise<void> {
	const archive = session.client.containers.archive(to.container);
	const { signal } = session;
	const local = source === '-' ? undefined : localSource(absolute(source), flags.followLink);
	const destination = await remoteDestination(archive, to, signal);
	const options = { signal, keepsKind: true, isOwnedByUser: flags.archive };
	if (local === undefined) {
		if (destination.kind !== 'folder') {
			throw new CommandError(`destination "${to.container}:${to.path}" must be a directory`, 1);
		}
		await archive.put(destination.path, session.input as AsyncIterable<Buffer>, options);
		return;
	}
	const { folder, name = local.name } = placeFor(destination, local.isFolder);
	const counted = new Counter(packLocal({ ...local, name }, signal));
	await archive.put(folder, counted.read(), options);
	report(session, flags, counted.bytes, `${to.container}:${destination.path}`);
}

async function remoteDestination(
	archive: Archive,
	to: { readonly container: string; readonly path: string },
	signal: AbortSignal,
): Promise<Destination> {
	let place = to.path;
	let stat = await statOf(archive, place, signal);
	if (stat !== undefined && isLink(stat)) {
		place = stat.linkTarget;
		stat = await statOf(archive, place, signal);
	}
	const kind = stat === undefined ? 'missing' : isFolder(stat) ? 'folder' : 'file';
	return { path: place, kind };
}

/** Undefined when there is nothing; that there is no such container is an error. */
async function statOf(archive: Archive, place: string, signal: AbortSignal): Promise<PathStat | undefined> {
	try {
		return await archive.stat(place, { signal });
	} catch (error) {
		if (error instanceof ApiError && error.status !== 0) {
			return undefined; // what the engine makes of it shows when the copy is tried
		}
		throw error;
	}
}

interface LocalSource {
	/** For tar's -C. */
	readonly folder: string;
	/** In it; "." for a folder. */
	readonly file: string;
	/** Docker's name for it in the archive. */
	readonly name: string;
	readonly isFolder: boolean;
}

function localSource(source: string, followsLink: boolean): LocalSource {
	const isMarkedFolder = /\/\.?$/.test(source);
	const name = source.endsWith('/.') ? '.' : path.basename(source);
	const stat = localStat(source, followsLink || isMarkedFolder);
	if (stat === undefined) {
		throw new CommandError(`lstat ${source}: no such file or directory`, 1);
	}
	if (stat.isDirectory()) {
		return { folder: source, file: '.', name, isFolder: true };
	}
	if (isMarkedFolder) {
		throw new CommandError('not a directory', 1);
	}
	const real = followsLink ? fs.realpathSync(source) : source;
	return { folder: path.dirname(real), file: path.basename(real), name, isFolder: false };
}

function localDestination(target: string): Destination {
	const stat = localStat(target, true);
	const isMarkedFolder = /\/\.?$/.test(target);
	if (stat !== undefined && isMarkedFolder && !stat.isDirectory()) {
		throw new CommandError(`stat ${target}: not a directory`, 1);
	}
	const link = stat === undefined ? localStat(target, false) : undefined;
	if (link !== undefined) {
		// A link to nothing: what it leads to is made, as docker does.
		return { path: path.resolve(path.dirname(target), fs.readlinkSync(target)), kind: 'missing' };
	}
	const isOther = stat !== undefined && !stat.isDirectory();
	return {
		path: isOther ? fs.realpathSync(target) : target,
		kind: stat === undefined ? 'missing' : isOther ? 'file' : 'folder',
	};
}

function localStat(file: string, followsLink: boolean): fs.Stats | undefined {
	try {
		return followsLink ? fs.statSync(file) : fs.lstatSync(file);
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT') {
			return undefined;
		}
		throw code === 'ENOTDIR' ? new CommandError(`stat ${file}: not a directory`, 1) : error;
	}
}

/** Absolute, with the "/" or "/." at its end that means a folder. */
function absolute(file: string): string {
	const ending = /\/\.?$/.exec(file)?.[0] ?? (file === '.' ? '/.' : '');
	const whole = path.resolve(file);
	return whole === '/' ? whole : whole + ending;
}

function checkOutput(target: string): void {
	const folder = path.dirname(path.normalize(target).replace(/(.)\/+$/, '$1'));
	if (!fs.existsSync(folder)) {
		throw new CommandError(`invalid output path: directory "${folder}" does not exist`, 1);
	}
	const stat = localStat(target, true);
	if (stat !== undefined && !stat.isFile() && !stat.isDirectory()) {
		throw new CommandError(`invalid output path: "${target}" must be a directory or a regular file`, 1);
	}
}

/** A tar on a terminal is of no use and may drive it. */
export function refuseTerminal(session: Session, hint = 'redirect it'): void {
	if (session.output.stdout.isTTY) {
		throw new CommandError(`refusing to write an archive to the terminal: ${hint}`, 1);
	}
}

function report(session: Session, flags: CopyFlags, bytes: number, target: string): void {
	if (!flags.quiet && session.output.stderr.isTTY) {
		session.output.error(`Successfully copied ${size(bytes)} to ${target}`);
	}
}

class Counter {
	bytes = 0;

	constructor(private readonly source: AsyncIterable<Buffer>) {}

	async *read(): AsyncGenerator<Buffer> {
		for await (const chunk of this.source) {
			this.bytes += chunk.length;
			yield chunk;
		}
	}
}
