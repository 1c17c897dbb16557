/** Mounts of layers that are EROFS images; see erofs.ts. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { EngineError } from '../errors';
import { toolEnvironment } from '../exec';

/** An image and the folder that it is mounted on, absolute. */
export interface LayerMount {
	readonly image: string;
	readonly target: string;
}

/** Numbers of mount(2), which Perl needs; of other machines the images go through loop devices. */
export const MOUNT_CALLS: Readonly<Record<string, number>> = { x64: 165, arm64: 40 };
/**
 * Linux mounts the file itself from 6.12 on, but mount(8) before 2.41 takes a loop device in any case. Flags: read-only,
 * no set-id programs and no devices by this way; through a container's overlay they count as that one's flags say.
 */
const PERL = `my $call = 0 + shift;
while (my ($image, $target) = splice @ARGV, 0, 2) {
	my $type = "erofs";
	syscall($call, $image, $target, $type, 1 | 2 | 4, 0) == 0 or die "$target: $!\\n";
}`;
const LOOP = `while [ $# -gt 0 ]; do
	mount -t erofs -o ro,nosuid,nodev,loop "$1" "$2" || exit
	shift 2
done`;

/**
 * Mounts them all, in the mount namespace of the process `pid` or in this one. Throws EngineError "unsupported" with the
 * bare reason; some may be mounted then.
 */
export function mountLayers(mounts: readonly LayerMount[], pid?: number): void {
	if (mounts.length === 0) {
		return;
	}
	const args = mounts.flatMap(({ image, target }) => [image, target]);
	const call = MOUNT_CALLS[process.arch];
	const enter = pid === undefined ? [] : ['nsenter', `--mount=/proc/${pid}/ns/mnt`, '--'];
	const direct = call === undefined ? undefined : tryProgram([...enter, 'perl', '-e', PERL, String(call), ...args]);
	if (direct === '') {
		return;
	}
	const left = mounts.filter(({ target }) => !mountPointsIn(target, pid).includes(target));
	const pairs = left.flatMap(({ image, target }) => [image, target]);
	const reason = tryProgram([...enter, 'sh', '-c', LOOP, 'mount', ...pairs]);
	if (reason !== '') {
		throw new EngineError('unsupported', direct === undefined ? reason : `${direct}; ${reason}`);
	}
}

/** Ends the mounts: their names at once, the rest when nobody uses a file any more. */
export function unmountLayers(targets: readonly string[]): void {
	if (targets.length === 0) {
		return;
	}
	const reason = tryProgram(['umount', '--lazy', '--', ...targets]);
	if (reason !== '') {
		throw new EngineError('internal', `Cannot unmount layers: ${reason}`);
	}
}

/** Folders at or below `folder` (absolute, real) on which something is mounted; proc(5), mountinfo. */
export function mountPointsIn(folder: string, pid: number | 'self' = 'self'): string[] {
	return fs
		.readFileSync(`/proc/${pid}/mountinfo`, 'latin1')
		.split('\n')
		.map((line) => Buffer.from(unescaped(line.split(' ')[4] ?? ''), 'latin1').toString('utf8'))
		.filter((point) => point === folder || point.startsWith(`${folder}/`));
}

function unescaped(text: string): string {
	return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** The reason why it failed, "" when it did not. */
function tryProgram([program = '', ...args]: readonly string[]): string {
	const { error, status, stderr } = spawnSync(program, args, { env: toolEnvironment(), encoding: 'utf8' });
	if (error !== undefined) {
		return error.message;
	}
	const [reason = ''] = stderr.split('\n').filter((line) => line !== '');
	return status === 0 ? '' : reason || `${program}: exit code ${String(status)}`;
}
