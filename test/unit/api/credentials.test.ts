import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Credentials, hostOf, keyOf } from '../../../src/api/credentials';

const HELPER = `#!/bin/sh
printf '%s ' "$1" >> "$LOG"; input=$(cat); printf '%s\\n' "$input" >> "$LOG"
case "$1:$input" in
get:helped.io) echo '{"ServerURL":"helped.io","Username":"h","Secret":"hs"}';;
get:https://index.docker.io/v1/) echo '{"Username":"<token>","Secret":"refresh"}';;
get:broken.io) echo '{"Username":"h","Secret":"hs"}'; exit 3;;
get:*) echo 'credentials not found in native keychain'; exit 1;;
esac
`;

describe('credentials', () => {
	let folder: string;
	let env: NodeJS.ProcessEnv;
	let file: string;
	let log: string;

	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-credentials-'));
		file = path.join(folder, 'config.json');
		log = path.join(folder, 'log');
		env = {
			PATH: `${folder}:${process.env['PATH'] ?? ''}`,
			LOG: log,
			DOCKER_CONFIG: folder,
			XDG_CONFIG_HOME: path.join(folder, 'xdg'),
			XDG_RUNTIME_DIR: path.join(folder, 'run'),
		};
		fs.writeFileSync(path.join(folder, 'docker-credential-test'), HELPER, { mode: 0o755 });
	});

	afterEach(() => {
		fs.rmSync(folder, { recursive: true });
	});

	const basic = (text: string): string => Buffer.from(text).toString('base64');

	function write(json: object, name = file): void {
		fs.mkdirSync(path.dirname(name), { recursive: true });
		fs.writeFileSync(name, JSON.stringify(json));
	}

	const find = (name: string): Promise<unknown> => new Credentials(env).find(name);
	const written = (): unknown => JSON.parse(fs.readFileSync(file, 'utf8'));

	it('are found by host, those of the Hub under its old address, and none for anybody else', async () => {
		const auth = basic('u:p:w');
		write({
			auths: {
				'https://index.docker.io/v1/': { auth },
				'a.io:5000': { username: 'x', password: 'y' },
				'https://b.io/v2/': { auth, identitytoken: 'T' },
				'c.io': {},
			},
		});
		const both = { username: 'u', password: 'p:w' };
		assert.deepEqual(await find('docker.io/library/nginx'), both);
		assert.deepEqual(await find('a.io:5000/app'), { username: 'x', password: 'y' });
		assert.deepEqual(await find('b.io'), { ...both, identitytoken: 'T' });
		for (const other of ['c.io/x', 'a.io/x', 'evil-a.io:5000/x', 'a.io:5000.evil/x']) {
			assert.equal(await find(other), undefined, other);
		}
	});

	it('a missing or empty file has none; one that is not JSON is an error that does not quote it', async () => {
		assert.equal(await find('a.io/x'), undefined);
		fs.writeFileSync(file, '');
		assert.equal(await find('a.io/x'), undefined);
		fs.writeFileSync(file, '{"auths":{"a.io":{"auth":"secret"');
		await assert.rejects(
			find('a.io/x'),
			(error: Error) => /Cannot read credentials/.test(error.message) && !/secret/.test(error.message),
		);
	});

	it("podman's file: the longest part of the name counts; docker's file goes first", async () => {
		const auths = { 'q.io': { auth: basic('all:1') }, 'q.io/org/team': { auth: basic('team:2') } };
		write({ auths }, path.join(folder, 'run/containers/auth.json'));
		assert.deepEqual(await find('q.io/org/team/app'), { username: 'team', password: '2' });
		assert.deepEqual(await find('q.io/org/teams'), { username: 'all', password: '1' });
		write({ auths: { 'q.io': { auth: basic('docker:3') } } });
		assert.deepEqual(await find('q.io/org/team/app'), { username: 'docker', password: '3' });
	});

	it('DOCKER_AUTH_CONFIG goes before all files, REGISTRY_AUTH_FILE before those of podman', async () => {
		write({ auths: { 'q.io': { auth: basic('podman:1') } } }, path.join(folder, 'xdg/containers/auth.json'));
		write({ auths: { 'q.io': { auth: basic('named:2') } } }, path.join(folder, 'named.json'));
		env['REGISTRY_AUTH_FILE'] = path.join(folder, 'named.json');
		assert.deepEqual(await find('q.io/x'), { username: 'named', password: '2' });
		env['DOCKER_AUTH_CONFIG'] = JSON.stringify({ auths: { 'q.io': { auth: basic('inline:3') } } });
		assert.deepEqual(await find('q.io/x'), { username: 'inline', password: '3' });
	});

	it('a helper of one registry, or for all, is asked by its key on stdin; "not found" is none', async () => {
		write({ credHelpers: { 'helped.io': 'test' }, auths: { 'other.io': { auth: basic('o:1') } } });
		assert.deepEqual(await find('helped.io/x'), { username: 'h', password: 'hs' });
		assert.deepEqual(await find('other.io/x'), { username: 'o', password: '1' });
		write({ credsStore: 'test' });
		assert.deepEqual(await find('docker.io/library/x'), { identitytoken: 'refresh' });
		assert.equal(await find('unknown.io/x'), undefined);
		const questions = fs.readFileSync(log, 'utf8').trim().split('\n');
		assert.deepEqual(questions, ['get helped.io', 'get https://index.docker.io/v1/', 'get unknown.io']);
	});

	it('a helper that fails, lacks, or has a path for a name is told without what it said', async () => {
		write({ credsStore: 'test' });
		await assert.rejects(find('broken.io/x'), {
			message: /^Cannot get credentials with docker-credential-test: it ended with code 3$/,
		});
		write({ credsStore: 'none-such' });
		const timers = activeTimers();
		await assert.rejects(find('a.io/x'), { message: /"docker-credential-none-such": it is not installed/ });
		// A timer that went on would hold the command for as long as a helper may take.
		assert.equal(activeTimers(), timers);
		write({ credsStore: '../evil' });
		await assert.rejects(find('a.io/x'), { message: /impossible characters/ });
	});

	it('for what anybody may do: what is wrong is told, and the next file is asked', async () => {
		const usable = async (configuration: string) => {
			fs.writeFileSync(file, configuration);
			const warnings: string[] = [];
			const found = await new Credentials(env).findUsable('other.io/app', (message) => warnings.push(message));
			return { found, warnings };
		};
		assert.deepEqual(await usable('{"credsStore":"nosuch"}'), {
			found: undefined,
			warnings: ['Cannot run credential helper "docker-credential-nosuch": it is not installed'],
		});
		const auth = Buffer.from('u:p').toString('base64');
		fs.mkdirSync(path.join(folder, 'xdg', 'containers'), { recursive: true });
		fs.writeFileSync(
			path.join(folder, 'xdg', 'containers', 'auth.json'),
			JSON.stringify({ auths: { 'other.io': { auth } } }),
		);
		assert.deepEqual(await usable('{bad'), {
			found: { username: 'u', password: 'p' },
			warnings: [`Cannot read credentials "${file}": it is not docker's configuration`],
		});
	});

	it('are kept in the file, which is for its owner only and keeps what else it says', async () => {
		write({ detachKeys: 'ctrl-a', auths: { 'old.io': { auth: basic('o:1') } } });
		fs.chmodSync(file, 0o644);
		const credentials = new Credentials(env);
		assert.deepEqual(await credentials.save('new.io', { username: 'n', password: 's' }), { file });
		await credentials.save('docker.io', { username: 'me', identitytoken: 'T' });
		assert.deepEqual(written(), {
			detachKeys: 'ctrl-a',
			auths: {
				'old.io': { auth: basic('o:1') },
				'new.io': { auth: basic('n:s') },
				'https://index.docker.io/v1/': { auth: basic('me:'), identitytoken: 'T' },
			},
		});
		assert.equal(fs.statSync(file).mode & 0o777, 0o600);
		assert.deepEqual(await find('docker.io'), { username: 'me', identitytoken: 'T' });
		assert.equal(await credentials.remove('https://index.docker.io/v1/'), true);
		assert.equal(await credentials.remove('docker.io'), false);
		assert.equal(await find('docker.io'), undefined);
		assert.deepEqual(
			fs.readdirSync(folder).filter((name) => name.startsWith('config.json.')),
			[],
		);
	});

	it('go to the helper where there is one, and the file holds nothing secret', async () => {
		write({ credsStore: 'test' });
		assert.deepEqual(await new Credentials(env).save('new.io', { username: 'n', password: 's3' }), {});
		assert.match(fs.readFileSync(log, 'utf8'), /^store \{"ServerURL":"new.io","Username":"n","Secret":"s3"\}/);
		assert.deepEqual(written(), { credsStore: 'test', auths: { 'new.io': {} } });
		assert.equal(await new Credentials(env).remove('new.io'), true);
		assert.deepEqual(written(), { credsStore: 'test', auths: {} });
	});

	it('registries have one host and one key, however they are called', () => {
		for (const hub of ['', 'docker.io', 'index.docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io']) {
			assert.deepEqual([hostOf(hub), keyOf(hub)], ['docker.io', 'https://index.docker.io/v1/']);
		}
		assert.deepEqual([hostOf('https://q.io:5000/v2/'), keyOf('q.io:5000')], ['q.io:5000', 'q.io:5000']);
	});
});

function activeTimers(): number {
	return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}
