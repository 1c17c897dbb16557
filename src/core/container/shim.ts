import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { systemCode } from '../errors';
import { toolEnvironment } from '../exec';
import { MOUNT_FUNCTIONS, mountArguments } from '../storage/driver';
import type { RootMount } from '../storage/driver';
import { writeAtomically } from '../store';

/**
 * The shim: one small POSIX shell process per container that outlives the engine. It mounts the container's root in a
 * mount namespace of its own, runs the OCI runtime in the foreground, keeps the output in segment files and leaves
 * the exit code in an exit file. All that varies comes as arguments; nothing is ever pasted into this text.
 *
 * Files in the shim folder:
 *   shim.pid        process id of the shim; made with link(2), so an engine that makes it first keeps the shim from running
 *   pid             the container's first process, written by the runtime once it runs; absent after a failed start
 *   stdout.N, stderr.N   output in order; segment N is complete as soon as N+1 or `exit` exists
 *   stdin, stdin.close   FIFOs, only with an open stdin
 *   size, console, terminal.pid, or arguments, size, tty   only with a terminal, see console.ts and terminal.ts
 *   oci.log         the runtime's own log, JSON lines
 *   mount.err       what was said when the root could not be mounted
 *   network, network.inside   input of `ip -batch` outside and inside of the container's network namespace; only with one
 *   netns           that namespace, mounted in the shim's own mount namespace, so it goes with the shim
 *   network.err     what ip(8) said when the network could not be set up
 *   exit            first line: the exit code. Appears by rename after the last byte of output is in a segment
 *   journal         the engine's own, see pump.ts
 *
 * Facts that shaped it:
 * - Signals are caught and not ignored: an ignored signal stays ignored across exec, so the container's shell could
 *   never trap it. Pipelines' subshells start with default actions, hence the repeated trap.
 * - The runtime's stdio is two pipes. dd copies them without delay; its record count tells the end of a segment (as
 *   many reads as it may do) from the end of output (fewer). At most 64 segments wait unread; then the pump pauses, the
 *   pipe fills and the container blocks in write(2): back-pressure, nothing is dropped.
 * - dd loses what it has read when it cannot write it. So the blocks of a segment are there (fallocate) before dd reads
 *   the first byte for it; on a full disk the pump waits for room and the container blocks. Segments grow from 256 KiB
 *   to 4 MiB while a container writes much, and shrink to 64 KiB where room is short; what many small reads leave of the
 *   blocks is given back. On a file system that reserves nothing dd may fail after all, and up to 16 KiB are lost each
 *   time the disk is full.
 * - The exit file's block is allocated before the container starts and overwritten in place, so a full disk cannot
 *   lose the exit code; only its first line counts.
 * - A runtime or receiver of a terminal that is killed may leave its container behind, whose root tells that the process
 *   is not another one with the same number. It must not go on with nobody to see its end.
 * - A keeper holds a writer of the stdin FIFO, so that the engine's death is no end of file for the container. The
 *   engine ends the input by opening stdin.close.
 */
