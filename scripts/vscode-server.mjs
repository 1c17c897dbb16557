// The real VS Code, as a server (the npm package code-server, scripts off: test/host/server), and its workbench in
// headless Chromium. Used by the host tests, the UI tests and the tour.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { freePort, startBackground } from './background.mjs';

const root = path.resolve(import.meta.dirname, '..');
const vscode = path.join(root, 'test/host/server/node_modules/code-server/lib/vscode');
const serverMain = path.join(vscode, 'out/server-main.js');

/** The Node that VS Code's server needs (24); npm brings it. Elsewhere than on Linux x64 the caller's own is tried. */
export function serverNode() {
	const packaged = path.join(root, 'node_modules/.bin/node');
	return fs.existsSync(packaged) ? packaged : process.execPath;
}

const quietSettings = {
	'extensions.autoCheckUpdates': false,
	// In the words of today: older ones VS Code writes anew when a window opens, and complains when that fails.
	'extensions.autoUpdate': 'off',
	'telemetry.telemetryLevel': 'off',
	'workbench.startupEditor': 'none',
	'workbench.tips.enabled': false,
	'workbench.secondarySideBar.defaultVisibility': 'hidden',
	'workbench.layoutControl.enabled': false,
	'window.commandCenter': false,
	'chat.disableAIFeatures': true,
	'git.enabled': false,
};

/**
 * Starts a VS Code server on a free port of 127.0.0.1.
 *   folder       opened as the workspace
 *   dataDir      the server's own data (settings, global storage, logs); made when missing
 *   vsix         a packaged extension to install first
 *   development  or: the folder of an extension to load as it is
 *   tests        with `development`: the JavaScript file that runs the tests inside the extension host
 *   settings     user settings on top of the quiet ones
 *   env          more environment variables for the extension host
 *   locale       display language, such as "zh-cn"; English by default
 *   asksForTrust the workspace is not trusted until somebody says so; it is by default
 * Gives { url, port, globalStorage, stop() }: stop() ends the server and everything it started.
 */
export async function startServer(options) {
	prepareServer();
	const { dataDir, vsix } = options;
	writeSettings(dataDir, options.settings);
	if (options.locale) {
		addLanguagePack(dataDir, options.locale);
	}
	if (vsix && options.locale) {
		// The installer enters the language pack in VS Code's list as well.
		installExtension(dataDir, vsix);
	} else if (vsix) {
		copyInstallation(dataDir, vsix);
	}
	const port = await freePort();
	const server = startBackground('The VS Code server', serverNode(), serverArguments(port, options), {
		env: serverEnvironment(options.env),
	});
	try {
		await server.printed(/agent listening on/, 120_000);
	} catch (error) {
		await server.stop();
		throw error;
	}
	return {
		url: workbenchUrl(port, options),
		port,
		/** Where an extension's globalStorageUri points, given its id. */
		globalStorage: (extension) => path.join(dataDir, 'data/User/globalStorage', extension),
		output: () => server.output,
		stop: () => server.stop(),
	};
}

const terminalAddons = ['clipboard', 'image', 'ligatures', 'progress', 'search', 'serialize', 'unicode11', 'webgl'];

/** The server finds its modules by walking up, but the workbench fetches these from beside `out`. */
function prepareServer() {
	if (!fs.existsSync(serverMain)) {
		throw new Error('Cannot start VS Code: its server is not installed (run node scripts/setup.mjs)');
	}
	const modules = path.join(vscode, 'node_modules');
	fs.mkdirSync(modules, { recursive: true });
	// A link to the whole node_modules would be a loop that recursive scans of the folder never leave.
	const terminals = ['xterm', ...terminalAddons.map((name) => `addon-${name}`)].map((name) => `@xterm/${name}`);
	for (const name of ['vscode-oniguruma', 'vscode-textmate', ...terminals]) {
		const link = path.join(modules, name);
		const target = path.join(modules, '../../../..', name);
		// Not every addon is installed; a link to nothing would be in the way the next time.
		if (fs.existsSync(target) && !fs.existsSync(link)) {
			fs.mkdirSync(path.dirname(link), { recursive: true });
			fs.rmSync(link, { force: true });
			fs.symlinkSync(path.relative(path.dirname(link), target), link);
		}
	}
}

function writeSettings(dataDir, settings) {
	for (const scope of ['User', 'Machine']) {
		const folder = path.join(dataDir, 'data', scope);
		fs.mkdirSync(folder, { recursive: true });
		fs.writeFileSync(
			path.join(folder, 'settings.json'),
			JSON.stringify({ ...quietSettings, ...settings }, null, 4),
		);
	}
}

/**
 * VS Code takes a display language only from an installed language pack, and no registry that we can reach has one.
 * This one translates nothing of VS Code itself, so that its own texts stay English; extensions see the language and
 * show theirs.
 */
