import * as assert from 'node:assert/strict';
import * as http from 'node:http';
import * as net from 'node:net';
import Dockerode from 'dockerode';
import { bodyOf, create, launch, remove, run } from './run';
import { ask, type Subject } from './subject';
import { delay, until, within } from './workspace';
import type { Answer } from './registry';

/** What goes over the socket, seen without our client: paths, statuses, headers, frames, and another client. */
export function apiCases(subjectOf: () => Subject): void {
	describe('requests', () => {
		requestCases(subjectOf);
	});
	describe('streams', () => {
		streamCases(subjectOf);
	});
	describe('another client: dockerode', () => {
		dockerodeCases(subjectOf);
	});
}

function messageOf(answer: Answer): unknown {
	const value: unknown = JSON.parse(answer.body.toString());
	return typeof value === 'object' && value !== null && 'message' in value ? value.message : value;
}

function requestCases(subjectOf: () => Subject): void {
	it('ping: says OK, and who speaks which version', async () => {
		for (const method of ['GET', 'HEAD']) {
			const answer = await ask(subjectOf(), method, '/_ping');
			assert.deepEqual(
				[answer.status, answer.body.toString(), answer.headers.ostype, answer.headers['docker-experimental']],
				[200, method === 'GET' ? 'OK' : '', 'linux', 'false'],
			);
			assert.match(String(answer.headers['api-version']), /^1\.\d\d$/);
			assert.match(String(answer.headers['content-type']), /^text\/plain/);
		}
	});

	it('version: the paths may carry it, the engine says it', async () => {
		const plain = await ask(subjectOf(), 'GET', '/version');
		const versioned = await ask(subjectOf(), 'GET', '/v1.41/version');
		assert.deepEqual([plain.status, versioned.status], [200, 200]);
		const version = JSON.parse(plain.body.toString()) as Record<string, string>;
		assert.equal(version['Os'], 'linux');
		assert.equal(version['ApiVersion'], plain.headers['api-version']);
	});

	it('a version that is too new: is refused with the highest', async () => {
		const answer = await ask(subjectOf(), 'GET', '/v1.99/containers/json');
		assert.equal(answer.status, 400);
		assert.match(
			String(messageOf(answer)),
			/^client version 1\.99 is too new\. Maximum supported API version is 1\.\d\d$/,
		);
	});

	it('info: counts and names', async () => {
		const subject = subjectOf();
		const info = await subject.client.info();
		assert.deepEqual(
			[
				info.OSType,
				info.LoggingDriver,
				info.Containers,
				info.ContainersRunning,
				info.NCPU > 0,
				info.MemTotal > 1e8,
			],
			['linux', 'json-file', 0, 0, true, true],
		);
		const id = await launch(subject, { Cmd: ['sleep', '100'] });
		const after = await subject.client.info();
		assert.deepEqual([after.Containers, after.ContainersRunning, after.ContainersStopped], [1, 1, 0]);
		assert.equal(after.Images, (await subject.client.images.list({ all: true })).length);
		await remove(subject, id);
	});

	it('an unknown path: is "page not found"', async () => {
		for (const [method, path] of [
			['GET', '/nosuch'],
			['GET', '/v1.41/nosuch'],
			['PATCH', '/containers/json'],
		] as const) {
			const answer = await ask(subjectOf(), method, path);
			assert.deepEqual([answer.status, messageOf(answer)], [404, 'page not found'], path);
		}
	});

	it('swarm: this is no manager', async () => {
		const answer = await ask(subjectOf(), 'GET', '/swarm');
		assert.equal(answer.status, 503);
		assert.match(String(messageOf(answer)), /^This node is not a swarm manager\./);
	});

	it('filters: are taken as lists and as maps; bad ones are refused', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'], Labels: { framed: '1' } });
		for (const filters of [{ label: ['framed=1'] }, { label: { 'framed=1': true } }]) {
			const url = `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`;
			const found = JSON.parse((await ask(subject, 'GET', url)).body.toString()) as { Id: string }[];
			assert.deepEqual(
				found.map((container) => container.Id),
				[id],
			);
		}
		const unknown = await ask(subject, 'GET', `/containers/json?filters=${encodeURIComponent('{"nosuch":["a"]}')}`);
		assert.equal(unknown.status, 400);
		assert.match(String(messageOf(unknown)), /^[Ii]nvalid filter '?nosuch'?/);
		const broken = await ask(subject, 'GET', '/containers/json?filters=broken');
		assert.ok(broken.status >= 400);
	});

	it('booleans: in every spelling that clients use', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'] });
		const listed = async (all: string): Promise<boolean> => {
			const answer = await ask(subject, 'GET', `/containers/json?all=${all}`);
			return (JSON.parse(answer.body.toString()) as { Id: string }[]).some((container) => container.Id === id);
		};
		assert.deepEqual(await Promise.all(['1', 'true', 'True', '0', 'false', 'False', ''].map(listed)), [
			true,
			true,
			true,
			false,
			false,
			false,
			false,
		]);
	});

	it('status codes: 204 done, 304 nothing to do, 201 made, 409 conflict, 404 missing', async () => {
		const subject = subjectOf();
		const status = async (method: string, path: string, body?: object): Promise<number> =>
			(await ask(subject, method, path, body)).status;
		const body = bodyOf(subject, { Cmd: ['sleep', '100'] });
		assert.deepEqual(
			[
				await status('POST', '/containers/create?name=coded', body),
				await status('POST', '/containers/create?name=coded', body),
				await status('POST', '/containers/coded/kill'),
				await status('POST', '/containers/coded/stop'),
				await status('POST', '/containers/coded/start'),
				await status('POST', '/containers/coded/start'),
				await status('DELETE', '/containers/coded'),
				await status('POST', '/containers/coded/stop?t=0'),
				await status('POST', '/containers/coded/rename?name=recoded'),
				await status('DELETE', '/containers/recoded'),
				await status('DELETE', '/containers/recoded'),
			],
			[201, 409, 409, 304, 204, 304, 409, 204, 204, 204, 404],
		);
	});

	it('create: a body that is no JSON, or none, is refused', async () => {
		for (const body of ['{', '[]', '{"Image":5}', 'null']) {
			const answer = await ask(subjectOf(), 'POST', '/containers/create', body);
			assert.ok(answer.status >= 400 && answer.status <= 500, `${body}: ${answer.status}`);
			assert.equal(typeof messageOf(answer), 'string');
		}
	});

	it('image names in paths: with host, port, folders and tag, escaped or not', async () => {
		const subject = subjectOf();
		const { reference, fixture } = subject.images.busybox;
		for (const path of [reference, encodeURIComponent(reference)]) {
			const answer = await ask(subject, 'GET', `/images/${path}/json`);
			assert.equal((JSON.parse(answer.body.toString()) as { Id: string }).Id, fixture.id);
		}
	});

	it('many requests at once: are all answered', async () => {
		const subject = subjectOf();
		const statuses = await Promise.all(
			Array.from({ length: 100 }, async () => (await ask(subject, 'GET', '/containers/json?all=1')).status),
		);
		assert.deepEqual([...new Set(statuses)], [200]);
	});

	it('a client that breaks off in the middle: harms nobody', async () => {
		const subject = subjectOf();
		for (const text of [
			'GET /containers',
			'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{',
			'\0\x01\xff',
		]) {
			const socket = net.connect(subject.socket);
			await new Promise((resolve) => socket.once('connect', resolve));
			socket.on('error', () => undefined);
			socket.write(text);
			await delay(20);
			socket.destroy();
		}
		assert.equal((await ask(subject, 'GET', '/_ping')).status, 200);
	});
}

