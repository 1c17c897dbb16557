// Makes a machine ready, and does nothing when it is: Debian packages, npm packages, the VS Code server.
//   node scripts/setup.mjs [--test]     --test: what only the tests need, too
// Runs under the machine's own Node with no node_modules, so it imports nothing but Node.
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');
const policy = '/usr/sbin/policy-rc.d';

// What is needed, how to see that it is there, and the Debian package that brings it. Programs are looked for by name,
// since they may have come another way than from Debian (Docker's own packages, for one). `services` start at boot, which
// nobody asked for: an open registry on port 5000 among them.
const always = [
	{ package: 'runc', isThere: () => hasProgram('runc') },
	{
		package: 'docker-registry',
		isThere: () => hasProgram('docker-registry'),
		services: ['docker-registry.service'],
	},
	{ package: 'chromium', isThere: () => Boolean(process.env.CHROMIUM) || hasProgram('chromium') },
	{ package: 'busybox-static', isThere: isBusyboxStatic },
	{ package: 'iproute2', isThere: () => hasProgram('ip') },
	{ package: 'iptables', isThere: () => hasProgram('iptables-restore') },
	{ package: 'util-linux', isThere: () => hasProgram('unshare') && hasProgram('setsid') },
	{ package: 'perl-base', isThere: () => hasProgram('perl') },
	{ package: 'mount', isThere: () => hasProgram('mount') },
	{ package: 'fonts-dejavu-core', isThere: () => fs.existsSync('/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf') },
	{
		package: 'fonts-noto-cjk',
		isThere: () => fs.existsSync('/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc'),
	},
];
const forTests = [
	{
		package: 'docker.io',
		isThere: () => hasProgram('dockerd') && hasProgram('docker'),
		services: ['docker.service', 'docker.socket', 'containerd.service'],
	},
	{ package: 'crun', isThere: () => hasProgram('crun') },
	{ package: 'docker-compose', isThere: () => hasProgram('docker-compose') },
	{ package: 'nftables', isThere: () => hasProgram('nft') },
	{ package: 'conntrack', isThere: () => hasProgram('conntrack') },
	{ package: 'skopeo', isThere: () => hasProgram('skopeo') },
	{ package: 'openssl', isThere: () => hasProgram('openssl') },
	{ package: 'fuse-overlayfs', isThere: () => hasProgram('fuse-overlayfs') },
	{ package: 'umoci', isThere: () => hasProgram('umoci') },
	{ package: 'uidmap', isThere: () => hasProgram('newuidmap') },
	{
		package: 'podman',
		isThere: () => hasProgram('podman'),
		services: ['podman.service', 'podman.socket', 'podman-auto-update.timer', 'podman-restart.service'],
	},
	{ package: 'netavark', isThere: () => fs.existsSync('/usr/lib/podman/netavark') },
	{ package: 'slirp4netns', isThere: () => hasProgram('slirp4netns') },
];

/** Throws an Error whose message tells the user what to do when the machine cannot be made ready. */
export function setup({ tests = false } = {}) {
	if (process.platform !== 'linux') {
		throw new Error('MyDocker runs containers with Linux itself: use Linux, WSL or a Linux container.');
	}
	installDebianPackages([...always, ...(tests ? forTests : [])]);
	if (tests) {
		addTestUser();
	}
	installNpmPackages(root, 'npm packages');
	installNpmPackages(path.join(root, 'test/host/server'), 'VS Code server');
}

function installDebianPackages(needs) {
	const missing = needs.filter((need) => !need.isThere()).map((need) => need.package);
	if (missing.length === 0) {
		return;
	}
	const isAllowed = process.getuid() === 0 && hasProgram('apt-get');
	if (!isAllowed) {
		throw new Error(
			[
				`Missing on this machine: ${missing.join(', ')}.`,
				'Install them (these are the names of Debian packages), then try again:',
				`    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`,
			].join('\n'),
		);
	}
	withoutServices(() => {
		step(`Debian packages: ${missing.join(', ')}`, () => {
			const apt = ['-qq', '-o', 'DPkg::Lock::Timeout=120'];
			run('apt-get', [...apt, 'update'], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
			run('apt-get', [...apt, 'install', '-y', '--no-install-recommends', ...missing], {
				env: { DEBIAN_FRONTEND: 'noninteractive' },
			});
		});
	});
	const services = missing.flatMap((name) => needs.find((need) => need.package === name).services ?? []);
	if (services.length > 0 && hasProgram('systemctl')) {
		run('systemctl', ['--quiet', 'disable', ...services]);
	}
}

/** The ordinary user of the tier `rootless`; useradd gives subordinate ids that nobody else has. */
function addTestUser() {
	const name = 'mydocker-test';
	if (process.getuid() === 0 && !fs.readFileSync('/etc/passwd', 'utf8').includes(`\n${name}:`)) {
		run('useradd', ['--no-create-home', '--shell', '/usr/sbin/nologin', name]);
	}
}

/** Keeps Debian from starting what it installs: we run these programs ourselves, when and where we need them. */
function withoutServices(install) {
	if (fs.existsSync(policy)) {
		install();
		return;
	}
	fs.writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
	try {
		install();
	} finally {
		fs.rmSync(policy, { force: true });
	}
}

/** `npm ci` in the folder, unless its node_modules already are what its lock file says. */
function installNpmPackages(folder, name) {
	const lock = path.join(folder, 'package-lock.json');
	const installed = path.join(folder, 'node_modules/.package-lock.json');
	const stamp = path.join(folder, 'node_modules/.mydocker-lock');
	const wanted = crypto.createHash('sha256').update(fs.readFileSync(lock)).digest('hex');
	const isDone =
		(fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) ||
		// A developer's own `npm install`.
		(fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs);
	if (isDone) {
		return;
	}
	step(name, () => {
		// Not the Node below node_modules, which `npm ci` deletes first.
		const searchPath = process.env.PATH.split(':').filter((each) => !each.endsWith('node_modules/.bin'));
		run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
			cwd: folder,
			env: { PATH: searchPath.join(':') },
		});
		fs.writeFileSync(stamp, wanted);
	});
}

/** Says what is done and how long it took. */
function step(name, work) {
	process.stdout.write(`  … ${name}\n`);
	const start = Date.now();
	work();
	process.stdout.write(`  ✓ ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)\n`);
}

/** Runs a program to its end; what it printed is shown only when it fails. */
function run(program, args, { cwd, env } = {}) {
	const options = { cwd, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 };
	const result = spawnSync(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
	if (result.status !== 0) {
		const reason = result.error?.message ?? `exit code ${result.status ?? result.signal}`;
		throw new Error(
			`Cannot run "${program} ${args.join(' ')}": ${reason}\n${result.stdout ?? ''}${result.stderr ?? ''}`,
		);
	}
}

function hasProgram(name) {
	const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
	return folders.some((folder) => folder !== '' && fs.existsSync(path.join(folder, name)));
}

/** busybox and busybox-static own the same file; only the static one runs in an image of its own. */
function isBusyboxStatic() {
	if (!fs.existsSync('/bin/busybox')) {
		return false;
	}
	// ELF64: a program header of type 3 (PT_INTERP) names the dynamic loader.
	const bytes = fs.readFileSync('/bin/busybox');
	const [offset, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
	return !Array.from({ length: count }, (_, index) => bytes.readUInt32LE(offset + index * size)).includes(3);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	try {
		setup({ tests: process.argv.includes('--test') });
	} catch (error) {
		console.error(error.message);
		process.exitCode = 1;
	}
}
