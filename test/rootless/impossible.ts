const LIMITS = 'control groups of version 1 belong to root';
const FREEZER = 'the freezer is a control group, and those of version 1 belong to root';

/**
 * Contract cases that an ordinary user's engine does not keep on a machine without delegated control groups, by title.
 * Everything else holds as for root; where the answer is another one, differences.ts says so.
 */
export const IMPOSSIBLE: Readonly<Record<string, string>> = {
	'devices: the usual ones and no disk':
		'the kernel refuses to make any device node, before the question whether one may be opened',
	'privileged: has every capability and no filter':
		'a new user namespace has every capability, also those that the suite itself lacks',
	'memory, CPU and processes: stand in the control group': LIMITS,
	'processes: the limit refuses a further one inside': LIMITS,
	'memory: a process that takes more is killed, and the container says why': LIMITS,
	'processors, weights and memory: are in the control groups': LIMITS,
	'a running container: has the new limits at once': LIMITS,
	'a running container that had none: gets limits, and is freed of one': LIMITS,
	'a busy container: has numbers that move, and one sample has the one before':
		'without control groups there are no limits to show, and processes are not counted',
	'pause and unpause: nothing runs meanwhile, and the state says so': FREEZER,
	'in the wrong state: is refused': FREEZER,
	'stop: lets it go on, so that it ends by the signal': FREEZER,
	'kill and forced removal: end it': FREEZER,
	'restart: of a paused container works': FREEZER,
	'events: pause and unpause': FREEZER,
	'through volumes and bind mounts of a container that is created; read-only ones refuse':
		"the suite's bind folder is root's alone",
	'through volumes and bind mounts of a container that is running; read-only ones refuse':
		"the suite's bind folder is root's alone",
	'hard links, FIFOs, devices, set-id bits, names of any bytes and file capabilities: survive in and out':
		'the kernel refuses to make the device of the archive',
	'a device: is there with the permissions asked for': 'the device is one that root of the machine made for the test',
	'syslog: the server gets the same bytes, and logs are read': "the suite's socket is root's alone",
	'domain name: is the one asked for': 'runc 1.1 writes it where the kernel lets only root of the machine write',
};
