import * as assert from 'node:assert/strict';
import { EngineError } from '../../../src/core/errors';
import { ownerHere, readUserNamespace } from '../../../src/core/user-namespace';
import { forbiddenReason } from '../../../src/core/system/holder';

const FILES = { uid_map: '         0          0 4294967295\n', gid_map: '0 0 4294967295', setgroups: 'allow\n' };

describe('user namespace', () => {
	it("the machine's own: every id", () => {
		assert.deepEqual(
			readUserNamespace((file) => FILES[file]),
			{ isInitial: true, uids: 4294967295, gids: 4294967295, canSetGroups: true },
		);
	});

	it('subordinate ids: those that follow one another without a gap', () => {
		const files = { uid_map: '0 1000 1\n1 100000 65536\n70000 1 5', gid_map: '0 1000 1', setgroups: 'deny\n' };
		assert.deepEqual(
			readUserNamespace((file) => files[file]),
			{ isInitial: false, uids: 65537, gids: 1, canSetGroups: false },
		);
	});

	it('owner of a file: stays, becomes the user where there is one id only, or is refused with what to do', () => {
		const owner = { uid: 33, gid: 70000 };
		const some = { isInitial: false, uids: 65537, gids: 65537, canSetGroups: true };
		assert.equal(ownerHere(owner, 'a', { ...some, gids: 100000 }), owner);
		assert.deepEqual(ownerHere(owner, 'a', { ...some, uids: 1, gids: 1 }), { uid: 0, gid: 0 });
		assert.throws(
			() => ownerHere(owner, 'srv/a', some),
			(error) =>
				error instanceof EngineError &&
				error.code === 'unsupported' &&
				/^"srv\/a" belongs to 33:70000, .*usermod --add-subuids/.test(error.message),
		);
	});

	it('forbidden: names the setting that forbids, with the command that allows', () => {
		const setting = (name: string, value: string) => (file: string) =>
			file === `/proc/sys/${name}` ? `${value}\n` : undefined;
		assert.match(
			forbiddenReason('EPERM', setting('user/max_user_namespaces', '0')),
			/\(user\.max_user_namespaces is 0\): .*"sudo sysctl -w user\.max_user_namespaces=15000"/,
		);
		assert.match(
			forbiddenReason('EPERM', setting('kernel/apparmor_restrict_unprivileged_userns', '1')),
			/kernel\.apparmor_restrict_unprivileged_userns=0/,
		);
		assert.match(
			forbiddenReason('EPERM', () => undefined),
			/forbids user namespaces \(EPERM\)/,
		);
	});
});
