import * as assert from 'node:assert/strict';
import type { Attachment } from '../../src/api/client';
import { expected } from './differences';
import { create, launch, logsOf, refused, remove, run, type Body } from './run';
import { ask, type Subject } from './subject';
import { until, within } from './workspace';

const INTERACTIVE = { Tty: true, OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true };

/** What is on the other end of a terminal: types, and reads what comes. */
class Typist {
	private text = '';
	readonly over: Promise<void>;

	constructor(private readonly attachment: Attachment) {
		this.over = this.read();
	}

	async type(text: string): Promise<void> {
		await this.attachment.write(Buffer.from(text));
	}

	/** Waits until the screen has got this since the last time, and gives all that came. */
	async sees(pattern: RegExp): Promise<string> {
		await until(`the terminal shows ${String(pattern)}`, () => pattern.test(this.text)).catch((error: unknown) => {
			throw new Error(`${String(error)}; it shows ${JSON.stringify(this.text)}`);
		});
		const seen = this.text;
		this.text = '';
		return seen;
	}

	get rest(): string {
		return this.text;
	}

	private async read(): Promise<void> {
		for await (const { data } of this.attachment.output) {
			// Busybox asks where the cursor is; a terminal would answer.
			this.text = (this.text + data.toString()).replaceAll(/\x1b\[(?:6n|J)/g, '');
		}
	}
}

async function openContainer(
	subject: Subject,
	body: Body,
): Promise<{ id: string; typist: Typist; exit: Promise<number> }> {
	const id = await create(subject, { ...INTERACTIVE, ...body });
	const typist = new Typist(await subject.client.containers.attach(id, { stdin: true }));
	const { exit } = await subject.client.containers.wait(id, { condition: 'next-exit' });
	await subject.client.containers.start(id);
	return { id, typist, exit };
}

async function openExec(
	subject: Subject,
	container: string,
	command: readonly string[],
): Promise<{ id: string; typist: Typist }> {
	const id = await subject.client.execs.create(container, {
		...{ Cmd: command, Tty: true, AttachStdin: true, AttachStdout: true, AttachStderr: true },
	});
	return { id, typist: new Typist(await subject.client.execs.start(id, { tty: true })) };
}

/** What an engine does with terminals. */
export function terminalCases(subjectOf: () => Subject): void {
	describe('terminal', () => {
		outputCases(subjectOf);
		keyCases(subjectOf);
		sizeCases(subjectOf);
		attachCases(subjectOf);
		execCases(subjectOf);
	});
}

function outputCases(subjectOf: () => Subject): void {
	it('environment and streams: TERM is xterm, all three are one terminal, the controlling one', async () => {
		const script = 'echo $TERM; tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; echo controlling >/dev/tty';
		const result = await run(subjectOf(), { Cmd: ['sh', '-c', script], Tty: true });
		assert.deepEqual(
			[result.exitCode, result.stdout, result.stderr],
			[0, 'xterm\r\n/dev/pts/0\r\nall\r\ncontrolling\r\n', ''],
		);
	});

	it('settings of the terminal: are docker’s', async () => {
		const result = await run(subjectOf(), { Cmd: ['stty', '-g'], Tty: true });
		assert.equal(result.stdout.split(':').slice(0, 4).join(':'), '500:5:bf:8a3b');
	});

	it('raw mode: what is written arrives as it is', async () => {
		const script = 'printf "a\\nb\\n"; stty raw; printf "a\\nb\\n"; exit 4';
		const { stdout, exitCode } = await run(subjectOf(), { Cmd: ['sh', '-c', script], Tty: true });
		assert.deepEqual([stdout, exitCode], ['a\r\nb\r\na\nb\n', 4]);
	});

	it('a program that closes its terminal: goes on, and is shown when it opens it again', async () => {
		const script = 'exec sh -c "usleep 200000; echo again >/dev/tty; exit 6" </dev/null >/dev/null 2>&1';
		const { stdout, exitCode } = await run(subjectOf(), { Cmd: ['sh', '-c', script], Tty: true });
		assert.deepEqual([stdout, exitCode], ['again\r\n', 6]);
	});

	it('exit code: is kept', async () => {
		assert.equal((await run(subjectOf(), { Cmd: ['sh', '-c', 'exit 9'], Tty: true })).exitCode, 9);
	});

	it('a failed start: has its reason and code', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['nosuch'], Tty: true });
		await refused(subject.client.containers.start(id), 400, /exec: "nosuch": executable file not found in \$PATH/);
		assert.equal((await subject.client.containers.inspect(id)).State.ExitCode, 127);
	});

	it('big output: is logged to the last byte', async () => {
		const result = await run(subjectOf(), { Cmd: ['seq', '1', '50000'], Tty: true });
		assert.ok(result.stdout === Array.from({ length: 50_000 }, (_, index) => `${index + 1}\r\n`).join(''));
	});

	it('without an input: the program is not told of an end of it', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { Cmd: ['sh'], Tty: true });
		await assert.rejects(
			within('the exit', 500, (await subject.client.containers.wait(id)).exit),
			/took more than/,
		);
		assert.equal((await subject.client.containers.inspect(id)).State.Status, 'running');
	});
}

