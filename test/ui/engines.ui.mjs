// Engines that run already: a dockerd that a docker context names, and Podman's socket of the user. Another one is used
// without a reload, and its containers are driven as our own.
//   MYDOCKER_TEST_REGISTRY   "localhost:PORT", holding the demo images
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startBackground } from '../../scripts/background.mjs';
import { openVSCode, photographFailures } from './session.mjs';

const registry = process.env.MYDOCKER_TEST_REGISTRY;
const image = `${registry}/demo/web`;

describe('a person uses engines that run already', function () {
	this.bail(true);
	let folder;
	let docker;
	let podman;
	let session;
	let workbench;

	before(async function () {
		this.timeout(180_000);
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-engines-'));
		[docker, podman] = await Promise.all([
			startDocker(path.join(folder, 'd')),
			startPodman(path.join(folder, 'run')),
		]);
		writeContext(path.join(folder, 'config'), 'workshop', docker.socket);
		docker.run('pull', '-q', image);
		docker.run('create', '--name', 'on-docker', image);
		session = await openVSCode({
			env: {
				DOCKER_CONFIG: path.join(folder, 'config'),
				XDG_RUNTIME_DIR: path.join(folder, 'run'),
				HOME: folder,
			},
		});
		workbench = session.workbench;
	});
	after(async function () {
		this.timeout(120_000);
		await session?.close();
		await docker?.stop();
		await podman?.stop();
		fs.rmSync(folder, { recursive: true, force: true });
	});
	photographFailures(() => session);

	const photo = (name) => session.page.screenshot({ path: `out/ui/engines-${name}.png` });

	it('at first the window is on our own engine; the others are rows beside it, each with its state', async () => {
		await workbench.openMyDocker();
		await workbench.waitForWelcome('containers', /No containers yet/);
		await workbench.openView('engine');
		await workbench.waitForRow('engine', /^MyDocker.*in use/);
		const row = await workbench.waitForRow('engine', /workshop.*Docker \d+\.\d+/);
		assert.match(row.spoken, /^Engine workshop, Docker \d+/);
		await workbench.waitForRow('engine', /Podman.*Podman \d+\.\d+/);
		await photo('found');
	});

	it('the button of its row uses it: its containers are there, without a reload', async () => {
		const loads = await session.page.evaluate(() => globalThis.performance.timeOrigin);
		await workbench.clickInlineAction('engine', 'workshop', 'mydocker.engine.use');
		await workbench.waitForRow('containers', 'on-docker');
		await workbench.waitForRow('engine', /workshop.*in use/);
		assert.match(await headerOf('containers'), /workshop.*0 of 1 running/);
		assert.match(await headerOf('images'), /workshop/);
		await session.page.locator('.statusbar-item', { hasText: 'workshop' }).waitFor();
		assert.equal(await session.page.evaluate(() => globalThis.performance.timeOrigin), loads);
		await photo('docker');
	});

	it('a container there: started, its log, stopped, removed, all by its row', async () => {
		await workbench.clickInlineAction('containers', 'on-docker', 'mydocker.container.start');
		await workbench.waitForRow('containers', /on-docker.*running/);
		assert.equal(docker.run('ps', '--format', '{{.Names}}'), 'on-docker');
		await workbench.showLog('on-docker', /./);
		await workbench.clickInlineAction('containers', 'on-docker', 'mydocker.container.stop');
		await workbench.waitForRow('containers', /on-docker.*exited/);
	});

	it('what only our engine can is not offered', async () => {
		await workbench.row('images', 'demo/web').click({ button: 'right' });
		const menu = session.page.locator('.monaco-menu');
		await menu.locator('.action-item', { hasText: 'Inspect' }).first().waitFor();
		const entries = await menu.locator('.action-item').allInnerTexts();
		assert.deepEqual(
			entries.filter((entry) => /Layers/.test(entry)),
			[],
		);
		await session.page.keyboard.press('Escape');
	});

	it('the picker: Podman, by the keyboard; an image is pulled and run there', async () => {
		await workbench.runCommand('mydocker.engine.switch');
		await workbench.waitForQuickInput(/Podman \d+\.\d+/);
		await photo('picker');
		await workbench.typeInQuickInput('Podman');
		await workbench.waitForRow('engine', /Podman.*in use/);
		await workbench.waitForNoRow('containers', 'on-docker');
		await workbench.runCommand('mydocker.image.pull');
		await workbench.typeInQuickInput(image);
		// Not the row of the pull.
		await workbench.waitForRow('images', /demo\/web.*[kM]?B.*ago/);
		podman.run('run', '-d', '--network', 'host', '--name', 'on-podman', image);
		await workbench.waitForRow('containers', /on-podman.*running/);
		await workbench.showLog('on-podman', /./);
		await workbench.clickInlineAction('containers', 'on-podman', 'mydocker.container.stop');
		await workbench.waitForRow('containers', /on-podman.*exited/);
		await photo('podman');
	});

	it('both at once: each is a row with its own below it, and what is done goes to the engine of the row', async () => {
		await workbench.clickInlineAction('engine', 'workshop', 'mydocker.engine.show');
		const root = await workbench.waitForRow('containers', /Podman.*connected · 0 of 1 running/);
		assert.equal(root.spoken, 'Engine Podman, connected, 0 of 1 running');
		await workbench.waitForRow('containers', /workshop.*connected · 0 of 1 running/);
		await workbench.waitForRow('images', /workshop.*connected · 1 image/);
		await workbench.waitForRow('engine', /workshop.*in use · Docker Engine \d+\.\d+/);
		await workbench.waitForRow('engine', /Podman.*in use · Podman Engine \d+\.\d+/);
		for (const [name, engine] of [
			['on-podman', podman],
			['on-docker', docker],
		]) {
			await workbench.clickInlineAction('containers', name, 'mydocker.container.start');
			await workbench.waitForRow('containers', new RegExp(`${name}.*running`));
			assert.equal(engine.run('ps', '--format', '{{.Names}}'), name);
		}
		await workbench.waitForRow('containers', /workshop.*1 of 1 running/);
		await session.page.locator('.activitybar .badge-content', { hasText: '2' }).waitFor();
		await photo('both');
	});

	it('an engine without anything says so below its row; the first one that comes there is seen at once', async () => {
		await workbench.clickInlineAction('engine', 'MyDocker', 'mydocker.engine.show');
		await workbench.waitForRow('containers', 'There are no containers yet.');
		docker.run('rm', '-f', 'on-docker');
		await workbench.waitForRow('containers', /workshop.*0 containers/);
		await workbench.waitForNoRow('containers', 'on-docker');
		docker.run('run', '-d', '--name', 'on-docker', image);
		await workbench.waitForRow('containers', /on-docker.*running/);
		await photo('empty');
		await workbench.clickInlineAction('engine', 'MyDocker', 'mydocker.engine.hide');
		await workbench.waitForNoRow('containers', 'There are no containers yet.');
	});

	it('what is made asks for the engine, a picker says whose each row is', async () => {
		await workbench.runCommand('mydocker.volume.create');
		await workbench.waitForQuickInput(/On Which Engine/);
		await workbench.pick('workshop');
		await workbench.typeInQuickInput('made-here');
		await workbench.openView('volumes');
		await workbench.waitForRow('volumes', /workshop.*1 volume/);
		assert.equal(docker.run('volume', 'ls', '-q'), 'made-here');
		await workbench.runCommand('mydocker.container.openLogs');
		await workbench.waitForQuickInput(/on-docker.*workshop · running/);
		await photo('whose');
		await workbench.pick('on-podman');
		await workbench.waitForEditor(/web: tick/);
		await session.page.locator('.tab', { hasText: 'on-podman.log' }).waitFor();
	});

	it('the choice is kept for the workspace', async () => {
		await workbench.reload();
		await workbench.openMyDocker();
		await workbench.waitForRow('containers', /Podman.*1 of 1 running/);
		await workbench.waitForRow('containers', /workshop.*1 of 1 running/);
	});

	it('one of them goes: its row says so, the other goes on; with one there is no row of an engine', async () => {
		await podman.stop();
		await workbench.waitForRow('containers', /Podman.*does not answer/);
		await workbench.waitForNoRow('containers', 'on-podman');
		await workbench.clickInlineAction('containers', 'on-docker', 'mydocker.container.stop');
		await workbench.waitForRow('containers', /on-docker.*exited/);
		await photo('one-gone');
		await workbench.clickInlineAction('engine', 'workshop', 'mydocker.engine.hide');
		await workbench.waitForWelcome('containers', /The engine of this window does not answer/);
	});

	it('an engine that has gone is told, with the way out of it', async () => {
		await workbench.runCommand('mydocker.refresh');
		await workbench.waitForWelcome('containers', /The engine of this window does not answer/);
		await workbench.waitForNotification(/podman.sock is not there any more/);
		await photo('gone');
		await workbench.clickWelcomeLink('containers', 'Use Another Engine');
		await workbench.waitForQuickInput(/MyDocker/);
		await workbench.pick('MyDocker');
		await workbench.waitForWelcome('containers', /No containers yet/);
		await workbench.waitForRow('engine', /^MyDocker.*in use/);
		assert.doesNotMatch(await headerOf('images'), /Podman/);
		await photo('back');
	});

	async function headerOf(view) {
		return (await workbench.view(view).locator('.pane-header').innerText()).replace(/\s+/g, ' ');
	}
});

