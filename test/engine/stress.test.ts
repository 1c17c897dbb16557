import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ApiError, type Client } from '../../src/api/client';
import { imageOf, noiseLayer } from './fixture';
import { bodyOf, collect, logsOf, pull, remove } from './run';
import './setup';
import {
	embeddedEngine,
	enginePid,
	leaksOf,
	pushImages,
	startRegistries,
	type Images,
	type Registries,
	type Subject,
} from './subject';
import { delay, dist, endChild, endProcess, readOr, until, within, Workspace } from './workspace';

/** Milliseconds for which clients work while engine and clients are killed. */
const WORK_FOR = 15_000;

/** "unknown": the connection was lost, so it was done or it was not. */
type Outcome<T> = { readonly kind: 'done'; readonly value: T } | { readonly kind: 'unknown' };

/** A container that its client believes in. */
interface Believed {
	readonly id: string;
	readonly lines: number;
	name: string;
	/** It was started, or may have been. */
	hasRun: boolean;
	/** The log showed the last line while it ran. */
	isComplete: boolean;
	isRemoved: boolean;
}

/** Several clients at once, an engine, shims and clients that are killed at any moment: what was acknowledged holds. */
describe('engine stress', () => {
	const workspace = new Workspace('stress');
	const ids = new Set<string>();
	let registries: Registries;
	let images: Images;

	before(async () => {
		registries = await startRegistries(workspace);
		images = await pushImages(registries);
	});

	after('nothing is left', async () => {
		const { root } = workspace;
		await workspace.dispose();
		assert.deepEqual(leaksOf(root, ids), []);
	});

	it('concurrent clients, random kills: each acknowledged operation holds, once, and nothing leaks', async function () {
		this.timeout(240_000);
		const seed = Number(process.env['MYDOCKER_SEED'] ?? Date.now() % 1_000_000_007);
		try {
			const engine = embeddedEngine(workspace);
			const subject: Subject = { ...engine, name: 'embedded', images, registries, ids };
			await pull(subject, images.busybox.reference);
			await new Stress(subject, seed, workspace).run();
		} catch (error) {
			throw new Error(`With MYDOCKER_SEED=${seed}: ${String(error)}`, { cause: error });
		}
	});
});

class Stress {
	private readonly believed: Believed[] = [];
	/** Lines of the containers of the command line, which may be there. */
	private readonly commands = new Map<string, number>();
	private readonly tags = new Map<string, boolean>();
	private readonly pulled = new Map<string, string>();
	private readonly counts = { done: 0, unknown: 0, engines: 0, shims: 0, clients: 0 };
	private deadline = 0;

	constructor(
		private readonly subject: Subject,
		private readonly seed: number,
		private readonly workspace: Workspace,
	) {}

	async run(): Promise<void> {
		this.deadline = Date.now() + WORK_FOR;
		const working = [0, 1, 2].map((index) =>
			this.loop(index, (random, round) => this.live(random, `c${index}-${round}`)),
		);
		working.push(
			this.loop(3, (random, round) => this.nameImages(random, round)),
			this.loop(4, (random, round) => this.runByCommand(random, `cli-${round}`)),
		);
		const killing = this.killEngines(randomOf(this.seed + 99));
		// All of them come to their end before anything is judged.
		const results = await Promise.allSettled([...working, killing]);
		for (const result of results) {
			if (result.status === 'rejected') {
				throw result.reason as Error;
			}
		}
		await this.checkAll();
		const { done, unknown, engines, shims, clients } = this.counts;
		process.stdout.write(
			`      ${done} operations acknowledged, ${unknown} cut off; ${engines} engines, ${shims} shims and ${clients} clients killed\n`,
		);
	}

	private async loop(index: number, work: (random: Random, round: number) => Promise<void>): Promise<void> {
		const random = randomOf(this.seed + index);
		for (let round = 0; Date.now() < this.deadline; round++) {
			await work(random, round);
		}
	}

	private async killEngines(random: Random): Promise<void> {
		while (Date.now() < this.deadline) {
			await delay(random.between(200, 2000));
			const pid = enginePid(this.subject.root);
			if (pid !== undefined) {
				await endProcess(pid, 'SIGKILL');
				this.counts.engines++;
			}
		}
	}

