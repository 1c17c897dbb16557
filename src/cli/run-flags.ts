import { FlagError } from './errors';
import { integer, list, text, toggle } from './flags';
import type { Values } from './flags';
import { hostFlags } from './host-flags';

export const detachKeys = text(
	'--detach-keys',
	'string',
	'Override the key sequence for detaching a container (default "ctrl-p,ctrl-q")',
);

/** Flags of `create` and `run`: what the container shall be. */
export const createFlags = {
	...hostFlags,
	addHost: list('--add-host', 'list', 'Add a custom host-to-IP mapping (host:ip)'),
	annotation: list('--annotation', 'list', 'Add an annotation to the container (passed to the OCI runtime)', label),
	attach: list('-a, --attach', 'list', 'Attach to STDIN, STDOUT or STDERR', stream),
	capAdd: list('--cap-add', 'list', 'Add Linux capabilities'),
	capDrop: list('--cap-drop', 'list', 'Drop Linux capabilities'),
	cidfile: text('--cidfile', 'string', 'Write the container ID to the file'),
	dns: list('--dns', 'list', 'Set custom DNS servers'),
	dnsOption: { ...list('--dns-option', 'list', 'Set DNS options'), alias: '--dns-opt' },
	dnsSearch: list('--dns-search', 'list', 'Set custom DNS search domains'),
	entrypoint: text('--entrypoint', 'string', 'Overwrite the default ENTRYPOINT of the image'),
	env: list('-e, --env', 'list', 'Set environment variables', variable),
	envFile: list('--env-file', 'list', 'Read in a file of environment variables'),
	expose: list('--expose', 'list', 'Expose a port or a range of ports'),
	hostname: text('-h, --hostname', 'string', 'Container host name'),
	interactive: toggle('-i, --interactive', 'Keep STDIN open even if not attached'),
	ip: text('--ip', 'string', 'IPv4 address (such as 172.30.100.104)'),
	ip6: text('--ip6', 'string', 'IPv6 address (such as 2001:db8::33)'),
	label: list('-l, --label', 'list', 'Set meta data on a container', label),
	labelFile: list('--label-file', 'list', 'Read in a line delimited file of labels'),
	link: list('--link', 'list', 'Add link to another container'),
	logDriver: text('--log-driver', 'string', 'Logging driver for the container'),
	logOpt: list('--log-opt', 'list', 'Log driver options'),
	macAddress: text('--mac-address', 'string', 'Container MAC address (such as 92:d0:c6:0a:29:33)'),
	mount: list('--mount', 'mount', 'Attach a filesystem mount to the container'),
	name: text('--name', 'string', 'Assign a name to the container'),
	network: { ...list('--network', 'network', 'Connect a container to a network'), alias: '--net' },
	networkAlias: {
		...list('--network-alias', 'list', 'Add network-scoped alias for the container'),
		alias: '--net-alias',
	},
	platform: text('--platform', 'string', 'Platform of the image, such as linux/arm64'),
	privileged: toggle('--privileged', 'Give extended privileges to this container'),
	publish: list('-p, --publish', 'list', "Publish a container's port(s) to the host"),
	publishAll: toggle('-P, --publish-all', 'Publish all exposed ports to random ports'),
	pull: text('--pull', 'string', 'Pull image before running ("always", "missing", "never")', 'missing'),
	quiet: toggle('-q, --quiet', 'Suppress the pull output'),
	readOnly: toggle('--read-only', "Mount the container's root filesystem as read only"),
	rm: toggle('--rm', 'Automatically remove the container and its anonymous volumes when it exits'),
	stopSignal: text('--stop-signal', 'string', 'Signal to stop the container'),
	stopTimeout: integer('--stop-timeout', 'Timeout (in seconds) to stop a container'),
	tmpfs: list('--tmpfs', 'list', 'Mount a tmpfs directory'),
	tty: toggle('-t, --tty', 'Allocate a pseudo-TTY'),
	user: text('-u, --user', 'string', 'Username or UID (format: <name|uid>[:<group|gid>])'),
	volume: list('-v, --volume', 'list', 'Bind mount a volume'),
	workdir: text('-w, --workdir', 'string', 'Working directory inside the container'),
};

/** Flags of `run`: those of `create`, and what this terminal shall do meanwhile. */
export const runFlags = {
	...createFlags,
	detachKeys,
	detach: toggle('-d, --detach', 'Run container in background and print container ID'),
	sigProxy: toggle('--sig-proxy', 'Proxy received signals to the process (default true)', true),
};

export type CreateFlags = Values<typeof createFlags>;
export type RunFlags = Values<typeof runFlags>;

function variable(value: string): void {
	if (value === '' || value.startsWith('=')) {
		throw new FlagError(createFlags.env.spelling, value, `invalid environment variable: ${value}`);
	}
}

function label(value: string): void {
	if (value === '' || value.startsWith('=')) {
		throw new FlagError(createFlags.label.spelling, value, `invalid label '${value}': empty name`);
	}
}

function stream(value: string): void {
	if (!['stdin', 'stdout', 'stderr'].includes(value.toLowerCase())) {
		throw new FlagError(createFlags.attach.spelling, value, 'valid streams are STDIN, STDOUT and STDERR');
	}
}
