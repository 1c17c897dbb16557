import { EngineError } from '../errors';

/** Numbers that the container's first process runs with. */
export interface User {
	readonly uid: number;
	readonly gid: number;
	/** The primary group first, as docker does: CVE-2022-36109 came from leaving it out. */
	readonly additionalGids: readonly number[];
	readonly home: string;
}

const MAX_ID = 2 ** 31 - 1;

/**
 * Resolves docker's --user ("", "name", "uid", either with ":group" or ":gid") with the text of the image's passwd and
 * group files. Throws EngineError "invalid" with docker's text when there is no such user or group.
 */
export function resolveUser(text: string, passwd: string, group: string): User {
	const [userText = '', groupText = ''] = text.split(':', 2);
	const user = userText === '' ? '0' : userText;
	const entry = findUser(user, passwd);
	const uid = entry?.uid ?? numericId(user);
	if (uid === undefined) {
		throw new EngineError('invalid', `unable to find user ${user}: no matching entries in passwd file`);
	}
	const home = entry?.home ?? '/';
	if (groupText !== '') {
		const gid = findGroup(groupText, group) ?? numericId(groupText);
		if (gid === undefined) {
			throw new EngineError('invalid', `unable to find group ${groupText}: no matching entries in group file`);
		}
		return { uid, gid, additionalGids: [gid], home };
	}
	const gid = entry?.gid ?? 0;
	const supplementary = entry === undefined ? [] : memberships(entry.name, group);
	return { uid, gid, additionalGids: [...new Set([gid, ...supplementary])], home };
}

/** Numbers of --group-add's groups, by the image's group file. Throws as `resolveUser`. */
export function resolveGroups(names: readonly string[], group: string): number[] {
	return names.map((name) => {
		const gid = findGroup(name, group) ?? numericId(name);
		if (gid === undefined) {
			throw new EngineError('invalid', `Unable to find group ${name}`);
		}
		return gid;
	});
}

interface PasswdEntry {
	readonly name: string;
	readonly uid: number;
	readonly gid: number;
	readonly home: string;
}

function findUser(text: string, passwd: string): PasswdEntry | undefined {
	const id = numericId(text);
	for (const fields of records(passwd)) {
		const [name = '', , uidText = '', gidText = '', , home = ''] = fields;
		const uid = parseId(uidText);
		const gid = parseId(gidText);
		if (uid !== undefined && gid !== undefined && (name === text || uid === id)) {
			return { name, uid, gid, home: home === '' ? '/' : home };
		}
	}
	return undefined;
}

function findGroup(text: string, group: string): number | undefined {
	const id = numericId(text);
	for (const [name = '', , gidText = ''] of records(group)) {
		const gid = parseId(gidText);
		if (gid !== undefined && (name === text || gid === id)) {
			return gid;
		}
	}
	return undefined;
}

function memberships(user: string, group: string): number[] {
	return records(group).flatMap(([, , gidText = '', members = '']) => {
		const gid = parseId(gidText);
		return gid !== undefined && members.split(',').includes(user) ? [gid] : [];
	});
}

function records(text: string): string[][] {
	return text
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => line !== '' && !line.startsWith('#'))
		.map((line) => line.split(':'));
}

/** A number that the user wrote; out of range is an error, not a name. */
function numericId(text: string): number | undefined {
	if (!/^[0-9]+$/.test(text)) {
		return undefined;
	}
	const id = Number(text);
	if (id > MAX_ID) {
		throw new EngineError('invalid', `uids and gids must be in range 0-${MAX_ID}`);
	}
	return id;
}

/** A number in a file of the image; anything odd makes the line count for nothing. */
function parseId(text: string): number | undefined {
	return /^[0-9]+$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined;
}