function addLanguagePack(dataDir, locale) {
	const name = `language-pack-${locale}`;
	const folder = path.join(dataDir, 'extensions', `mydocker.${name}-1.0.0`);
	fs.mkdirSync(folder, { recursive: true });
	const localizations = [{ languageId: locale, translations: [{ id: 'vscode', path: './vscode.json' }] }];
	const manifest = {
		name,
		publisher: 'mydocker',
		version: '1.0.0',
		engines: { vscode: '*' },
		contributes: { localizations },
	};
	fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
	fs.writeFileSync(path.join(folder, 'vscode.json'), JSON.stringify({ version: '1.0.0', contents: {} }));
	// The server's own index of language packs, which it would write only after the first page was served.
	const pack = { hash: name, extensions: [{ extensionIdentifier: { id: `mydocker.${name}` }, version: '1.0.0' }] };
	const index = { [locale]: { ...pack, translations: { vscode: path.join(folder, 'vscode.json') }, label: locale } };
	fs.writeFileSync(path.join(dataDir, 'data', 'languagepacks.json'), JSON.stringify(index));
}

/** Installs a packaged extension with VS Code's own installer; works offline. */
export function installExtension(dataDir, vsix) {
	const args = [
		'--server-data-dir',
		dataDir,
		'--accept-server-license-terms',
		'--install-extension',
		vsix,
		'--force',
	];
	const result = spawnSync(serverNode(), [serverMain, ...args], { encoding: 'utf8', env: serverEnvironment() });
	if (result.status !== 0) {
		throw new Error(`Cannot install "${vsix}" into VS Code:\n${result.stdout}${result.stderr}`);
	}
}

/** Folders in which a package has been installed, by its path; they go with this process. */
const installations = new Map();

/** As `installExtension`, for servers after the first: what the installer made for that one is copied. */
function copyInstallation(dataDir, vsix) {
	if (!installations.has(vsix)) {
		const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-installed-'));
		process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
		installExtension(folder, vsix);
		installations.set(vsix, folder);
	}
	fs.cpSync(path.join(installations.get(vsix), 'extensions'), path.join(dataDir, 'extensions'), { recursive: true });
}

function serverArguments(port, { dataDir, locale, tests, asksForTrust }) {
	return [
		serverMain,
		...['--host', '127.0.0.1', '--port', String(port), '--without-connection-token'],
		...['--server-data-dir', dataDir, '--accept-server-license-terms', '--telemetry-level', 'off'],
		...['--force-disable-user-env', '--disable-experiments'],
		...(asksForTrust ? [] : ['--disable-workspace-trust']),
		// Lets the window tell the exit code of the tests; it also hides every notification.
		...(tests ? ['--enable-smoke-test-driver'] : []),
		...(locale ? ['--locale', locale] : []),
	];
}

function serverEnvironment(env) {
	// These would lead the extension and its terminals to another store or engine than the window's.
	const { MYDOCKER_ROOT, DOCKER_HOST, DOCKER_CONTEXT, ...inherited } = process.env;
	return {
		...inherited,
		// No gallery: nothing is looked up outside this machine.
		EXTENSIONS_GALLERY: '{"serviceUrl":""}',
		// The caller's environment is the user's; VS Code need not ask a login shell for it.
		VSCODE_CLI: '1',
		VSCODE_PROXY_URI: '',
		VSCODE_SKIP_BUILTIN_EXTENSIONS: [
			'vscode.git',
			'vscode.github',
			'vscode.github-authentication',
			'vscode.microsoft-authentication',
		].join(','),
		...env,
	};
}

function workbenchUrl(port, { folder, development, tests }) {
	const remote = (file) => `vscode-remote://127.0.0.1:${port}${file}`;
	const payload = [
		...(development ? [['extensionDevelopmentPath', remote(development)]] : []),
		...(tests ? [['extensionTestsPath', remote(tests)]] : []),
	];
	const query = payload.length > 0 ? `&payload=${encodeURIComponent(JSON.stringify(payload))}` : '';
	return `http://127.0.0.1:${port}/?folder=${encodeURI(folder)}${query}`;
}

/** Headless Chromium (Debian's) that reaches 127.0.0.1 and nothing else. The caller closes it. */
export async function launchBrowser() {
	const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
	return chromium.launch({
		executablePath,
		// This process has its own way to end (background.mjs), and the browser's own would come first.
		handleSIGINT: false,
		handleSIGTERM: false,
		handleSIGHUP: false,
		// Chromium writes crash reports and caches below HOME, which may not be writable here.
		env: { ...process.env, HOME: os.tmpdir() },
		args: [
			...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
			...['--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'],
			'--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
		],
	});
}

/** Opens the workbench in a page of the browser and waits until it is there for the user. */
export async function openWorkbench(page, server) {
	// Not `load`: it waits for every worker and font; the workbench is usable long before on a busy machine.
	await page.goto(server.url, { waitUntil: 'commit', timeout: 120_000 });
	await page.locator('.monaco-workbench .activitybar').waitFor({ timeout: 120_000 });
}
