#!/usr/bin/env node
// Stands in for the VS Code executable of @vscode/test-electron, and takes its arguments: runs test/vscode inside the
// extension host of a real VS Code server, its workbench open in headless Chromium.
//   --extensionDevelopmentPath=DIR --extensionTestsPath=FILE
//   MYDOCKER_TEST_GREP      only the tests whose name matches
//   MYDOCKER_TEST_TIMEOUT   milliseconds for the whole run; five minutes by default
//   MYDOCKER_TEST_SHOT      a PNG file for what the window shows at the end
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { interruption } from '../../scripts/background.mjs';
import { removeStore } from '../../scripts/store.mjs';
import { launchBrowser, openWorkbench, startServer } from '../../scripts/vscode-server.mjs';

const argument = (name) => process.argv.find((text) => text.startsWith(`--${name}=`))?.slice(name.length + 3);
const development = argument('extensionDevelopmentPath');
const tests = argument('extensionTestsPath');
if (!development || !tests) {
	throw new Error('Cannot run the tests: --extensionDevelopmentPath and --extensionTestsPath are needed');
}

const interrupted = interruption();
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-host-'));
const folder = path.join(temporary, 'workspace');
fs.mkdirSync(folder);
let output;
let server;
let browser;
let outcome;
try {
	output = await printLines(path.join(temporary, 'output.sock'));
	server = await startServer({
		folder,
		dataDir: path.join(temporary, 'vscode'),
		development,
		tests,
		env: { MYDOCKER_TEST_OUTPUT: path.join(temporary, 'output.sock') },
	});
	browser = await launchBrowser();
	outcome = await runInWindow();
} catch (error) {
	outcome = error;
} finally {
	await browser?.close();
	await server?.stop();
	if (server) {
		await removeStore(server.globalStorage('mydocker.mydocker'));
	}
	output?.close();
	fs.rmSync(temporary, { recursive: true, force: true });
}
if (outcome instanceof Error) {
	console.error(`The tests in VS Code did not end: ${outcome.stack}`);
	console.error(server?.output().slice(-4000) ?? '');
}
process.exit(outcome === 0 ? 0 : 1);

/** Opens the window, which starts the tests by itself, and gives their exit code. */
async function runInWindow() {
	const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
	const limit = Number(process.env.MYDOCKER_TEST_TIMEOUT ?? 300_000);
	const ended = new Promise((resolve, reject) => {
		// VS Code calls this when its argument --enable-smoke-test-driver is there and the tests are over.
		void page.exposeFunction('codeAutomationExit', resolve).catch(reject);
		interrupted.addEventListener('abort', () => reject(interrupted.reason));
		setTimeout(() => reject(new Error(`no end after ${limit / 1000} s`)), limit).unref();
	});
	await page.exposeFunction('codeAutomationLog', (type, args) => {
		if (process.env.MYDOCKER_TEST_DEBUG) {
			console.log('[window]', type, ...args);
		}
	});
	const opened = openWorkbench(page, server);
	const exitCode = await Promise.race([opened.then(() => ended), ended]);
	if (process.env.MYDOCKER_TEST_SHOT) {
		await page.screenshot({ path: process.env.MYDOCKER_TEST_SHOT });
	}
	return exitCode;
}

/** Listens on a Unix socket and prints the lines that come. */
async function printLines(socket) {
	const listener = net.createServer((connection) => {
		connection.setEncoding('utf8');
		connection.on('data', (text) => process.stdout.write(text));
	});
	await new Promise((resolve, reject) => listener.listen(socket, resolve).once('error', reject));
	return listener;
}