const SCRIPT = `#!/bin/sh
# Arguments: <shim folder> <kind of mount> <folder for mount> <options> <merged> <stdin: fifo or null> <runtime argv ...>
d=$1 kind=$2 at=$3 options=$4 merged=$5 in=/dev/null keeper=
umask 022
trap : HUP INT TERM
echo $$ >"$d/.shim.pid" && ln "$d/.shim.pid" "$d/shim.pid" && echo 255 >"$d/.exit" || exit 1
if [ "$6" = fifo ]; then
	in=$d/stdin
	mkfifo -m 600 "$in" "$d/stdin.close" || exit 1
	{ : <"$d/stdin.close"; } >"$in" &
	keeper=$!
fi
shift 6

${MOUNT_FUNCTIONS}
pause() {
	[ -d "$d" ] || exit 1
	i=$((i + 1))
	if [ $i -lt 100 ]; then sleep 0.05 || sleep 1; else sleep 1; fi
}

reserve() {
	until true >"$1"; do pause; done 2>/dev/null
	[ $short -eq 0 ] || log_first "$1"
	until refusal=$(fallocate -n -l $size "$1" 2>&1); do
		case $refusal in *"No space"*|*"uota exceeded"*) ;; *) return ;; esac
		short=16
		if [ $size -gt 65536 ]; then size=$((size / 2)); else pause; fi
		log_first "$1"
	done
}

# What room there is belongs to the log first, which frees the segments.
log_first() {
	while [ -e "\${1%.*}.$((n - 2))" ]; do pause; done
}

pump() {
	trap : HUP INT TERM
	n=0 size=131072 short=0
	while :; do
		i=0
		while [ -e "$d/$1.$((n - 64))" ]; do pause; done
		if [ $short -gt 0 ]; then short=$((short - 1)); elif [ $size -lt 4194304 ]; then size=$((size * 2)); fi
		reserve "$d/$1.$n"
		if records=$(dd bs=16384 count=$((size / 16384)) conv=notrunc of="$d/$1.$n" 2>&1); then
			bytes=\${records% byte*}
			# A line before may warn of partial reads.
			records=\${records%% records in*}
			[ $(((\${records##*[!0-9+]}) * 16384)) -eq $size ] || break
			bytes=\${bytes##*[!0-9]}
			[ "$bytes" -eq $size ] || truncate -c -s "$bytes" "$d/$1.$n"
		else
			until dd if=/dev/zero of="$d/$1.room" bs=65536 count=1; do pause; done 2>/dev/null
			rm -f "$d/$1.room"
		fi
		n=$((n + 1))
	done
}

network() {
	[ -e "$d/network" ] || return 0
	(
		cd "$d" && : >netns && unshare --net=./netns true && ip -batch network &&
			nsenter --net=./netns ip -batch network.inside
	) >/dev/null </dev/null
}

end_left_over() {
	pid=$(cat "$d/pid") && [ "/proc/$pid/root" -ef "$merged" ] && kill -KILL "$pid"
} 2>/dev/null

container() {
	trap : HUP INT TERM
	if network 2>"$d/network.err" 3>&- 4>&- && mount_root "$kind" "$at" "$options" "$merged" 2>"$d/mount.err" 3>&- 4>&-; then
		"$@" <"$in" 3>&- 4>&-
		code=$?
		[ $code -le 128 ] || end_left_over
		unmount_root "$merged" 2>/dev/null 3>&- 4>&-
		echo $code >&4
	else
		echo 125 >&4
	fi
}

{ { container "$@" 2>&1 >&3 | pump stderr >/dev/null 3>&- 4>&-; } 3>&1 | pump stdout >/dev/null 4>&-; } 4<>"$d/.exit"
[ -z "$keeper" ] || kill "$keeper"
i=0
until mv "$d/.exit" "$d/exit"; do pause; done
`;

export interface Launch {
	/** The shim folder: absolute, exists, holds nothing of an earlier run. */
	readonly folder: string;
	readonly root: RootMount;
	readonly merged: string;
	/** Put before the shim's own command: programs that set something up and run the rest in their place. */
	readonly prefix: readonly string[];
	readonly hasStdin: boolean;
	/** Input of `ip -batch` for a network namespace of the container's own, to be made in the folder. */
	readonly network?: { readonly outside: string; readonly inside: string } | undefined;
	/** The size of the terminal that the container gets; without one it has none. */
	readonly terminal?: { readonly rows: number; readonly columns: number } | undefined;
	/** Program and arguments that run the container in the foreground. */
	readonly command: readonly string[];
}

/** Puts the shim's script into `<run>/shim.sh`, unless it is there already, and gives its path. */
export function installShim(run: string): string {
	const file = path.join(run, 'shim.sh');
	writeIfOther(file, SCRIPT);
	return file;
}

/**
 * Starts a shim in a session of its own, with no inherited file and a clean environment. The child outlives this
 * process; its "exit" tells only that the shim ended, the exit file tells how the container did.
 */
export function launchShim(script: string, launch: Launch): ChildProcess {
	const [program, ...args] = [...launch.prefix, 'unshare'];
	const child = spawn(
		program,
		[
			...args,
			...['--mount', '--propagation', 'slave', '/bin/sh', script, launch.folder],
			...[...mountArguments(launch.root, launch.merged), launch.hasStdin ? 'fifo' : 'null'],
			...launch.command,
		],
		// The newer mount system call of util-linux 2.39 takes 256 bytes of options only (see storage/overlay.ts).
		{ detached: true, stdio: 'ignore', cwd: '/', env: { ...toolEnvironment(), LIBMOUNT_FORCE_MOUNT2: 'always' } },
	);
	child.unref();
	return child;
}

/** Writes a small file, unless it has the text already. */
export function writeIfOther(file: string, text: string): void {
	if (readText(file) !== text) {
		writeAtomically(file, text);
	}
}

/** Content of a small file, or undefined when there is none (any more). */
export function readText(file: string): string | undefined {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		const code = systemCode(error);
		// The kernel's ENODEV: a control group's file whose group went between open and read.
		if (code === 'ENOENT' || code === 'ENODEV') {
			return undefined;
		}
		throw error;
	}
}