	/** One container from its creation to its end, maybe its removal. */
	private async live(random: Random, name: string): Promise<void> {
		const { containers } = this.subject.client;
		const lines = random.between(50, 20_000);
		const tail = random.chance(0.5) ? 'exec sleep 100' : 'exit 7';
		const body = bodyOf(this.subject, {
			...{ Cmd: ['sh', '-c', `seq 1 ${lines}; ${tail}`], Tty: random.chance(0.3) },
		});
		const created = await this.attempt(() => containers.create(body, { name }));
		const id = created.kind === 'done' ? created.value.Id : await this.idOf(name);
		if (id === undefined) {
			return;
		}
		this.subject.ids.add(id);
		const container: Believed = { id, lines, name, hasRun: false, isComplete: false, isRemoved: false };
		this.believed.push(container);
		if (random.chance(0.3)) {
			await this.rename(container, `${name}-renamed`);
		}
		const started = await this.attempt(() => containers.start(id));
		const { State } = await this.settled(id);
		if (started.kind === 'done') {
			assert.notEqual(State.Status, 'created', `the start of ${name} was acknowledged`);
		} else if (State.Status === 'created') {
			return;
		}
		container.hasRun = true;
		if (random.chance(0.5)) {
			await this.exec(id, tail);
		}
		if (random.chance(0.4)) {
			await this.killShim(container);
		} else if (random.chance(0.7)) {
			await until(`the log of ${name} has ${lines} lines`, () => this.hasLogged(container), 30_000);
			container.isComplete = true;
		}
		await this.end(container, random);
	}

	private async rename(container: Believed, to: string): Promise<void> {
		const renamed = await this.attempt(() => this.subject.client.containers.rename(container.id, to));
		const { Name } = await this.ask((client) => client.containers.inspect(container.id));
		const allowed = renamed.kind === 'done' ? [`/${to}`] : [`/${to}`, `/${container.name}`];
		assert.ok(allowed.includes(Name), `${Name} is one of ${allowed.join(', ')}`);
		container.name = Name.slice(1);
	}

	private async exec(id: string, tail: string): Promise<void> {
		const { execs } = this.subject.client;
		const ran = await this.attempt(async () => {
			const exec = await execs.create(id, { Cmd: ['sh', '-c', 'seq 1 3000; exit 4'], AttachStdout: true });
			const { stdout } = await collect((await execs.start(exec, { tty: false })).output);
			return { stdout, code: (await execs.inspect(exec)).ExitCode };
		}, [404, 409, ...(tail === 'exit 7' ? [500] : [])]);
		if (ran.kind === 'done' && ran.value.code === 4) {
			assert.ok(ran.value.stdout === numbered(3000, '\n'), 'the exec has printed each line');
		}
	}

	/** The container ends with its shim, whether an engine is there or comes later, and every client is told so. */
	private async killShim({ id, name }: Believed): Promise<void> {
		const shim = path.join(this.subject.root, 'containers', id, 'shim');
		const pid = Number(readOr(path.join(shim, 'shim.pid'), ''));
		if (!(pid > 0) || !readOr(`/proc/${pid}/cmdline`, '').includes(shim)) {
			return;
		}
		await endProcess(pid, 'SIGKILL');
		this.counts.shims++;
		const ended = await until(`${name} ends with its shim`, async () => {
			const { State } = await this.ask((client) => client.containers.inspect(id));
			return State.Running ? undefined : State;
		});
		assert.equal(ended.Status, 'exited');
		// It may have come to its own end just before.
		assert.ok([255, 7].includes(ended.ExitCode), `${name} ended with ${ended.ExitCode}`);
	}

	private async end(container: Believed, random: Random): Promise<void> {
		const { containers } = this.subject.client;
		const { id, name } = container;
		const stopped = await this.attempt(() => containers.stop(id, { timeout: 0 }));
		if (stopped.kind === 'done') {
			const { State } = await this.ask((client) => client.containers.inspect(id));
			assert.equal(State.Status, 'exited', `the stop of ${name} was acknowledged`);
		}
		if (random.chance(0.6)) {
			const removed = await this.attempt(() => containers.remove(id, { force: true }));
			container.isRemoved = removed.kind === 'done' || (await this.idOf(name)) === undefined;
			if (removed.kind === 'done') {
				assert.equal(await this.idOf(name), undefined, `the removal of ${name} was acknowledged`);
			}
		}
	}