/** The frames of a multiplexed stream: "1:text", "2:text". */
function framesOf(body: Buffer): string[] {
	const frames: string[] = [];
	for (let offset = 0; offset < body.length;) {
		const length = body.readUInt32BE(offset + 4);
		assert.deepEqual([...body.subarray(offset + 1, offset + 4)], [0, 0, 0], 'three zero bytes');
		frames.push(`${body[offset] ?? -1}:${body.subarray(offset + 8, offset + 8 + length).toString()}`);
		offset += 8 + length;
	}
	return frames;
}

/** Everything that comes after an upgrade, and the answer's head. */
async function hijack(subject: Subject, path: string, input: string, start: () => Promise<void>): Promise<string> {
	const socket = net.connect({ path: subject.socket, allowHalfOpen: true });
	const chunks: Buffer[] = [];
	socket.on('data', (chunk: Buffer) => chunks.push(chunk));
	const end = new Promise((resolve) => socket.once('end', resolve));
	socket.write(
		`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n`,
	);
	await until('the head of the answer', () => Buffer.concat(chunks).includes('\r\n\r\n'));
	await start();
	// The write side ends first: that is how a client says "end of input" and goes on reading.
	socket.end(input);
	await within('the end of the stream', 10_000, end);
	socket.destroy();
	return Buffer.concat(chunks).toString('latin1');
}

