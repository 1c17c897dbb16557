import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ENGINE_GROUP, groupAbove, hasUnified, UNIFIED_MOUNT } from '../container/cgroup';
import { handDown } from '../container/cgroup-tree';
import { readText } from '../container/shim';
import { EngineError, messageOf } from '../errors';
import { run, toolEnvironment } from '../exec';
import { currentUser } from './current-user';

/** Milliseconds for systemd to move a process. */
const MOVED_WITHIN = 5_000;

/** A scope ends with its last process, which may be between a look and the next. */
const TRIES = 3;

const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];

/**
 * Moves this process of an ordinary user, and so what it starts from now on, into a scope of the store's own that the
 * user's systemd has delegated (systemd.io/CGROUP_DELEGATION): below it the groups of containers can be made. The scope
 * ends with its last process. Gives why it cannot be; "" when it is done, or when there is nothing of the kind here.
 *
 * Where systemd ends the user's processes of the manager with the last log-out (no lingering) and this process is not one
 * of them yet, it stays where it is: a container that outlives its window is worth more than its limits.
 */
export async function joinScope(root: string): Promise<string> {
	const { uid, username } = currentUser();
	const before = readText('/proc/self/cgroup') ?? '';
	if (!mayJoin({ membership: before, uid, isLingering: fs.existsSync(`/var/lib/systemd/linger/${username}`) })) {
		return '';
	}
	const name = scopeName(root);
	try {
		return groupAbove(before)?.endsWith(`/${name}`) === true ? '' : await enterScope(name, new UserManager(uid));
	} catch (error) {
		return messageOf(error);
	}
}

/** Whether a scope of the user's systemd ends no sooner than what runs here now. */
export function mayJoin(here: { membership: string; uid: number; isLingering: boolean }): boolean {
	const isBelowManager = here.membership.includes(`/user@${here.uid}.service/`);
	return fs.existsSync(`/run/user/${here.uid}/bus`) && hasUnified() && (here.isLingering || isBelowManager);
}

/** "mydocker-0123456789ab.scope" */
function scopeName(root: string): string {
	return `mydocker-${createHash('sha256').update(fs.realpathSync(root)).digest('hex').slice(0, 12)}.scope`;
}

async function enterScope(name: string, manager: UserManager): Promise<string> {
	let refusal = '';
	for (let tries = 0; tries < TRIES; tries++) {
		refusal = await manager.start(name);
		if (refusal === '' || (await manager.attach(name, '')) === '') {
			settle(await ownScope(name));
			return '';
		}
		if ((await manager.attach(name, `/${ENGINE_GROUP}`)) === '') {
			return '';
		}
	}
	return refusal;
}

/** The group of the scope once systemd, which answers before it has done so, has put this process into it. */
async function ownScope(name: string): Promise<string> {
	for (let waited = 0; waited < MOVED_WITHIN; waited += 5) {
		const group = /^0::(\/.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1] ?? '';
		if (group.endsWith(`/${name}`)) {
			return path.join(UNIFIED_MOUNT, group);
		}
		await delay(5);
	}
	throw new EngineError('internal', `systemd has not put process ${process.pid} into ${name}`);
}

/** A group that hands controllers down holds no process itself. */
function settle(scope: string): void {
	const own = path.join(scope, ENGINE_GROUP);
	fs.mkdirSync(own, { recursive: true });
	fs.writeFileSync(path.join(own, 'cgroup.procs'), String(process.pid));
	handDown(scope);
}

/** The systemd of a user, which is asked on its bus (org.freedesktop.systemd1(5)). Each call gives its refusal, or "". */
class UserManager {
	constructor(private readonly uid: number) {}

	/** Makes a scope with this process in it. */
	start(name: string): Promise<string> {
		const properties = [
			...['Description', 's', 'Containers of MyDocker'],
			...['PIDs', 'au', '1', String(process.pid)],
			...['Delegate', 'b', 'true'],
			// All containers together would have the share of one service.
			...['TasksMax', 't', String(2n ** 64n - 1n)],
			...['CollectMode', 's', 'inactive-or-failed'],
		];
		return this.call('StartTransientUnit', 'ssa(sv)a(sa(sv))', [name, 'fail', '5', ...properties, '0']);
	}

	/** Puts this process into a group, "/name" or "" for its own, of a scope that is there. */
	attach(name: string, group: string): Promise<string> {
		return this.call('AttachProcessesToUnit', 'ssau', [name, group, '1', String(process.pid)]);
	}

	private async call(method: string, signature: string, values: readonly string[]): Promise<string> {
		const runtime = `/run/user/${this.uid}`;
		const env = {
			...toolEnvironment(),
			XDG_RUNTIME_DIR: runtime,
			DBUS_SESSION_BUS_ADDRESS: `unix:path=${runtime}/bus`,
		};
		const words = ['--user', '--quiet', 'call', ...MANAGER, method, signature, ...values];
		const { code, stderr } = await run('busctl', words, { env, timeout: MOVED_WITHIN });
		return code === 0 ? '' : stderr.trim() || `busctl ended with ${code}`;
	}
}