	private async nameImages(random: Random, round: number): Promise<void> {
		const { client, registries } = this.subject;
		const name = `stress/name:${round}`;
		const tagged = await this.attempt(() => client.images.tag(this.subject.images.busybox.reference, name));
		if (tagged.kind === 'done') {
			this.tags.set(name, true);
			if (random.chance(0.5)) {
				const removed = await this.attempt(() => client.images.remove(name), [404]);
				if (removed.kind === 'done') {
					this.tags.set(name, false);
				} else {
					this.tags.delete(name);
				}
			}
		}
		if (random.chance(0.5)) {
			const image = imageOf([noiseLayer(random.between(1000, 400_000)), noiseLayer(50_000)]);
			await registries.open.push(`demo/stress-${round}`, '1', image);
			const reference = `${registries.open.host}/demo/stress-${round}:1`;
			const done = await this.attempt(() => pull(this.subject, reference));
			if (done.kind === 'done') {
				this.pulled.set(reference, image.id);
			}
		}
		await delay(random.between(0, 300));
	}

	/** A container by the command line, which is killed. */
	private async runByCommand(random: Random, name: string): Promise<void> {
		const { root } = this.subject;
		const lines = random.between(50, 3000);
		this.commands.set(name, lines);
		const cli = spawn(
			process.execPath,
			[
				...[path.join(dist, 'cli.js'), '--root', root, 'run', '--name', name, '--network', 'none'],
				...[this.subject.images.busybox.reference, 'sh', '-c', `seq 1 ${lines}; usleep 300000`],
			],
			{ stdio: 'ignore' },
		);
		this.workspace.defer('end a client', () => endChild(cli));
		const ended = new Promise((resolve) => cli.once('exit', resolve));
		await Promise.race([ended, delay(random.between(100, 3000))]);
		if (cli.exitCode === null && cli.signalCode === null) {
			cli.kill('SIGKILL');
			this.counts.clients++;
		}
		await ended;
	}

	/** All clients are done: what was acknowledged is so, and nothing is there twice or without need. */
	private async checkAll(): Promise<void> {
		const { client, root } = this.subject;
		const pid = enginePid(root);
		await (pid === undefined ? undefined : endProcess(pid, 'SIGKILL'));
		const list = await client.containers.list({ all: true });
		const names = list.flatMap(({ Names }) => Names);
		for (const { Id: id, Names } of list) {
			const name = Names[0]?.slice(1) ?? '';
			const lines = this.commands.get(name);
			if (lines !== undefined) {
				this.subject.ids.add(id);
				this.believed.push({ id, lines, name, hasRun: true, isComplete: false, isRemoved: false });
			}
		}
		assert.deepEqual(names.length, new Set(names).size, 'each name is there once');
		const expected = this.believed.filter(({ isRemoved }) => !isRemoved);
		assert.deepEqual(list.map(({ Id }) => Id).sort(), expected.map(({ id }) => id).sort());
		for (const container of expected) {
			await this.checkContainer(container);
		}
		await this.checkImages();
		for (const { id } of expected) {
			await remove(this.subject, id);
		}
		const left = (folder: string): string[] =>
			fs.existsSync(path.join(root, folder)) ? fs.readdirSync(path.join(root, folder)) : [];
		assert.deepEqual(left('containers'), []);
		assert.deepEqual(left('run/exec'), []);
		assert.deepEqual(left('run/runc'), []);
		assert.deepEqual(
			left('run/crun').filter((name) => !name.startsWith('.')),
			[],
		);
		assert.deepEqual(
			[...left('records'), ...left('layers')].filter((name) => /^container-|\.tmp|corrupt|trash/.test(name)),
			[],
		);
	}