function keyCases(subjectOf: () => Subject): void {
	it('a shell: prompts, echoes what is typed and ends at Ctrl-D', async () => {
		const { typist, exit } = await openContainer(subjectOf(), { Cmd: ['sh'] });
		await typist.sees(/# $/);
		await typist.type('echo $((40 + 2))\r');
		assert.equal(await typist.sees(/42\r\n.*# $/), 'echo $((40 + 2))\r\n42\r\n/ # ');
		await typist.type('\x04');
		assert.equal(await within('the exit', 5000, exit), 0);
		await within('the end of output', 5000, typist.over);
	});

	it('Ctrl-C: interrupts the program, not the shell', async () => {
		const { typist, exit } = await openContainer(subjectOf(), { Cmd: ['sh'] });
		await typist.sees(/# $/);
		await typist.type('sh -c "echo up; exec sleep 100"\r');
		await typist.sees(/\nup\r\n/);
		await typist.type('\x03');
		await typist.sees(/# $/);
		await typist.type('exit 5\r');
		assert.equal(await within('the exit', 5000, exit), 5);
	});

	it('Ctrl-Z: stops the program, and fg lets it go on', async () => {
		const { typist, exit } = await openContainer(subjectOf(), { Cmd: ['sh'] });
		await typist.sees(/# $/);
		await typist.type('sh -c "echo up; exec cat"\r');
		await typist.sees(/\nup\r\n/);
		await typist.type('one\r');
		await typist.sees(/one\r\none\r\n/);
		await typist.type('\x1a');
		await typist.sees(/Stopped[^]*# $/);
		await typist.type('fg\r');
		await typist.sees(/fg\r\n.*\r\n/);
		await typist.type('once\r');
		await typist.sees(/once\r\nonce\r\n/);
		await typist.type('\x04');
		await typist.sees(/# $/);
		await typist.type('exit\r');
		assert.equal(await within('the exit', 5000, exit), 0);
	});

	it('bytes of all kinds: arrive as they are in raw mode', async () => {
		const { typist, exit } = await openContainer(subjectOf(), {
			Cmd: ['sh', '-c', 'stty raw -echo; echo ready; dd bs=1 count=6 2>/dev/null | od -An -tx1'],
		});
		await typist.sees(/ready/);
		await typist.type('\x03\x04\x11\x13\r\n');
		await typist.sees(/03 04 11 13 0d 0a/);
		assert.equal(await within('the exit', 5000, exit), 0);
	});

	it('typed before the start: is there when the program reads', async () => {
		const subject = subjectOf();
		const id = await create(subject, { ...INTERACTIVE, Cmd: ['sh', '-c', 'read line; echo got $line'] });
		const typist = new Typist(await subject.client.containers.attach(id, { stdin: true }));
		await typist.type('early\r');
		await subject.client.containers.start(id);
		await typist.sees(/got early\r\n/);
	});
}

function sizeCases(subjectOf: () => Subject): void {
	it('resize: is seen inside, and told by SIGWINCH', async () => {
		const subject = subjectOf();
		const script = 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done';
		const { id, typist } = await openContainer(subject, { Cmd: ['sh', '-c', script] });
		await typist.sees(/ready/);
		await subject.client.containers.resize(id, { rows: 41, columns: 123 });
		await typist.sees(/41 123\r\n/);
	});

	it('resize of an exec: is seen inside', async () => {
		const subject = subjectOf();
		const container = await launch(subject, { Cmd: ['sleep', '100'] });
		const { id, typist } = await openExec(subject, container, ['sh']);
		await typist.sees(/# $/);
		await subject.client.execs.resize(id, { rows: 33, columns: 99 });
		await typist.type('stty size\r');
		await typist.sees(/33 99\r\n/);
	});

	it('resize: of a stopped container is refused, and needs numbers', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'], Tty: true });
		const size = { rows: 1, columns: 1 };
		await refused(subject.client.containers.resize(id, size), 409, `Container ${id} is not running`);
		assert.equal((await ask(subject, 'POST', `/containers/${id}/resize?h=x&w=1`)).status, 400);
	});
}

function attachCases(subjectOf: () => Subject): void {
	it('two clients: both see the output, and both may type', async () => {
		const subject = subjectOf();
		const { id, typist } = await openContainer(subject, { Cmd: ['sh'] });
		await typist.sees(/# $/);
		const second = new Typist(await subject.client.containers.attach(id, { stdin: true }));
		await second.type('echo from second\r');
		await Promise.all([typist.sees(/\nfrom second\r\n/), second.sees(/\nfrom second\r\n/)]);
		await typist.type('echo from first\r');
		await Promise.all([typist.sees(/\nfrom first\r\n/), second.sees(/\nfrom first\r\n/)]);
	});

	it('the detach keys: end the attachment, the container goes on, and an event tells', async () => {
		const subject = subjectOf();
		const since = String(Date.now() / 1000);
		const { id, typist } = await openContainer(subject, { Cmd: ['sh'] });
		await typist.sees(/# $/);
		await typist.type('\x10');
		await typist.type('\x11');
		await within('the detachment', 5000, typist.over);
		assert.equal((await subject.client.containers.inspect(id)).State.Running, true);
		const again = new Typist(await subject.client.containers.attach(id, { stdin: true }));
		await again.type('echo back\r');
		await again.sees(/\nback\r\n/);
		const actions: string[] = [];
		const limit = String(Date.now() / 1000 + 0.2);
		for await (const event of subject.client.events({ since, until: limit, filters: { container: [id] } })) {
			actions.push(event.Action);
		}
		assert.ok(actions.includes('detach'), actions.join());
	});

	it('other detach keys: take the place of the usual ones', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { ...INTERACTIVE, Cmd: ['sh'] });
		const typist = new Typist(await subject.client.containers.attach(id, { stdin: true, detachKeys: 'ctrl-a,x' }));
		await typist.type('\x01');
		await typist.type('x');
		await within('the detachment', 5000, typist.over);
		assert.equal((await subject.client.containers.inspect(id)).State.Running, true);
	});

	it('a client that leaves: the shell stays', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { ...INTERACTIVE, Cmd: ['sh', '-c', 'read line; echo got $line'] });
		(await subject.client.containers.attach(id, { stdin: true })).close();
		const typist = new Typist(await subject.client.containers.attach(id, { stdin: true }));
		await typist.type('still\r');
		await typist.sees(/got still/);
	});

	it('logs: what was shown, in order, before what comes', async () => {
		const subject = subjectOf();
		const id = await launch(subject, { ...INTERACTIVE, Cmd: ['sh', '-c', 'echo first; read line; echo second'] });
		await until('the log has it', async () => (await logsOf(subject, id)).stdout === 'first\r\n');
		const typist = new Typist(await subject.client.containers.attach(id, { stdin: true, logs: true }));
		await typist.sees(/^first\r\n/);
		await typist.type('x\r');
		await typist.sees(/second\r\n/);
		await within('the end of output', 5000, typist.over);
	});
}

function execCases(subjectOf: () => Subject): void {
	it('exec: has a terminal of its own, and its exit code is kept', async () => {
		const subject = subjectOf();
		const container = await launch(subject, { Cmd: ['sleep', '100'] });
		const { id, typist } = await openExec(subject, container, ['sh']);
		await typist.sees(/# $/);
		await typist.type('echo $TERM; tty\r');
		await typist.sees(/xterm\r\n\/dev\/pts\/\d+\r\n/);
		await typist.type('exit 9\r');
		await within('the end of output', 5000, typist.over);
		assert.equal((await subject.client.execs.inspect(id)).ExitCode, 9);
	});

	it('exec and raw mode: what is written arrives as it is', async () => {
		const subject = subjectOf();
		const container = await launch(subject, { Cmd: ['sleep', '100'] });
		const { typist } = await openExec(subject, container, [
			...['sh', '-c', 'stty -g; printf "a\\nb\\n"; stty raw; printf "a\\nb\\n"'],
		]);
		await within('the end of output', 5000, typist.over);
		assert.match(typist.rest, /^500:5:bf:8a3b:.*\r\na\r\nb\r\na\nb\n$/);
	});

	it('exec of a missing command: is told in the terminal', async () => {
		const subject = subjectOf();
		const container = await launch(subject, { Cmd: ['sleep', '100'] });
		const { typist } = await openExec(subject, container, ['nosuch']);
		await within('the end of output', 5000, typist.over);
		assert.match(typist.rest, /^OCI runtime exec failed: .*"nosuch": executable file not found in \$PATH.*\r\n$/);
	});

	it('exec and its detach keys: the client leaves, the command goes on', async () => {
		const subject = subjectOf();
		const container = await launch(subject, { Cmd: ['sleep', '100'] });
		const { id, typist } = await openExec(subject, container, ['sh']);
		await typist.sees(/# $/);
		await typist.type('\x10');
		await typist.type('\x11');
		await within('the detachment', 5000, typist.over);
		const { Running } = await subject.client.execs.inspect(id);
		assert.equal(Running, expected('execRunsAfterDetach', subject.name));
		await remove(subject, container);
	});

	it('twenty short commands: none loses its output', async () => {
		const subject = subjectOf();
		const container = await launch(subject, { Cmd: ['sleep', '100'] });
		for (let count = 0; count < 20; count++) {
			const { typist } = await openExec(subject, container, ['echo', `line ${count}`]);
			await within('the end of output', 5000, typist.over);
			assert.equal(typist.rest, `line ${count}\r\n`);
		}
	});
}
