import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { chooseTarget } from '../../../src/cli/connection';
import { writeCurrentContext } from '../../../src/cli/current-context';
import { CommandError } from '../../../src/cli/errors';
import { fullReference, withDefaultTag } from '../../../src/cli/pull';

const unset = { context: undefined, host: undefined, root: undefined, debug: false };

describe('which engine', () => {
	it('flags go before the environment, the host before the store', () => {
		const env = { MYDOCKER_HOST: 'unix:///h.sock', MYDOCKER_ROOT: '/r', HOME: '/home/me' };
		assert.deepEqual(
			[
				chooseTarget({ ...unset, root: '/flag' }, env, '/here'),
				chooseTarget({ ...unset, host: 'unix:///flag.sock' }, env, '/here'),
				chooseTarget(unset, env, '/here'),
				chooseTarget(unset, { ...env, MYDOCKER_HOST: '' }, '/here'),
				chooseTarget(unset, { XDG_DATA_HOME: '/data', XDG_CONFIG_HOME: '/none' }, '/here'),
				chooseTarget({ ...unset, context: 'box' }, env, '/here'),
				chooseTarget({ ...unset, context: 'mydocker' }, env, '/here'),
				chooseTarget(unset, { MYDOCKER_CONTEXT: 'default', MYDOCKER_ROOT: '/r' }, '/here'),
				chooseTarget(unset, { ...env, MYDOCKER_HOST: 'ssh://me@box' }, '/here'),
			],
			[
				{ kind: 'store', root: '/flag' },
				{ kind: 'host', endpoint: { kind: 'unix', path: '/flag.sock' } },
				{ kind: 'host', endpoint: { kind: 'unix', path: '/h.sock' } },
				{ kind: 'store', root: '/r' },
				{ kind: 'store', root: '/data/mydocker' },
				{ kind: 'context', name: 'box' },
				{ kind: 'store', root: '/r' },
				{ kind: 'context', name: 'default' },
				{ kind: 'host', endpoint: { kind: 'ssh', user: 'me', host: 'box', port: undefined, path: undefined } },
			],
		);
	});

	it('the context that was chosen for this program, unless a store is named', () => {
		const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-config-'));
		try {
			const env = { XDG_CONFIG_HOME: folder };
			writeCurrentContext(env, 'box');
			assert.deepEqual(chooseTarget(unset, env, '/here'), { kind: 'context', name: 'box' });
			assert.deepEqual(chooseTarget(unset, { ...env, MYDOCKER_ROOT: '/r' }, '/here'), {
				kind: 'store',
				root: '/r',
			});
			fs.writeFileSync(path.join(folder, 'mydocker/config.json'), '{');
			assert.equal(chooseTarget(unset, env, '/here').kind, 'store');
		} finally {
			fs.rmSync(folder, { recursive: true });
		}
	});

	it('a host that cannot be read, or flags that conflict, are refused', () => {
		assert.throws(
			() => chooseTarget({ ...unset, host: 'ftp://1.2.3.4' }, {}, '/here'),
			new CommandError(
				'Cannot use host "ftp://1.2.3.4": give unix:///path, tcp://host:port or ssh://user@host',
				125,
			),
		);
		assert.throws(
			() => chooseTarget({ ...unset, host: 'unix:///a', root: '/b' }, {}, '/here'),
			new CommandError('conflicting options: cannot specify both --host and --root', 125),
		);
		assert.throws(
			() => chooseTarget({ ...unset, host: 'unix:///a', context: 'b' }, {}, '/here'),
			new CommandError('conflicting options: cannot specify both --host and --context'),
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