	private async checkContainer(container: Believed): Promise<void> {
		const { client } = this.subject;
		const before = await client.containers.inspect(container.id);
		const isCommand = container.name.startsWith('cli-');
		if (before.State.Running && isCommand) {
			await within('the exit', 20_000, (await client.containers.wait(container.id)).exit);
		} else if (before.State.Running && container.isComplete) {
			await client.containers.stop(container.id, { timeout: 0 });
		}
		const { Name, State, RestartCount } = await client.containers.inspect(container.id);
		assert.deepEqual([Name, RestartCount], [`/${container.name}`, 0]);
		const logged = (await logsOf(this.subject, container.id)).stdout.replaceAll('\r', '');
		const lines = logged.split('\n').length - 1;
		const all = numbered(container.lines, '\n');
		assert.ok(
			all.startsWith(logged),
			`the log of ${container.name} is the beginning of its output, each line once`,
		);
		const hasEnded = State.Status === 'exited' && State.ExitCode === (isCommand ? 0 : 7);
		if (container.isComplete || hasEnded) {
			assert.equal(lines, container.lines, `the log of ${container.name} is complete`);
		}
		assert.ok(container.hasRun || lines === 0, `${container.name} has not run`);
	}

	private async checkImages(): Promise<void> {
		const { client } = this.subject;
		const names = (await client.images.list()).flatMap(({ RepoTags }) => RepoTags ?? []);
		for (const [name, isThere] of this.tags) {
			assert.equal(names.filter((one) => one === name).length, isThere ? 1 : 0, name);
		}
		for (const [reference, id] of this.pulled) {
			assert.equal((await client.images.inspect(reference)).Id, id);
			await client.images.remove(reference);
		}
		// What a pull that was cut off has left is gone on with.
		for (const name of names.filter((one) => one.includes('/demo/stress-') && !this.pulled.has(one))) {
			await client.images.remove(name);
		}
	}

	private async hasLogged({ id, lines }: Believed): Promise<boolean> {
		const logged = await this.attempt(() => logsOf(this.subject, id, { tail: 1 }));
		return logged.kind === 'done' && logged.value.stdout.trim() === String(lines);
	}

	/** What `inspect` says when a start is over. */
	private async settled(id: string): ReturnType<Client['containers']['inspect']> {
		return until('the container has settled', async () => {
			const container = await this.ask((client) => client.containers.inspect(id));
			return container.State.Status === ('starting' as string) ? undefined : container;
		});
	}

	private async idOf(name: string): Promise<string | undefined> {
		const all = await this.ask((client) => client.containers.list({ all: true }));
		const found = all.filter(({ Names }) => Names.includes(`/${name}`));
		assert.ok(found.length <= 1, `${name} is there ${found.length} times`);
		return found[0]?.Id;
	}

	/** A question, asked until an engine lives long enough to answer it. */
	private async ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
		const answer = await until('an engine answers', async () => {
			const outcome = await this.attempt(() => question(this.subject.client));
			return outcome.kind === 'done' ? outcome : undefined;
		});
		return answer.value;
	}

	/** Does something once. A refusal fails unless its status is allowed; a lost connection leaves it open. */
	private async attempt<T>(action: () => Promise<T>, allowed: readonly number[] = []): Promise<Outcome<T>> {
		try {
			const value = await within('an operation', 60_000, action());
			this.counts.done++;
			return { kind: 'done', value };
		} catch (error) {
			if (error instanceof ApiError && error.status > 0 && !allowed.includes(error.status)) {
				throw error;
			}
			if (String(error).includes('took more than')) {
				throw error;
			}
			this.counts.unknown++;
			return { kind: 'unknown' };
		}
	}
}

interface Random {
	/** A whole number, both ends included. */
	between(least: number, most: number): number;
	chance(probability: number): boolean;
}

/** The same numbers for the same seed (a linear congruential generator, the figures of Numerical Recipes). */
function randomOf(seed: number): Random {
	let state = seed >>> 0;
	const next = (): number => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
	return {
		between: (least, most) => Math.round(least + next() * (most - least)),
		chance: (probability) => next() < probability,
	};
}

function numbered(count: number, end: string): string {
	return Array.from({ length: count }, (_, index) => `${index + 1}${end}`).join('');
}
