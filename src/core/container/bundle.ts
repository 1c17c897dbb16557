import * as fs from 'node:fs';
import * as path from 'node:path';
import { EngineError, systemCode } from '../errors';
import type { LookupLayer } from '../storage/driver';
import type { Container } from '../types';
import { readRootFile, resolveRootPath } from './rootfs';
import type { HostEntry } from '../network/hosts';
import { parseExtraHost } from '../network/hosts';
import { containerSpec, machine, type SharedIpc, type Spec, type SpecNetwork } from './spec';
import { resolveGroups, resolveUser } from './user';

/** Where a container keeps its work files: `<root>/containers/<id>`. */
export interface ContainerFolder {
	readonly path: string;
	readonly upper: string;
	readonly work: string;
	readonly merged: string;
	/** OCI bundle: config.json */
	readonly bundle: string;
	/** hosts, hostname, resolv.conf: bound over the image's */
	readonly etc: string;
	readonly shim: string;
	/** Where /dev/shm is mounted when others may join it */
	readonly shm: string;
	readonly log: string;
}

export function containerFolder(root: string, id: string): ContainerFolder {
	const folder = path.join(root, 'containers', id);
	const inside = (name: string): string => path.join(folder, name);
	return {
		path: folder,
		upper: inside('upper'),
		work: inside('work'),
		merged: inside('merged'),
		bundle: inside('bundle'),
		etc: inside('etc'),
		shim: inside('shim'),
		shm: inside('shm'),
		log: path.join(folder, 'log', `${id}-json.log`),
	};
}

/** Makes the folder of a new container. Modes are set in so many words, whatever the umask. */
export function makeContainerFolder(folder: ContainerFolder): void {
	fs.mkdirSync(folder.path, { recursive: true, mode: 0o710 });
	for (const name of [folder.upper, folder.work, folder.merged, folder.bundle, folder.etc]) {
		fs.mkdirSync(name);
	}
	// The upper folder's mode is that of the container's "/".
	fs.chmodSync(folder.upper, 0o755);
}

/** Removes it with all that the container wrote. The few small files of a start go at once, which is far quicker. */
export async function removeContainerFolder(folder: ContainerFolder): Promise<void> {
	for (const small of [folder.bundle, folder.etc, folder.shim]) {
		fs.rmSync(small, { recursive: true, force: true });
	}
	await fs.promises.rm(folder.path, { recursive: true, force: true });
}

/** What a start knows of a container's network. */
export type BundleNetwork = SpecNetwork & {
	/** Content of the files in /etc; by default made from the host's. */
	readonly files?: { readonly hosts: string; readonly resolvConf: string };
	/** Folder of the files of the container whose network is shared; by default the container's own. */
	readonly etc?: string;
};

/**
 * Writes what the runtime starts from: the spec, the files bound over /etc, and missing folders of bind mounts as docker
 * makes them. `lookup` are the folders to look names up in, top first; volumes are bind mounts by now. Throws EngineError "invalid" for a user, group or working
 * directory that the image does not bear.
 */
export function writeBundle(
	container: Container,
	folder: ContainerFolder,
	options: {
		readonly lookup: readonly LookupLayer[];
		readonly network: BundleNetwork;
		/** Of another container, to be shared. */
		readonly pidNamespace?: string | undefined;
		readonly ipc?: SharedIpc | undefined;
		/** The runtime's own annotations for a spec. */
		readonly annotate: (spec: Spec) => Readonly<Record<string, string>>;
	},
): void {
	const { config } = container;
	const { lookup: layers, network, pidNamespace, ipc } = options;
	const groupFile = readRootFile(layers, '/etc/group') ?? '';
	const plainUser = resolveUser(config.user, readRootFile(layers, '/etc/passwd') ?? '', groupFile);
	const groups = resolveGroups(config.isolation?.groups ?? [], groupFile);
	const user = { ...plainUser, additionalGids: [...new Set([...plainUser.additionalGids, ...groups])] };
	checkWorkingDir(config.working_dir, layers);
	makeBindSources(container);
	if (network.etc === undefined) {
		writeEtc(container, folder.etc, network);
	}
	const spec = containerSpec({
		id: container.id,
		config,
		annotations: container.annotations,
		merged: folder.merged,
		etc: network.etc ?? folder.etc,
		user,
		machine: machine(),
		network,
		pidNamespace,
		ipc,
	});
	const annotated = { ...spec, annotations: { ...spec.annotations, ...options.annotate(spec) } };
	fs.writeFileSync(path.join(folder.bundle, 'config.json'), specText(annotated));
}

