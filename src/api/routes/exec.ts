import * as os from 'node:os';
import type { ExecOptions } from '../../core/container/exec-process';
import { EngineError } from '../../core/errors';
import { parseSize, requestedSize } from '../console-size';
import { Fields, object } from '../fields';
import { readDetachKeys, sendInput, sendOutput } from '../hijack';
import type { ApiRequest } from '../request';
import { route, type Route } from '../route';
import { frame, MULTIPLEXED_STREAM, RAW_STREAM } from '../stream';
import { isOlderVersion } from '../transport';
import type { ExecInspect } from '../types';

export const execRoutes: readonly Route[] = [
	route('POST', '/containers/{id}/exec', create),
	route('POST', '/exec/{id}/start', start),
	route('POST', '/exec/{id}/resize', resize),
	route('GET', '/exec/{id}/json', inspect),
	route('POST', '/mydocker/exec/{id}/hangup', hangUp),
];

async function create(request: ApiRequest): Promise<void> {
	const options = execOptions(new Fields(object(await request.body(), 'body'), ''));
	readDetachKeys(options.detach_keys ?? '');
	const exec = request.core.containers.execs.create(request.parameter('id'), options);
	request.json({ Id: exec.id }, 201);
}

function execOptions(body: Fields): ExecOptions {
	return {
		command: body.words('Cmd') ?? [],
		env: body.words('Env') ?? [],
		working_dir: body.string('WorkingDir'),
		user: body.string('User'),
		tty: body.flag('Tty'),
		privileged: body.flag('Privileged'),
		attach_stdin: body.flag('AttachStdin'),
		attach_stdout: body.flag('AttachStdout'),
		attach_stderr: body.flag('AttachStderr'),
		detach_keys: body.string('DetachKeys'),
	};
}

/**
 * Detached: answers once the process runs. Else the connection becomes the process's streams; a start that fails is
 * told in them, as docker does, and by the exit code.
 */
async function start(request: ApiRequest): Promise<void> {
	const { execs } = request.core.containers;
	const exec = execs.get(request.parameter('id'));
	const body = new Fields(object(await request.body(), 'body'), '');
	const size = parseSize(body.integers('ConsoleSize'));
	if (body.flag('Detach')) {
		await execs.start(exec.id, { detach: true, size });
		request.empty(200);
		return;
	}
	const isRaw = body.flag('Tty');
	const session = await execs.start(exec.id, { detach: false, size });
	try {
		const hasOwnType = !isRaw && !isOlderVersion(request.parts.version, '1.42');
		const { input, output } = request.hijack(hasOwnType ? MULTIPLEXED_STREAM : RAW_STREAM);
		if (exec.options.attach_stdin === true) {
			const keys = exec.options.tty === true ? readDetachKeys(exec.options.detach_keys ?? '') : undefined;
			void sendInput(input, session, keys);
		} else {
			input.resume();
		}
		try {
			await sendOutput(session.output, output, { isRaw, signal: request.signal });
		} catch (error) {
			if (!(error instanceof EngineError) || error.code !== 'runtime') {
				throw error;
			}
			const text = Buffer.from(`${error.message}\r\n`);
			output.end(isRaw ? text : frame('stdout', text));
		}
	} finally {
		session.close();
	}
}

async function resize(request: ApiRequest): Promise<void> {
	const exec = request.core.containers.execs.get(request.parameter('id'));
	const size = requestedSize(request);
	if (exec.state !== 'running') {
		throw new EngineError('conflict', `Exec ${exec.id} is not running`);
	}
	await exec.resize(size);
	request.empty(200);
}

/** The person behind the terminal is gone for good: docker has no call for it. */
function hangUp(request: ApiRequest): void {
	request.core.containers.execs.get(request.parameter('id')).kill(os.constants.signals.SIGHUP);
	request.empty();
}

function inspect(request: ApiRequest): void {
	const exec = request.core.containers.execs.get(request.parameter('id'));
	const { options } = exec;
	const [entrypoint = '', ...args] = options.command;
	const answer: ExecInspect = {
		ID: exec.id,
		Running: exec.state === 'running',
		ExitCode: exec.exitCode,
		ProcessConfig: {
			tty: options.tty ?? false,
			entrypoint,
			arguments: args,
			privileged: options.privileged ?? false,
			...(options.user ? { user: options.user } : {}),
		},
		OpenStdin: options.attach_stdin ?? false,
		OpenStderr: options.attach_stderr ?? false,
		OpenStdout: options.attach_stdout ?? false,
		CanRemove: exec.state === 'ended',
		ContainerID: exec.containerId,
		DetachKeys: '',
		Pid: exec.pid,
	};
	request.json(answer);
}
