/**
 * Contract cases that an ordinary user's engine cannot keep on a machine without delegated control groups, by title.
 * Everything else holds as for root; where the answer is another one, differences.ts says so.
 */
export const IMPOSSIBLE: Readonly<Record<string, string>> = {
	'devices: the usual ones and no disk':
		'the kernel refuses to make any device node, before the question whether one may be opened',
	'privileged: has every capability and no filter':
		'a new user namespace has every capability, also those that the suite itself lacks',
	'memory, CPU and processes: stand in the control group': 'control groups of version 1 belong to root',
	'processes: the limit refuses a further one inside': 'control groups of version 1 belong to root',
	'memory: a process that takes more is killed, and the container says why':
		'control groups of version 1 belong to root',
	'a busy container: has numbers that move, and one sample has the one before':
		'without control groups there are no limits to show, and processes are not counted',
};
