/** Commands that the engine carries out itself for dist/command.pl; that they do what docker's do is in cli.test. */
import * as assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { busyboxLayer, imageOf } from './fixture';
import { load } from './loading';
import { embeddedEngine, enginePid, removeContainers, type EngineProcess } from './subject';
import { dist, endChild, until, within, Workspace } from './workspace';

describe('commands that the engine carries out', () => {
	const workspace = new Workspace('served');
	let engine: EngineProcess;
	let env: NodeJS.ProcessEnv;
	let cwd: string;

	before(async () => {
		engine = embeddedEngine(workspace);
		await load(engine.client, imageOf([busyboxLayer()]), 'box:1');
		cwd = workspace.folder('here');
		env = { ...process.env, MYDOCKER_ROOT: engine.root, MYDOCKER_NODE: process.execPath, COLOUR: 'blue' };
		env['DOCKER_CONFIG'] = workspace.folder('no credentials');
	});

	afterEach(() => removeContainers(engine.client));

	after(() => workspace.dispose());

	const mydocker = (args: readonly string[], options: { input?: Buffer; env?: NodeJS.ProcessEnv } = {}) => {
		const result = spawnSync(path.join(dist, 'mydocker'), args, {
			...{ env, cwd, maxBuffer: 64 * 1024 * 1024 },
			...options,
		});
		return { code: result.status, stdout: result.stdout.toString('latin1'), stderr: result.stderr.toString() };
	};
	/** What the engine's log says of commands that were handed over since `from`: their HTTP status. */
	const handed = (from: number): string[] =>
		[
			...fs
				.readFileSync(logFile(), 'utf8')
				.slice(from)
				.matchAll(/ POST \/mydocker\/command (\d+) /g),
		].map(([, status = '']) => status);
	const logFile = (): string => path.join(engine.root, 'engine.log');
	const logLength = (): number => fs.readFileSync(logFile(), 'utf8').length;
	const ticking = ['sh', '-c', 'while :; do echo tick; sleep 0.1; done'];
	const offline = ['run', '--rm', '--network', 'none'];

	it('one that needs its caller for streams only is carried out there; one for a terminal, a file or a helper is not', async () => {
		const from = logLength();
		assert.equal(mydocker(['ps', '-q']).code, 0);
		assert.equal(mydocker([...offline, 'box:1', 'true']).code, 0);
		fs.writeFileSync(path.join(cwd, 'variables'), 'A=1\n');
		assert.equal(mydocker([...offline, '--env-file', 'variables', 'box:1', 'env']).code, 0);
		assert.equal(mydocker([...offline, '-t', 'box:1', 'true']).code, 0);
		assert.equal(mydocker(['create', '--pull', 'never', 'absent:1']).code, 1);
		const absent = `127.0.0.1:1/absent:1`;
		assert.match(mydocker(['pull', absent]).stderr, /registry "127.0.0.1:1" does not answer/);
		const helped = { ...env, DOCKER_CONFIG: workspace.folder('helped') };
		fs.writeFileSync(path.join(helped.DOCKER_CONFIG, 'config.json'), '{"credsStore":"of-nobody"}');
		assert.match(mydocker(['pull', absent], { env: helped }).stderr, /docker-credential-of-nobody/);
		assert.equal(mydocker(['pull', absent], { env: { ...env, DOCKER_CONFIG: 'helped' } }).code, 1);
		assert.equal(mydocker(['nonsense']).code, 1);
		await until('all are in the log', () => handed(from).length === 9 || undefined);
		assert.deepEqual(handed(from), ['101', '101', '501', '501', '101', '101', '501', '501', '501']);
	});

	it('environment and folder are those of the caller', () => {
		fs.writeFileSync(path.join(cwd, 'note'), 'mine');
		const command = [
			...offline,
			'-e',
			'COLOUR',
			'-v',
			'./:/here:ro',
			'box:1',
			'sh',
			'-c',
			'echo $COLOUR; cat /here/note',
		];
		assert.equal(mydocker(command).stdout, 'blue\nmine');
	});

	it('input comes whole, and what a command does not read is left to who comes next', () => {
		const input = Buffer.alloc(5_000_000, 'the quick brown fox\n');
		assert.ok(mydocker([...offline, '-i', 'box:1', 'cat'], { input }).stdout === input.toString('latin1'));
		const script = `"${path.join(dist, 'mydocker')}" ps -q; cat`;
		assert.equal(spawnSync('sh', ['-c', script], { env, input: 'rest', encoding: 'utf8' }).stdout, 'rest');
	});

	it('a reader that leaves ends the command as SIGPIPE would; the container goes on', async () => {
		const script = `"${path.join(dist, 'mydocker')}" run --name talker --network none box:1 yes | head -c 10; echo " \${PIPESTATUS[0]}"`;
		const { stdout } = spawnSync('bash', ['-c', script], { env, encoding: 'utf8' });
		assert.equal(stdout, 'y\ny\ny\ny\ny\n 141\n');
		assert.equal((await engine.client.containers.inspect('talker')).State.Running, true);
	});

	it('a signal that nobody takes ends the caller as it ends a program; SIGINT cancels', async () => {
		for (const [signal, expected] of [
			['SIGHUP', [null, 'SIGHUP']],
			['SIGINT', [130, null]],
		] as const) {
			const child = spawn(path.join(dist, 'mydocker'), ['events'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
			try {
				let isListening: true | undefined;
				child.stdout.once('data', () => (isListening = true));
				await until('it listens', async () => {
					await engine.client.volumes.create({ Name: 'seen' });
					await engine.client.volumes.remove('seen');
					return isListening;
				});
				const exit = once(child, 'exit');
				child.kill(signal);
				assert.deepEqual(await within('the end', 10_000, exit), expected);
			} finally {
				await endChild(child);
			}
		}
	});

	it('a caller that is killed leaves its container running, and nothing of its own', async () => {
		const child = spawn(
			path.join(dist, 'mydocker'),
			['run', '--name', 'orphan', '--network', 'none', 'box:1', ...ticking],
			{
				...{ env, stdio: ['ignore', 'pipe', 'ignore'] },
			},
		);
		await once(child.stdout, 'data');
		const from = logLength();
		child.kill('SIGKILL');
		await once(child, 'exit');
		await until('the engine has noticed', () => handed(from).length === 1 || undefined);
		assert.equal((await engine.client.containers.inspect('orphan')).State.Running, true);
	});

	it('another build, or no perl: Node carries it out', async () => {
		const program = fs.readFileSync(path.join(dist, 'command.pl'), 'utf8');
		const other = path.join(cwd, 'other.pl');
		fs.writeFileSync(other, program.replace(/^my \$build = .*$/m, "my $build = '1';"));
		const from = logLength();
		const arguments_ = [other, process.execPath, path.join(dist, 'cli.js'), 'ps', '--format', '{{.ID}}'];
		assert.equal(spawnSync('perl', arguments_, { env }).status, 0);
		await until('it was refused', () => handed(from).length === 1 || undefined);
		assert.deepEqual(handed(from), ['409']);
		const tools = workspace.folder('tools');
		for (const tool of ['sh', 'iptables', 'ip']) {
			fs.symlinkSync(spawnSync('which', [tool], { encoding: 'utf8' }).stdout.trim(), path.join(tools, tool));
		}
		assert.equal(mydocker(['ps', '-q'], { env: { ...env, PATH: tools } }).code, 0);
		assert.equal(handed(from).length, 1);
	});

	const killEngine = async (): Promise<void> => {
		const pid = enginePid(engine.root);
		if (pid !== undefined) {
			process.kill(pid, 'SIGKILL');
			await until('it is gone', () => enginePid(engine.root) === undefined || undefined);
		}
	};

	it('without an engine two at once start one, which has nothing of its caller that it must not have', async () => {
		await killEngine();
		const from = logLength();
		const both = [1, 2].map(() =>
			spawn(path.join(dist, 'mydocker'), ['ps', '-q'], { env, cwd, stdio: ['ignore', 'ignore', 'inherit'] }),
		);
		const codes = await Promise.all(both.map((child) => within('the end', 20_000, once(child, 'exit'))));
		assert.deepEqual(
			codes,
			both.map(() => [0, null]),
		);
		await until('both are in the log', () => handed(from).length === 2 || undefined);
		assert.deepEqual(handed(from), ['101', '101']);
		const log = fs.readFileSync(logFile(), 'utf8').slice(from);
		assert.equal([...log.matchAll(/ is ready, pid /g)].length, 1);
		const process_ = `/proc/${enginePid(engine.root) ?? 0}`;
		const variables = fs.readFileSync(`${process_}/environ`, 'utf8').split('\0');
		assert.deepEqual(
			variables.filter((text) => /^(COLOUR|MYDOCKER_ROOT|PWD)=/.test(text)),
			[],
		);
		assert.ok(variables.includes('ELECTRON_RUN_AS_NODE=1'));
		assert.equal(fs.readlinkSync(`${process_}/cwd`), '/');
		assert.deepEqual(
			[0, 1, 2].map((descriptor) => fs.readlinkSync(`${process_}/fd/${descriptor}`)),
			['/dev/null', '/dev/null', logFile()],
		);
	});

	it('a question that needs no engine starts none; what keeps one from starting is told', async () => {
		await killEngine();
		assert.equal(mydocker(['ps', '--help']).code, 0);
		assert.equal(mydocker(['--version']).code, 0);
		assert.equal(mydocker(['nonsense']).code, 1);
		assert.equal(enginePid(engine.root), undefined);
		const damaged = workspace.folder('damaged');
		fs.writeFileSync(path.join(damaged, 'lock'), 'x');
		assert.match(
			mydocker(['ps'], { env: { ...env, MYDOCKER_ROOT: damaged } }).stderr,
			/^Cannot start the engine of ".*": Cannot lock store ".*": .* is damaged; remove it while no engine runs/,
		);
		assert.deepEqual(mydocker(['ps', '-q']), { code: 0, stdout: '', stderr: '' });
	});

	it('an engine that dies meanwhile is told, with the log to read', async () => {
		const child = spawn(path.join(dist, 'mydocker'), ['run', '--network', 'none', 'box:1', ...ticking], {
			...{ env, stdio: ['ignore', 'pipe', 'pipe'] },
		});
		const told: Buffer[] = [];
		child.stderr.on('data', (data: Buffer) => told.push(data));
		await once(child.stdout, 'data');
		child.stdout.resume();
		process.kill(enginePid(engine.root) ?? 0, 'SIGKILL');
		assert.deepEqual(await within('the end', 10_000, once(child, 'close')), [1, null]);
		assert.equal(
			Buffer.concat(told).toString(),
			`mydocker: the engine ended while it carried out this command; see "${engine.root}/engine.log"\n`,
		);
	});
});
