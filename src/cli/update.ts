import { limitOptions } from './host-options';
import type { limitFlags } from './host-flags';
import type { Values } from './flags';
import { CommandError } from './errors';
import { eachInTurn } from './in-turn';
import type { Action } from './row';

/** `mydocker update` */
export const update: Action<Values<typeof limitFlags>> = (session, names, flags) => {
	const body = limitOptions(flags);
	if (Object.keys(body).length === 0) {
		throw new CommandError('you must provide one or more flags when using this command', 1);
	}
	return eachInTurn(session, names, async (name) => {
		const warnings = await session.client.containers.update(name, body, { signal: session.signal });
		warnings.forEach((warning) => {
			session.output.error(warning);
		});
		return name;
	});
};