async function startDocker(root) {
	fs.mkdirSync(root);
	const socket = path.join(root, 'docker.sock');
	const server = startBackground('dockerd', 'dockerd', [
		...['--data-root', path.join(root, 'data'), '--exec-root', path.join(root, 'exec')],
		...['--pidfile', path.join(root, 'pid'), '-H', `unix://${socket}`, '--storage-driver', 'overlay2'],
		...['--iptables=false', '--ip6tables=false', '--bridge=none'],
	]);
	await server.printed(/API listen on/);
	const run = (...args) => execFileSync('docker', ['-H', `unix://${socket}`, ...args], { encoding: 'utf8' }).trim();
	const stop = async () => {
		removeAll(run);
		await server.stop();
		execFileSync('sh', [
			'-c',
			'for m in $(grep -o " $0/[^ ]*" /proc/self/mountinfo | tac); do umount "$m" || :; done',
			root,
		]);
	};
	return { socket, run, stop };
}

/** Where a user's `systemctl --user start podman.socket` would put it. */
async function startPodman(runtimeFolder) {
	const socket = path.join(runtimeFolder, 'podman/podman.sock');
	fs.mkdirSync(path.dirname(socket), { recursive: true });
	const root = fs.mkdtempSync(path.join(os.tmpdir(), 'mydocker-podman-'));
	const configuration = path.join(root, 'containers.conf');
	const registries = path.join(root, 'registries.conf');
	// runc, since crun refuses a machine with control groups of both versions.
	fs.writeFileSync(
		configuration,
		'[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' +
			'[containers]\nlog_driver = "k8s-file"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n',
	);
	fs.writeFileSync(registries, `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`);
	const env = { ...process.env, CONTAINERS_CONF: configuration, CONTAINERS_REGISTRIES_CONF: registries };
	const general = [
		...['--root', path.join(root, 'storage'), '--runroot', path.join(root, 'run'), '--storage-driver', 'vfs'],
		...['--tmpdir', path.join(root, 'tmp'), '--network-config-dir', path.join(root, 'networks')],
	];
	const args = [...general, '--log-level', 'info', 'system', 'service', '--time', '0', `unix://${socket}`];
	const server = startBackground('podman', 'podman', args, { env });
	await server.printed(/API service listening on/);
	const run = (...command) => execFileSync('podman', [...general, ...command], { encoding: 'utf8', env }).trim();
	let isStopped = false;
	const stop = async () => {
		if (!isStopped) {
			isStopped = true;
			removeAll(run);
			await server.stop();
			fs.rmSync(socket, { force: true });
			fs.rmSync(root, { recursive: true, force: true });
		}
	};
	return { socket, run, stop };
}

function removeAll(run) {
	const ids = run('ps', '-aq');
	if (ids !== '') {
		run('rm', '-f', ...ids.split('\n'));
	}
}

/** As `docker context create` writes it. */
function writeContext(folder, name, socket) {
	const id = crypto.createHash('sha256').update(name).digest('hex');
	const meta = path.join(folder, 'contexts/meta', id);
	fs.mkdirSync(meta, { recursive: true });
	const endpoints = { docker: { Host: `unix://${socket}`, SkipTLSVerify: false } };
	fs.writeFileSync(path.join(meta, 'meta.json'), JSON.stringify({ Name: name, Metadata: {}, Endpoints: endpoints }));
}
