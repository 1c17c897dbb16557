import { filters, integer, text, toggle } from './flags';
import { createFlags, runFlags } from './run-flags';
import { exactly, none, oneOrMore, row } from './row';

export const nouns = {
	container: 'Manage containers',
	image: 'Manage images',
	system: 'Manage MyDocker',
};

/** Flags that come before the command. */
export const globalFlags = {
	debug: toggle('-D, --debug', 'Tell on stderr what is done about the engine, and where an error comes from'),
	host: text('-H, --host', 'string', 'Engine to use instead of our own: unix:///path of a Docker or Podman socket'),
	root: text('--root', 'string', 'Folder of the store (default "~/.local/share/mydocker")'),
	version: toggle('-v, --version', 'Print version information and quit'),
};

const format = text(
	'--format',
	'string',
	"Format output: 'table', 'table TEMPLATE', 'json', or a template such as '{{.ID}}'",
);
const objectFormat = text('-f, --format', 'string', "Format output: 'json', or a template such as '{{.ID}}'");
const signal = text('-s, --signal', 'string', 'Signal to send to the container');
const timeout = integer('-t, --timeout', 'Seconds to wait before killing the container');
const containers = 'CONTAINER [CONTAINER...]';

/**
 * Every command. A new one costs a row here and a function in the file of its noun; `mydocker --help`, aliases and
 * checks of flags and operands follow from the row.
 */
