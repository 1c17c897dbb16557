import { EngineError } from '../../core/errors';
import { volumeJson } from '../network-shapes';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

/** Whole volumes as one tar, and copies of them: ours, Docker has no such calls. */
export const volumeArchiveRoutes: readonly Route[] = [
	route('GET', '/mydocker/volumes/{id}/backup', backup),
	route('PUT', '/mydocker/volumes/{id}/restore', restore),
	route('POST', '/mydocker/volumes/{id}/clone', clone),
];

/** The names in the archive begin with "./", the volume's own folder. */
async function backup(request: ApiRequest): Promise<void> {
	const archive = request.core.volumes.backup(request.parameter('id'), request.signal);
	request.begin('application/x-tar');
	for await (const chunk of archive as AsyncIterable<Buffer>) {
		await request.write(chunk);
	}
	request.end();
}

/** The body is a tar, plain or compressed; `force` replaces content. */
async function restore(request: ApiRequest): Promise<void> {
	const volume = await request.core.volumes.restore(request.parameter('id'), request.content, {
		force: request.flag('force'),
		signal: request.signal,
	});
	request.json(volumeJson(volume, request.core));
}

async function clone(request: ApiRequest): Promise<void> {
	const target = request.text('target');
	if (target === undefined) {
		throw new EngineError('invalid', 'bad parameter: target cannot be empty');
	}
	const volume = await request.core.volumes.clone(request.parameter('id'), target, request.signal);
	request.json(volumeJson(volume, request.core), 201);
}
