// A VS Code of one's own: server, browser, window, and the extension installed from its package.
//   MYDOCKER_TEST_VSIX   the package
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { interruption } from '../../scripts/background.mjs';
import { removeStore } from '../../scripts/store.mjs';
import { launchBrowser, openWorkbench, startServer } from '../../scripts/vscode-server.mjs';
import { Workbench } from './workbench.mjs';

const interrupted = interruption();

/**
 * Opens VS Code with the extension in it. Options: `settings`, `locale`, `viewport`, `vsix` (MYDOCKER_TEST_VSIX by
 * default), `asksForTrust` (Restricted Mode until somebody trusts the folder), `env` (more variables of the server). Gives
 * { workbench, page, browser, server, store, folder, temporary, complaints, mydocker(), close() }: complaints are the
 * warnings of the window's console, mydocker() runs the command line on the window's store, as in its terminal, and gives
 * its output, trimmed; close() leaves nothing behind, containers included.
 */
export async function openVSCode({
	settings,
	locale,
	viewport = { width: 1280, height: 800 },
	vsix = process.env.MYDOCKER_TEST_VSIX,
	asksForTrust = false,
	env,
} = {}) {
	const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-ui-'));
	const folder = path.join(temporary, 'workspace');
	fs.mkdirSync(folder);
	let server;
	let browser;
	const close = async () => {
		await browser?.close();
		await server?.stop();
		if (server) {
			await removeStore(server.globalStorage('mydocker.mydocker'));
		}
		fs.rmSync(temporary, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
	};
	try {
		const dataDir = path.join(temporary, 'vscode');
		server = await startServer({ folder, dataDir, vsix, settings, locale, asksForTrust, env });
		browser = await launchBrowser();
		// Whatever waits for the page fails at once then, and its `finally` closes the rest.
		interrupted.addEventListener('abort', () => void browser.close());
		const page = await browser.newPage({ viewport });
		page.setDefaultTimeout(60_000);
		const complaints = [];
		page.on('console', (message) => {
			if (message.type() === 'error' || message.type() === 'warning') {
				complaints.push(message.text());
			}
		});
		await openWorkbench(page, server);
		const store = server.globalStorage('mydocker.mydocker');
		const mydocker = (...args) =>
			execFileSync(path.join(store, 'bin/mydocker'), args, {
				encoding: 'utf8',
				env: { ...process.env, MYDOCKER_ROOT: store },
			}).trim();
		return {
			workbench: new Workbench(page, locale),
			page,
			browser,
			server,
			store,
			folder,
			temporary,
			mydocker,
			complaints,
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}

/** In a suite: saves what the window shows when a test fails, as out/ui/<test>.png; a second attempt begins without a question. */
export function photographFailures(session) {
	beforeEach(async function () {
		if (this.currentTest.currentRetry() > 0) {
			await session()?.page.keyboard.press('Escape');
		}
	});
	afterEach(async function () {
		if (this.currentTest.state === 'failed' && session()) {
			const name = this.currentTest.fullTitle().replace(/[^a-z0-9]+/gi, '-');
			try {
				await session().page.screenshot({ path: `out/ui/${name}.png` });
				console.log(`      see out/ui/${name}.png`);
			} catch (error) {
				// Of a suite that bails, an error here would end the suites after it too.
				console.log(`      no picture: ${error.message}`);
				const busy = ['-eo', 'pid,stat,pcpu,wchan:24,args', '--sort=-pcpu', '--cols=160'];
				console.log(execFileSync('ps', busy, { encoding: 'utf8' }).split('\n').slice(0, 9).join('\n'));
			}
			tellWindow(session());
		}
	});
}

/** What VS Code and the extension have logged: a test may have failed since an extension host did not start. */
function tellWindow({ complaints, temporary }) {
	const logs = path.join(temporary, 'vscode/data/logs');
	const files = fs
		.readdirSync(logs, { recursive: true })
		.filter((file) => /(remoteexthost|MyDocker)\.log$/.test(file));
	const lines = files.flatMap((file) => fs.readFileSync(path.join(logs, file), 'utf8').split('\n'));
	const withoutStacks = [...complaints, ...lines].filter((line) => line !== '' && !line.startsWith('    at '));
	console.log(
		withoutStacks
			.map((line) => `      | ${line.slice(0, 200)}`)
			.slice(-40)
			.join('\n'),
	);
}
