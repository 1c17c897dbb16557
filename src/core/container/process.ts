import * as fs from 'node:fs';
import { systemCode } from '../errors';
import type { ProcessIdentity } from '../types';

let bootId: string | undefined;

/** /proc/sys/kernel/random/boot_id: differs after every boot, also after `wsl --shutdown`. */
export function currentBootId(): string {
	bootId ??= fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
	return bootId;
}

/** Identity of the living process `pid`; undefined when there is none or it is a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
	const fields = statFields(pid);
	const [state] = fields;
	const startTime = fields[19];
	if (startTime === undefined || state === 'Z' || state === 'X') {
		return undefined;
	}
	return { pid, start_time: startTime, boot_id: currentBootId() };
}

/** Living processes of a session, by the number of the process that began it. */
export function sessionMembers(session: number): number[] {
	return fs
		.readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name) && statFields(Number(name))[3] === String(session))
		.map(Number);
}

/** Living processes that have an argument with this text in it, such as the path of a folder of ours. */
export function processesNaming(text: string): ProcessIdentity[] {
	const names = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
	return names.flatMap((name) => {
		const isNaming = commandLine(Number(name))?.some((argument) => argument.includes(text)) === true;
		return (isNaming ? identify(Number(name)) : undefined) ?? [];
	});
}

/** Number of a process's parent, or undefined when it is gone. */
export function parentOf(pid: number): number | undefined {
	const parent = Number(statFields(pid)[1]);
	return parent > 0 ? parent : undefined;
}

/** proc(5) from the state on: "pid (comm) state ppid pgrp session …"; comm may hold spaces and parentheses. */
function statFields(pid: number): string[] {
	const stat = readProc(pid, 'stat') ?? '';
	return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** True while the very process that was identified lives: `kill(pid, 0)` would also find zombies and later namesakes. */
export function isAlive(identity: ProcessIdentity): boolean {
	const now = identify(identity.pid);
	return now?.start_time === identity.start_time && now.boot_id === identity.boot_id;
}

/** Sends a signal (number) to the identified process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
	if (!isAlive(identity)) {
		return false;
	}
	try {
		process.kill(identity.pid, signal);
		return true;
	} catch (error) {
		// It ended between the look and the signal.
		if (systemCode(error) === 'ESRCH') {
			return false;
		}
		throw error;
	}
}

/** Arguments of a living process, or undefined when it is gone. */
export function commandLine(pid: number): string[] | undefined {
	return readProc(pid, 'cmdline')?.split('\0');
}

function readProc(pid: number, file: 'stat' | 'cmdline'): string | undefined {
	try {
		return fs.readFileSync(`/proc/${pid}/${file}`, 'latin1');
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ESRCH') {
			return undefined;
		}
		throw error;
	}
}