function streamCases(subjectOf: () => Subject): void {
	it('logs: are framed with the stream and the length', async () => {
		const subject = subjectOf();
		const { id } = await run(subject, { Cmd: ['sh', '-c', 'echo out; sleep 0.1; echo err >&2'] }, { keep: true });
		const answer = await ask(subject, 'GET', `/containers/${id}/logs?stdout=1&stderr=1`);
		assert.deepEqual(framesOf(answer.body), ['1:out\n', '2:err\n']);
	});

	it('logs of a terminal: are raw', async () => {
		const subject = subjectOf();
		const { id } = await run(subject, { Cmd: ['echo', 'out'], Tty: true }, { keep: true });
		const answer = await ask(subject, 'GET', `/containers/${id}/logs?stdout=1&stderr=1`);
		assert.equal(answer.body.toString(), 'out\r\n');
	});

	it('logs of no stream: are refused', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['true'] });
		const answer = await ask(subject, 'GET', `/containers/${id}/logs`);
		assert.deepEqual(
			[answer.status, messageOf(answer)],
			[400, 'Bad parameters: you must choose at least one stream'],
		);
	});

	it('attach with upgrade: 101, then input with half-close and framed output', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true });
		const text = await hijack(
			subject,
			`/v1.41/containers/${id}/attach?stdin=1&stdout=1&stderr=1&stream=1`,
			'hello\n',
			() => subject.client.containers.start(id),
		);
		const [head = '', ...rest] = text.split('\r\n\r\n');
		assert.match(head, /^HTTP\/1\.1 101 /);
		assert.match(head, /Upgrade: tcp/i);
		assert.deepEqual(framesOf(Buffer.from(rest.join('\r\n\r\n'), 'latin1')), ['1:hello\n']);
	});

	it('attach without upgrade: 200, and the output until the connection ends', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['echo', 'plain'] });
		const answer = ask(subject, 'POST', `/containers/${id}/attach?stdout=1&stream=1`);
		await delay(200);
		await subject.client.containers.start(id);
		const { status, body } = await within('the answer', 10_000, answer);
		assert.deepEqual([status, framesOf(body)], [200, ['1:plain\n']]);
	});

	it('wait: sends its head at once, and the code later', async () => {
		const subject = subjectOf();
		const id = await create(subject, { Cmd: ['sh', '-c', 'exit 9'] });
		const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
			const request = http.request(
				{
					socketPath: subject.socket,
					method: 'POST',
					path: `/containers/${id}/wait?condition=next-exit`,
					agent: false,
				},
				resolve,
			);
			request.once('error', reject);
			request.end();
		});
		assert.equal(response.statusCode, 200);
		await subject.client.containers.start(id);
		const chunks: Buffer[] = [];
		for await (const chunk of response as AsyncIterable<Buffer>) {
			chunks.push(chunk);
		}
		const answer = JSON.parse(Buffer.concat(chunks).toString()) as { StatusCode: number; Error?: unknown };
		assert.deepEqual([answer.StatusCode, answer.Error ?? null], [9, null]);
	});

	it('pull: sends one JSON object a line, and an error after the head as the last of them', async () => {
		const subject = subjectOf();
		const { repository } = subject.images.index;
		const query = new URLSearchParams({ fromImage: repository, tag: '1', platform: 'linux/s390x' }).toString();
		const answer = await ask(subject, 'POST', `/images/create?${query}`);
		const text = answer.body.toString();
		const last = JSON.parse(text.trimEnd().split('\r\n').at(-1) ?? '') as Record<string, unknown>;
		const message = String(answer.status === 200 ? last['error'] : last['message']);
		assert.match(message, /no matching manifest for linux\/s390x/);
		if (answer.status === 200) {
			assert.deepEqual(last['errorDetail'], { message });
		}
	});

	it('events: since and until in the past end at once', async () => {
		const answer = await within('the events', 5000, ask(subjectOf(), 'GET', '/events?since=0&until=1'));
		assert.deepEqual([answer.status, answer.body.toString()], [200, '']);
	});
}

function dockerodeCases(subjectOf: () => Subject): void {
	it('pull, create, attach, start, wait, logs, inspect, remove: work', async () => {
		const subject = subjectOf();
		const docker = new Dockerode({ socketPath: subject.socket });
		const image = subject.images.busybox.reference;

		const stream = await docker.pull(image);
		await new Promise<void>((resolve, reject) => {
			docker.modem.followProgress(stream, (error: Error | null) => {
				if (error === null) {
					resolve();
				} else {
					reject(error);
				}
			});
		});

		const container = await docker.createContainer({
			Image: image,
			name: 'by-dockerode',
			Cmd: ['sh', '-c', 'cat; echo err >&2; exit 6'],
			OpenStdin: true,
			StdinOnce: true,
			HostConfig: { NetworkMode: 'none' },
		});
		const attached = await container.attach({
			stream: true,
			stdin: true,
			stdout: true,
			stderr: true,
			hijack: true,
		});
		await container.start();
		attached.end('from dockerode\n');
		const exit = (await container.wait()) as { StatusCode: number };
		assert.equal(exit.StatusCode, 6);
		const logs = await container.logs({ stdout: true, stderr: true });
		assert.deepEqual(framesOf(logs).sort(), ['1:from dockerode\n', '2:err\n']);
		assert.equal((await container.inspect()).State.ExitCode, 6);
		const listed = await docker.listContainers({ all: true, filters: { name: ['by-dockerode'] } });
		assert.deepEqual(
			listed.map(({ Names }) => Names),
			[['/by-dockerode']],
		);
		await container.remove();
		await assert.rejects(container.inspect(), { statusCode: 404 });
	});
}
