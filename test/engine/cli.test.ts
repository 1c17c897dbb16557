import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { archiveOf } from './archive';
import { hasDocker } from './setup';
import {
	dockerEngine,
	embeddedEngine,
	leaksOf,
	pushImages,
	removeContainers,
	startRegistries,
	type EngineProcess,
	type Images,
} from './subject';
import { dist, hasProgram, until, within, Workspace } from './workspace';

/** A program with an engine behind it. */
interface Actor {
	readonly name:
		'docker on dockerd' | 'docker on ours' | 'mydocker' | 'mydocker, carried out by its engine where it can';
	readonly program: readonly string[];
	readonly env: NodeJS.ProcessEnv;
	readonly engine: EngineProcess;
}

interface Result {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** A command line that every actor runs. Docker on dockerd says what is right. */
interface Line {
	readonly args: readonly string[];
	readonly input?: string;
	/** How standard output is compared: whole (default), its last lines only, or not at all. */
	readonly compare?: 'all' | 'last three lines' | 'nothing';
	/** What everybody's standard error must say. */
	readonly complaint?: RegExp;
	/** Waits for what the line started. */
	readonly then?: (engine: EngineProcess) => Promise<void>;
}

const CONTAINER = `echo out; echo err >&2; trap 'exit 5' TERM; while :; do sleep 0.05; done`;

describe('command line', function () {
	// Each case runs dozens of programs.
	this.timeout(240_000);

	const workspace = new Workspace('cli');
	let actors: readonly Actor[];
	let images: Images;
	let embedded: EngineProcess;

	before(async function () {
		if (!hasDocker || !hasProgram('docker')) {
			this.skip();
		}
		images = await pushImages(await startRegistries(workspace));
		const docker = await dockerEngine(workspace);
		embedded = embeddedEngine(workspace);
		const second = embeddedEngine(workspace);
		const third = embeddedEngine(workspace);
		// The docker program starts no engine.
		await embedded.client.version();
		await third.client.version();
		const configuration = { ...process.env, DOCKER_CONFIG: workspace.folder('config'), DOCKER_CONTEXT: undefined };
		const dockerOn = (engine: EngineProcess): NodeJS.ProcessEnv => ({
			...configuration,
			DOCKER_HOST: `unix://${engine.socket}`,
		});
		actors = [
			{ name: 'docker on dockerd', program: ['docker'], env: dockerOn(docker), engine: docker },
			{ name: 'docker on ours', program: ['docker'], env: dockerOn(embedded), engine: embedded },
			{
				name: 'mydocker',
				program: [process.execPath, path.join(dist, 'cli.js')],
				env: { ...configuration, DOCKER_HOST: undefined, MYDOCKER_ROOT: second.root },
				engine: second,
			},
			{
				name: 'mydocker, carried out by its engine where it can',
				program: [path.join(dist, 'mydocker')],
				env: {
					...configuration,
					DOCKER_HOST: undefined,
					MYDOCKER_ROOT: third.root,
					MYDOCKER_NODE: process.execPath,
				},
				engine: third,
			},
		];
	});

	after('nothing is left', async () => {
		const { root } = workspace;
		await workspace.dispose();
		assert.deepEqual(leaksOf(root, new Set()), []);
	});

	afterEach('no container is left', async () => {
		for (const actor of actors) {
			await removeContainers(actor.engine.client);
		}
	});

	/** Runs each line by everybody and collects where one differs from docker on dockerd. */
	async function compare(lines: readonly Line[]): Promise<void> {
		const differing: object[] = [];
		for (const line of lines) {
			const [model, ...others] = await Promise.all(
				actors.map(async (actor) => {
					const result = await invoke(actor, line.args, line.input);
					await line.then?.(actor.engine);
					return { actor: actor.name, ...shown(result, line) };
				}),
			);
			if (model === undefined) {
				throw new Error('There is no actor');
			}
			if (line.complaint !== undefined) {
				assert.match(model.stderr, line.complaint, `the test is wrong about docker ${line.args.join(' ')}`);
			}
			for (const other of others) {
				const isSame = other.code === model.code && other.stdout === model.stdout;
				const complains = line.complaint?.test(other.stderr) ?? true;
				if (!isSame || !complains) {
					differing.push({ line: line.args.join(' '), expected: model, actual: other });
				}
			}
		}
		assert.deepEqual(differing, []);
	}

	it('version and info', async () => {
		await compare([
			{ args: ['version', '--format', '{{.Server.Os}}/{{.Server.Arch}}'] },
			{
				args: [
					'info',
					'--format',
					'{{.OSType}} {{.Containers}} {{.ContainersRunning}} {{.NCPU}} {{.MemTotal}}',
				],
			},
			{ args: ['system', 'info', '--format', '{{.LoggingDriver}}'] },
		]);
	});

	it("usage: wrong words have docker's exit codes", async () => {
		await compare([
			{ args: ['ps', '--nosuch'], complaint: /unknown flag: --nosuch/ },
			{ args: ['nosuch'], complaint: /unknown command: (docker|mydocker) nosuch/ },
			{ args: ['run'], complaint: /requires at least 1 argument/ },
			{ args: ['stop'], complaint: /requires at least 1 argument/ },
			{ args: ['run', '--nosuch', 'x'], complaint: /unknown flag: --nosuch/ },
			{ args: ['pull', 'UPPER:1'], complaint: /invalid reference format: repository name .*must be lowercase/ },
		]);
	});

	it('images: pull, list, tag, inspect, remove', async () => {
		const { reference, repository, fixture } = images.busybox;
		const row = ['--format', '{{.Repository}} {{.Tag}} {{.ID}} {{.Size}} {{.Digest}}'];
		await compare([
			{ args: ['images'] },
			{ args: ['pull', reference], compare: 'last three lines' },
			{ args: ['pull', reference], compare: 'last three lines' },
			{ args: ['pull', '-q', reference] },
			{ args: ['pull', '-q', images.app.reference] },
			{ args: ['pull', `${repository}:nosuch`], complaint: /manifest for .*:nosuch not found: manifest unknown/ },
			{ args: ['images', ...row, repository] },
			{ args: ['images', repository] },
			{ args: ['images', '-q', repository] },
			{ args: ['images', '-q', '--no-trunc', repository] },
			{ args: ['images', '--digests', repository] },
			{
				args: [
					'images',
					'--format',
					'{{.Containers}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}}',
					repository,
				],
			},
			{ args: ['history', '-H=false', '--no-trunc', reference] },
			{ args: ['history', '--format', '{{.CreatedAt}}', reference] },
			{ args: ['history', '--format', 'table {{.CreatedSince}} {{.CreatedAt}}', '-H=false', reference] },
			{ args: ['images', '--filter', 'label=maker=fixture', '--format', '{{.Repository}}'] },
			{ args: ['tag', reference, 'mine:1'] },
			{ args: ['tag', 'nosuch', 'mine:2'], complaint: /No such image: nosuch:latest/ },
			{ args: ['images', 'mine'] },
			{ args: ['image', 'inspect', '--format', '{{.Id}} {{.Architecture}} {{json .Config.Cmd}}', 'mine:1'] },
			{ args: ['image', 'inspect', 'nosuch'], complaint: /[Nn]o such image: nosuch/ },
			{ args: ['inspect', '--format', '{{.Id}}', fixture.id] },
			...[
				'{{.Config.Healthcheck}} {{.Config.Volumes}} {{.Config.ExposedPorts}} {{.Config.Shell}}',
				'{{.Config.OnBuild}}{{.Config.StopSignal}}{{.Config.ArgsEscaped}}',
				'{{.Config.Hostname}}',
				'{{.Variant}}{{.OsVersion}}{{.Author}}{{.Container}}{{.ID}}',
				'{{index .Config.Labels "q"}}|{{.Config.Labels.q}}|{{len .Config.Env}}|{{json .Config.Volumes}}',
			].map((format) => ({ args: ['image', 'inspect', '--format', format, 'mine:1'] })),
			{
				args: ['image', 'inspect', '--format', '{{.Config.Nope}}', 'mine:1'],
				...{ compare: 'nothing', complaint: /map has no entry for key "Nope"/ },
			},
			{ args: ['rmi', 'mine:1'] },
			{ args: ['rmi', 'mine:1'], complaint: /No such image: mine:1/ },
			{ args: ['rmi', images.app.reference], compare: 'nothing' },
			{ args: ['images', '-q'] },
		]);
	});

	it('run: output, input and exit codes', async () => {
		const { reference } = images.busybox;
		const run = (...args: string[]): string[] => ['run', '--rm', '--network', 'none', ...args];
		await compare([
			{ args: run(reference, 'sh', '-c', 'echo out; echo err >&2; exit 32'), complaint: /^err$/ },
			{ args: run(reference, 'true') },
			{ args: run(reference, 'false') },
			{
				args: run(reference, '/no/such/cmd'),
				complaint: /exec: "\/no\/such\/cmd": stat \/no\/such\/cmd: no such file or directory/,
			},
			{ args: run(reference, 'nosuch'), complaint: /exec: "nosuch": executable file not found in \$PATH/ },
			{ args: run(reference, '/etc'), complaint: /exec: "\/etc": permission denied/ },
			{ args: run('-u', 'nosuchuser', reference, 'true'), complaint: /unable to find user nosuchuser/ },
			{ args: run('-w', 'relative', reference, 'true'), complaint: /needs to be an absolute path/ },
			{ args: run('--pull', 'never', 'nosuch:1'), complaint: /No such image: nosuch:1/ },
			{ args: ['create', '--pull', 'never', 'nosuch:1'], complaint: /No such image: nosuch:1/ },
			{ args: run('--pull', 'missing', reference, 'echo', 'there') },
			{ args: run('--pull', 'always', reference, 'echo', 'newest'), complaint: /Image is up to date for/ },
			{ args: run('--pull', 'sometimes', reference, 'true'), complaint: /invalid pull option: 'sometimes'/ },
			{
				args: run('--name', 'a b', reference, 'true'),
				complaint: /only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/,
			},
			{ args: run('-i', reference, 'cat'), input: 'line\nno newline' },
			{ args: run(reference, 'cat'), input: 'not seen' },
			{
				args: run(
					'-e',
					'A=1',
					'-w',
					'/tmp',
					'-u',
					'demo',
					'-h',
					'there',
					'--entrypoint',
					'sh',
					reference,
					'-c',
					'echo $A $PWD $(id -un) $(hostname)',
				),
			},
			{
				args: run('-m', '64m', '--cpus', '0.5', '--pids-limit', '50', '--read-only', reference, 'touch', '/x'),
				complaint: /Read-only file system/,
			},
			{ args: run('--cap-drop', 'ALL', reference, 'grep', 'CapEff', '/proc/self/status') },
			{ args: run('-m', '1m', reference, 'true'), complaint: /Minimum memory limit allowed is 6MB/ },
			{ args: ['ps', '-aq'] },
		]);
	});

	it('containers: run -d, ps, logs, inspect, stop, start, restart, kill, wait, rename, rm', async () => {
		const { reference } = images.busybox;
		const printed = (name: string, count: number) => async (engine: EngineProcess) => {
			await until(`${name} has printed`, async () => {
				let lines = 0;
				for await (const chunk of engine.client.containers.logs(name)) {
					lines += chunk.data.toString().split('\n').length - 1;
				}
				return lines === count;
			});
		};
		const row = [
			'--format',
			'{{.Names}}|{{.Image}}|{{.Command}}|{{.State}}|{{.Status}}|{{.Ports}}|{{.Label "a"}}|{{.Networks}}',
		];
		await compare([
			{
				args: [
					'run',
					'-d',
					'--network',
					'none',
					'--name',
					'cli1',
					'-l',
					'a=b',
					reference,
					'sh',
					'-c',
					CONTAINER,
				],
				then: printed('cli1', 2),
			},
			{
				args: ['run', '-d', '--name', 'cli1', '--network', 'none', reference],
				complaint: /The container name "\/cli1" is already in use by container/,
			},
			{ args: ['ps', ...row] },
			{ args: ['ps', '-q'] },
			{ args: ['ps', '--no-trunc', '--format', '{{.ID}} {{.Command}}'] },
			{ args: ['ps', '--filter', 'name=nosuch'] },
			{ args: ['ps', '--filter', 'label=a=b', '--format', '{{.Names}}'] },
			{ args: ['logs', 'cli1'], complaint: /^err$/ },
			{ args: ['logs', '-t', 'cli1'] },
			{ args: ['logs', '--tail', '0', 'cli1'] },
			{ args: ['logs', '--since', '2030-01-01', 'cli1'] },
			{ args: ['logs', 'nosuch'], complaint: /No such container: nosuch/ },
			{
				args: [
					'inspect',
					'--format',
					'{{.State.Status}} {{.Config.Image}} {{.Name}} {{.HostConfig.NetworkMode}}',
					'cli1',
				],
			},
			...[
				'{{.Config.Healthcheck}} {{.State.Health}} {{.Config.ExposedPorts}} {{.Config.Volumes}} {{len .ID}}',
				'{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.HostConfig.Init}} {{.SizeRw}}',
			].map((format) => ({ args: ['inspect', '--format', format, 'cli1'] })),
			{
				args: ['inspect', '--format', '{{.State.Health.Status}}', 'cli1'],
				...{ compare: 'nothing', complaint: /map has no entry for key "Health"/ },
			},
			{ args: ['inspect', 'nosuch'], complaint: /[Nn]o such object: nosuch/ },
			{ args: ['rm', 'cli1'], complaint: /[Ss]top the container before attempting removal or force remove/ },
			{ args: ['stop', '-t', '2', 'cli1'] },
			{ args: ['stop', 'cli1'] },
			{ args: ['stop', 'nosuch'], complaint: /No such container: nosuch/ },
			{ args: ['ps'] },
			{ args: ['ps', '-a'] },
			{ args: ['wait', 'cli1'] },
			{ args: ['start', 'cli1'], then: printed('cli1', 4) },
			{ args: ['restart', '-t', '2', 'cli1'], then: printed('cli1', 6) },
			{ args: ['kill', 'cli1'] },
			{ args: ['kill', 'cli1'], complaint: /is not running/ },
			{ args: ['rename', 'cli1', 'cli2'] },
			{ args: ['ps', '-a', '--format', '{{.Names}}'] },
			{ args: ['rm', 'cli2'] },
			{ args: ['rm', 'cli2'], complaint: /No such container: cli2/ },
			{ args: ['rm', '-f', 'cli2'] },
			{ args: ['create', '--name', 'cli3', '--network', 'none', reference, 'sh', '-c', 'echo attached; exit 3'] },
			{ args: ['start', '-a', 'cli3'] },
			// The docker CLI cuts "0s ago" to whole seconds, so what is asked for must lie a second back.
			{ args: ['run', '--rm', '--network', 'none', reference, 'sleep', '2'] },
			{
				args: [
					'events',
					'--since',
					'1h',
					'--until',
					'0s',
					...['create', 'start', 'die', 'destroy'].flatMap((action) => ['--filter', `event=${action}`]),
					'--filter',
					'container=cli3',
					'--format',
					'{{.Type}} {{.Action}}',
				],
			},
			{ args: ['container', 'ls', '-a', '--filter', 'exited=3', '--format', '{{.Names}}'] },
			{ args: ['container', 'rm', 'cli3'] },
		]);
	});

	it('an archive that is refused before it is read: the reason, not that nobody reads it', async () => {
		const archive = path.join(workspace.folder('archives'), 'large.tar');
		fs.writeFileSync(archive, archiveOf([{ name: 'large', content: Buffer.alloc(40_000_000) }]));
		const junk = path.join(path.dirname(archive), 'junk');
		fs.writeFileSync(junk, Buffer.alloc(50_000_000, 'x'));
		// Docker's own engine breaks the pipe now and then.
		const [, ...ours] = actors;
		for (let time = 0; time < 5; time++) {
			for (const [args, complaint] of [
				[['import', '-c', 'BAD x', archive, 'ok:1'], /unknown instruction: BAD\n$/],
				[['import', archive, 'a:b:c'], /invalid reference format\n$/],
				[['load', '-i', junk], /: Cannot load images: .* tar header is malformed\n$/],
			] as const) {
				for (const { stderr } of await Promise.all(ours.map((actor) => invoke(actor, args)))) {
					assert.match(stderr, complaint);
				}
			}
		}
	});

	it('a filter that cannot be read is told, also where nothing is there', async () => {
		const complaint = /failed to parse value as time or duration: "xyz"/;
		const nouns = ['container', 'image', 'network'];
		await compare(nouns.map((noun) => ({ args: [noun, 'prune', '-f', '--filter', 'until=xyz'], complaint })));
		// Docker 20.10 tells nothing of a pattern.
		const [, ...ours] = actors;
		for (const { code, stderr } of await Promise.all(
			ours.map((actor) => invoke(actor, ['images', '-f', 'reference=['])),
		)) {
			assert.equal(code, 1);
			assert.match(stderr, /syntax error in pattern\n$/);
		}
	});

	it('prune: asks first, and removes nothing unless the answer is y', async () => {
		await compare([
			{ args: ['pull', '-q', images.busybox.reference] },
			{ args: ['create', '--name', 'asked', images.busybox.reference, 'true'], compare: 'nothing' },
			...['n\n', '', 'yes\n'].map((input) => ({ args: ['container', 'prune'], input })),
			...['image', 'network'].map((noun) => ({ args: [noun, 'prune'], input: 'n\n' })),
			{ args: ['image', 'prune', '-a'], input: 'N\n' },
			{ args: ['ps', '-a', '--format', '{{.Names}}'] },
			{ args: ['container', 'rm', 'asked'] },
			{ args: ['container', 'prune'], input: ' Y \n' },
			{ args: ['container', 'prune', '--force'], input: 'n\n' },
		]);
	});

	it('logs -f: follows until the container ends', async () => {
		const { reference } = images.busybox;
		await compare([
			{
				args: [
					'run',
					'-d',
					'--network',
					'none',
					'--name',
					'follow',
					reference,
					'sh',
					'-c',
					'for i in 1 2 3 4 5; do echo $i; sleep 0.1; done',
				],
			},
			{ args: ['logs', '-f', 'follow'] },
		]);
	});

	it('in a terminal: line ends are not doubled; the detach keys leave it, which attach says', async () => {
		const { reference } = images.busybox;
		const run = ['run', '-it', '--network', 'none'];
		const ticking = 'while :; do echo tick; sleep 0.2; done';
		for (const actor of actors) {
			await invoke(actor, ['pull', '-q', reference]);
		}
		const shownTo = async (actor: Actor): Promise<object[]> => {
			return [
				await inTerminal(actor, [...run, '--rm', '--pull', 'never', reference, 'printf', 'a\\nb\\n']),
				await inTerminal(actor, [...run, '--name', 'left', reference, 'sh', '-c', ticking], '\x10\x11'),
				await inTerminal(actor, ['attach', 'left'], '\x10\x11'),
				await inTerminal(actor, ['attach', '--detach-keys', 'ctrl-a,x', 'left'], '\x01x'),
				await inTerminal(actor, ['exec', '-it', 'left', 'sh', '-c', ticking], '\x10\x11'),
			];
		};
		const told = 'read escape sequence\r\n';
		const expected = [
			{ code: 0, stdout: 'a\r\nb\r\n' },
			{ code: 0, stdout: '' },
			{ code: 1, stdout: told },
			{ code: 1, stdout: told },
			{ code: 1, stdout: told },
		];
		assert.deepEqual(
			await Promise.all(actors.map(shownTo)),
			actors.map(() => expected),
		);
	});

	it('SIGTERM to a foreground run: reaches the container, whose exit code comes back', async () => {
		const { reference } = images.busybox;
		const codes = await Promise.all(
			actors.map(async (actor) => {
				const [program = '', ...first] = actor.program;
				const child = spawn(
					program,
					[...first, 'run', '--rm', '--network', 'none', reference, 'sh', '-c', CONTAINER],
					{
						env: actor.env,
						stdio: ['ignore', 'pipe', 'ignore'],
					},
				);
				const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
				await within('the first line', 10_000, new Promise((resolve) => child.stdout.once('data', resolve)));
				child.kill('SIGTERM');
				return within('the exit', 10_000, exit);
			}),
		);
		assert.deepEqual(
			codes,
			actors.map(() => 5),
		);
	});
});

async function invoke(actor: Actor, args: readonly string[], input = ''): Promise<Result> {
	const [program = '', ...first] = actor.program;
	const child = spawn(program, [...first, ...args], { env: actor.env, stdio: ['pipe', 'pipe', 'pipe'] });
	const output = { stdout: '', stderr: '' };
	for (const name of ['stdout', 'stderr'] as const) {
		child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
	}
	child.stdin.on('error', () => {
		// A program may end without reading its input.
	});
	child.stdin.end(input);
	const code = new Promise<number | null>((resolve) => child.once('close', resolve));
	try {
		return { code: await within(args.join(' '), 40_000, code), ...output };
	} finally {
		child.kill('SIGKILL');
	}
}

/** In a terminal of its own, where `keys` are typed once the container ticks, which is left out of what was shown. */
async function inTerminal(actor: Actor, args: readonly string[], keys = ''): Promise<{ code: number; stdout: string }> {
	const command = [...actor.program, ...args].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
	const env = { ...actor.env, TERM: 'dumb' };
	const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
	let shown = '';
	let isTyped = false;
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		shown += text;
		if (!isTyped && keys !== '' && shown.includes('tick')) {
			isTyped = true;
			child.stdin.write(keys);
		}
	});
	const code = new Promise<number>((resolve) =>
		child.once('close', (number) => {
			resolve(number ?? -1);
		}),
	);
	try {
		return { code: await within(args.join(' '), 20_000, code), stdout: shown.replaceAll('tick\r\n', '') };
	} finally {
		child.kill('SIGKILL');
	}
}

/** What is compared: ids, times and column widths differ between two engines that agree. */
function shown(result: Result, line: Line): Result {
	const stdout = result.stdout
		.replace(/\b[0-9a-f]{64}\b/g, (id) => (result.stdout.includes(`sha256:${id}`) ? id : '<64 hex>'))
		.replace(/^[0-9a-f]{12}(?=\s)/gm, '<12 hex>')
		.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/g, '<time>')
		.replace(/(Less than a second|About an? \w+|\d+ (second|minute|month|week|day|year)s?)/g, '<a while>')
		.replace(/ {2,}/g, '  ');
	const kept = { all: stdout, 'last three lines': stdout.trimEnd().split('\n').slice(-3).join('\n'), nothing: '' };
	return { code: result.code, stdout: kept[line.compare ?? 'all'], stderr: result.stderr.trimEnd() };
}
