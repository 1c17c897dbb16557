// A real registry (Debian's docker-registry) on a free port of 127.0.0.1, holding the demo images.
//   node scripts/registry.mjs     starts one and keeps it until Ctrl-C
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, interruption, startBackground } from './background.mjs';
import { pushDemoImages } from './demo-images.mjs';

/** Gives { host: "localhost:PORT", references, stop() }. The registry's data is gone when it stops. */
export async function startRegistry() {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-registry-'));
	const port = await freePort();
	const config = {
		version: 0.1,
		log: { level: 'info' },
		storage: { filesystem: { rootdirectory: path.join(folder, 'data') } },
		http: { addr: `127.0.0.1:${port}` },
	};
	// JSON is YAML.
	fs.writeFileSync(path.join(folder, 'config.yml'), JSON.stringify(config));
	const registry = startBackground('docker-registry', 'docker-registry', ['serve', path.join(folder, 'config.yml')], {
		// Its variables would change the configuration.
		env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('REGISTRY_'))),
	});
	const stop = async () => {
		await registry.stop();
		fs.rmSync(folder, { recursive: true, force: true });
	};
	try {
		await registry.printed(/listening on/);
		return { host: `localhost:${port}`, references: await pushDemoImages(`127.0.0.1:${port}`), stop };
	} catch (error) {
		await stop();
		throw error;
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const interrupted = interruption();
	const registry = await startRegistry();
	for (const reference of registry.references) {
		console.log(`${registry.host}/${reference}`);
	}
	// The registry alone does not keep this process alive; the timer does, until Ctrl-C.
	const timer = setInterval(() => {}, 60_000);
	interrupted.addEventListener('abort', () => {
		clearInterval(timer);
		void registry.stop();
	});
}
