import * as assert from 'node:assert/strict';
import { chooseTarget } from '../../../src/cli/connection';
import { CommandError } from '../../../src/cli/errors';
import { fullReference, withDefaultTag } from '../../../src/cli/pull';

const unset = { host: undefined, root: undefined, debug: false };

describe('which engine', () => {
	it('flags go before the environment, the host before the store', () => {
		const env = { MYDOCKER_HOST: 'unix:///h.sock', MYDOCKER_ROOT: '/r', HOME: '/home/me' };
		assert.deepEqual(
			[
				chooseTarget({ ...unset, root: '/flag' }, env),
				chooseTarget({ ...unset, host: 'unix:///flag.sock' }, env),
				chooseTarget(unset, env),
				chooseTarget(unset, { ...env, MYDOCKER_HOST: '' }),
				chooseTarget(unset, { XDG_DATA_HOME: '/data' }),
			],
			[
				{ kind: 'store', root: '/flag' },
				{ kind: 'socket', path: '/flag.sock' },
				{ kind: 'socket', path: '/h.sock' },
				{ kind: 'store', root: '/r' },
				{ kind: 'store', root: '/data/mydocker' },
			],
		);
	});

	it('a host that is no socket, or both flags, is refused', () => {
		assert.throws(
			() => chooseTarget({ ...unset, host: 'tcp://1.2.3.4' }, {}),
			new CommandError('Cannot use host "tcp://1.2.3.4": give a socket as unix:///path', 125),
		);
		assert.throws(
			() => chooseTarget({ ...unset, host: 'unix:///a', root: '/b' }, {}),
			new CommandError('conflicting options: cannot specify both --host and --root', 125),
		);
	});
});

describe('references as pull prints them', () => {
	it('the tag that is meant', () => {
		assert.deepEqual(
			['nginx', 'nginx:1', 'localhost:5000/a', 'localhost:5000/a:1', 'a@sha256:00'].map(withDefaultTag),
			['nginx:latest', 'nginx:1', 'localhost:5000/a:latest', 'localhost:5000/a:1', 'a@sha256:00'],
		);
	});

	it('the whole name', () => {
		assert.deepEqual(
			['nginx:1', 'me/nginx:1', 'localhost/a:1', 'localhost:5000/a:1', 'ghcr.io/a/b:1'].map(fullReference),
			[
				'docker.io/library/nginx:1',
				'docker.io/me/nginx:1',
				'localhost/a:1',
				'localhost:5000/a:1',
				'ghcr.io/a/b:1',
			],
		);
	});
});
