import { contractOf, type Engine } from './contract';
import { ipv6Cases } from './ipv6';
import { networkCases, poorMachineCases } from './networks';
import { hasDocker } from './setup';
import { dockerEngine, embeddedEngine, pushImages, startRegistries, type Images, type Registries } from './subject';
import { Workspace } from './workspace';

/** One line an implementation. */
const engines: readonly Engine[] = [
	{ name: 'embedded', start: embeddedEngine },
	...(hasDocker ? [{ name: 'docker', start: dockerEngine } as const] : []),
];

describe('engine contract', () => {
	let registries: Registries;
	let images: Images;
	const shared = new Workspace('registries');

	before(async () => {
		registries = await startRegistries(shared);
		images = await pushImages(registries);
	});

	after(() => shared.dispose());

	for (const engine of engines) {
		contractOf(engine, () => ({ images, registries }));
	}

	if (process.getuid?.() === 0) {
		networkCases(() => ({ images, registries }));
		poorMachineCases(() => ({ images, registries }));
		ipv6Cases(() => ({ images, registries }));
	} else {
		it('networks: not tried, since this is not root');
	}

	if (!hasDocker) {
		it('docker: not compared, since dockerd is not installed or this is not root');
	}
});
