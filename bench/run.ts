import { busyboxLayer, imageOf } from '../test/engine/fixture';
import { enginePid } from '../test/engine/subject';
import { endProcess } from '../test/engine/workspace';
import { against, interleaved, type Figure } from './figure';
import { pull, type Rivals } from './rivals';

const ROUNDS = 11;
/** Its own are beyond what an ordinary machine allows. */
const PODMAN_LIMITS = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];

/** `run --rm busybox true`, from the command to its end. */
export async function measureRun(rivals: Rivals): Promise<Figure[]> {
	const { registries, ours, docker } = rivals;
	await registries.open.push('bench/busybox', '1', imageOf([busyboxLayer()]));
	const reference = `${registries.open.host}/bench/busybox:1`;
	const command = ['run', '--rm', '--network', 'none', reference, 'true'];
	await pull(ours, reference);
	if (docker !== undefined) {
		await pull(docker, reference);
	}
	const podman = await rivals.podman(reference);
	const times = await interleaved(ROUNDS, {
		ours: () => rivals.mydocker(...command),
		docker: docker && (() => rivals.dockerOn(docker, ...command)),
		podman: podman && (() => podman('run', ...PODMAN_LIMITS, ...command.slice(1))),
		mixed: docker && (() => rivals.dockerOn(ours, ...command)),
	});
	// By itself, since an engine that has just started is slower for a while.
	const { cold } = await interleaved(ROUNDS, {
		cold: async () => {
			const pid = enginePid(ours.root);
			await (pid === undefined ? undefined : endProcess(pid));
			return rivals.mydocker(...command);
		},
	});
	const theirs = against(times.docker);
	const figures: Figure[] = [
		{
			name: 'run --rm busybox true',
			unit: 'ms',
			ours: times.ours ?? NaN,
			...theirs,
			target: { value: 0.35, of: 'ratio' },
			note: 'a new process of the command line, the engine running; --network none on both sides',
		},
		{ name: 'the same, engine started by it', unit: 'ms', ours: cold ?? NaN, ...theirs },
	];
	if (times.podman === undefined) {
		process.stderr.write('podman is not here, or is not to be used: not measured\n');
	} else {
		figures.splice(1, 0, {
			name: 'run --rm busybox true',
			unit: 'ms',
			ours: times.ours ?? NaN,
			theirs: times.podman,
			rival: 'podman',
			target: { value: 0.5, of: 'ratio' },
		});
	}
	if (times.mixed !== undefined) {
		figures.push({ name: 'the same, docker program on our socket', unit: 'ms', ours: times.mixed, ...theirs });
	}
	return figures;
}
