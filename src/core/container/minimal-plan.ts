import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError } from '../errors';
import { MINIMAL_CHECK } from './minimal-script';
import { userNamespace } from '../user-namespace';
import { DEFAULT_PATH, type ProcessSpec, type Spec, type SpecMount } from './spec';

/** Where tools are in a container: in its own /dev, or beside it when that is the user's. */
export function stageOf(spec: Pick<Spec, 'mounts'>): string {
	return isOwnDev(spec) ? '/dev/.mydocker' : '/.mydocker';
}

/**
 * Writes what MINIMAL_SCRIPT reads to make the container of a spec. `cgroups` are the groups that it joins. Throws
 * EngineError "unsupported" for what this runtime cannot do.
 */
export function writePlan(folder: string, spec: Spec, cgroups: readonly string[]): void {
	fs.rmSync(folder, { recursive: true, force: true });
	fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
	const stage = stageOf(spec);
	const { process: program, linux } = spec;
	const ownDev = spec.mounts.find(({ destination }) => destination === '/dev');
	const hasCgroupns = linux.namespaces.some(({ type }) => type === 'cgroup');
	const values = [
		...[spec.root.path, stage, randomBytes(16).toString('hex'), spec.hostname, program.cwd],
		...[spec.root.readonly ? 'yes' : '', String(program.oomScoreAdj ?? ''), program.terminal ? 'yes' : ''],
	];
	const files: Readonly<Record<string, readonly string[]>> = {
		values,
		cgroups,
		unshare: unshareArguments(spec),
		rlimits: (program.rlimits ?? []).map(rlimit),
		...(isOwnDev(spec) && ownDev !== undefined ? { dev: [kernelOptions(ownDev).join(',')] } : {}),
		...(hasCgroupns ? { cgroupns: [] } : {}),
		mounts: spec.mounts
			.filter((mount) => mount !== ownDev || !isOwnDev(spec))
			.filter(({ type }) => type !== 'cgroup')
			.flatMap(mountLines)
			.concat(isOwnDev(spec) ? deviceLines(spec) : []),
		links: isOwnDev(spec) ? LINKS.flat() : [],
		sysctls: Object.entries(linux.sysctl).flatMap(([name, value]) => [name.replaceAll('.', '/'), value]),
		masked: linux.maskedPaths,
		readonly: linux.readonlyPaths,
		process: processArguments(program, stage),
	};
	for (const [name, lines] of Object.entries(files)) {
		fs.writeFileSync(path.join(folder, name), encode(lines), { mode: 0o600 });
	}
}

/** The same for a further process in a container that was made so. */
export function writeExecPlan(
	folder: string,
	program: ProcessSpec,
	{ stage, cgroups }: { readonly stage: string; readonly cgroups: readonly string[] },
): void {
	fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
	const files = { process: processArguments(program, stage), cgroups, tty: [terminalOf(program)] };
	for (const [name, lines] of Object.entries(files)) {
		fs.writeFileSync(path.join(folder, name), encode(lines), { mode: 0o600 });
	}
}

/** Options of nsenter(1) for the namespaces that a container has of its own. */
export function nsenterArguments({ linux }: Spec): string[] {
	const names: Readonly<Record<string, string>> = {
		...{ mount: '--mount', uts: '--uts', ipc: '--ipc', network: '--net', cgroup: '--cgroup' },
	};
	return linux.namespaces.flatMap(({ type }) => names[type] ?? []);
}

const LINKS: readonly (readonly [string, string])[] = [
	['pts/ptmx', '/dev/ptmx'],
	['/proc/self/fd', '/dev/fd'],
	['/proc/self/fd/0', '/dev/stdin'],
	['/proc/self/fd/1', '/dev/stdout'],
	['/proc/self/fd/2', '/dev/stderr'],
];

/** One value a line. */
function encode(lines: readonly string[]): string {
	return lines.map((line) => `${line.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`).join('');
}

function isOwnDev({ mounts }: Pick<Spec, 'mounts'>): boolean {
	return mounts.some(({ destination, type }) => destination === '/dev' && type === 'tmpfs');
}

