import * as fs from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';
import { createHash } from 'node:crypto';
import type { ImageFixture } from './fixture';
import { freePort, until, type Workspace } from './workspace';

/** The one account of the registries that want one. The hash is bcrypt's of the password. */
export const account = { username: 'demo', password: 's3cret' } as const;
const HTPASSWD = 'demo:$2b$05$43e3Sw7imtZ6MjkdwzFfXOxBj3LGvoEjR0QcHsfYo0aibAFbfiDeq\n';

/** Debian's docker-registry on a loopback port of its own. */
export interface Registry {
	/** "127.0.0.1:PORT", as image references name it. */
	readonly host: string;
	readonly port: number;
	/** Stores the image, what it names included, under `repository:tag`. */
	push(repository: string, tag: string, image: ImageFixture): Promise<void>;
}

export async function startRegistry(
	workspace: Workspace,
	options: {
		readonly basic?: boolean;
		/** Where it keeps its blobs, for longer than the workspace lasts. */
		readonly data?: string;
	} = {},
): Promise<Registry> {
	const folder = workspace.folder('registry');
	const port = await freePort();
	fs.writeFileSync(path.join(folder, 'htpasswd'), HTPASSWD);
	const configuration = {
		version: '0.1',
		log: { level: 'warn', accesslog: { disabled: true } },
		storage: {
			filesystem: { rootdirectory: options.data ?? path.join(folder, 'data') },
			delete: { enabled: true },
		},
		http: { addr: `127.0.0.1:${port}` },
		...(options.basic === true
			? { auth: { htpasswd: { realm: 'basic-realm', path: path.join(folder, 'htpasswd') } } }
			: {}),
	};
	// YAML is a superset of JSON.
	const file = path.join(folder, 'config.json');
	fs.writeFileSync(file, JSON.stringify(configuration));
	workspace.start(`registry-${port}`, 'docker-registry', ['serve', file]);
	await until('the registry answers', () => isListening(port));
	const headers = options.basic === true ? { authorization: basicAuthorization() } : {};
	return {
		host: `127.0.0.1:${port}`,
		port,
		push: (repository, tag, image) => push({ port, headers, repository }, tag, image),
	};
}

export function basicAuthorization(user: { username: string; password: string } = account): string {
	return `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;
}

interface Target {
	readonly port: number;
	readonly headers: http.OutgoingHttpHeaders;
	readonly repository: string;
}

async function push(target: Target, reference: string, image: ImageFixture): Promise<void> {
	for (const child of image.children) {
		await push(target, child.digest, child);
	}
	if (image.children.length === 0) {
		await pushBlob(target, image.config);
		for (const layer of image.layers) {
			await pushBlob(target, layer.blob);
		}
	}
	await send(target, 'PUT', `/v2/${target.repository}/manifests/${reference}`, image.manifest, image.mediaType);
}

async function pushBlob(target: Target, blob: Buffer): Promise<void> {
	const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
	const start = await send(target, 'POST', `/v2/${target.repository}/blobs/uploads/`, Buffer.alloc(0));
	const location = new URL(start.headers.location ?? '', `http://127.0.0.1:${target.port}`);
	location.searchParams.set('digest', digest);
	await send(target, 'PUT', `${location.pathname}${location.search}`, blob, 'application/octet-stream');
}

async function send(target: Target, method: string, url: string, body: Buffer, type?: string): Promise<Answer> {
	const answer = await request({
		port: target.port,
		method,
		path: url,
		headers: {
			...target.headers,
			'content-length': body.length,
			...(type === undefined ? {} : { 'content-type': type }),
		},
		body,
	});
	if (answer.status < 200 || answer.status > 299) {
		throw new Error(`${method} ${url}: ${answer.status} ${answer.body.toString()}`);
	}
	return answer;
}

export interface Answer {
	readonly status: number;
	readonly headers: http.IncomingHttpHeaders;
	readonly body: Buffer;
}

interface Question {
	readonly port?: number;
	readonly socketPath?: string;
	readonly method?: string;
	readonly path: string;
	readonly headers?: http.OutgoingHttpHeaders;
	readonly body?: Buffer | string;
	readonly signal?: AbortSignal;
}

/** One plain HTTP request, answered whole. */
export async function request(question: Question): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const { body, port, ...options } = question;
		const host = port === undefined ? {} : { host: '127.0.0.1', port };
		const outgoing = http.request({ agent: false, ...options, ...host }, (response) => {
			const chunks: Buffer[] = [];
			response.on('data', (chunk: Buffer) => chunks.push(chunk));
			response.once('error', reject);
			response.once('end', () => {
				resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
			});
		});
		outgoing.once('error', reject);
		outgoing.end(body);
	});
}

async function isListening(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = net.connect(port, '127.0.0.1');
		socket.once('connect', () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', () => {
			resolve(false);
		});
	});
}
