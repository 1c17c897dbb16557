#!/usr/bin/env node
// npm start: everything from a fresh clone to a VS Code with MyDocker in it, in which the main job has been done once.
//   --once          ends after that (also where there is no terminal); otherwise VS Code stays until Ctrl-C
//   --screenshots   does it in a light and a dark window and keeps the pictures of the README in docs/images
import fs from 'node:fs';
import path from 'node:path';
import { interruption } from './background.mjs';
import { setup } from './setup.mjs';

const root = path.resolve(import.meta.dirname, '..');
const isScreenshots = process.argv.includes('--screenshots');
const isOnce = process.argv.includes('--once') || isScreenshots || !process.stdin.isTTY;
/** Slow enough that the pull of some megabytes can be watched. */
const bytesPerSecond = 1_500_000;
const themes = { light: 'Light Modern', dark: 'Dark Modern' };

const interrupted = interruption();
process.chdir(root);
try {
	console.log('MyDocker: preparing this machine');
	setup();
	await start();
} catch (error) {
	if (interrupted.aborted) {
		console.log('Stopped.');
		process.exit(130);
	}
	console.error(`\n✗ ${error.message}`);
	process.exit(1);
}
process.exit(0);

async function start() {
	// Not at the top: these need the npm packages, which are only there now.
	const { packageExtension } = await import('./package.mjs');
	const { startRegistry } = await import('./registry.mjs');
	const { slowDown } = await import('./slow-registry.mjs');
	const vsix = path.join(root, 'out/mydocker.vsix');
	packageExtension(vsix);
	console.log(`  ✓ built out/mydocker.vsix (${Math.ceil(fs.statSync(vsix).size / 1024)} KB)`);
	const registry = await startRegistry();
	let slow;
	try {
		slow = await slowDown(registry.host, bytesPerSecond);
		console.log(`  ✓ a registry at ${registry.host} with ${registry.references.join(' and ')}`);
		console.log(`    (and at ${slow.host} with ${bytesPerSecond / 1e6} MB/s, so that there is progress to see)\n`);
		if (isScreenshots) {
			await show({ vsix, registry: slow.host, theme: 'dark' });
			await show({ vsix, registry: slow.host, theme: 'light' });
		} else {
			await show({ vsix, registry: slow.host, fastRegistry: registry.host });
		}
	} finally {
		await slow?.stop();
		await registry.stop();
	}
}

/** Opens VS Code, does the main job in it and, when somebody is there, leaves it to them. */
async function show({ vsix, registry, fastRegistry, theme }) {
	const { openVSCode } = await import('../test/ui/session.mjs');
	const { tour } = await import('./tour.mjs');
	console.log(`Doing the main job once, in headless Chromium${theme ? ` (${theme})` : ''}`);
	const folder = path.join('out/tour', theme ?? '');
	const session = await openVSCode({
		vsix,
		settings: { ...(theme ? { 'workbench.colorTheme': themes[theme] } : {}) },
		viewport: { width: 1200, height: 720 },
	});
	try {
		await tour(session, { registry, folder });
		console.log(`\nScreenshots: ${folder}/`);
		if (isScreenshots) {
			const { takePictures } = await import('./pictures.mjs');
			await takePictures(session, { image: `${registry}/demo/web`, theme });
		}
		if (!isOnce) {
			await stay(session, { vsix, registry: fastRegistry });
		}
	} finally {
		await session.close();
	}
}

/** Until Ctrl-C: the desktop VS Code where there is one, and the server's address in any case. */
async function stay(session, { vsix, registry }) {
	const { hasDesktop, openDesktop } = await import('./vscode-desktop.mjs');
	const { removeStore } = await import('./store.mjs');
	// The user's own window follows; this one would only be a second client.
	await session.browser.close();
	const { folder, temporary } = session;
	const desktop = hasDesktop() ? openDesktop({ folder, dataDir: path.join(temporary, 'desktop'), vsix }) : undefined;
	try {
		console.log(`\nVS Code is at ${session.server.url}${desktop ? ', and in its own window' : ''}`);
		console.log(`Pull ${registry}/demo/busybox, or anything else. Ctrl-C here ends VS Code and its containers.`);
		await new Promise((resolve) => interrupted.addEventListener('abort', resolve));
		console.log('\nStopping');
	} finally {
		await desktop?.stop();
		if (desktop) {
			await removeStore(desktop.store);
		}
	}
}