function unshareArguments({ linux, process: program }: Spec): string[] {
	const own = linux.namespaces.filter(({ path: file }) => file === undefined).map(({ type }) => type);
	const joins: Readonly<Record<string, string>> = { ipc: '--ipc', network: '--net' };
	const shared = linux.namespaces.filter(({ path: file }) => file !== undefined);
	if (shared.some(({ type }) => joins[type] === undefined) || !own.includes('pid')) {
		throw new EngineError(
			'unsupported',
			'Cannot start container: the minimal runtime cannot share the processes of the host or of another container; install the package "runc"',
		);
	}
	const names: Readonly<Record<string, string>> = { uts: '--uts', ipc: '--ipc', network: '--net' };
	const unshare = [
		...['--mount', '--propagation', linux.rootfsPropagation === 'rslave' ? 'slave' : 'private'],
		...own.flatMap((type) => names[type] ?? []),
		...['--pid', '--fork', '--kill-child', '--', ...session(terminalOf(program))],
	];
	// nsenter first: of unshare's own options none joins a namespace.
	const entered = shared.map(({ type, path: file = '' }) => `${joins[type] ?? ''}=${file}`);
	return entered.length === 0 ? unshare : ['--', 'nsenter', ...entered, '--', 'unshare', ...unshare];
}

/**
 * What a program does about its terminal, which is that of the session that script(1) made: only root may take it from there
 * (TIOCSCTTY, ioctl_tty(2)), so another user's program stays in that session.
 */
function terminalOf({ terminal }: Pick<ProcessSpec, 'terminal'>): 'takes' | 'shares' | '' {
	if (!terminal) {
		return '';
	}
	return userNamespace().isInitial ? 'takes' : 'shares';
}

function session(terminal: ReturnType<typeof terminalOf>): string[] {
	const words = { takes: ['setsid', '--ctty'], shares: [], '': ['setsid'] };
	return words[terminal];
}

function rlimit({ type, soft, hard }: { readonly type: string; readonly soft: number; readonly hard: number }): string {
	const value = (limit: number): string =>
		limit < 0 || limit > Number.MAX_SAFE_INTEGER ? 'unlimited' : String(limit);
	return `--${type.replace('RLIMIT_', '').toLowerCase()}=${value(soft)}:${value(hard)}`;
}

/** kind, source, target, type, options */
function mountLines({ destination, type, source, options }: SpecMount): string[] {
	const isBind = type === 'bind' || options.includes('bind') || options.includes('rbind');
	if (!isBind) {
		return ['folder', source, destination, type, kernelOptions({ options }).join(',')];
	}
	// Links of the host's lead elsewhere once the container's root is the root.
	const real = fs.realpathSync(source);
	const kind = fs.statSync(real).isDirectory() ? 'folder' : 'file';
	const given = options.includes('rbind') || options.includes('bind') ? options : ['rbind', ...options];
	return [kind, real, destination, 'bind', kernelOptions({ options: given }).join(',')];
}

/** mount(8) takes the runtime-spec's words, but for "newinstance", which is the only way by now. */
function kernelOptions({ options }: Pick<SpecMount, 'options'>): string[] {
	const kept = options.filter((option) => option !== 'newinstance');
	return kept.length === 0 ? ['defaults'] : kept;
}

function deviceLines({ linux }: Spec): string[] {
	const usual = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => [`/dev/${name}`, `/dev/${name}`]);
	const asked = (linux.devices ?? []).flatMap((device) => {
		const target: unknown = Reflect.get(device, 'path');
		return typeof target === 'string' && fs.existsSync(target) ? [[target, target]] : [];
	});
	return [...usual, ...asked].flatMap(([source = '', target = '']) => ['file', source, target, 'bind', 'bind']);
}

/** The whole command inside the container: drops the rights, looks at the program, becomes it. */
function processArguments(program: ProcessSpec, stage: string): string[] {
	const tools = `${stage}/tools`;
	const tool = (name: string): string[] => [`${tools}/ld`, '--library-path', tools, `${tools}/${name}`];
	const [name = ''] = program.args;
	if (name.includes('=')) {
		throw new EngineError(
			'unsupported',
			`Cannot run "${name}": the minimal runtime runs no program with "=" in its name`,
		);
	}
	const search =
		program.env.findLast((variable) => variable.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
	return [
		...tool('setpriv'),
		...privileges(program),
		...['--', ...tool('sh'), '-c', MINIMAL_CHECK, 'sh'],
		...[tools, program.cwd, search, name, '--', ...program.env, ...program.args],
	];
}

function privileges({ user, capabilities, noNewPrivileges }: ProcessSpec): string[] {
	const bounding = (capabilities['bounding'] ?? []).map((name) => `+${name.replace('CAP_', '').toLowerCase()}`);
	return [
		...['--reuid', String(user.uid), '--regid', String(user.gid)],
		...groups(user),
		...['--inh-caps', '-all', `--bounding-set=${['-all', ...bounding].join(',')}`],
		...(noNewPrivileges ? ['--no-new-privs'] : []),
	];
}

function groups({ additionalGids }: ProcessSpec['user']): string[] {
	return additionalGids.length === 0 ? ['--clear-groups'] : ['--groups', additionalGids.join(',')];
}