export const rows = [
	row({
		names: ['image list', 'image ls', 'images'],
		usage: '[OPTIONS] [REPOSITORY[:TAG]]',
		summary: 'List images',
		operands: { least: 0, most: 1 },
		flags: {
			all: toggle('-a, --all', 'Show all images (default hides intermediate images)'),
			digests: toggle('--digests', 'Show digests'),
			filter: filters('Filter output based on conditions provided'),
			format,
			noTrunc: toggle('--no-trunc', "Don't truncate output"),
			quiet: toggle('-q, --quiet', 'Only show image IDs'),
		},
		isCommon: true,
		load: async () => (await import('./images')).list,
	}),
	row({
		names: ['image pull', 'pull'],
		usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
		summary: 'Download an image from a registry',
		operands: exactly(1),
		flags: {
			platform: createFlags.platform,
			quiet: toggle('-q, --quiet', 'Suppress verbose output'),
		},
		isCommon: true,
		load: async () => (await import('./pull')).pull,
	}),
	row({
		names: ['image tag', 'tag'],
		usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
		summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
		operands: exactly(2),
		flags: {},
		load: async () => (await import('./images')).tag,
	}),
	row({
		names: ['image remove', 'image rm', 'rmi'],
		usage: '[OPTIONS] IMAGE [IMAGE...]',
		summary: 'Remove one or more images',
		operands: oneOrMore,
		flags: { force: toggle('-f, --force', 'Force removal of the image') },
		load: async () => (await import('./images')).remove,
	}),
	row({
		names: ['image inspect'],
		usage: '[OPTIONS] IMAGE [IMAGE...]',
		summary: 'Display detailed information on one or more images',
		operands: oneOrMore,
		flags: { format: objectFormat },
		load: async () => (await import('./inspect')).inspectImages,
	}),
	row({
		names: ['container run', 'run'],
		usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
		summary: 'Create and run a new container from an image',
		operands: oneOrMore,
		flags: runFlags,
		stopsAtOperand: true,
		isCommon: true,
		load: async () => (await import('./create')).run,
	}),
	row({
		names: ['container create', 'create'],
		usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
		summary: 'Create a new container',
		operands: oneOrMore,
		flags: createFlags,
		stopsAtOperand: true,
		load: async () => (await import('./create')).create,
	}),
	row({
		names: ['container list', 'container ls', 'container ps', 'ps'],
		usage: '[OPTIONS]',
		summary: 'List containers',
		operands: none,
		flags: {
			all: toggle('-a, --all', 'Show all containers (default shows just running)'),
			filter: filters('Filter output based on conditions provided'),
			format,
			last: integer('-n, --last', 'Show n last created containers (includes all states)'),
			latest: toggle('-l, --latest', 'Show the latest created container (includes all states)'),
			noTrunc: toggle('--no-trunc', "Don't truncate output"),
			quiet: toggle('-q, --quiet', 'Only display container IDs'),
		},
		isCommon: true,
		load: async () => (await import('./containers')).list,
	}),
	row({
		names: ['container start', 'start'],
		usage: `[OPTIONS] ${containers}`,
		summary: 'Start one or more stopped containers',
		operands: oneOrMore,
		flags: {
			attach: toggle('-a, --attach', 'Attach STDOUT/STDERR and forward signals'),
			interactive: toggle('-i, --interactive', "Attach container's STDIN"),
		},
		load: async () => (await import('./foreground')).start,
	}),
	row({
		names: ['container stop', 'stop'],
		usage: `[OPTIONS] ${containers}`,
		summary: 'Stop one or more running containers',
		operands: oneOrMore,
		flags: { signal, timeout: { ...timeout, alias: '--time' } },
		isCommon: true,
		load: async () => (await import('./containers')).stop,
	}),
	row({
		names: ['container restart', 'restart'],
		usage: `[OPTIONS] ${containers}`,
		summary: 'Restart one or more containers',
		operands: oneOrMore,
		flags: { timeout: { ...timeout, alias: '--time' } },
		load: async () => (await import('./containers')).restart,
	}),
	row({
		names: ['container kill', 'kill'],
		usage: `[OPTIONS] ${containers}`,
		summary: 'Kill one or more running containers',
		operands: oneOrMore,
		flags: { signal },
		load: async () => (await import('./containers')).kill,
	}),
	row({
		names: ['container logs', 'logs'],
		usage: '[OPTIONS] CONTAINER',
		summary: 'Fetch the logs of a container',
		operands: exactly(1),
		flags: {
			follow: toggle('-f, --follow', 'Follow log output'),
			since: text(
				'--since',
				'string',
				'Show logs since a time ("2013-01-02T13:23:37Z") or a duration ago ("42m")',
			),
			tail: text(
				'-n, --tail',
				'string',
				'Number of lines to show from the end of the logs (default "all")',
				'all',
			),
			timestamps: toggle('-t, --timestamps', 'Show timestamps'),
			until: text(
				'--until',
				'string',
				'Show logs before a time ("2013-01-02T13:23:37Z") or a duration ago ("42m")',
			),
		},
		isCommon: true,
		load: async () => (await import('./containers')).logs,
	}),
	row({
		names: ['container remove', 'container rm', 'rm'],
		usage: `[OPTIONS] ${containers}`,
		summary: 'Remove one or more containers',
		operands: oneOrMore,
		flags: {
			force: toggle('-f, --force', 'Force the removal of a running container (uses SIGKILL)'),
			volumes: toggle('-v, --volumes', 'Remove anonymous volumes associated with the container'),
		},
		load: async () => (await import('./containers')).remove,
	}),
	row({
		names: ['container inspect'],
		usage: `[OPTIONS] ${containers}`,
		summary: 'Display detailed information on one or more containers',
		operands: oneOrMore,
		flags: { format: objectFormat },
		load: async () => (await import('./inspect')).inspectContainers,
	}),
	row({
		names: ['container rename', 'rename'],
		usage: 'CONTAINER NEW_NAME',
		summary: 'Rename a container',
		operands: exactly(2),
		flags: {},
		load: async () => (await import('./containers')).rename,
	}),
	row({
		names: ['container wait', 'wait'],
		usage: containers,
		summary: 'Block until one or more containers stop, then print their exit codes',
		operands: oneOrMore,
		flags: {},
		load: async () => (await import('./containers')).wait,
	}),
	row({
		names: ['container attach', 'attach'],
		usage: '[OPTIONS] CONTAINER',
		summary: 'Attach local standard input, output, and error streams to a running container',
		operands: exactly(1),
		flags: {
			noStdin: toggle('--no-stdin', 'Do not attach STDIN'),
			sigProxy: toggle('--sig-proxy', 'Proxy all received signals to the process (default true)', true),
		},
		load: async () => (await import('./foreground')).attach,
	}),
	row({
		names: ['inspect'],
		usage: '[OPTIONS] NAME|ID [NAME|ID...]',
		summary: 'Return low-level information on containers and images',
		operands: oneOrMore,
		flags: {
			format: objectFormat,
			type: text('--type', 'string', 'Only inspect objects of the given type ("container", "image")'),
		},
		load: async () => (await import('./inspect')).inspect,
	}),
	row({
		names: ['system info', 'info'],
		usage: '[OPTIONS]',
		summary: 'Display system-wide information',
		operands: none,
		flags: { format: objectFormat },
		isCommon: true,
		load: async () => (await import('./system')).info,
	}),
	row({
		names: ['system version', 'version'],
		usage: '[OPTIONS]',
		summary: 'Show the version of this program and of the engine',
		operands: none,
		flags: { format: objectFormat },
		isCommon: true,
		load: async () => (await import('./system')).version,
	}),
	row({
		names: ['system events', 'events'],
		usage: '[OPTIONS]',
		summary: 'Get real time events from the engine',
		operands: none,
		flags: {
			filter: filters('Filter output based on conditions provided'),
			format: text('--format', 'string', "Format output: 'json', or a template such as '{{.Action}}'"),
			since: text('--since', 'string', 'Show all events created since timestamp'),
			until: text('--until', 'string', 'Stream events until this timestamp'),
		},
		load: async () => (await import('./system')).events,
	}),
];
