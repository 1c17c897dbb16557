import { EngineError } from '../../core/errors';
import { ProgressWriter } from '../progress';
import { authIn, registryOptions } from '../registry-headers';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

export const registryRoutes: readonly Route[] = [
	route('POST', '/auth', login),
	route('POST', '/images/{name}/push', push),
];

/** Tries credentials. They stay with the client: the engine keeps none. */
async function login(request: ApiRequest): Promise<void> {
	const body = await request.body();
	if (typeof body !== 'object' || body === null) {
		throw new EngineError('invalid', 'Cannot log in: the body is no object');
	}
	const server: unknown = Reflect.get(body, 'serveraddress');
	const { settings, signal } = registryOptions(request);
	const { identityToken = '' } = await request.core.registries.login(typeof server === 'string' ? server : '', {
		auth: authIn(body),
		settings,
		signal,
	});
	request.json({ Status: 'Login Succeeded', IdentityToken: identityToken });
}

/** Pushes and reports on the way; see ProgressWriter. When the connection closes, the push is cancelled. */
async function push(request: ApiRequest): Promise<void> {
	const tag = request.text('tag');
	const name = request.parameter('name') + (tag === undefined ? '' : `:${tag}`);
	const { auth, settings, signal } = registryOptions(request);
	const progress = new ProgressWriter(request, '');
	try {
		await request.core.images.push(name, {
			auth,
			registries: settings,
			signal,
			onProgress: (message) => {
				progress.add(message);
			},
		});
		await progress.finish();
	} catch (error) {
		if (signal.aborted || !request.isAnswered) {
			throw error;
		}
		await progress.fail(error);
	}
}
