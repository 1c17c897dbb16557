import * as path from 'node:path';
import { extractInto } from '../../core/files/archive';
import {
	listFolder,
	packPath,
	readSmallFile,
	removePath,
	renamePath,
	statPath,
	type PathStat,
} from '../../core/files/place';
import { Tree } from '../../core/files/tree';
import { resolveUser } from '../../core/container/user';
import { EngineError } from '../../core/errors';
import type { ApiRequest, Core } from '../request';
import { route } from '../route';
import type { Route } from '../route';

/**
 * `docker cp` of containers, and with the same parameters and answers of volumes, which Docker cannot. The routes below
 * "files" are for explorers: one folder's entries (name, size, mode, mtime, linkTarget as in the stat of an archive),
 * removal of a path, and renaming (`to`).
 */
export const archiveRoutes: readonly Route[] = [
	route('HEAD', '/containers/{id}/archive', (request) => stat(request, container)),
	route('GET', '/containers/{id}/archive', (request) => get(request, container)),
	route('PUT', '/containers/{id}/archive', (request) => put(request, container)),
	route('GET', '/mydocker/containers/{id}/files', (request) => list(request, container)),
	route('DELETE', '/mydocker/containers/{id}/files', (request) => remove(request, container)),
	route('POST', '/mydocker/containers/{id}/files/rename', (request) => rename(request, container)),
	route('HEAD', '/mydocker/volumes/{id}/archive', (request) => stat(request, volume)),
	route('GET', '/mydocker/volumes/{id}/archive', (request) => get(request, volume)),
	route('PUT', '/mydocker/volumes/{id}/archive', (request) => put(request, volume)),
	route('GET', '/mydocker/volumes/{id}/files', (request) => list(request, volume)),
	route('DELETE', '/mydocker/volumes/{id}/files', (request) => remove(request, volume)),
	route('POST', '/mydocker/volumes/{id}/files/rename', (request) => rename(request, volume)),
];

/** The path of a query; docker's sentence when there is none. */
function pathOf(request: ApiRequest, name = 'path'): string {
	const text = request.text(name);
	if (text === undefined) {
		throw new EngineError('invalid', `bad parameter: ${name} cannot be empty`);
	}
	return text;
}

/** Whose files a request is about. */
interface Owner {
	/** "container web", as it was asked for. */
	readonly noun: string;
	/** Of a container: whom its processes run as. */
	readonly user: string;
	readonly readOnlyReason: (path: string) => string;
	readonly announce: (action: string) => void;
	readonly withTree: <T>(work: (tree: Tree) => Promise<T> | T) => Promise<T>;
}

function container(core: Core, id: string): Owner {
	const { config } = core.containers.get(id);
	const isInMount = (place: string): boolean =>
		config.mounts.some(({ destination }) => place === destination || place.startsWith(`${destination}/`));
	return {
		noun: `container ${id}`,
		user: config.user,
		readOnlyReason: (place) =>
			isInMount(place) ? 'mounted volume is marked read-only' : 'container rootfs is marked read-only',
		announce: (action) => {
			core.containers.announce(id, action);
		},
		withTree: (work) => core.containers.withRoot(id, 'inside', async (tree) => work(tree)),
	};
}

function volume(core: Core, id: string): Owner {
	const { name } = core.volumes.get(id);
	return {
		noun: `volume ${name}`,
		user: '',
		readOnlyReason: () => `volume ${name} is read-only`,
		announce: () => undefined,
		withTree: async (work) => {
			const source = core.volumes.source(name);
			const tree = new Tree(source.path);
			try {
				return await work(tree);
			} finally {
				tree.close();
			}
		},
	};
}

type OwnerOf = typeof container;

function ownerOf(request: ApiRequest, find: OwnerOf): Owner {
	return find(request.core, request.parameter('id'));
}

async function stat(request: ApiRequest, find: OwnerOf): Promise<void> {
	const owner = ownerOf(request, find);
	const target = pathOf(request);
	const found = await owner.withTree((tree) => statPath(tree, target, owner.noun));
	request.header(STAT, encode(found)).send(200, '', 'application/json');
}

async function get(request: ApiRequest, find: OwnerOf): Promise<void> {
	const owner = ownerOf(request, find);
	const target = pathOf(request);
	await owner.withTree(async (tree) => {
		const found = statPath(tree, target, owner.noun);
		request.header(STAT, encode(found)).begin('application/x-tar');
		for await (const chunk of packPath(tree, target, owner.noun, request.signal)) {
			await request.write(chunk);
		}
	});
	request.end();
	owner.announce('archive-path');
}

async function put(request: ApiRequest, find: OwnerOf): Promise<void> {
	const owner = ownerOf(request, find);
	const target = pathOf(request);
	await owner.withTree((tree) =>
		extractInto(tree, target, request.content, {
			noun: owner.noun,
			keepsKind: request.flag('noOverwriteDirNonDir'),
			owner: request.flag('copyUIDGID') ? ownerIn(tree, owner.user) : undefined,
			readOnlyReason: owner.readOnlyReason,
			scratch: path.join(request.core.root, 'ingest'),
			worker: path.join(__dirname, 'worker.js'),
			signal: request.signal,
		}),
	);
	request.empty(200);
	owner.announce('extract-to-dir');
}

async function list(request: ApiRequest, find: OwnerOf): Promise<void> {
	const owner = ownerOf(request, find);
	const target = pathOf(request);
	request.json(await owner.withTree((tree) => listFolder(tree, target, owner.noun)));
}

async function remove(request: ApiRequest, find: OwnerOf): Promise<void> {
	const owner = ownerOf(request, find);
	const target = pathOf(request);
	await owner.withTree((tree) => {
		removePath(tree, target, owner.noun);
	});
	request.empty();
}

async function rename(request: ApiRequest, find: OwnerOf): Promise<void> {
	const owner = ownerOf(request, find);
	const target = pathOf(request);
	const to = pathOf(request, 'to');
	await owner.withTree((tree) => {
		renamePath(tree, target, to, owner.noun);
	});
	request.empty();
}

const STAT = 'X-Docker-Container-Path-Stat';

function encode(found: PathStat): string {
	return Buffer.from(JSON.stringify(found)).toString('base64');
}

/** Undefined leaves the owners that the archive gives. */
function ownerIn(tree: Tree, user: string): { uid: number; gid: number } | undefined {
	if (user === '') {
		return undefined;
	}
	const text = (file: string): string => readSmallFile(tree, file) ?? '';
	const { uid, gid } = resolveUser(user, text('/etc/passwd'), text('/etc/group'));
	return { uid, gid };
}
