import { EngineError } from '../../core/errors';
import { authIn, registryOptions } from '../registry-headers';
import type { ApiRequest } from '../request';
import { route } from '../route';
import type { Route } from '../route';

export const registryRoutes: readonly Route[] = [route('POST', '/auth', login)];

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
