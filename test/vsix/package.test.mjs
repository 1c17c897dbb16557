// The package as its users install it.
//   MYDOCKER_TEST_VSIX       the package
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { installExtension } from '../../scripts/vscode-server.mjs';
import { openVSCode, photographFailures } from '../ui/session.mjs';

const vsix = process.env.MYDOCKER_TEST_VSIX;

describe('the packaged extension', () => {
	let session;
	after(() => session?.close());
	photographFailures(() => session);

	it('package: is at most 1 MB', () => {
		const { size } = fs.statSync(vsix);
		console.log(`      ${path.basename(vsix)}: ${Math.ceil(size / 1024)} KB`);
		assert.ok(size <= 1024 * 1024, `${size} bytes`);
	});

	it('package: holds what runs and what is read, and nothing else', () => {
		const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-vsix-'));
		try {
			installExtension(dataDir, vsix);
			const [name] = fs
				.readdirSync(path.join(dataDir, 'extensions'))
				.filter((each) => each.startsWith('mydocker.'));
			const files = fs
				.readdirSync(path.join(dataDir, 'extensions', name), { recursive: true, withFileTypes: true })
				.filter((entry) => entry.isFile())
				.map((entry) =>
					path.relative(path.join(dataDir, 'extensions', name), path.join(entry.parentPath, entry.name)),
				);
			const expected =
				/^(dist\/(extension|agent-tool|cli|commands|engine|engine-words|layer-report|layer-worker|remade|socket-agent|stats-page|stats-panel|worker)\.js|dist\/(stats-panel\.css|(command|start-engine)\.pl|mydocker)|l10n\/.*\.json|media\/.*|package(\.nls.*)?\.json)$/;
			const documents = ['.vsixmanifest', 'LICENSE.txt', 'changelog.md', 'readme.md'];
			assert.deepEqual(
				files.filter((file) => !expected.test(file)).sort(),
				documents,
				'files that nobody expects, or a document that is missing',
			);
			assert.deepEqual(files.filter((file) => file.startsWith('dist/')).sort(), [
				'dist/agent-tool.js',
				'dist/cli.js',
				'dist/command.pl',
				'dist/commands.js',
				'dist/engine-words.js',
				'dist/engine.js',
				'dist/extension.js',
				'dist/layer-report.js',
				'dist/layer-worker.js',
				'dist/mydocker',
				'dist/remade.js',
				'dist/socket-agent.js',
				'dist/start-engine.pl',
				'dist/stats-page.js',
				'dist/stats-panel.css',
				'dist/stats-panel.js',
				'dist/worker.js',
			]);
		} finally {
			fs.rmSync(dataDir, { recursive: true, force: true });
		}
	});

	it('installed: its views fill, so its engine starts', async () => {
		session = await openVSCode();
		await session.workbench.openMyDocker();
		await session.workbench.waitForWelcome('containers', /No containers/);
		await session.workbench.waitForWelcome('images', /No images/);
	});

	it('installed: it pulls, so it can unpack', async () => {
		await session.workbench.clickWelcomeLink('images', 'Pull');
		await session.workbench.typeInQuickInput(`${process.env.MYDOCKER_TEST_REGISTRY}/demo/busybox`);
		await session.workbench.waitForRow('images', 'demo/busybox');
		assert.deepEqual(await session.workbench.errors(), []);
	});
});