/** JSON of a spec. RLIM_INFINITY is 2^64 - 1, which no number of JavaScript is: an unlimited rlimit is -1 until here. */
function specText(spec: Spec): string {
	return JSON.stringify(spec, (key, value: unknown) =>
		(key === 'soft' || key === 'hard') && value === -1 ? UNLIMITED : value,
	).replaceAll(JSON.stringify(UNLIMITED), '18446744073709551615');
}

/** Stands for a number while the text is made; no other value of a spec can be this. */
const UNLIMITED = '\0unlimited';

/** A working directory in /proc could be one that the runtime has open outside the container (CVE-2024-21626). */
function checkWorkingDir(folder: string, layers: readonly LookupLayer[]): void {
	if (/^\/proc(\/|$)/.test(resolveRootPath(layers, folder))) {
		throw new EngineError('invalid', `the working directory '${folder}' is invalid, it must not be in /proc`);
	}
}

function makeBindSources({ config }: Container): void {
	for (const mount of config.mounts) {
		const first = mount.type === 'bind' && !fs.existsSync(mount.source) ? makeFolder(mount.source) : undefined;
		for (let made = mount.source; first !== undefined && made.length >= first.length; made = path.dirname(made)) {
			fs.chmodSync(made, 0o755);
		}
	}
}

/** The topmost folder that was made. */
function makeFolder(folder: string): string | undefined {
	return fs.mkdirSync(folder, { recursive: true });
}

const LOCALHOST = [
	'127.0.0.1\tlocalhost',
	'::1\tlocalhost ip6-localhost ip6-loopback',
	'fe00::0\tip6-localnet',
	'ff00::0\tip6-mcastprefix',
	'ff02::1\tip6-allnodes',
	'ff02::2\tip6-allrouters',
];

function writeEtc({ config }: Container, etc: string, network: BundleNetwork): void {
	writePublic(path.join(etc, 'hosts'), network.files?.hosts ?? hostsWithoutNetwork(config, network));
	writePublic(path.join(etc, 'hostname'), `${config.hostname}\n`);
	writePublic(path.join(etc, 'resolv.conf'), network.files?.resolvConf ?? readIfThere('/etc/resolv.conf') ?? '');
}

function hostsWithoutNetwork(config: Container['config'], network: BundleNetwork): string {
	// Without a bridge the host is where the container is.
	const extra = config.extra_hosts.map((entry) => formatHost(parseExtraHost(entry, '127.0.0.1')));
	const shared = network.kind === 'host' ? readIfThere('/etc/hosts') : undefined;
	// Programs look their own name up; 127.0.1.1 is where Debian puts it.
	const own = shared?.includes(config.hostname) === true ? [] : [`127.0.1.1\t${config.hostname}`];
	return [...(shared?.trimEnd().split('\n') ?? LOCALHOST), ...own, ...extra].join('\n') + '\n';
}

function formatHost({ address, names }: HostEntry): string {
	return `${address}\t${names.join(' ')}`;
}

/** Overwrites in place, and readable for every user of the container. */
function writePublic(file: string, text: string): void {
	fs.writeFileSync(file, text);
	fs.chmodSync(file, 0o644);
}

function readIfThere(file: string): string | undefined {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		if (systemCode(error) === 'ENOENT') {
			return undefined;
		}
		throw error;
	}
}
