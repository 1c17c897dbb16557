import * as fs from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { BUILD_HEADERS } from './build';
import { hostText, type Endpoint, type TlsMaterial } from './endpoint';
import { agreedVersion, errorCode, exchange, type EngineAddress, type EngineProgram } from './transport';

/** An engine that somebody else runs and that does not answer; the message says where, why and what next. */
export class EngineUnreachable extends Error {
	override readonly name = 'EngineUnreachable';
}

export interface AttachOptions {
	/** Milliseconds that the first answer may take. */
	readonly answerWithin?: number;
	/** Whether `ssh` may ask for passwords on its terminal; without, it fails instead. */
	readonly isInteractive?: boolean;
	readonly signal?: AbortSignal | undefined;
}

const ANSWER_WITHIN = 10_000;
/** A login over the network, which may ask a person for a password. */
const SSH_ANSWER_WITHIN = 60_000;
const LONGEST_PEM = 1024 * 1024;

/**
 * Connects to an engine that runs already, Docker's, Podman's or ours, and asks what it is (`/_ping`). Never starts
 * one. Throws EngineUnreachable when it does not answer, AbortError when cancelled.
 */
export async function attachEngine(endpoint: Endpoint, options: AttachOptions = {}): Promise<EngineAddress> {
	const { signal } = options;
	const within = options.answerWithin ?? (endpoint.kind === 'ssh' ? SSH_ANSWER_WITHIN : ANSWER_WITHIN);
	const deadline = AbortSignal.timeout(within);
	const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
	try {
		const way = await wayTo(endpoint, options);
		const response = await exchange(way, { method: 'GET', path: '/_ping', signal: either });
		response.destroy();
		const { status } = response;
		if (status >= 400) {
			throw unreachable(endpoint, `it answered ${status} ${response.reason}`.trim());
		}
		return {
			...way,
			apiVersion: agreedVersion(response.headers['api-version']),
			program: programOf(response.headers),
		};
	} catch (error) {
		if (signal?.aborted === true || error instanceof EngineUnreachable) {
			throw error;
		}
		throw unreachable(endpoint, deadline.aborted ? `no answer within ${within / 1000} s` : reasonOf(error), error);
	}
}

/** How connections to the engine are opened. Reads the files of TLS; connects to nothing. */
async function wayTo(endpoint: Endpoint, options: AttachOptions): Promise<EngineAddress> {
	const place = { socketPath: endpoint.kind === 'unix' ? endpoint.path : hostText(endpoint), apiVersion: undefined };
	switch (endpoint.kind) {
		case 'unix':
			return place;
		case 'tcp':
			return { ...place, dial: await tcpDialer(endpoint) };
		case 'ssh':
			return { ...place, dial: await sshDialer(endpoint, options.isInteractive === true) };
	}
}

async function tcpDialer({ host, port, tls: files }: Endpoint & { kind: 'tcp' }): Promise<() => Duplex> {
	if (files === undefined) {
		const net = await import('node:net');
		return () => net.connect({ host, port, allowHalfOpen: true });
	}
	const tls = await import('node:tls');
	const net = await import('node:net');
	const material = await readMaterial(files);
	const servername = net.isIP(host) === 0 ? { servername: host } : {};
	return () =>
		tls.connect({
			...{ host, port, ...material, ...servername },
			rejectUnauthorized: files.isVerified,
			ALPNProtocols: ['http/1.1'],
		});
}

async function readMaterial(files: TlsMaterial) {
	const [ca, cert, key] = await Promise.all([files.ca, files.cert, files.key].map(readPem));
	return {
		...(ca === undefined ? {} : { ca }),
		...(cert === undefined ? {} : { cert }),
		...(key === undefined ? {} : { key }),
	};
}

async function readPem(file: string | undefined): Promise<Buffer | undefined> {
	if (file === undefined) {
		return undefined;
	}
	const stat = await fs.stat(file);
	if (!stat.isFile() || stat.size > LONGEST_PEM) {
		throw new Error(`"${file}" is no certificate or key`);
	}
	return fs.readFile(file);
}

/** As docker does it: each connection is the `ssh` of the user with `docker system dial-stdio` at its other end. */
async function sshDialer(endpoint: Endpoint & { kind: 'ssh' }, isInteractive: boolean): Promise<() => Duplex> {
	const { spawn } = await import('node:child_process');
	const { ProgramStream } = await import('./program-stream');
	const name = hostText(endpoint);
	return () => {
		const program = spawn('ssh', sshArguments(endpoint, isInteractive), { windowsHide: true });
		return new ProgramStream(program, (words) =>
			words.includes('ENOENT')
				? `Cannot reach the engine at ${name}: there is no program "ssh"; install OpenSSH's client`
				: `Cannot reach the engine at ${name}: ${words}`,
		);
	};
}

/** The arguments of `ssh`; every part of the endpoint was checked when it was read (endpoint.ts). */
export function sshArguments(endpoint: Endpoint & { kind: 'ssh' }, isInteractive: boolean): string[] {
	return [
		...['-T', '-o', 'ConnectTimeout=30'],
		...(isInteractive ? [] : ['-o', 'BatchMode=yes']),
		...(endpoint.user === undefined ? [] : ['-l', endpoint.user]),
		...(endpoint.port === undefined ? [] : ['-p', String(endpoint.port)]),
		...['--', endpoint.host, 'docker'],
		...(endpoint.path === undefined ? [] : ['--host', `unix://${endpoint.path}`]),
		...['system', 'dial-stdio'],
	];
}

function programOf(headers: NodeJS.Dict<string | string[]>): EngineProgram {
	if (typeof headers[BUILD_HEADERS.version] === 'string') {
		return 'mydocker';
	}
	return headers['libpod-api-version'] === undefined ? 'docker' : 'podman';
}

function unreachable(endpoint: Endpoint, reason: string, cause?: unknown): EngineUnreachable {
	return new EngineUnreachable(
		reason.startsWith('Cannot reach') ? reason : `Cannot reach the engine at ${hostText(endpoint)}: ${reason}`,
		{ cause },
	);
}

function reasonOf(error: unknown): string {
	switch (errorCode(error)) {
		case 'ENOENT':
			return error instanceof Error && 'syscall' in error && error.syscall === 'connect'
				? 'there is no such socket; is the engine running?'
				: String(error instanceof Error ? error.message : error);
		case 'ECONNREFUSED':
			return 'nothing listens there; is the engine running?';
		case 'EACCES':
		case 'EPERM':
			return 'your user may not use its socket; for Docker, join the group "docker" and log in again';
		case 'ENOTFOUND':
		case 'EAI_AGAIN':
			return 'the name of the machine is not known';
		case 'HPE_INVALID_CONSTANT':
			return 'what answers there is no engine';
		case 'ECONNRESET':
			return 'it closed the connection; is it an engine, and does it want TLS?';
		default:
			return error instanceof Error ? error.message : String(error);
	}
}
